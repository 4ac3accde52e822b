"""Approved values beside the profile, in each format."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from auditor.core.baseline import approvable
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import Approval, ProfileField, Revocation, SecretPlace, Snapshot, Standing
from auditor.report.html import render_html
from auditor.report.jsondoc import render_json
from auditor.report.profile import ProfileRow
from auditor.report.shown import View
from auditor.report.text import render_text
from auditor.report.view import view
from tests.factories import NOT_OFFERED, UNSET, snapshot
from tests.report.hostile import VALUES
from tests.report.standings import AT, standing

ADA = "by Ada, CHG-1, through 2026-12-31 (UTC)"


def approval(field: str, seen: Snapshot, **others: object) -> Approval:
    value = approvable(field, seen)
    assert isinstance(value, ProfileField)
    given = {"by": "Ada", "reason": "moved", "ticket": "CHG-1", "expires": date(2026, 12, 31), "approved_at": AT - timedelta(days=1)}
    return Approval(target="prod", field=field, value=value, **(given | others))  # type: ignore[arg-type]


def shown(seen: Snapshot | None, *approvals: Approval) -> View:
    return view([replace(standing("prod"), last_snapshot=seen, approvals=approvals)], engine_version="1")


def row(view: View, field: str) -> ProfileRow:
    return next(row for row in view.targets[0].profile if field in row.fields)


def kept(key: bytes = b"k") -> Snapshot:
    place = SecretPlace(provider=1, parameters=(("SecretId", FingerprintKey(key * 32).of("p", "1")),))
    return snapshot(ClientSecret="pam", others={"secrets": {"ClientSecret": place}})


@pytest.mark.parametrize(
    ("field", "approved", "seen", "words", "differs", "sentence"),
    [
        ("Port", snapshot(Port=587), snapshot(Port=587), f"approved {ADA}", False, "1 approved value, all as approved."),
        ("Port", snapshot(Port=25), snapshot(Port=587), f"differs: approved is 25, {ADA}", True, "1 approved value, not as approved: Port."),
        (
            "Scope",
            snapshot(Scope="a"),
            snapshot(Scope=NOT_OFFERED),
            f"cannot be compared, this source does not show it: approved is a, {ADA}",
            False,
            "1 approved value, not shown: Scope.",
        ),
        (
            "ClientSecret",
            kept(b"o"),
            kept(),
            f"cannot be compared, approved under another fingerprint key, {ADA}",
            False,
            "1 approved value, not comparable: ClientSecret.",
        ),
    ],
)
def test_a_row_says_what_is_approved_and_by_whom(field: str, approved: Snapshot, seen: Snapshot, words: str, differs: bool, sentence: str) -> None:
    report = shown(seen, approval(field, approved))
    assert (row(report, field).approval, row(report, field).differs, report.targets[0].baseline) == (words, differs, sentence)
    said = " ".join(render_text(report).split())
    assert words in said
    assert sentence in said
    assert words in render_html(report).decode()


def test_a_deviation_is_told_at_the_top() -> None:
    report = shown(snapshot(Port=587), approval("Port", snapshot(Port=25)), approval("Audience", snapshot(Audience="x")))
    assert report.warnings == (
        f"prod: Port differs from the approved value. It is 587; approved is 25, {ADA}.",
        f"prod: Audience differs from the approved value. It is not set; approved is x, {ADA}.",
    )


def test_a_server_without_a_baseline_says_so_and_one_never_seen_says_nothing() -> None:
    assert shown(snapshot()).targets[0].baseline == "Nothing is approved for this server."
    assert "Nothing is approved for this server." in render_text(shown(snapshot()))
    assert shown(None, approval("Port", snapshot())).targets[0].baseline == ""
    assert view([Standing(target=standing("prod").target)], engine_version="1").targets[0].approved == {}


def test_a_profile_that_vanished_differs_in_every_approved_value() -> None:
    gone = snapshot(configured=False, **dict.fromkeys(("Host", "Port", "UseSSL"), UNSET))
    report = shown(gone, approval("Port", snapshot()), approval("Host", snapshot()))
    assert [warning.split(" differs")[0] for warning in report.warnings] == ["prod: Host", "prod: Port"]


def test_an_approval_or_a_revocation_after_the_last_read_counts() -> None:
    later = approval("Port", snapshot(Port=587), approved_at=AT + timedelta(days=3))
    assert row(shown(snapshot(Port=587), later), "Port").approval == f"approved {ADA}"
    taken = replace(later, revoked=Revocation(by="Eve", reason="no", at=AT + timedelta(days=4)))
    assert row(shown(snapshot(Port=587), taken), "Port").approval == ""


def test_json_tells_the_approval_whole() -> None:
    given = approval("Port", snapshot(Port=25))
    (target,) = json.loads(render_json(shown(snapshot(Port=587), given)))["targets"]
    expected = given.document() | {"approved": "25", "approved_at": "2026-11-16T09:30:00Z", "digest": given.digest, "stands": "differs"}
    assert target["profile"]["baseline"] == {"Port": expected}
    (target,) = json.loads(render_json(shown(snapshot())))["targets"]
    assert target["profile"]["baseline"] is None


@pytest.mark.parametrize("text", VALUES)
def test_a_hostile_value_stays_text(text: str) -> None:
    report = shown(snapshot(SenderName="x"), approval("SenderName", snapshot(SenderName=text), by=text, ticket=text))
    page, plain = render_html(report).decode(), render_text(report)
    assert "<script" not in page
    assert all(line.isprintable() for line in plain.splitlines())
