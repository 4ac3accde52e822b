"""What went wrong with other tools that tell people of failures, typed against ours: each test names the issue that it is about."""

import json
from datetime import timedelta

import pytest

from auditor.app import App
from auditor.config import load
from tests.e2e.conftest import USER, Site
from tests.e2e.hook import FarEnd


@pytest.fixture
def two(site: Site, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Two targets of one server, a webhook and a file of events."""
    monkeypatch.setenv("HOOK_SECRET", "whsec+of/the=hook")
    site.extra = f"""
alerts:
  channels:
  - {{name: hook, type: webhook, url: 'http://127.0.0.1:{far_end.port}/hook', insecure_http: true, secret: env:HOOK_SECRET}}
events: events.ndjson
"""
    second = f"- name: second\n  url: {site.url}\n  auth: {{type: basic, username: '{USER}', password: env:E2E_PASSWORD}}\n  ca_file: root.pem\n"
    site.configure(targets=second)
    return site


def told_of(far_end: FarEnd) -> list[list[tuple[str, str, str | None]]]:
    """Of each message: what kind of thing is said, of which target, about what."""
    return [sorted((one["kind"], one["target"], one["subject"]) for one in message["notices"]) for message in far_end.messages]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_fleet_3527_a_webhook_that_answers_any_2xx_is_not_called_again(two: Site, far_end: FarEnd, status: int) -> None:
    """201 was taken for a failure, and the same failures were sent again with every run."""
    far_end.status = status
    for _ in range(3):
        two.run("check")
    assert len(far_end.messages) == 1
    assert two.run("alerts", "list")[1] == "nothing is owed\n"


def test_fleet_7808_who_fails_already_when_it_is_first_seen_is_announced(two: Site, far_end: FarEnd) -> None:
    """Only the change from passing to failing was told, so whoever failed from the first day on was never heard of."""
    two.simulator.smtp["UseSSL"] = False
    two.run("check")
    assert told_of(far_end) == [[("initial", "prod", None), ("initial", "second", None)]]
    assert [("fails" in one["title"], one["severity"]) for one in far_end.messages[0]["notices"]] == [(True, "critical")] * 2


def test_fleet_7808_pass_fail_pass_between_two_messages_is_told_whole(two: Site, far_end: FarEnd) -> None:
    two.run("check")
    far_end.status = 503
    two.simulator.smtp["UseSSL"] = False
    two.run("check")
    two.simulator.smtp["UseSSL"] = True
    two.run("check")
    far_end.status, tried = 200, len(far_end.messages)
    with App(load(two.config)) as app:
        later = app.clock() + timedelta(hours=1)
        app.clock = lambda: later
        app.deliver()
    kinds = [kind for message in told_of(far_end)[tried:] for kind, _, _ in message]
    assert {"finding_opened", "drift_opened", "finding_resolved", "drift_ended"} == {*kinds}
    assert kinds.count("finding_opened") == kinds.count("finding_resolved")


def test_fleet_8785_each_failure_is_told_once_and_all_of_a_run_in_one_message(two: Site, far_end: FarEnd) -> None:
    """Whoever failed was told of again with every run, each in a message of its own."""
    two.run("check")
    two.simulator.smtp["UseSSL"] = False
    for _ in range(3):
        two.run("check")
    assert len(far_end.messages) == 2, "where they stand, and then what is new"
    opened = [(target, rule) for kind, target, rule in told_of(far_end)[1] if kind == "finding_opened"]
    assert {target for target, _ in opened} == {"prod", "second"}
    assert len(opened) == len(set(opened)) > 2


def test_wazuh_7429_a_siem_gets_every_result_of_every_run_changed_or_not(two: Site) -> None:
    """Results were sent when they changed, so a dashboard of a quiet month was empty."""
    for _ in range(3):
        two.run("check")
    lines = [json.loads(line) for line in (two.folder / "events.ndjson").read_text(encoding="utf-8").splitlines()]
    assert [line["type"] for line in lines].count("observation") == 6
    results = [(line["target"], line["rule"], line["outcome"]) for line in lines if line["type"] == "finding"]
    first, second, third = (sorted(results[begin : begin + len(results) // 3]) for begin in range(0, len(results), len(results) // 3))
    assert second == third, "nothing changed, and all is told again"
    assert [one[:2] for one in first] == [one[:2] for one in second]
    assert {target for target, _, _ in second} == {"prod", "second"}
    assert "pass" in {outcome for _, _, outcome in second}
