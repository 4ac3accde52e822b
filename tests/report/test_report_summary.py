"""The report in a few words: of the period and with the figures of its file, what is not known said as such, never more than a mail shows."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest

from auditor.core.course import Course
from auditor.core.model import Digest, Notice, NoticeKind, RuleOutcome, Severity, Standing
from auditor.core.period import parse_period
from auditor.notify.channel import MAX_DETAIL_LINES
from auditor.notify.channel import shown as shown_in_a_message
from auditor.report.edition import Edition
from auditor.report.html import render_edition
from auditor.report.summary import Summary, summary
from tests.report.editions import WEEK, course, covered, edition, ended, event
from tests.report.standings import AT, FAILS, WAIVED, finding, never, standing, unread

HEAD = (4711, b"\xab" * 32)
FAILING = finding("CFG-001", RuleOutcome.FAIL, Severity.CRITICAL)
HOSTILE = "a\r\nSubject: x\u202e<b>"


def told(made: Edition) -> Summary:
    return summary(made, head=HEAD, named="r.html", sha256="c" * 64)


def of(*standings: Standing) -> Summary:
    return told(edition([course(one) for one in standings]))


@pytest.mark.parametrize(
    ("standings", "title"),
    [
        (
            (standing("a"), standing("b", FAILING), standing("p", WAIVED), unread("c"), never("d")),
            "1 compliant, 1 compliant with waivers, 1 non-compliant, 1 indeterminate, 1 never read",
        ),
        ((never("a"),), "1 never read"),
    ],
)
def test_every_server_is_counted_by_its_verdict_in_the_subject(standings: tuple[Standing, ...], title: str) -> None:
    assert of(*standings).title == f"report of 2026-W47: {title}"


@pytest.mark.parametrize(
    ("asked", "said"), [("2026-11-18..2026-11-24", "2026-11-18..2026-11-24"), ("2026-11", "2026-11"), ("2026-11-24", "2026-11-24")]
)
def test_the_subject_names_the_period_as_the_command_takes_it(asked: str, said: str) -> None:
    period = parse_period(asked, today=WEEK.last)

    assert told(edition([course(standing("a"))], period=period)).title == f"report of {said}: 1 compliant"


def test_a_mail_has_the_figures_of_the_page_that_it_brings() -> None:
    made = edition(
        [
            course(standing("a", FAILS), events=(event("a"), ended(event("a", number=2))), coverage=covered("a", failed=3)),
            course(unread("b"), coverage=covered("b", missed=5)),
            course(standing("c", WAIVED)),
        ]
    )
    found, page = told(made), render_edition(made).decode()
    written = re.search(r'name="auditor-figures" content="([^"]*)"', page)
    assert written is not None
    figures = json.loads(unescape(written[1]))

    counted = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z][a-z -]*)", found.title.partition(": ")[2])}
    assert counted == {"compliant with waivers": 1, "non-compliant": 1, "indeterminate": 1}
    assert figures["servers"] == {"fail": 1, "unknown": 1, "waived": 1, "pass": 0}
    assert found.lines[:4] == (figures["verdict"], f"Period: {figures['period']}.", made.reconciliation, made.shares)
    assert f"Coverage: {figures['reads'][0]} of {figures['reads'][1]} owed reads came to something." in found.lines
    assert "Changed in the period: 2 fields." in found.lines
    assert sum(line.startswith("- a: UseSSL from true to false (downgrade), between ") for line in found.lines) == 2
    assert sum("; ended, the earlier value came back, between " in line for line in found.lines) == 1
    assert "Drift that is open: 1 event." in found.lines
    assert made.over is not None
    assert f"Head of the ledger at the end of the period, as in the report: {made.over.head}" in found.lines
    assert made.over.head in page


def test_a_period_that_goes_on_says_how_far_it_is_told() -> None:
    made = edition([course(standing("a"))])
    assert made.over is not None
    running = replace(made, over=replace(made.over, as_of=AT))

    assert "Told up to Tue 17 Nov 2026 09:30 UTC: nothing later is on record of this period." in told(running).lines
    assert not any(line.startswith("Told up to") for line in told(made).lines)


def test_nothing_that_changed_and_no_owed_read_are_said_as_such() -> None:
    lines = of(standing("a")).lines

    assert "Changed in the period: nothing that was seen." in lines
    assert "Coverage: no read was owed." in lines


def test_gaps_are_told_the_widest_first() -> None:
    lines = told(
        edition([course(standing(name), coverage=covered(name, missed=missed)) for name, missed in (("a", 0), ("b", 1), ("c", 672), ("d", 1))])
    ).lines
    at = lines.index("Coverage: 2014 of 2688 owed reads came to something.")

    assert lines[at + 1 : at + 4] == ("- c: 672 of 672 did not", "- b: 1 of 672 did not", "- d: 1 of 672 did not")


def test_the_head_of_the_ledger_survives_whatever_stands_before_it() -> None:
    many: list[Course] = []
    for number in range(40):
        name = f"{HOSTILE}{number}" * 5
        server = standing(name, FAILING, target={"insecure_skip_verify": True})
        many.append(course(server, events=(event(name, number=number),), coverage=covered(name, missed=1 + number)))
    made = edition(many)
    assert made.over is not None
    found = told(replace(made, over=replace(made.over, as_of=AT)))
    notice = Notice(kind=NoticeKind.REPORT, at=AT, severity=Severity.INFO, title=found.title, detail="\n".join(found.lines))

    (safe,) = shown_in_a_message(Digest(key="k", at=AT, title=found.title, notices=(notice,))).notices
    lines = safe.detail.split("\n")
    assert len(lines) <= MAX_DETAIL_LINES
    assert lines[-1] == f"auditor ledger verify --expect-head 4711:{'ab' * 32}"
    assert lines[-3] == f"Head of the ledger when this was written: 4711:{'ab' * 32}"
    assert sum("- and 32 more" in line for line in lines) == 3
