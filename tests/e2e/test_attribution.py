"""Who changed it: told where Command's audit log names somebody, listed where it names several, and never laid to a time window alone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.app import App
from auditor.config import load
from auditor.core.model import AttributionVerdict, DriftEvent
from auditor.simulator.accounts import READ_AUDIT_LOG, READ_SYSTEM_SETTINGS
from tests.e2e.conftest import USER, Site

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Story:
    """The site's server and auditor, both by one clock that the test turns."""

    def __init__(self, site: Site) -> None:
        self.site, self.at = site, NOON
        site.simulator.clock = lambda: self.at
        site.configure(attribution="true")
        self.allow(READ_SYSTEM_SETTINGS, READ_AUDIT_LOG)

    def allow(self, *permissions: str) -> None:
        self.site.simulator.accounts.add_user(USER, self.site.password, permissions=permissions)

    def read(self, hours: float = 1) -> tuple[DriftEvent, ...]:
        """Read `hours` later; the open drift events after it."""
        self.at += timedelta(hours=hours)
        with App(load(self.site.config), clock=lambda: self.at) as app:
            app.auditor.audit(app.config.targets[0], at=self.at)
            return app.store.drift_of("prod", ended_since=self.at)[0]

    def edit(self, user: str | None, **fields: Any) -> None:
        """Half an hour from now `user` saves the profile."""
        self.at += HOUR / 2
        with self.site.simulator.editing(user=user) as profile:
            profile.update(fields)

    def asked(self) -> int:
        return sum("/Audit" in request.path for request in self.site.simulator.requests)


@pytest.fixture
def story(site: Site) -> Story:
    told = Story(site)
    told.read()
    return told


def verdict(event: DriftEvent) -> AttributionVerdict | None:
    return event.attribution.verdict if event.attribution else None


def test_the_one_entry_that_names_the_profile_says_who(story: Story) -> None:
    story.edit(r"CORP\jsmith", UseSSL=False)
    (event,) = story.read()
    assert event.attribution is not None
    assert event.attribution.by is not None
    assert (event.attribution.by.user, event.attribution.by.signature.value) == (r"CORP\jsmith", "valid")
    _, out, _ = story.site.run("show", "prod")
    assert r"changed by CORP\jsmith" in " ".join(out.split())
    _, out, _ = story.site.run("history", "prod")
    assert r"who changed by CORP\jsmith" in " ".join(out.split())
    _, out, _ = story.site.run("history", "prod", "--format", "json")
    assert json.loads(out)["entries"][-1]["attribution"]["entries"][0]["user"] == r"CORP\jsmith"


def test_several_entries_are_candidates_and_no_verdict(story: Story) -> None:
    story.edit(r"CORP\jsmith", UseSSL=False)
    story.edit(r"CORP\mlopez", SenderName="Another")
    for event in story.read():
        assert verdict(event) is AttributionVerdict.CANDIDATES
        assert event.attribution is not None
        assert event.attribution.by is None
        assert {entry.user for entry in event.attribution.entries} == {r"CORP\jsmith", r"CORP\mlopez"}


def test_who_merely_did_something_then_is_no_culprit(story: Story) -> None:
    story.edit(None, UseSSL=False)
    story.site.simulator.audit_log.add(at=story.at, user=r"CORP\jsmith", identifier="Licence", entity_type="ApplicationSetting")
    (event,) = story.read()
    assert verdict(event) is AttributionVerdict.CANDIDATES
    assert event.attribution is not None
    assert event.attribution.by is None


def test_a_change_that_no_entry_tells_of_cannot_be_attributed(story: Story) -> None:
    story.edit(None, UseSSL=False)
    (event,) = story.read()
    assert verdict(event) is AttributionVerdict.NOT_ATTRIBUTABLE


def test_a_denial_is_said_not_repeated_and_filled_in_once_there_is_a_reason_to_ask(story: Story) -> None:
    story.allow(READ_SYSTEM_SETTINGS)
    story.edit(r"CORP\jsmith", UseSSL=False)
    (event,) = story.read()
    assert verdict(event) is AttributionVerdict.NOT_PERMITTED
    asked = story.asked()
    story.read()
    assert story.asked() == asked, "Command logs each denied call"
    story.allow(READ_SYSTEM_SETTINGS, READ_AUDIT_LOG)
    story.edit(r"CORP\mlopez", SenderName="Another")
    found = {event.subject: event.attribution.by.user for event in story.read() if event.attribution and event.attribution.by}
    assert found == {"UseSSL": r"CORP\jsmith", "SenderName": r"CORP\mlopez"}


def test_a_log_that_could_not_be_read_is_asked_again(story: Story) -> None:
    story.edit(r"CORP\jsmith", UseSSL=False)
    story.site.simulator.fail_with(503, where="audit", times=10)
    (event,) = story.read()
    assert verdict(event) is AttributionVerdict.PENDING
    story.site.simulator.recover()
    (event,) = story.read()
    assert verdict(event) is AttributionVerdict.ATTRIBUTED
    _, out, _ = story.site.run("ledger", "show", "--kind", "attribution", "--format", "json")
    told = [json.loads(line)["record"]["attribution"]["verdict"] for line in out.splitlines()]
    assert told == ["pending", "attributed"], "what was thought before stays in the ledger"
    assert story.site.run("ledger", "verify")[0] == 0


def test_without_the_setting_nothing_is_asked(story: Story) -> None:
    story.site.configure()
    story.edit(r"CORP\jsmith", UseSSL=False)
    (event,) = story.read()
    assert (event.attribution, story.asked()) == (None, 0)


def test_the_message_of_an_entry_is_kept_nowhere(story: Story) -> None:
    secret = "hunter2-" + "x" * 12
    story.site.simulator.audit_log.add(
        at=story.at + HOUR / 4, user=r"CORP\jsmith", identifier="SMTP", message=f"<smtp><Password>{secret}</Password></smtp>"
    )
    story.edit(None, UseSSL=False)
    story.read()
    kept = b"".join(Path(path).read_bytes() for path in story.site.folder.glob("auditor.db*"))
    assert b"jsmith" in kept
    assert secret.encode() not in kept


def test_a_client_secret_that_moved_has_an_age(story: Story) -> None:
    with story.site.simulator.editing() as profile:
        profile["ClientSecret"] = {"SecretValue": None, "Parameters": {"SecretId": "1"}, "Provider": 1}
    story.read()
    story.read(hours=24 * 3)
    with App(load(story.site.config), clock=lambda: story.at) as app:
        assert app.store.changed_at("prod", "ClientSecret") == story.at - timedelta(days=3)
        assert app.store.changed_at("prod", "Host") is None
