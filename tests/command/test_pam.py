"""In whose vault a secret is kept: providers named, external ones told from Command's own, and never at the observation's cost."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from auditor.command import listing, pam
from auditor.command.pam import Provider, Unseen, with_vaults
from auditor.core.drift import changes
from auditor.core.model import Fact, Memory, ReadOutcome, SecretPlace, Snapshot, State, Target
from auditor.simulator.accounts import READ_PAM, READ_SYSTEM_SETTINGS
from auditor.simulator.command import Simulator
from auditor.simulator.profile import (
    COMMAND_10,
    COMMAND_24_4,
    COMMAND_25_1,
    COMMAND_25_4,
    PAM_SENTINEL,
    Release,
    Showing,
    in_pam,
    pam_provider,
    stored,
)
from tests.command.far_end import COMMAND, PASSWORD, FarEnd, OurEnd, Reply, Request, drip, reply, target_at
from tests.factories import snapshot

URL = "https://command.corp.example"
ACCOUNT = r"corp.example\auditor"
VAULT = "ClientSecret.vault"
EXTERNAL, BUILT_IN = Fact(State.VALUE, "external"), Fact(State.VALUE, "command")
DENIED = Fact(State.NOT_OFFERED, reason="our account lacks the permission /pam/read/")


@pytest.fixture
def simulator(ours: OurEnd) -> Simulator:
    simulator = Simulator(clock=lambda: ours.at, seed=7)
    simulator.accounts.add_user(ACCOUNT, PASSWORD, permissions=[READ_SYSTEM_SETTINGS, READ_PAM])
    simulator.smtp["ClientSecret"] = in_pam(3, SecretId="2001")
    simulator.pam_providers = [pam_provider(1, "Other"), pam_provider(3, "HashiCorp", Token="planted-4711-secret")]
    ours.reader.transport = lambda _: httpx.WSGITransport(simulator)  # type: ignore[arg-type]
    return simulator


@pytest.fixture
def target() -> Target:
    return target_at(URL, pam_providers=True)


def seen(ours: OurEnd, target: Target) -> Snapshot:
    observation, _ = ours.reader.observe(target, Memory())
    assert observation.outcome is ReadOutcome.OBSERVED
    assert observation.snapshot is not None
    return observation.snapshot


def asked(simulator: Simulator) -> list[tuple[str, str | None]]:
    return [(request.path.removeprefix("/KeyfactorAPI"), request.version) for request in simulator.requests]


# --- whose vault it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "vault"),
    [
        ("HashiCorp", "Hashicorp-Vault", EXTERNAL),
        ("Command Secret Provider", "Command Secret Provider", BUILT_IN),
        ("LocalDB", "LocalDB", BUILT_IN),
        ("localdb ", "Something", BUILT_IN),
        ("Our own name for it", "Command Secret Provider", BUILT_IN),
        ("LocalDB of CyberArk", "CyberArk", EXTERNAL),
    ],
)
def test_a_secret_in_pam_is_kept_outside_unless_the_provider_is_command_s_own(
    ours: OurEnd, simulator: Simulator, target: Target, name: str, kind: str, vault: Fact
) -> None:
    simulator.pam_providers = [pam_provider(3, name, kind)]

    found = seen(ours, target)

    assert found.facts[VAULT] == vault
    assert found.secrets["ClientSecret"].name == name.strip()
    assert asked(simulator) == [("/SMTP", "2"), ("/PamProviders", "2")]


@pytest.mark.parametrize("release", [COMMAND_25_4, COMMAND_25_1])
def test_a_password_has_a_vault_in_both_shapes_of_version_2(ours: OurEnd, simulator: Simulator, target: Target, release: Release) -> None:
    simulator.release = release
    simulator.smtp.update({"RelayAuthenticationType": 2, "RelayPassword": in_pam(3, SecretId="1")})

    assert seen(ours, target).facts["RelayPassword.vault"] == EXTERNAL
    assert asked(simulator)[-1] == ("/PamProviders", "2")


@pytest.mark.parametrize("release", [COMMAND_24_4, COMMAND_10])
def test_where_the_profile_shows_no_provider_none_is_asked_for(ours: OurEnd, simulator: Simulator, target: Target, release: Release) -> None:
    simulator.release = release

    found = seen(ours, target)

    assert found.facts[VAULT] == Fact(State.NOT_OFFERED, reason="API v1 cannot show this")
    assert {path for path, _ in asked(simulator)} == {"/SMTP"}


def test_version_1_of_the_list_does_where_there_is_no_other(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.answer_with(400, COMMAND | {"Api-Supported-Versions": "1.0"}, b"{}", times=1, where="pam")

    assert seen(ours, target).facts[VAULT] == EXTERNAL
    assert asked(simulator)[1:] == [("/PamProviders", "2"), ("/PamProviders", "1")]


def test_without_any_version_of_the_list_it_is_not_known(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.answer_with(400, COMMAND | {"Api-Supported-Versions": "3"}, b"{}", where="pam")

    assert seen(ours, target).facts[VAULT] == Fact(State.INCONCLUSIVE, reason="PAM providers could not be read (unsupported_version)")


@pytest.mark.parametrize("total_count", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_a_provider_on_a_later_page_is_found(
    ours: OurEnd, simulator: Simulator, target: Target, total_count: bool, dotted: bool, strict: bool
) -> None:
    simulator.release = replace(COMMAND_25_4, dotted_query=dotted)
    simulator.total_count, simulator.strict_queries = total_count, strict
    simulator.pam_providers += [pam_provider(n, f"Vault {n}") for n in range(10, 130)]
    simulator.smtp["ClientSecret"], simulator.smtp["ClientId"] = in_pam(70), in_pam(3)

    places = seen(ours, target).secrets

    assert (places["ClientSecret"].name, places["ClientId"].name) == ("Vault 70", "HashiCorp")


def test_a_list_longer_than_was_asked_for_is_asked_for_in_the_other_dialect(ours: OurEnd) -> None:
    everything = [{"Id": n, "Name": f"Vault {n}"} for n in range(1, 62)]

    def answer(request: Request) -> Reply:
        page = everything if "pq." not in request.line else [{"Id": 3, "Name": "Asked for properly"}] if "pageReturned=1&" in request.line else []
        return reply(200, json.dumps(page), COMMAND)

    assert from_far_end(ours, answer).secrets["ClientSecret"].name == "Asked for properly"


@pytest.mark.parametrize(
    ("secret", "vault"),
    [
        (None, Fact(State.UNSET)),
        (stored("x"), Fact(State.UNSET)),
        (in_pam(9), Fact(State.INCONCLUSIVE, reason="Command lists no PAM provider 9 to our account")),
        ({"SecretValue": PAM_SENTINEL}, Fact(State.NOT_OFFERED, reason="the answer does not say which provider keeps it")),
        ([1], Fact(State.ILL_TYPED)),
    ],
    ids=["unset", "stored", "another provider", "not disclosed", "ill-typed"],
)
def test_what_is_in_no_known_vault_says_so(ours: OurEnd, simulator: Simulator, target: Target, secret: object, vault: Fact) -> None:
    simulator.smtp["ClientId"], simulator.smtp["ClientSecret"] = in_pam(3), secret
    simulator.showing["ClientSecret"] = Showing.CLEAR if isinstance(secret, dict) and secret["SecretValue"] == PAM_SENTINEL else Showing.MASKED

    found = seen(ours, target)

    assert found.facts[VAULT] == vault
    assert found.secrets["ClientId"].name == "HashiCorp"


def test_a_withheld_password_has_a_withheld_vault() -> None:
    withheld = Fact(State.NOT_OFFERED, reason="withheld: Command does not return it in responses")

    assert with_vaults(snapshot(RelayPassword=withheld), {}).facts["RelayPassword.vault"] == withheld


def test_without_the_setting_no_provider_is_asked_for(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    found = seen(ours, replace(target, pam_providers=False))

    assert found.facts.keys().isdisjoint({VAULT, "RelayPassword.vault"})
    assert asked(simulator) == [("/SMTP", "2")]


def test_a_profile_without_secrets_in_pam_costs_no_request(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.smtp["ClientSecret"] = stored("x")

    assert seen(ours, target).facts[VAULT] == Fact(State.UNSET)
    assert asked(simulator) == [("/SMTP", "2")]


# --- the name is for people -------------------------------------------------------------------------------------------


def test_a_renamed_provider_is_no_drift_and_another_one_is() -> None:
    def named(name: str, provider: int = 1) -> Snapshot:
        place = SecretPlace(provider=provider)
        return with_vaults(snapshot(others={"secrets": {"ClientSecret": place}}), {provider: Provider(name, is_external=True)})

    def drift(before: Snapshot, after: Snapshot) -> list[str]:
        return [change.kind for change in changes(before, after, org_domain=lambda host: host)]

    assert (named("a").digest == named("b").digest, drift(named("a"), named("b"))) == (False, [])
    assert drift(named("a"), named("a", 2)) == ["provider"]


def test_a_snapshot_keeps_the_name_and_one_without_it_reads_as_before() -> None:
    plain = snapshot()
    named = with_vaults(plain, {1: Provider("HashiCorp", is_external=True)})

    assert Snapshot.from_document(named.document()).secrets["ClientSecret"].name == "HashiCorp"
    assert "name" not in plain.document()["secrets"]["ClientSecret"]
    assert "name" not in named.field("ClientSecret").document()["place"], "what is approved is the place"


# --- denied, failing, hostile -----------------------------------------------------------------------------------------


def test_without_the_permission_the_profile_is_observed_and_the_denied_call_is_not_repeated(
    ours: OurEnd, simulator: Simulator, target: Target
) -> None:
    simulator.accounts.add_user(ACCOUNT, PASSWORD)
    memory = Memory()
    for _ in range(3):
        observation, memory = ours.reader.observe(target, memory)
        assert observation.snapshot is not None
        assert (observation.outcome, memory.denied_until) == (ReadOutcome.OBSERVED, None)
        assert observation.snapshot.facts[VAULT] == DENIED
        ours.at += timedelta(minutes=15)

    assert asked(simulator).count(("/PamProviders", "2")) == 1
    ours.at += timedelta(seconds=target.backoff_s)
    seen(ours, target)
    assert asked(simulator).count(("/PamProviders", "2")) == 2


def test_force_and_another_credential_ask_at_once(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.accounts.add_user(ACCOUNT, PASSWORD)
    seen(ours, target)
    simulator.accounts.add_user(ACCOUNT, PASSWORD, permissions=[READ_SYSTEM_SETTINGS, READ_PAM])

    forced, _ = ours.reader.observe(target, Memory(), force=True)
    assert forced.snapshot is not None
    assert forced.snapshot.facts[VAULT] == EXTERNAL

    simulator.accounts.add_user(ACCOUNT, PASSWORD)
    ours.reader.observe(target, Memory(), force=True)
    assert seen(ours, target).facts[VAULT] == DENIED
    simulator.accounts.add_user(ACCOUNT, "another", permissions=[READ_SYSTEM_SETTINGS, READ_PAM])
    ours.secrets["PASSWORD"] = "another"
    assert seen(ours, target).facts[VAULT] == EXTERNAL


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(302, "rejected"), (400, "rejected"), (404, "rejected"), (429, "throttled"), (500, "server_error"), (503, "server_error")],
)
def test_a_list_that_fails_leaves_the_vault_inconclusive(ours: OurEnd, simulator: Simulator, target: Target, status: int, outcome: str) -> None:
    simulator.fail_with(status, where="pam")

    found = seen(ours, target)

    assert found.facts[VAULT] == Fact(State.INCONCLUSIVE, reason=f"PAM providers could not be read ({outcome})")
    assert found.secrets["ClientSecret"].name is None


def test_a_list_that_asks_for_patience_is_not_waited_for_past_the_timeout(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    patient = replace(target, attempts=3, timeout_s=2.0)
    simulator.fail_with(503, times=1, where="pam")
    assert seen(ours, patient).facts[VAULT] == EXTERNAL
    simulator.fail_with(503, times=1, retry_after=2, where="pam")

    assert seen(ours, patient).facts[VAULT].state is State.INCONCLUSIVE
    assert sum(ours.slept) < 2


def far(body: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    """A server whose profile points at provider 3, and whose list of providers is `body`."""
    secret = {"SecretValue": None, "Parameters": {}, "Provider": 3}
    profile = json.dumps({"Host": "smtp.corp.example", "RelayAuthenticationType": 3, "ClientSecret": secret})
    return lambda request: body(request) if "PamProviders" in request.line else reply(200, profile, COMMAND)


def from_far_end(ours: OurEnd, body: Callable[[Request], Reply], **changes: object) -> Snapshot:
    with FarEnd(far(body)) as far_end:
        return seen(ours, target_at(far_end.url, pam_providers=True, **changes))


@pytest.mark.parametrize("body", ["", "{}", "null", '"x"', "[" * 12 + "]" * 12])
def test_what_is_no_list_leaves_the_vault_inconclusive(ours: OurEnd, body: str) -> None:
    assert from_far_end(ours, lambda _: reply(200, body)).facts[VAULT].reason == "PAM providers could not be read (malformed)"


def test_a_list_past_the_limit_leaves_the_vault_inconclusive(ours: OurEnd) -> None:
    found = from_far_end(ours, lambda _: reply(200, " " * (listing.MAX_PAGE_BYTES + 1)))

    assert found.facts[VAULT].reason == "PAM providers could not be read (too_large)"


@pytest.mark.parametrize("provider", [3, None, {}, {"Id": "3"}, {"Id": True}, {"Id": 3.5}])
def test_an_object_that_is_no_provider_is_passed_over(ours: OurEnd, provider: object) -> None:
    found = from_far_end(ours, lambda _: reply(200, json.dumps([provider, {"Id": 3, "Name": "V"}])))

    assert (found.facts[VAULT], found.secrets["ClientSecret"].name) == (EXTERNAL, "V")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"Name": None}, "unnamed 3"),
        ({}, "unnamed 3"),
        ({"Name": 7, "ProviderType": "x"}, "unnamed 3"),
        ({"Name": "a\u202eb\n\x1b[2J", "ProviderType": {"Name": 1}}, "a[U+202E]b[U+000A][U+001B][2J"),
        ({"Name": "x" * 65}, "x" * 63 + "…"),
        ({"Name": "x" * 64}, "x" * 64),
        ({"Name": "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"}, "***"),
    ],
)
def test_a_provider_s_name_is_bounded_and_safe(ours: OurEnd, fields: dict[str, object], name: str) -> None:
    found = from_far_end(ours, lambda _: reply(200, json.dumps([{"Id": 3, **fields}])))

    assert (found.facts[VAULT], found.secrets["ClientSecret"].name) == (EXTERNAL, name)


def test_a_drip_costs_a_while_and_not_the_observation(ours: OurEnd) -> None:
    begun = time.monotonic()
    head = b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n"
    stop: list[FarEnd] = []
    with FarEnd(far(lambda _: drip(stop[0], head))) as far_end:
        stop.append(far_end)
        found = seen(ours, target_at(far_end.url, pam_providers=True, timeout_s=0.4))

    assert found.facts[VAULT].reason == "PAM providers could not be read (timeout)"
    assert time.monotonic() - begun < 2


def test_many_slow_pages_end_within_one_timeout(ours: OurEnd) -> None:
    ids = iter(range(10, 1000))

    def page(_: Request) -> Reply:
        time.sleep(0.15)
        return reply(200, json.dumps([{"Id": next(ids), "Name": "V"}]))

    begun = time.monotonic()
    found = from_far_end(ours, page, timeout_s=0.5)

    assert found.facts[VAULT].state is State.INCONCLUSIVE
    assert time.monotonic() - begun < 1.5


def test_no_parameter_of_a_provider_leaves(ours: OurEnd, simulator: Simulator, target: Target, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    observation, memory = ours.reader.observe(target, Memory())
    assert observation.snapshot is not None
    said = repr((observation, memory)) + json.dumps(observation.snapshot.document()) + caplog.text

    assert "HashiCorp" in said
    assert "planted-4711-secret" not in said


def test_the_reason_is_the_same_for_the_same_cause() -> None:
    assert Unseen(State.NOT_OFFERED, "our account lacks the permission /pam/read/") == pam.NOT_PERMITTED
    one, two = (with_vaults(snapshot(), pam.NOT_PERMITTED) for _ in range(2))
    assert one.digest == two.digest
