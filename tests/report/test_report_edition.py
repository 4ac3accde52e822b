"""A report on a period: what it says holds at the edges, too, and what does not fit is counted."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from auditor.core.course import Course, Kept
from auditor.core.coverage import Coverage
from auditor.core.model import RuleOutcome, Severity
from auditor.report.edition import MAX_SHOWN, Edition
from auditor.report.html import render_edition
from auditor.report.lanes import lines
from auditor.report.shown import Status
from tests.report.editions import DUE, WEEK, course, edition, ended, event
from tests.report.standings import AT, FAILS, WAITS, WAIVED, WAIVER, finding, never, standing

DAY = timedelta(days=1)


def said(made: Edition, *, due: dict[Severity, int] | None = None) -> str:
    page = re.sub(r"<(style|script)>.*?</\1>|<wbr>", "", render_edition(made, due_days=due).decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_waiver_that_was_taken_out_and_put_in_again_is_in_force_and_stands_there_once() -> None:
    waiver = replace(WAIVER, expires_at=AT + 100 * DAY)
    taken_out = Kept(waiver=waiver, since=WEEK.start - DAY, until=AT)
    one = course(standing("partner", WAIVED))
    (again,) = edition([one], kept=[taken_out, Kept(waiver=waiver, since=AT + DAY)]).waivers
    (out,) = edition([one], kept=[taken_out]).waivers

    assert (again.word, out.word) == ("in force", "taken out")


def test_guards_that_are_off_on_very_many_servers_are_counted() -> None:
    made = edition([course(standing(f"s{number:03}", target={"insecure_skip_verify": True})) for number in range(MAX_SHOWN + 20)])

    assert len(made.warnings) == MAX_SHOWN + 1
    assert made.warnings[-1] == "20 more guards switched off, of other servers."


def test_without_days_to_mend_in_nothing_is_said_of_them() -> None:
    made = edition([course(standing("a", FAILS)), course(standing("b"))])

    assert "Overdue:" not in said(made, due={})
    assert "Overdue: critical after 1 day, high after 30 days, counted from when it was first seen." in said(made, due=DUE)


def phased(*ends: tuple[int, str]) -> Course:
    """A server that was judged by one policy after the other, each from so many days after Tuesday on."""
    one = course(standing("a"))
    _, newest = one.phases
    phases = [replace(newest, policy=policy, first=AT + day * DAY, last=AT + day * DAY) for day, policy in ends]
    return replace(one, phases=(one.phases[0], *phases))


def test_policies_that_changed_stand_in_the_order_of_time() -> None:
    made = edition([phased((0, "c" * 64), (3, "d" * 64))])
    assert made.over is not None

    assert [change.when[:17] for change in made.over.policy_changes] == ["first used Tue 17", "first used Fri 20"]


def test_what_the_profile_did_in_the_same_read_is_not_laid_to_a_policy() -> None:
    one = phased((0, "c" * 64))
    well, newest = one.phases
    outcomes = {rule: outcome for rule, outcome in newest.outcomes.items() if rule != "CFG-009"}
    newest = replace(newest, outcomes=outcomes | {"CFG-001": RuleOutcome.FAIL})
    told = []
    for state in (well.snapshot, newest.snapshot):
        over = edition([replace(one, phases=(well, replace(newest, snapshot=state)))]).over
        assert over is not None
        told.append(over.policy_changes[0].effects)

    alone = "CFG-009: pass → not in it on 1 server"
    beside = "1 server showed another state, or none, in the same read: what else changed there is not laid to the policy."
    assert told == [("CFG-001: pass → fail on 1 server", alone), (alone, beside)]


def test_a_server_that_owed_no_read_has_no_share_of_reads() -> None:
    owed_none = Course(standing=never("new"), start=WEEK.start, end=WEEK.end, coverage=Coverage(target="new"))
    page = render_edition(edition([owed_none, course(standing("a"))])).decode()

    assert "0 of 0" not in page


def test_a_course_with_very_many_changes_says_what_is_not_drawn() -> None:
    one = course(standing("a"))
    well, newest = one.phases
    minute = timedelta(minutes=1)
    phases = [replace(newest, snapshot=f"{number:064x}", first=AT + number * minute, last=AT + number * minute) for number in range(150)]
    drawn = lines(replace(one, phases=(well, *phases)), WEEK, as_of=WEEK.end)
    assert drawn is not None
    rows = [row for row in drawn.rows if row.lane == "Configuration"]

    assert len(rows) == 120
    assert rows[-1].words == "32 more changes, too many to be drawn"
    assert rows[-1].end == "the period's end"
    assert rows[-1].status is Status.NEUTRAL


@pytest.mark.parametrize("now", [None, RuleOutcome.NOT_APPLICABLE])
def test_a_failure_that_is_not_asked_any_more_is_told_and_is_no_pass(now: RuleOutcome | None) -> None:
    one = course(standing("a", WAITS))
    well, newest = one.phases
    failed = replace(well, outcomes={**well.outcomes, "CFG-001": RuleOutcome.FAIL})
    outcomes = {rule: outcome for rule, outcome in newest.outcomes.items() if rule != "CFG-001"}
    made = edition([replace(one, phases=(failed, replace(newest, outcomes=outcomes if now is None else {**outcomes, "CFG-001": now})))])
    assert made.over is not None
    (news,) = (news for news in made.over.news if news.rule is not None)

    assert (news.status, news.word) == (Status.NEUTRAL, "asked no more")
    assert "fixed" not in said(made)


def test_a_value_that_came_back_within_the_period_says_so_beside_what_it_changed_to() -> None:
    page = said(edition([course(standing("a"), events=(ended(event("a")), event("a", number=2)))]))
    changed = page[page.index("Values that changed") : page.index("Coverage")]

    assert changed.count("now false between Tue 17 Nov 2026 09:15 and 09:30 UTC") == 2
    back = "; ended, the earlier value came back, between Thu 19 Nov 2026 09:30 UTC and Fri 20 Nov 2026 09:30 UTC"
    assert changed.count(back) == 1


def test_who_did_it_is_said_once() -> None:
    page = render_edition(edition([course(standing("a", finding("CFG-001", RuleOutcome.FAIL, Severity.HIGH)), events=(event("a"),))])).decode()

    assert '<dt>who</dt><dd dir="auto">cannot be told from Command&#39;s audit log' in page
