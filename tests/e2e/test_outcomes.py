"""Each outcome of a read, over real HTTPS: the outcome, its words, its exit code."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from auditor.core.model import ReadOutcome
from auditor.simulator.command import NotConfigured
from auditor.simulator.profile import COMMAND_24_4
from tests.e2e.conftest import Site


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"https://127.0.0.1:{probe.getsockname()[1]}"


def drip() -> Iterator[bytes]:
    while True:
        yield b" "
        time.sleep(0.1)


def slow(site: Site) -> None:
    site.configure(timeout="1s")
    site.simulator.answer_with(200, None, drip)


CASES: dict[str, tuple[Callable[[Site], object], str]] = {
    "dns_failed": (lambda site: site.configure(url="https://command.invalid"), "no address"),
    "unreachable": (lambda site: site.configure(url=closed_port()), "refused"),
    "timeout": (slow, "in time"),
    "tls_failed": (lambda site: site.configure(ca_file=""), "ca_file"),
    "redirected": (lambda site: site.simulator.answer_with(302, {"Location": "https://elsewhere.example.org/"}), "redirect"),
    "unauthenticated": (lambda site: site.simulator.accounts.remove(r"CORP\svc-auditor"), "401"),
    "forbidden": (lambda site: site.simulator.deny(), "/system_settings/read/"),
    "not_found": (lambda site: site.configure(api_path="Nothing/Here"), "api_path"),
    "rejected": (lambda site: site.simulator.fail_with(400), "400"),
    "unsupported_version": (
        lambda site: setattr(site.simulator, "release", COMMAND_24_4.__class__(product_version="99.1", api_versions=("3.0",))),
        "version",
    ),
    "throttled": (lambda site: site.simulator.fail_with(429, retry_after=1), "429"),
    "server_error": (lambda site: site.simulator.fail_with(503), "503"),
    "malformed": (lambda site: site.simulator.answer_with(200, None, b'{"Host": "a", "Host": "b"}'), "twice"),
    "too_large": (lambda site: site.simulator.answer_with(200, None, b'{"Host": "' + b"x" * 70_000 + b'"}'), "bytes"),
    "credential_missing": (
        lambda site: site.configure(auth="{type: token, token: env:E2E_NO_SUCH_VARIABLE}"),
        "E2E_NO_SUCH_VARIABLE",
    ),
}


@pytest.mark.parametrize("outcome", CASES)
def test_trouble_is_told_with_a_next_step_and_gives_exit_3(site: Site, outcome: str) -> None:
    arrange, word = CASES[outcome]
    arrange(site)
    code, report = site.check()
    (target,) = report["targets"]
    observation = target["observation"]
    assert observation["outcome"] == outcome
    assert word.casefold() in f"{observation['message']} {observation['hint']}".casefold()
    assert observation["hint"], "what to do next is always said"
    assert target["verdict"] == "indeterminate"
    assert code == 3
    code, out, _ = site.run("show", "prod")
    assert code == 0
    assert outcome in out or observation["message"] in " ".join(out.split())


def test_every_outcome_has_its_case() -> None:
    assert {*CASES, "observed", "not_configured", "backing_off"} == {outcome.value for outcome in ReadOutcome}


@pytest.mark.parametrize("form", NotConfigured)
def test_a_server_without_a_profile_fails_the_one_rule_about_it(site: Site, form: NotConfigured) -> None:
    site.simulator.not_configured = form
    code, report = site.check()
    (target,) = report["targets"]
    assert target["observation"]["outcome"] == "not_configured"
    outcomes = {finding["rule"]: finding["outcome"] for finding in target["findings"]}
    assert outcomes.pop("CFG-035") == "fail"
    assert set(outcomes.values()) == {"not_applicable"}
    assert code == 1


def test_a_denied_account_is_not_tried_again_unless_forced_or_changed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.simulator.deny()
    assert site.check()[1]["targets"][0]["observation"]["outcome"] == "forbidden"
    asked = len(site.simulator.requests)
    code, report = site.check()
    held = report["targets"][0]["observation"]
    assert (held["outcome"], code) == ("backing_off", 3)
    assert "--force" in held["hint"] + held["message"]
    assert len(site.simulator.requests) == asked, "no request was made"
    site.simulator.recover()
    code, report = site.check("--force")
    assert (code, report["targets"][0]["observation"]["outcome"]) == (0, "observed")
    site.simulator.deny()
    site.check()
    site.simulator.recover()
    monkeypatch.setenv("E2E_PASSWORD", "another")
    assert site.check()[1]["targets"][0]["observation"]["outcome"] == "unauthenticated", "a changed credential ends the back-off"


def test_a_server_that_cannot_be_read_beside_one_that_can_gives_exit_4_and_a_failure_wins(site: Site) -> None:
    site.configure(targets=f"- name: lost\n  url: {closed_port()}\n  auth: {{type: token, token: env:E2E_PASSWORD}}\n  attempts: 1\n")
    code, report = site.check()
    assert code == 4
    assert {target["name"]: target["verdict"] for target in report["targets"]} == {"prod": "compliant", "lost": "indeterminate"}
    site.simulator.smtp["UseSSL"] = False
    assert site.check()[0] == 1
