"""Waivers as a reader meets them: what is waived stays in sight with all that was said of it, and each waiver tells how it stands."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from unicodedata import combining

import html5lib
import pytest

from auditor.core.model import Standing, Waiver
from auditor.core.waiver import Concern, WaiverState
from auditor.report.formats import FORMATS
from auditor.report.safetext import is_hidden
from auditor.report.shown import Status, View
from auditor.report.view import view
from tests.report.hostile import VALUES, hostile, hostile_waivers
from tests.report.standings import AT, FAILS, FAILS_TOO, WAIVED, WAIVER, never, standing

FLEET = [standing("partner", WAIVED), standing("prod", FAILS, FAILS_TOO), never()]
DAY = timedelta(days=1)


def shown(*waivers: Waiver, standings: list[Standing] = FLEET) -> View:
    return view(standings, engine_version="1.0", in_file=waivers)


def page(page_view: View) -> ET.Element:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(FORMATS["html"](page_view).decode())


def said(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def test_a_waived_failure_keeps_what_failed_and_tells_who_accepted_it_and_until_when() -> None:
    (waived,) = next(target for target in shown().targets if target.name == "partner").waived

    assert (waived.id, waived.status, waived.waiver) == ("partner/CFG-006", Status.WAIVED, WAIVER)
    assert [leaf.fact for leaf in waived.leaves] == ["Port"]
    assert waived.told == (
        ("Reason", "Their relay moves to 587 in spring."),
        ("Risk", "Others on that network can read the mail."),
        ("Holds", "through 2026-12-31 UTC"),
        ("Owner", "mail team"),
        ("Asked by", "mail team"),
        ("Approved by", "ciso@corp.example on 2026-10-01"),
        ("Ticket", "SEC-1234"),
        ("Waiver", f"{WAIVER.id} for partner"),
    )


def test_every_format_shows_all_of_it() -> None:
    texts = ("Their relay moves to 587 in spring.", "mail team", "ciso@corp.example", "2026-12-31")
    found = shown(WAIVER)

    (details,) = (e for e in page(found).iter("details") if e.attrib.get("id") == "partner.CFG-006")
    assert all(text in said(details) for text in (*texts, "SEC-1234", "Others on that network can read the mail."))
    assert all(text in " ".join(FORMATS["text"](found).decode().split()) for text in texts)
    document = json.loads(FORMATS["json"](found))
    (finding,) = (each for target in document["targets"] for each in target["findings"] if each["outcome"] == "waived")
    assert (finding["id"], finding["waiver"]) == ("partner/CFG-006", WAIVER.document() | {"id": WAIVER.id, "labels": {}})
    assert [each["waiver"] for target in document["targets"] for each in target["findings"] if each["outcome"] != "waived"] == [None] * 11


def test_a_waived_failure_is_counted_apart() -> None:
    counts = shown().counts

    assert (counts.fail, counts.waived, counts.passed) == (2, 1, 9)


@pytest.mark.parametrize(
    ("waiver", "state", "status", "word", "concerns"),
    [
        (WAIVER, WaiverState.IN_FORCE, Status.WAIVED, "in force", []),
        (replace(WAIVER, expires_at=AT + 9 * DAY), WaiverState.EXPIRING, Status.WAIVED, "ends in 8 days", [Concern.EXPIRING]),
        (replace(WAIVER, expires_at=AT + DAY), WaiverState.EXPIRING, Status.WAIVED, "ends in 23 hours", [Concern.EXPIRING]),
        (replace(WAIVER, expires_at=AT - DAY), WaiverState.EXPIRED, Status.FAIL, "expired", [Concern.EXPIRED]),
        (replace(WAIVER, approved_on=date(2026, 11, 18)), WaiverState.PENDING, Status.NEUTRAL, "not yet", [Concern.PENDING]),
    ],
)
def test_each_waiver_of_the_configuration_tells_how_it_stands_at_the_newest_read(
    waiver: Waiver, state: WaiverState, status: Status, word: str, concerns: list[Concern]
) -> None:
    (row,) = shown(waiver).waivers

    assert (row.review.state, row.status, row.word, row.scope) == (state, status, word, "partner")
    assert [concern for concern, _ in row.review.concerns] == concerns
    assert row.effect == "CFG-006 fails on partner."


def test_those_that_need_looking_at_come_first() -> None:
    fine = replace(WAIVER, reason="fine")
    later = replace(WAIVER, reason="later", expires_at=WAIVER.expires_at + DAY)
    broad = replace(WAIVER, reason="broad", targets=(), expires_at=WAIVER.expires_at + 2 * DAY)
    pending = replace(WAIVER, reason="pending", approved_on=date(2026, 12, 1))
    expiring = replace(WAIVER, reason="expiring", expires_at=AT + DAY)
    expired = replace(WAIVER, reason="expired", expires_at=AT)

    rows = shown(later, broad, fine, pending, expiring, expired).waivers

    assert [row.review.waiver.reason for row in rows] == ["expired", "expiring", "pending", "broad", "fine", "later"]


def test_a_page_and_a_terminal_list_the_waivers_with_their_warnings() -> None:
    idle = replace(WAIVER, rule="CFG-001", targets=("partner",))
    found = shown(idle, WAIVER)
    (section,) = (e for e in page(found).iter("section") if e.attrib.get("aria-labelledby") == "waivers")

    assert "CFG-001 on partner, through 2026-12-31 UTC is not needed: CFG-001 passes on partner" in said(section)
    assert "CFG-006 on partner, through 2026-12-31 UTC Their relay moves to 587 in spring. CFG-006 fails on partner." in said(section)
    text = FORMATS["text"](found).decode()
    assert "◐ in force: CFG-001 on partner, through 2026-12-31 UTC\n  ! is not needed: CFG-001 passes on partner\n" in text


def test_json_has_each_waiver_with_its_state_and_warnings() -> None:
    expired = replace(WAIVER, expires_at=datetime(2026, 11, 1, tzinfo=UTC))

    (entry,) = json.loads(FORMATS["json"](shown(expired)))["waivers"]

    assert entry == expired.document() | {
        "id": expired.id,
        "labels": {},
        "state": "expired",
        "in_scope": ["partner"],
        "failing": ["partner"],
        "concerns": [{"concern": "expired", "text": "expired: it held through 2026-10-31 UTC, and failures count again"}],
    }


@pytest.mark.parametrize("standings", [[], [never()]], ids=["no server", "never read"])
def test_before_anything_was_read_there_is_no_time_to_judge_waivers_by(standings: list[Standing]) -> None:
    assert shown(WAIVER, standings=standings).waivers == ()


@pytest.mark.parametrize("value", VALUES)
def test_no_text_of_a_waiver_plays_tricks(value: str) -> None:
    found = shown(*hostile_waivers(value), standings=[hostile(value)])
    document = page(found)

    assert not list(document.iter("script"))
    assert not list(document.iter("img"))
    assert not [c for c in FORMATS["html"](found).decode() if is_hidden(c) and c != "\n"]
    assert not [c for c in FORMATS["text"](found).decode() if is_hidden(c) and c != "\n"]
    entry = json.loads(FORMATS["json"](found))["waivers"][0]
    assert (entry["reason"], entry["owner"], entry["labels"]) == (value, value, {value: value})
    assert max(sum(not combining(c) for c in line) for line in FORMATS["text"](found).decode().splitlines()) <= 80
    assert re.search(r"ends in|in force", found.waivers[0].word)
