"""Coverage, ledger and notes as they are typed; pauses, retirements and renames as they are configured."""

import hashlib
import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import Site

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)
HOURLY = "{every: 1h}"


def test_a_check_serves_the_slot_that_is_open_and_coverage_says_so(site: Site) -> None:
    site.configure(schedule="{every: 1m}")
    site.run("check")
    code, out, _ = site.run("coverage", "--period", "today", "--format", "json")
    (target,) = json.loads(out)["targets"]
    assert target["expected"] == target["on_time"] + target["late"] + target["failed"] + target["missed"]
    assert (code, target["on_time"] + target["late"] >= 1) == (0, True)


def test_the_ledger_verifies_and_its_head_can_be_held_against_it(site: Site) -> None:
    site.configure(schedule=HOURLY)
    site.run("check")
    _, head, _ = site.run("ledger", "head")
    site.run("check")
    code, out, _ = site.run("ledger", "verify", "--expect-head", head.strip())
    assert (code, "records verify; 1 known heads are in it" in out) == (0, True)
    seq, _, link = head.strip().partition(":")
    wrong = f"{seq}:{'0' * len(link)}"
    code, out, _ = site.run("ledger", "verify", "--expect-head", wrong)
    assert (code, "the ledger was rewritten up to there" in out) == (1, True)
    code, out, _ = site.run("ledger", "verify", "--expect-head", f"9999:{link}", "--format", "json")
    assert (code, json.loads(out)["fault"]) == (1, "record 9999: it is known from elsewhere, and the ledger ends before it")


@pytest.mark.parametrize("head", ["", "1", "1:xyz", f"x:{'0' * 64}"])
def test_a_head_that_is_none_is_refused(site: Site, head: str) -> None:
    site.configure()
    site.run("check")
    code, _, err = site.run("ledger", "verify", "--expect-head", head)
    assert (code, "a head is SEQ:HASH" in err) == (2, True)


def test_the_ledger_is_shown_line_by_line_with_targets_by_name(site: Site) -> None:
    site.configure()
    site.run("check")
    site.simulator.smtp["UseSSL"] = False
    site.run("check")
    _, out, _ = site.run("ledger", "show", "--kind", "drift")
    assert "prod: event 1 opened: UseSSL true -> false" in out
    _, out, _ = site.run("ledger", "show", "-n", "1", "--kind", "drift", "--format", "json")
    (record,) = [json.loads(line) for line in out.splitlines()]
    assert (record["kind"], len(record["digest"]), len(record["link"])) == ("drift", 64, 64)


def test_a_week_is_signed_off_and_a_finding_commented(site: Site) -> None:
    site.configure()
    site.run("check")
    assert site.run("note", "add", "--about", "review:2026-W40", "--by", "Ada", "--text", "looked at, all well")[0] == 0
    assert site.run("note", "add", "--about", "prod/SMTP-001", "--by", "Ada", "--text", "will be mended on Monday")[0] == 0
    _, out, _ = site.run("note", "list", "--about", "prod/SMTP-001", "--format", "json")
    assert [(note["by"], note["text"]) for note in json.loads(out)] == [("Ada", "will be mended on Monday")]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("review:2026-W99", "a review is of a week"),
        ("review:9000-W01", "this week has not begun"),
        ("gap:prod/2026-01-01T00:00Z", "there is no such gap"),
        ("gap:prod/yesterday", "a gap is named as"),
        ("gap:prdo/2026-01-01T00:00Z", "no target is called 'prdo'"),
        ("prod/SMPT-001", "did you mean 'SMTP-001'?"),
        ("prod", "neither gap:..., review:..., nor TARGET/RULE"),
    ],
)
def test_a_note_about_nothing_is_refused(site: Site, about: str, message: str) -> None:
    site.configure()
    site.run("check")
    code, _, err = site.run("note", "add", "--about", about, "--by", "Ada", "--text", "x")
    assert (code, message in err) == (2, True), err


@pytest.mark.parametrize("text", ["", " ", "a\x1b[31mb", "x" * 513])
def test_a_note_is_a_text_that_can_be_shown(site: Site, text: str) -> None:
    site.configure()
    site.run("check")
    assert site.run("note", "add", "--about", "review:2026-W40", "--by", "Ada", "--text", text)[0] == 2


@pytest.mark.parametrize(("until", "is_read"), [(TODAY - DAY, True), (TODAY, False), (TODAY + DAY, False)])
def test_a_paused_target_is_read_only_when_named(site: Site, until: object, is_read: bool) -> None:
    site.configure(paused_until=str(until), paused_reason="moved to another host")
    code, _, err = site.run("check")
    assert (code == 0, "is paused through" in err) == (is_read, not is_read)
    assert site.run("check", "prod")[0] == 0


