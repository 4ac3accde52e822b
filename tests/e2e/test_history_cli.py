"""`auditor diff`, `auditor history` and `auditor show --at`, typed: what they say of recorded reads, and how they end where there are none."""

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import html5lib
import pytest

from auditor.simulator.command import NotConfigured
from auditor.simulator.profile import COMMAND_24_4, Showing
from tests.e2e.conftest import Site
from tests.e2e.past import DAY, MONDAY, reading, show

HOUR = timedelta(hours=1)
WHO = ("--by", "Ada Lovelace", "--reason", "the new relay")


@pytest.fixture
def week(site: Site) -> Site:
    """587 on Monday and Tuesday, 25 on Wednesday, nothing on Thursday, 465 on Friday and Saturday."""
    with reading(site) as read:
        read(MONDAY)
        read(MONDAY + DAY)
        read(MONDAY + 2 * DAY, Port=25)
        site.simulator.fail_with(403)
        read(MONDAY + 3 * DAY)
        site.simulator.recover()
        read(MONDAY + 4 * DAY, Port=465)
        read(MONDAY + 5 * DAY)
    return site


def told(site: Site, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON of `auditor ARGUMENTS --format json`."""
    code, out, err = site.run(*arguments, "--format", "json")
    assert out, err
    return code, json.loads(out)


def fields(document: Any) -> list[tuple[str, str, str, str]]:
    return [(one["field"], one["relation"], one["before_sent"], one["after_sent"]) for one in document["fields"]]


# --- diff: which states -------------------------------------------------------------------------------------------


def test_the_newest_state_is_put_beside_the_one_before_it(week: Site) -> None:
    code, out, _ = week.run("diff", "prod")

    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "prod: 1 field differs"
    assert lines[-4:] == [
        "– Port: upgrade, info",
        "    was   25",
        "    now   465",
        "    when  between Wed 12 Mar 2025 09:00 UTC and Fri 14 Mar 2025 09:00 UTC",
    ]


SPANS: dict[tuple[str | None, str | None], tuple[int, tuple[str, str] | None]] = {
    ("2025-03-09", None): (3, None),
    ("2025-03-10", None): (3, None),  # it begins before the first read of that day
    ("2025-03-11", "2025-03-11"): (0, None),
    ("2025-03-11", "2025-03-12"): (1, ("587", "25")),
    ("2025-03-12", "2025-03-12"): (1, ("587", "25")),
    ("2025-03-13", "2025-03-13"): (0, None),  # read in vain: as last seen
    ("2025-03-13", "2025-03-14"): (1, ("25", "465")),
    ("2025-03-10T09:00Z", "2025-03-12T08:59:59Z"): (0, None),
    ("2025-03-10T09:00Z", "2025-03-12T10:00:00+01:00"): (1, ("587", "25")),
    ("2025-03-12T10:00+01:00", None): (1, ("25", "465")),
    ("2025-03-15", "9999-12-31"): (0, None),
    (None, "2025-03-09"): (3, None),
    (None, "2025-03-11"): (3, None),  # one state only by then
    (None, "2025-03-12"): (1, ("587", "25")),
    (None, "2025-03-14"): (1, ("25", "465")),
}


def test_a_day_begins_and_ends_in_utc_and_a_state_is_as_last_seen_then(week: Site) -> None:
    found = {}
    for start, end in SPANS:
        code, out, _ = week.run("diff", "prod", *(["--from", start] if start else []), *(["--to", end] if end else []), "--format", "json")
        seen = [(one["before_sent"], one["after_sent"]) for one in json.loads(out)["fields"]] if out else []
        assert bool(out) is (code != 3)
        assert len(seen) < 2
        found[start, end] = (code, seen[0] if seen else None)

    assert found == SPANS


def test_the_interval_is_that_of_the_field_and_not_of_the_two_days(week: Site) -> None:
    found = {}
    for day in ("2025-03-12", "2025-03-15"):
        _, document = told(week, "diff", "prod", "--from", "2025-03-11", "--to", day)
        found[day] = [(one["not_before"], one["not_after"]) for one in document["fields"]]

    assert found == {
        "2025-03-12": [("2025-03-11T09:00:00Z", "2025-03-12T09:00:00Z")],
        "2025-03-15": [("2025-03-12T09:00:00Z", "2025-03-14T09:00:00Z")],
    }


def test_what_changed_and_came_back_is_no_difference_but_is_said(site: Site) -> None:
    with reading(site) as read:
        for number, port in enumerate((587, 25, 587)):
            read(MONDAY + number * DAY, Port=port)

    code, out, _ = site.run("diff", "prod", "--from", "2025-03-11")

    assert code == 0
    assert "prod: nothing differs" in out
    assert "It changed in between and came back: `auditor history prod` tells how." in out
    assert told(site, "diff", "prod")[1]["fields"][0]["not_after"] == "2025-03-12T09:00:00Z"  # not when it was first so, on Monday


def test_a_snapshot_is_named_by_eight_digits_of_its_digest_or_more(week: Site) -> None:
    _, found = told(week, "diff", "prod")
    before, after = found["before"]["snapshot_digest"], found["after"]["snapshot_digest"]
    _, first = told(week, "diff", "prod", "--to", "2025-03-12")
    monday = first["before"]["snapshot_digest"]

    assert fields(told(week, "diff", "prod", "--against", monday[:8])[1]) == [("Port", "differs", "587", "465")]
    assert fields(told(week, "diff", "prod", "--against", before.upper())[1]) == [("Port", "differs", "25", "465")]
    assert told(week, "diff", "prod", "--against", after)[0] == 0
    code, _, err = week.run("diff", "prod", "--against", monday[:7])
    assert (code, "give 8 digits of the digest or more" in err) == (2, True)
    absent = "0" * 64 if "0" * 64 not in (before, after, monday) else "1" * 64
    code, _, err = week.run("diff", "prod", "--against", absent)
    assert (code, "no snapshot has a digest that begins so" in err) == (2, True)


def test_another_server_is_compared_by_its_newest_state(site: Site) -> None:
    twin = {"url": site.url, "auth": r"{type: basic, username: 'CORP\svc-auditor', password: env:E2E_PASSWORD}", "ca_file": "root.pem"}
    site.configure(targets="- name: twin\n" + "".join(f"  {key}: {value}\n" for key, value in twin.items()))
    show(site, MONDAY)
    site.simulator.smtp["Host"] = "smtp.elsewhere.example"
    assert site.run("diff", "prod", "--against", "twin")[0] == 3
    show(site, MONDAY + DAY, "twin")

    code, out, _ = site.run("diff", "prod", "--against", "twin")

    assert code == 1
    assert re.search(r'^    twin  "smtp\.elsewhere\.example"\n    prod  "smtp\.office365\.com"$', out, re.MULTILINE)
    assert "Two servers:" in out
    digest = told(site, "diff", "twin", "--against", "prod")[1]["before"]["snapshot_digest"]
    assert told(site, "diff", "twin", "--against", digest)[1]["before"]["target"] == "prod"
    code, _, err = site.run("diff", "prod", "--against", "prod")
    assert (code, "that is the target itself" in err) == (2, True)


def test_approved_values_are_those_in_force_then(week: Site) -> None:
    assert week.run("diff", "prod", "--against", "baseline")[0] == 3
    week.run("baseline", "approve", "prod", "--field", "Port", "--field", "Host", *WHO)
    assert week.run("diff", "prod", "--against", "baseline", "--to", "2025-03-15")[0] == 3  # it was approved today
    assert told(week, "diff", "prod", "--against", "baseline")[0] == 0
    week.simulator.smtp.update({"Port": 25, "Host": "SMTP.Office365.com."})
    week.check()

    code, out, _ = week.run("diff", "prod", "--against", "baseline")

    assert code == 1
    assert re.search(r"^✗ Port: downgrade, high\n    approved  465\n    now       25\n    when      between ", out, re.MULTILINE)
    assert re.search(
        r'^✓ Host: same, written differently\n    approved  "smtp\.office365\.com"\n    now       "SMTP\.Office365\.com\."$', out, re.MULTILINE
    )
    assert "Not approved, so not compared: Id, " in out.replace("\n  ", " ")


def test_an_approved_value_that_this_reading_cannot_show_is_not_called_the_same(site: Site) -> None:
    site.simulator.showing["ClientId"] = Showing.CLEAR
    show(site, MONDAY, ClientId={"SecretValue": "app-1", "Parameters": {}, "Provider": None})
    site.run("baseline", "approve", "prod", "--field", "ClientId", *WHO)
    site.simulator.showing["ClientId"] = Showing.MASKED
    show(site, MONDAY + 2 * DAY)

    code, found = told(site, "diff", "prod", "--against", "baseline")

    assert (code, fields(found)) == (4, [("ClientId", "not_comparable", "app-1", "set, kept by Command")])
    assert found["sentence"] == "prod: nothing differs, as far as it can be compared"


def test_a_profile_that_is_gone_differs_as_a_whole(site: Site) -> None:
    show(site, MONDAY)
    site.run("baseline", "approve", "prod", *WHO)
    site.simulator.not_configured = NotConfigured.NULL
    show(site, MONDAY + DAY)

    for against in ("previous", "baseline"):
        code, found = told(site, "diff", "prod", "--against", against)
        assert code == 1
        assert [(one["field"], one["direction"], one["severity"], one["after"]) for one in found["fields"]] == [
            ("profile.configured", "downgrade", "critical", "no mail profile")
        ]
    assert "No mail profile was configured." in site.run("history", "prod", "--at", "2025-03-11")[1]


def test_an_api_that_shows_less_is_told_and_is_no_difference(site: Site) -> None:
    show(site, MONDAY)
    site.simulator.release = COMMAND_24_4
    show(site, MONDAY + DAY)

    code, found = told(site, "diff", "prod")

    assert code == 0
    assert {one["relation"] for one in found["fields"]} == {"api_shape"}
    assert "Scope" in [one["field"] for one in found["fields"]]
    _, history = told(site, "history", "prod")
    assert [entry["kind"] for entry in history["entries"]] == ["first_read", "api_shape"]


# --- diff: nothing to compare, and wrong questions ----------------------------------------------------------------


def test_where_nothing_was_seen_there_is_nothing_to_compare(site: Site) -> None:
    code, out, err = site.run("diff", "prod")
    assert (code, out) == (3, "")
    assert "prod was never read; `auditor check prod` reads it" in err

    site.simulator.fail_with(500)
    show(site, MONDAY)
    show(site, MONDAY + DAY)
    code, out, err = site.run("diff", "prod")
    assert (code, out) == (3, "")
    assert "no read has seen the profile of prod; `auditor history prod` tells what became of them" in err
    site.simulator.recover()

    show(site, MONDAY + 2 * DAY)
    code, out, err = site.run("diff", "prod")
    assert (code, out) == (3, "")
    assert "prod showed one state only, since Wed 12 Mar 2025 09:00 UTC" in err
    assert "the first read that saw it is of Wed 12 Mar 2025 09:00 UTC" in site.run("diff", "prod", "--from", "2025-03-12")[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diff", "prd"), "no target is called 'prd'"),
        (("history", "prd"), "did you mean 'prod'?"),
        (("show", "prd", "--at", "2025-03-10"), "did you mean 'prod'?"),
        (("diff", "prod", "--against", "bseline"), "did you mean 'baseline'?"),
        (("diff", "prod", "--from", "2025-03-10", "--against", "baseline"), "give one of them"),
        (("diff", "prod", "--from", "2025-03-12", "--to", "2025-03-11"), "--from is later than --to"),
        (("diff", "prod", "--from", "2025-02-30"), "--from '2025-02-30' is no date and no instant"),
        (("diff", "prod", "--to", "yesterday"), "--to 'yesterday' is no date and no instant"),
        (("diff", "prod", "--to", "2025-03-10T09:00"), "2025-03-10T09:00Z is UTC"),
        (("diff", "prod", "--to", "0001-01-01T00:00+14:00"), "is no date and no instant"),
        (("history", "prod", "--field", "Prot"), "did you mean 'Port'?"),
        (("history", "prod", "--field", "unknown:"), "no field is called 'unknown:'"),
        (("history", "prod", "--at", "20250310"), "--at '20250310' is no date and no instant"),
        (("show", "prod", "--at", "2025-3-1"), "--at '2025-3-1' is no date and no instant"),
    ],
)
def test_a_wrong_question_is_refused_with_a_hint(site: Site, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = site.run(*arguments)

    assert (code, out) == (2, "")
    assert said in err


# --- diff: formats ------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(site: Site) -> Site:
    """A sender's name that is a formula, markup and a trap for terminals at once, and one field of its own making."""
    show(site, MONDAY, SenderName="Certificate Services", **{"=cmd": 1})
    show(site, MONDAY + DAY, SenderName='=HYPERLINK("http://x.example","\x1b[31m</code><script>alert(1)</script>")\u202e', **{"=cmd": 2})
    return site


def test_csv_runs_no_formula_and_keeps_its_lines(hostile: Site) -> None:
    """SecuScan#2011: a scanned value opened in a spreadsheet."""
    code, out, _ = hostile.run("diff", "prod", "--format", "csv")

    assert code == 1
    assert out.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    by_field = {row["field"]: row for row in rows}
    assert by_field["SenderName"]["after"].startswith("'=HYPERLINK(")
    assert by_field["SenderName"]["after_sent"].startswith('"=HYPERLINK(')  # in quotes it is none
    assert by_field["unknown:=cmd"]["relation"] == "differs"
    assert not [value for row in rows for value in row.values() if value.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "\x1b" not in out
    assert "[U+202E]" in out


def test_a_terminal_gets_no_control_character_and_json_has_all(hostile: Site) -> None:
    for command in (("diff", "prod"), ("history", "prod"), ("history", "prod", "--field", "SenderName"), ("history", "prod", "--at", "2025-03-11")):
        _, out, _ = hostile.run(*command)
        assert "[U+202E]" in out
        assert "\x1b" not in out
        assert "\u202e" not in out
    _, found = told(hostile, "diff", "prod")
    assert [one["after"] for one in found["fields"] if one["field"] == "SenderName"] == [hostile.simulator.smtp["SenderName"]]


def test_the_page_is_whole_loads_nothing_and_runs_nothing(hostile: Site) -> None:
    code, out, _ = hostile.run("diff", "prod", "--format", "html")

    assert code == 1
    page = html5lib.parse(out, namespaceHTMLElements=False)
    assert {element.tag for element in page.iter()}.isdisjoint({"script", "link", "img", "iframe"})
    assert page.find(".//meta[@http-equiv='Content-Security-Policy']").get("content").startswith("default-src 'none'; style-src 'sha256-")
    assert page.findtext(".//title") == "prod: 2 fields differ"
    assert "alert(1)" in "".join(page.find(".//main").itertext())
    assert "\x1b" not in out
    assert "[U+202E]" in out
    assert "between Mon 10 Mar 2025 09:00 UTC and Tue 11 Mar 2025 09:00 UTC" in out


def test_the_page_of_no_difference_says_so(week: Site) -> None:
    code, out, _ = week.run("diff", "prod", "--from", "2025-03-15", "--format", "html")

    assert code == 0
    page = html5lib.parse(out, namespaceHTMLElements=False)
    assert page.findtext(".//p[@class='verdict']") == "prod: nothing differs"
    assert page.findall(".//section") == []


def test_blanks_that_a_terminal_would_swallow_are_spelt_out(site: Site) -> None:
    show(site, MONDAY, SenderName="A B")
    show(site, MONDAY + DAY, SenderName="A  B ")

    assert 'now   "A[U+0020][U+0020]B[U+0020]"' in site.run("diff", "prod")[1]


# --- history ------------------------------------------------------------------------------------------------------


def test_the_timeline_tells_changes_with_interval_class_and_end(week: Site) -> None:
    code, out, _ = week.run("history", "prod")

    assert code == 0
    assert out.splitlines() == [
        "prod",
        "",
        "Mon 10 Mar 2025 09:00 UTC",
        "– read for the first time",
        "",
        "Wed 12 Mar 2025 09:00 UTC",
        "✗ Port: downgrade, high, value",
        "    was     587",
        "    now     25",
        "    when    between Tue 11 Mar 2025 09:00 UTC and Wed 12 Mar 2025 09:00 UTC",
        "    stands  ended, another value came, between Wed 12 Mar 2025 09:00 UTC and Fri",
        "            14 Mar 2025 09:00 UTC",
        "",
        "Thu 13 Mar 2025 09:00 UTC",
        "? 1 read in vain: access denied",
        "    when    Thu 13 Mar 2025 09:00 UTC",
        "    unseen  last seen Wed 12 Mar 2025 09:00 UTC, seen again Fri 14 Mar 2025",
        "            09:00 UTC",
        "",
        "Fri 14 Mar 2025 09:00 UTC",
        "– Port: neutral, low, value",
        "    was     25",
        "    now     465",
        "    when    between Wed 12 Mar 2025 09:00 UTC and Fri 14 Mar 2025 09:00 UTC",
        "    against rated against 587, the value before the first of these changes",
        "    stands  open",
    ]


def test_a_value_that_comes_and_goes_is_told_to_flap(site: Site) -> None:
    with reading(site) as read:
        for number, port in enumerate((587, 25, 587, 25)):
            read(MONDAY + number * HOUR, Port=port)

    _, found = told(site, "history", "prod")

    drift = [entry for entry in found["entries"] if entry["kind"] == "drift"]
    assert [(entry["state"], entry["flaps"]) for entry in drift] == [("returned", 0), ("open", 1)]
    assert drift[1]["title"] == "Port: downgrade, high, value, flapping"
    out = re.sub(r"\n {6,}", " ", site.run("history", "prod")[1])
    assert "flaps   this value came and went 1 time before, lately" in out
    assert "stands  ended, the earlier value came back, between Mon 10 Mar 2025 10:00 and 11:00 UTC" in out


def test_approvals_and_their_end_stand_in_the_timeline(week: Site) -> None:
    week.run("baseline", "approve", "prod", "--field", "Port", *WHO, "--ticket", "CHG-1")
    week.simulator.smtp["Port"] = 587
    week.check()
    digest = told(week, "baseline", "history", "prod")[1][0]["digest"]
    week.run("baseline", "revoke", digest, "--by", "Eve", "--reason", "no more")

    _, found = told(week, "history", "prod")

    assert [entry["kind"] for entry in found["entries"]] == ["first_read", "drift", "trouble", "drift", "approved", "drift", "revoked"]
    assert [entry["state"] for entry in found["entries"] if entry["kind"] == "drift"] == ["superseded", "superseded", "open"]
    assert found["entries"][4]["by"] == "Ada Lovelace"
    out = week.run("history", "prod")[1]
    assert "✓ Port: 465 was approved" in out
    assert "by Ada Lovelace, CHG-1: the new relay" in out
    assert "not as approved" in out
    assert "by Eve: no more" in out


def test_values_that_were_approved_in_one_go_stand_above_one_claim(site: Site) -> None:
    show(site, MONDAY)
    site.run("baseline", "approve", "prod", "--field", "Port", "--field", "Host", *WHO)
    site.run("baseline", "approve", "prod", "--field", "Id", "--by", "Bob", "--reason", "why not")

    lines = site.run("history", "prod")[1].splitlines()

    first = lines.index("– read for the first time") + 3
    assert lines[first : first + 3] == [
        "✓ Port: 587 was approved",
        "✓ Host: smtp.office365.com was approved",
        "    claim   by Ada Lovelace: the new relay",
    ]
    assert lines[-3:-1] == ["✓ Id: 1 was approved", "    claim   by Bob: why not"]
    assert lines[-1].startswith("    record  ")


def test_a_rename_stands_in_the_timeline(site: Site) -> None:
    show(site, MONDAY)
    site.config.write_text(site.config.read_text(encoding="utf-8").replace("name: prod", "name: prod-eu\n  renamed_from: prod"), encoding="utf-8")

    _, found = told(site, "history", "prod-eu")

    assert [entry["title"] for entry in found["entries"]] == ["read for the first time", "renamed: it was called prod until then"]


def test_a_field_is_told_with_its_values_over_time(week: Site) -> None:
    code, out, _ = week.run("history", "prod", "--field", "Port")
    assert code == 0
    assert out.splitlines() == [
        "prod: Port",
        "",
        "587",
        "    seen    from Mon 10 Mar 2025 09:00 UTC to Tue 11 Mar 2025 09:00 UTC, by 2",
        "            reads",
        "",
        "25",
        "    seen    Wed 12 Mar 2025 09:00 UTC, by 1 read",
        "",
        "465",
        "    seen    from Fri 14 Mar 2025 09:00 UTC to Sat 15 Mar 2025 09:00 UTC, by 2",
        "            reads",
    ]
    _, out, _ = week.run("history", "prod", "--field", "Port", "--format", "csv")
    assert out.splitlines() == [
        "target,field,value,not_before,first_seen,last_seen,reads,written",
        "prod,Port,587,,2025-03-10T09:00:00Z,2025-03-11T09:00:00Z,2,",
        "prod,Port,25,2025-03-11T09:00:00Z,2025-03-12T09:00:00Z,2025-03-12T09:00:00Z,1,",
        "prod,Port,465,2025-03-12T09:00:00Z,2025-03-14T09:00:00Z,2025-03-15T09:00:00Z,2,",
    ]
    assert [one["value"] for one in told(week, "history", "prod", "--field", "Host")[1]["values"]] == ["smtp.office365.com"]


DAYS = {
    "2025-03-10": ("587", ["first_read"]),
    "2025-03-11": ("587", []),  # that it changed after that read was not known by then
    "2025-03-12": ("25", ["drift"]),
    "2025-03-12T08:59Z": ("587", []),
    "2025-03-13": ("25", ["trouble"]),
    "2025-03-14": ("465", ["drift", "drift"]),  # the second ends the first
    "2025-03-16": ("465", []),
}


def test_a_day_is_told_as_it_was_at_its_end(week: Site) -> None:
    found = {}
    for at in DAYS:
        code, then = told(week, "history", "prod", "--at", at)
        _, held = told(week, "history", "prod", "--field", "Port", "--at", at)
        assert code == 0
        assert [one["value"] for one in held["values"]] == [then["words"]["Port"]]
        found[at] = (then["words"]["Port"], [entry["kind"] for entry in then["day"]])
    assert found == DAYS

    code, out, err = week.run("history", "prod", "--at", "2025-03-09")
    assert (code, out) == (3, "")
    assert "prod was not seen by Sun 9 Mar 2025 23:59 UTC; the first read that saw it is of Mon 10 Mar 2025 09:00 UTC" in err


def test_a_day_knows_nothing_of_what_came_later(week: Site) -> None:
    week.run("baseline", "approve", "prod", "--field", "Port", *WHO)
    _, then = told(week, "history", "prod", "--at", "2025-03-12")

    assert [(entry["field"], entry["state"], entry["ended_by"]) for entry in then["open"]] == [("Port", "open", None)]
    assert then["approved"] == {}
    _, out, _ = week.run("history", "prod", "--at", "2025-03-12")
    assert "stands  open" in out
    assert "Open then\n  ✗ Port: downgrade, high, value, between" in out


def test_where_only_trouble_was_met_that_is_the_history(site: Site) -> None:
    code, out, err = site.run("history", "prod")
    assert (code, out) == (3, "")
    assert "prod was never read" in err
    site.simulator.fail_with(500)
    show(site, MONDAY)
    show(site, MONDAY + HOUR)

    code, found = told(site, "history", "prod")

    assert code == 0
    assert [entry["title"] for entry in found["entries"]] == ["read for the first time", "2 reads in vain: server error"]
    for more in (("--at", "2025-03-10"), ("--field", "Port")):
        code, out, err = site.run("history", "prod", *more)
        assert (code, out) == (3, "")
        assert "no read has seen the profile of prod" in err


def test_a_clock_that_was_set_back_is_said(site: Site) -> None:
    show(site, MONDAY + 4 * HOUR)
    show(site, MONDAY, Port=25)

    when = "by Mon 10 Mar 2025 09:00 UTC, after a read of Mon 10 Mar 2025 13:00 UTC: the clock was set back in between"
    for command in (("diff", "prod"), ("history", "prod")):
        assert when in re.sub(r"\n +", " ", site.run(*command)[1])
    assert told(site, "history", "prod", "--at", "2025-03-10")[1]["words"]["Port"] == "25"  # recorded last


# --- show --at ----------------------------------------------------------------------------------------------------


STOOD = {
    "2025-03-10": ("observed", False),
    "2025-03-11": ("observed", False),
    "2025-03-12T08:59Z": ("observed", False),
    "2025-03-12": ("observed", True),
    "2025-03-13": ("forbidden", False),
    "2025-03-14": ("observed", False),
}


def test_a_past_standing_is_shown_as_it_was_recorded(week: Site) -> None:
    found = {}
    for at in STOOD:
        code, out, _ = week.run("show", "prod", "--at", at, "--output", "json=-")
        assert code == 0
        (target,) = json.loads(out)["targets"]
        failing = [one["rule"] for one in target["findings"] if one["outcome"] == "fail"]
        found[at] = (target["observation"]["outcome"], "SMTP-002" in failing)
        if at == "2025-03-13":
            assert target["last_seen"] == "2025-03-12T09:00:00Z"
    assert found == STOOD

    code, out, err = week.run("show", "prod", "--at", "2025-03-09")
    assert (code, out) == (3, "")
    assert "prod was not read by Sun 9 Mar 2025 23:59 UTC; its first read is of Mon 10 Mar 2025 09:00 UTC" in err


def test_waivers_are_those_of_that_read_whatever_the_file_says_now(site: Site) -> None:
    show(site, MONDAY, UseSSL=False)
    waivers = site.folder / "waivers.yaml"
    waivers.write_text(
        "waivers:\n- {rule: SMTP-001, targets: [prod], reason: replaced soon, owner: mail@corp.example, approved_by: Ada,"
        " approved_on: 2025-03-11, expires: 2025-04-01}\n",
        encoding="utf-8",
    )
    show(site, MONDAY + DAY)
    waivers.unlink()
    show(site, MONDAY + 2 * DAY)

    outcomes = []
    for day in ("2025-03-10", "2025-03-11", "2025-03-12"):
        _, out, _ = site.run("show", "prod", "--at", day, "--output", "json=-")
        report = json.loads(out)
        (target,) = report["targets"]
        outcomes.append([f["outcome"] for f in target["findings"] if f["rule"] == "SMTP-001"] + [w["state"] for w in report["waivers"]])
    assert outcomes == [["fail"], ["waived", "in_force"], ["fail"]]


def test_a_past_standing_says_that_it_is_past(week: Site) -> None:
    _, out, _ = week.run("show", "prod", "--at", "2025-03-11")

    assert out.splitlines()[0] == "SMTP profile audit · as recorded by Tue 11 Mar 2025 23:59 UTC"
    code, _, err = week.run("show", "prod", "--at", "2025-03-11", "--output", "pdf=x")
    assert (code, "no format is called 'pdf'" in err) == (2, True)
    week.configure(targets="- name: other\n  url: https://127.0.0.1:9\n  auth: {type: token, token: env:E2E_PASSWORD}\n")
    code, _, err = week.run("show", "other", "--at", "2025-03-11")
    assert (code, "`auditor check other` reads it" in err) == (3, True)
