"""`auditor report --period`: a week from what is recorded, the same file whenever it is asked for, and the list of them all."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from auditor import config
from auditor.app import App
from auditor.core.model import EventState
from auditor.store.store import Store
from tests.e2e.conftest import Site
from tests.e2e.past import DAY, MONDAY, reading

OTHER = "- {name: other, url: 'https://127.0.0.1:1', auth: {type: token, token: env:E2E_PASSWORD}}\n"


@pytest.fixture
def told(site: Site) -> Site:
    """Two weeks of daily reads: TLS is off from Wednesday of the second on, and on its Friday the account is denied."""
    site.configure(schedule='{cron: "0 9 * * *"}', owner="PKI")
    with reading(site) as show:
        for day in range(-7, 2):
            show(MONDAY + day * DAY, UseSSL=True)
        show(MONDAY + 2 * DAY, UseSSL=False)
        show(MONDAY + 3 * DAY)
        site.simulator.deny()
        show(MONDAY + 4 * DAY)
    site.simulator.recover()
    return site


@contextmanager
def by_the_clock_of(site: Site, at: datetime) -> Iterator[App]:
    with App(config.load(site.config), clock=lambda: at) as app:
        yield app


def written(site: Site, asked: str = "2025-W11", *, at: datetime = MONDAY + 9 * DAY) -> str:
    with by_the_clock_of(site, at) as app:
        return app.write_report(asked=asked).read_text(encoding="utf-8")


def said(page: str) -> str:
    """What a reader sees, less the style sheet."""
    body = re.sub(r"<(style|script)>.*?</\1>|<wbr>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_a_week_is_told_against_the_week_before(told: Site) -> None:
    page = said(written(told))

    assert "week 11 of 2025, 10 to 16 March 2025 (UTC)" in page
    assert "prod could not be read: access denied; 4 of 7 reads that were owed were made." in page
    assert "? lost Could not be read. prod since Fri 14 Mar 2025 09:00 UTC" in page
    assert "prod UseSSL was true , now false between Tue 11 Mar 2025 09:00 UTC and Wed 12 Mar 2025 09:00 UTC" in page
    assert "7 reads were owed: 4 made on time, 0 late, 1 failed, 2 missed." in page
    assert "prod 3 reads, from Fri 14 Mar 2025 09:00 UTC to Sun 16 Mar 2025 09:00 UTC: access denied and nobody ran the auditor" in page
    assert "by the configuration with SHA-256" in page
    assert re.search(r"auditor ledger verify --expect-head [0-9]+:[0-9a-f]{64}", page)


def test_the_first_week_has_nothing_to_compare_with_and_says_so(told: Site) -> None:
    page = said(written(told, "2025-W10"))

    assert "First report: prod meets the policy" in page
    assert "Nothing is on record from before this period" in page
    assert "new failure" not in page


def test_what_is_recorded_later_does_not_change_a_past_week(told: Site) -> None:
    first = written(told)
    with reading(told) as show:
        show(MONDAY + 8 * DAY, UseSSL=True)
        show(MONDAY + 15 * DAY, Host="smtp.elsewhere.example")
    assert written(told, at=MONDAY + 20 * DAY) == first


def test_the_head_in_it_is_the_one_at_the_end_of_the_week(told: Site) -> None:
    (head,) = set(re.findall(r"[0-9]+:[0-9a-f]{64}", written(told)))
    assert told.run("ledger", "verify", "--expect-head", head)[0] == 0
    with reading(told) as show:
        show(MONDAY + 30 * DAY)
    seq = int(head.partition(":")[0])
    with Store.open(f"sqlite:///{told.database}", create=False) as store:
        made = {entry.seq: datetime.fromisoformat(entry.body["at"]) for entry in store.entries() if entry.body}
    end = MONDAY.replace(hour=0) + 7 * DAY
    assert made[seq] < end <= made[seq + 1]


def test_a_gap_and_a_week_that_somebody_signed_for_say_so(told: Site) -> None:
    with by_the_clock_of(told, MONDAY + 9 * DAY) as app:
        app.note(about="gap:prod/2025-03-14T09:00Z", by="Ada <b>", text="the role is being mended")
        app.note(about="review:2025-W11", by="Grace", text="seen, and followed up")
        app.note(about="review:2025-W10", by="Somebody", text="of another week")
    page = said(written(told))

    assert "– acknowledged" in page
    assert "Ada <b>: the role is being mended" in page
    assert "Reviewed by Grace" in page
    assert "Somebody" not in page


def test_days_are_those_of_the_configured_zone_and_both_times_are_shown(told: Site) -> None:
    told.configure(schedule='{cron: "0 9 * * *"}', targets="report: {timezone: Asia/Tokyo}\n")
    page = said(written(told))

    assert "10 to 16 March 2025 (Asia/Tokyo, UTC beside it)" in page
    assert "since Fri 14 Mar 2025 18:00 JST (09:00 UTC)" in page
    assert "2025-03-09T15:00:00Z to 2025-03-16T15:00:00Z" in page


def test_a_failure_is_overdue_after_the_days_that_the_configuration_gives(told: Site) -> None:
    told.configure(
        schedule='{cron: "0 9 * * *"}',
        targets="- {name: other, url: 'https://127.0.0.1:1', auth: {type: token, token: env:E2E_PASSWORD}}\nreport: {due_days: {critical: 2}}\n",
    )
    with reading(told) as show:
        show(MONDAY + 5 * DAY, UseSSL=False)
    page = said(written(told))

    assert "critical after 2 days, high after 30 days" in page
    assert "✗ critical 1 overdue" in page
    assert "prod 4 days, overdue" in page


def test_all_reports_are_listed_with_the_one_before_and_the_one_after(told: Site) -> None:
    for week in ("2025-W10", "2025-W11"):
        written(told, week)
    (told.folder / "reports" / "smtp-report-2025-W09.html").write_text("<p>not ours</p>", encoding="utf-8")
    written(told)
    index = (told.folder / "reports" / "index.html").read_text(encoding="utf-8")

    table = index[index.index("<tbody>") :]
    assert re.findall(r'href="(smtp-report-[^"]+)">(?:week|previous|next)', table) == [
        "smtp-report-2025-W11.html",
        "smtp-report-2025-W10.html",
        "smtp-report-2025-W10.html",
        "smtp-report-2025-W11.html",
    ]
    assert "2 reports: 0 servers failing in the first" in index
    assert 'href="index.html#2025-W11"' in (told.folder / "reports" / "smtp-report-2025-W11.html").read_text(encoding="utf-8")


def test_a_part_of_the_servers_has_a_file_of_its_own_that_is_in_no_list(told: Site) -> None:
    code, out, err = told.run("report", "prod", "--period", "2025-W11")

    assert (code, err.count("\n")) == (0, 1)
    assert re.fullmatch(r"smtp-report-2025-W11-part-[0-9a-f]{8}\.html", Path(out.strip()).name)
    assert not (told.folder / "reports" / "index.html").exists()


@pytest.mark.parametrize(("period", "words"), [("2025-W54", "no such week"), ("soon", "is no period"), ("2199-W01", "has not begun")])
def test_what_is_no_period_is_refused(site: Site, period: str, words: str) -> None:
    code, _, err = site.run("report", "--period", period)

    assert code == 2
    assert words in err


def test_a_label_that_no_target_carries_is_refused(site: Site) -> None:
    assert site.run("report", "--label", "env=none")[0] == 2


def test_without_a_period_it_is_on_the_seven_days_to_today(told: Site) -> None:
    with by_the_clock_of(told, MONDAY + 4 * DAY + timedelta(hours=1)) as app:
        path = app.write_report()

    assert path.name == "smtp-report-2025-03-14.html"
    assert "8 to 14 March 2025 (UTC)" in said(path.read_text(encoding="utf-8"))


# --- the record, read side by side --------------------------------------------------------------------------------


def test_many_targets_read_at_once_are_as_each_read_by_itself(told: Site) -> None:
    start = MONDAY.replace(hour=0)
    end = start + 7 * DAY
    with reading(told) as show:
        show(MONDAY + 8 * DAY, UseSSL=True)
    with Store.open(f"sqlite:///{told.database}", create=False) as store:
        (course,) = store.courses(["nobody", "prod"], start=start, end=end)
        alone = store.standing_at("prod", end - timedelta(microseconds=1))
        covered = store.coverage("prod", after=start - timedelta(microseconds=1), until=end - timedelta(microseconds=1))
    assert alone is not None
    assert alone.assessment is not None
    assert course.standing.assessment is not None

    drift = replace(alone.assessment.drift, opened=(), ended=())
    assert replace(course.standing, moved=()) == replace(alone, moved=(), assessment=replace(alone.assessment, drift=drift))
    assert course.coverage == covered
    assert [(phase.reads, phase.is_seen) for phase in course.phases] == [(1, True), (8, True), (1, True), (1, True), (1, False)]
    assert {event.state for event in course.events} == {EventState.OPEN}, "it ended after the period"


# --- a fleet ------------------------------------------------------------------------------------------------------


def test_a_fleet_has_rows_for_all_and_a_page_for_each(told: Site) -> None:
    more = "".join(OTHER.replace("other", f"srv-{number}") for number in range(205))
    told.configure(schedule='{cron: "0 9 * * *"}', targets=more)
    page = written(told)
    folder = told.folder / "reports"
    rows = list(csv.DictReader(io.StringIO((folder / "smtp-report-2025-W11-servers.csv").read_text(encoding="utf-8"))))

    assert page.count("<li data-row") == len(rows) == 206
    assert page.count('class="server ') == 200
    assert "6 more servers with a failure, a gap or a change have no section here" in said(page)
    assert {row["in_the_report"] for row in rows} == {"true", "false"}
    assert len(list((folder / "smtp-report-2025-W11").glob("*.html"))) == 206
    assert "All servers" in (folder / "smtp-report-2025-W11" / "srv-204.html").read_text(encoding="utf-8")
    figures = re.search(r'name="auditor-figures" content="([^"]*)"', page)
    assert figures is not None
    assert json.loads(unescape(figures[1]))["servers"] == {"fail": 0, "pass": 0, "unknown": 206, "waived": 0}
    assert written(told) == page
