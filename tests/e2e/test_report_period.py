"""`auditor report --period`: a week from what is recorded, the same file whenever it is asked for, and the list of them all."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from auditor import config
from auditor.app import App
from auditor.core.model import EventState
from auditor.report.index import figures_of_page
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
    assert "prod could not be read: access denied; 4 of 7 reads that were owed came to something." in page
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


@pytest.mark.parametrize(
    ("period", "words"),
    [
        ("2025-W54", "no such week"),
        ("soon", "is no period"),
        ("2199-W01", "has not begun"),
        ("9999-12", "beyond what a calendar has"),
        ("2025-01-01..9999-12-31", "beyond what a calendar has"),
    ],
)
def test_what_is_no_period_is_refused(site: Site, period: str, words: str) -> None:
    code, _, err = site.run("report", "--period", period)

    assert code == 2
    assert words in err


def test_a_label_that_no_target_carries_is_refused(site: Site) -> None:
    assert site.run("report", "--label", "env=none")[0] == 2


def test_without_a_period_it_is_on_the_seven_days_to_today(told: Site) -> None:
    with by_the_clock_of(told, MONDAY + 4 * DAY + timedelta(hours=1)) as app:
        path = app.write_report()

    assert path.name == "smtp-report-2025-03-08_2025-03-14.html"
    assert "8 to 14 March 2025 (UTC)" in said(path.read_text(encoding="utf-8"))


def test_a_report_without_a_period_and_one_on_its_last_day_are_two_files(told: Site) -> None:
    with by_the_clock_of(told, MONDAY + 4 * DAY + timedelta(hours=1)) as app:
        paths = [app.write_report(asked=asked) for asked in ("", "2025-03-14", "2025-03-08..2025-03-14")]
        first = paths[0].read_bytes()

    assert paths[0] == paths[2]
    assert paths[1].read_bytes() != first
    assert "auditor report --period 2025-03-08..2025-03-14" in first.decode()


# --- the other formats --------------------------------------------------------------------------------------------


def test_last_week_in_other_formats_is_as_it_stood_at_its_end_and_not_as_it_stands_now(site: Site) -> None:
    week_ago = datetime.now(UTC) - 7 * DAY
    with reading(site) as show:
        show(week_ago - 7 * DAY, UseSSL=True)
        show(week_ago, UseSSL=False)
        show(datetime.now(UTC), UseSSL=True)
    code, out, _ = site.run("report", "--period", "last-week", "--format", "json", "--format", "csv", "--format", "html")
    paths = {Path(line).suffix: Path(line) for line in out.splitlines()}
    document = json.loads(paths[".json"].read_text(encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO(paths[".csv"].read_bytes().decode(), newline="")))
    now = json.loads(site.run("report", "--format", "json", "-o", "-")[1])

    assert (code, {path.stem for path in paths.values()}) == (0, {f"smtp-report-{week_ago:%G-W%V}"})
    assert document["period"].startswith(f"week {week_ago.isocalendar().week} of ")
    assert document["as_of"][:10] == week_ago.date().isoformat()
    (target,) = document["targets"]
    assert (target["verdict"], now["targets"][0]["verdict"]) == ("non_compliant", "compliant")
    failing = {finding["rule"] for finding in target["findings"] if finding["outcome"] == "fail"}
    assert failing == {row["rule"] for row in rows if row["outcome"] == "fail"} != set()
    assert {row["target_verdict"] for row in rows if row["target"] == "prod"} == {"non_compliant"}
    assert len(target["open_drift"]) == 1, "it ended only this week"
    figures = figures_of_page(paths[".html"].read_text(encoding="utf-8"))
    assert figures is not None
    assert figures["servers"] == {"fail": 1, "unknown": 0, "waived": 0, "pass": 0}


@pytest.mark.parametrize("form", ["html", "json"])
def test_stdout_has_what_the_file_has(told: Site, form: str) -> None:
    code, out, _ = told.run("report", "--period", "2025-W11", "--format", form, "-o", "-")
    assert code == 0
    assert not (told.folder / "reports").exists()
    path = Path(told.run("report", "--period", "2025-W11", "--format", form)[1].strip())

    written = path.read_text(encoding="utf-8")
    assert out == re.sub('<p class="sum"><a href="index.html#2025-W11">.*?</p>\n', "", written), "no list lies beside it"


def test_without_a_format_stdout_has_the_page(told: Site) -> None:
    _, out, _ = told.run("report", "--period", "2025-W11", "-o", "-")

    assert out.startswith("<!doctype html>")
    assert "week 11 of 2025" in out


def test_a_mail_without_the_page_is_refused_before_anything_is_written(site: Site) -> None:
    code, out, err = site.run("report", "--format", "json", "--mail")

    assert (code, out) == (2, "")
    assert "--mail: the HTML report is what is mailed" in err
    assert not (site.folder / "reports").exists()


def test_times_in_text_are_by_the_clocks_that_its_title_names(told: Site) -> None:
    told.configure(schedule='{cron: "0 9 * * *"}', targets="report: {timezone: Asia/Tokyo}\n")
    _, out, _ = told.run("report", "--period", "2025-W11", "--format", "text", "-o", "-")
    words = " ".join(out.split())

    assert "(Asia/Tokyo, UTC beside it)" in words
    assert "Fri 14 Mar 2025 18:00 JST (09:00 UTC)" in words


# --- who it is on -------------------------------------------------------------------------------------------------


def test_who_came_later_is_not_in_a_past_week_and_who_was_taken_out_since_still_is(told: Site) -> None:
    first = written(told)
    told.configure(schedule='{cron: "0 9 * * *"}', targets=OTHER)
    assert written(told, at=MONDAY + 10 * DAY) == first
    assert "2 servers" in said(written(told, "2025-W12", at=MONDAY + 10 * DAY))

    told.config.write_text(f"targets:\n{OTHER}", encoding="utf-8")
    assert written(told, at=MONDAY + 11 * DAY) == first, "prod is configured no more"
    page = said(written(told, "2025-W12", at=MONDAY + 11 * DAY))
    assert "taken out in the period: prod (on record Fri 21 Mar 2025 09:00 UTC)" in page
    assert "2 servers" in page
    assert "prod" not in said(written(told, "2025-W13", at=MONDAY + 15 * DAY))


def test_a_week_before_anything_was_configured_says_that_nothing_was_read(told: Site) -> None:
    assert "First report: prod has not been read yet." in said(written(told, "2025-W05"))


def test_a_report_on_a_part_says_nothing_of_the_others(told: Site) -> None:
    with reading(told) as show:
        show(MONDAY + 5 * DAY)
    told.configure(schedule='{cron: "0 9 * * *"}', targets=f"{OTHER}waivers: waivers.yaml\n")
    waiver = "rule: CFG-006, reason: a secret customer, owner: Ada, approved_by: Grace, expires: 2025-06-01"
    (told.folder / "waivers.yaml").write_text(f"waivers:\n- {{{waiver}, targets: [other]}}\n", encoding="utf-8")
    with by_the_clock_of(told, MONDAY + 6 * DAY):
        pass
    whole = said(written(told, at=MONDAY + 6 * DAY))
    assert "a secret customer" in whole
    assert "added in the period: other (on record Sun 16 Mar 2025 09:00 UTC)" in whole

    for form in ("html", "json"):
        _, out, _ = told.run("report", "prod", "--period", "2025-W11", "--format", form, "-o", "-")
        assert "a secret customer" not in out
        assert "added in the period" not in out
    _, out, _ = told.run("report", "prod", "--period", "2025-W11", "-o", "-")
    assert "auditor report --period 2025-W11 prod" in out, "the command that makes this page again"


def test_an_empty_record_of_a_week_that_goes_on_is_not_told_to_its_end(site: Site) -> None:
    with by_the_clock_of(site, MONDAY) as app:
        page = said(app.write_report(asked="this-week").read_text(encoding="utf-8"))

    assert "First report: prod has not been read yet." in page
    assert "No drift was seen, and none was open." in page
    assert "Told up to Mon 10 Mar 2025 00:00 UTC : nothing later is on record of this period." in page


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


def test_a_fleet_has_rows_for_all_and_a_page_for_each(told: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    more = "".join(OTHER.replace("other", f"srv-{number}") for number in range(205))
    told.configure(schedule='{cron: "0 9 * * *"}', targets=more)
    written(told, at=MONDAY + 6 * DAY)  # this is when they come
    page = written(told)
    folder = told.folder / "reports"
    rows = list(csv.DictReader(io.StringIO((folder / "smtp-report-2025-W11-servers.csv").read_text(encoding="utf-8"))))

    assert page.count("<li data-row") == len(rows) == 206
    assert page.count('class="server ') == 200
    assert "6 more servers with a failure, a gap or a change have no section here" in said(page)
    assert {row["in_the_report"] for row in rows} == {"true", "false"}

    _, out, _ = told.run("report", "--period", "2025-W11", "-o", "-")
    assert 'href="smtp-report' not in out, "no page lies beside it"

    monkeypatch.setattr("auditor.report.html.MAX_BYTES", 100_000)
    page = written(told)
    rows = list(csv.DictReader(io.StringIO((folder / "smtp-report-2025-W11-servers.csv").read_text(encoding="utf-8"))))
    assert 0 < page.count('class="server ') < 200
    assert sum(row["in_the_report"] == "true" for row in rows) == page.count('class="server ')
    assert len(list((folder / "smtp-report-2025-W11").glob("*.html"))) == 206
    assert "All servers" in (folder / "smtp-report-2025-W11" / "srv-204.html").read_text(encoding="utf-8")
    figures = re.search(r'name="auditor-figures" content="([^"]*)"', page)
    assert figures is not None
    assert json.loads(unescape(figures[1]))["servers"] == {"fail": 0, "pass": 0, "unknown": 206, "waived": 0}
    assert written(told) == page
