"""The report in a few words: every server counted, what is not known said as such, and never more than a mail shows."""

from datetime import date

import pytest

from auditor.core.coverage import Coverage, Tally
from auditor.core.model import Digest, Notice, NoticeKind, RuleOutcome, Severity, Standing
from auditor.notify.channel import shown as shown_in_a_message
from auditor.report.summary import Summary, summary
from auditor.report.view import view
from tests.report.standings import AT, TLS_OFF, finding, never, standing, unread

HEAD = (4711, b"\xab" * 32)
FAILING = finding("CFG-001", RuleOutcome.FAIL, Severity.CRITICAL)
HOSTILE = "a\r\nSubject: x\u202e<b>"


def told(*standings: Standing, coverage: tuple[Coverage, ...] = ()) -> Summary:
    seen = view(standings, engine_version="1.0")
    return summary(seen, coverage=coverage, period="2026-W46", head=HEAD, named="r.html", sha256="c" * 64, on=date(2026, 11, 23))


def covered(target: str, *, expected: int, read: int) -> Coverage:
    return Coverage(target=target, total=Tally(on_time=read, missed=expected - read))


def test_every_server_is_counted_by_its_verdict_in_the_subject() -> None:
    found = told(standing("a"), standing("b", FAILING), unread("c"), never("d"))

    assert found.title == "report of 2026-11-17: 1 compliant, 1 non-compliant, 1 indeterminate, 1 never read"


@pytest.mark.parametrize(
    ("standings", "title"), [((), "report of 2026-11-23: no server is configured"), ((never("a"),), "report of 2026-11-23: 1 never read")]
)
def test_where_nothing_was_read_the_report_is_of_today(standings: tuple[Standing, ...], title: str) -> None:
    found = told(*standings)

    assert found.title == title
    assert "Changed in the last 7 days: nothing that was seen." in found.lines


def test_gaps_are_told_the_widest_first_and_no_owed_read_is_no_good_coverage() -> None:
    some = (covered("a", expected=10, read=10), covered("b", expected=10, read=9), covered("c", expected=10, read=0))

    assert "Coverage of 2026-W46: no read was owed." in told(standing("a")).lines
    lines = told(standing("a"), coverage=some).lines
    at = lines.index("Coverage of 2026-W46: 19 of 30 owed reads came to something.")
    assert lines[at + 1 : at + 3] == ("- c: 10 of 10 did not", "- b: 1 of 10 did not")


def test_the_head_of_the_ledger_survives_whatever_stands_before_it() -> None:
    many = tuple(standing(f"{HOSTILE}{n}", FAILING, target={"insecure_skip_verify": True}, changes=(TLS_OFF,)) for n in range(40))
    found = told(*many, coverage=tuple(covered(f"{HOSTILE}{n}" * 20, expected=10, read=n % 9) for n in range(40)))
    notice = Notice(kind=NoticeKind.REPORT, at=AT, severity=Severity.INFO, title=found.title, detail="\n".join(found.lines))

    (safe,) = shown_in_a_message(Digest(key="k", at=AT, title=found.title, notices=(notice,))).notices
    lines = safe.detail.split("\n")
    assert lines[-1] == f"auditor ledger verify --expect-head 4711:{'ab' * 32}"
    assert lines[-3] == f"Head of the ledger: 4711:{'ab' * 32}"
    assert any("- and 32 more" in line for line in lines)