@pytest.mark.parametrize(("day", "is_read"), [(TODAY + DAY, True), (TODAY, False), (TODAY - DAY, False)])
def test_a_retired_target_is_not_read_and_stays_on_record(site: Site, day: object, is_read: bool) -> None:
    site.configure()
    site.run("check")
    site.configure(retired_on=str(day))
    assert (site.run("check")[0] == 0) is is_read
    code, _, err = site.run("check", "prod")
    assert (code == 0, "was retired on" in err) == (is_read, not is_read)
    assert site.run("show", "prod")[0] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"paused_until": "2026-12-31"}, "`paused_until` and `paused_reason` go together"),
        ({"paused_reason": "a move"}, "`paused_until` and `paused_reason` go together"),
        ({"paused_until": "2026-02-30", "paused_reason": "a move"}, "must be one that there is"),
        ({"retired_on": "soon"}, "a day is written as"),
        ({"volatile": "[UseSLL]"}, "did you mean 'UseSSL'?"),
        ({"volatile": "['unknown:Host']"}, "no field is called"),
        ({"renamed_from": "prod"}, "is configured itself"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused_with_its_line(site: Site, settings: dict[str, str], message: str) -> None:
    site.configure(**settings)
    code, _, err = site.run("check")
    assert (code, message in err, "auditor.yaml:" in err) == (2, True, True), err


def test_a_renamed_target_keeps_its_history(site: Site) -> None:
    site.configure()
    site.run("check")
    site.simulator.smtp["UseSSL"] = False
    site.config.write_text(site.config.read_text(encoding="utf-8").replace("- name: prod\n", "- name: eu\n  renamed_from: prod\n"), encoding="utf-8")
    code, found = site.check()
    (target,) = found["targets"]
    assert (code, target["name"], [change["field"] for change in target["changes"]]) == (1, "eu", ["UseSSL"])
    assert site.run("ledger", "verify")[0] == 0


def test_an_open_drift_event_keeps_the_exit_code_at_1_until_it_is_approved(site: Site) -> None:
    site.configure(policy="recommended")
    assert site.check()[0] == 0
    site.simulator.smtp["SenderName"] = "Somebody else"
    assert [site.check()[0] for _ in range(2)] == [1, 1]
    code, _, err = site.run("baseline", "approve", "prod", "--field", "SenderName", "--by", "Ada", "--reason", "the new name")
    assert code == 0, err
    code, found = site.check()
    assert (code, found["targets"][0]["open_drift"]) == (0, [])


def test_an_approved_change_gives_0_in_the_run_that_first_shows_it(site: Site) -> None:
    site.configure()
    site.check()
    site.simulator.smtp["SenderName"] = "Another"
    site.check()
    site.run("baseline", "approve", "prod", "--field", "SenderName", "--by", "Ada", "--reason", "both are fine")
    site.simulator.smtp["SenderName"] = "Certificate Services"
    assert site.check()[0] == 1, "the value before is a deviation now"
    site.simulator.smtp["SenderName"] = "Another"
    code, found = site.check()
    assert (code, [change["field"] for change in found["targets"][0]["changes"]]) == (0, ["SenderName"])


def test_a_volatile_field_is_kept_and_no_drift(site: Site) -> None:
    site.configure(volatile="[SenderName]")
    site.check()
    site.simulator.smtp["SenderName"] = "Another"
    code, found = site.check()
    (target,) = found["targets"]
    assert (code, target["open_drift"], target["profile"] is not None) == (0, [], True)
    _, out, _ = site.run("show", "prod")
    assert "SenderName ignored" in out
    assert "the configuration calls this field volatile" in " ".join(out.split())


@pytest.mark.skipif(os.name != "posix", reason="this system keeps no such modes")
def test_a_database_that_others_may_read_fails_once_for_the_installation(site: Site) -> None:
    site.configure(policy="recommended")
    code, found = site.check()
    assert (code, [finding["outcome"] for finding in found["installation"]]) == (0, ["pass"])
    assert "DRF-004" not in {finding["rule"] for finding in found["targets"][0]["findings"]}
    site.database.chmod(0o644)
    code, found = site.check()
    (finding,) = found["installation"]
    assert (code, finding["rule"], finding["outcome"], finding["severity"]) == (1, "DRF-004", "fail", "critical")
    assert "auditor.db" in " ".join(found["warnings"])
    _, out, _ = site.run("ledger", "show", "--kind", "inspection", "--format", "json")
    assert len(out.splitlines()) == 2, "only what is news is recorded"


def test_a_stored_document_that_looks_like_a_secret_is_found_and_stays_found(site: Site) -> None:
    site.configure(policy="recommended")
    site.check()
    with sqlite3.connect(site.database) as connection:
        token = "ghp_" + "".join(reversed("wJ9cQ2xV7bN4mK8pL3zR6tY1uH5gF0dS2aE4"))
        document = json.dumps({"hint": "", "message": token}, separators=(",", ":"))
        connection.execute("insert into remarks (digest, document) values (?, ?)", (hashlib.sha256(document.encode()).hexdigest(), document))
    connection.close()
    for _ in range(2):
        code, found = site.check()
        assert (code, found["installation"][0]["because"][0]["actual"]) == (1, ["remarks 1"])
        assert token not in json.dumps(found)
