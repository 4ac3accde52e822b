"""What became of rules and servers between the begin of a period and its end."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from auditor.core.course import Course, Kept, Phase, Turn, Turned, approved_within, failing_since, kept_waivers, turns
from auditor.core.model import Approval, Fact, ProfileField, ReadOutcome, Revocation, RuleOutcome, Standing, State, TargetText, Verdict
from auditor.core.subject import Subject, subject_of
from tests.report.standings import WAIVER

START = datetime(2026, 11, 16, tzinfo=UTC)
DAY = timedelta(days=1)
END = START + 7 * DAY
FAIL, PASS, WAIVED, OPEN = RuleOutcome.FAIL, RuleOutcome.PASS, RuleOutcome.WAIVED, RuleOutcome.NOT_EVALUATED


def phases(*told: tuple[float, RuleOutcome | None]) -> tuple[Phase, ...]:
    """A phase for each day (counted from the begin of the period) at which reads came to something else, through the day before the next."""
    found = []
    for place, (day, outcome) in enumerate(told):
        until = told[place + 1][0] if place + 1 < len(told) else 7.0
        found.append(
            Phase(
                outcome=ReadOutcome.FORBIDDEN if outcome is OPEN else ReadOutcome.OBSERVED,
                verdict=Verdict.NON_COMPLIANT if outcome is FAIL else Verdict.COMPLIANT,
                snapshot=None if outcome is OPEN else "a" * 64,
                policy="p" * 64,
                outcomes={"X-1": outcome} if outcome else {},
                first=START + day * DAY,
                last=START + until * DAY - timedelta(hours=1),
                reads=1,
            )
        )
    return tuple(found)


def course(*told: tuple[float, RuleOutcome | None]) -> Course:
    return Course(standing=Standing(target=TargetText(name="a", url="")), start=START, end=END, phases=phases(*told))


def at(day: float) -> datetime:
    return START + day * DAY


@pytest.mark.parametrize(
    ("told", "turn", "since", "until"),
    [
        ([(-3, PASS), (2, FAIL)], Turn.NEW, 2, None),
        ([(-3, FAIL)], Turn.STILL, -3, None),
        ([(-9, FAIL), (-3, OPEN), (-1, FAIL)], Turn.STILL, -9, None),
        ([(-9, FAIL), (-3, PASS), (1, FAIL)], Turn.NEW, 1, None),
        ([(-9, FAIL), (3, PASS)], Turn.FIXED, -9, 3),
        ([(-9, WAIVED), (3, PASS)], Turn.FIXED, -9, 3),
        ([(-9, FAIL), (3, None)], Turn.MOOT, -9, 3),
        ([(-9, FAIL), (3, RuleOutcome.NOT_APPLICABLE)], Turn.MOOT, -9, 3),
        ([(-9, PASS), (3, WAIVED)], Turn.WAIVED, 3, None),
        ([(-9, PASS), (2, FAIL), (4, PASS)], Turn.BETWEEN, 2, 4),
        ([(-9, FAIL), (3, WAIVED)], Turn.WAIVED, -9, None),
        ([(-9, WAIVED), (3, FAIL)], Turn.WAIVER_OVER, -9, None),
        ([(-9, PASS), (-2, OPEN), (1, FAIL)], Turn.NEW, 1, None),
        ([(-9, FAIL), (-2, OPEN), (1, FAIL)], Turn.STILL, -9, None),
    ],
)
def test_a_rule_turns(told: list[tuple[float, RuleOutcome | None]], turn: Turn, since: float, until: float | None) -> None:
    found = [one for one in turns(course(*told)) if one.rule]

    assert found == [Turned(turn=turn, target="a", rule="X-1", since=at(since), until=None if until is None else at(until))]


@pytest.mark.parametrize("told", [[(-3, PASS)], [(-3, WAIVED)], [(-9, FAIL), (-3, PASS)], []])
def test_what_is_no_news_is_not_told(told: list[tuple[float, RuleOutcome | None]]) -> None:
    assert list(turns(course(*told))) == []


def test_a_server_that_is_read_no_more_is_lost_and_what_failed_has_no_answer() -> None:
    assert list(turns(course((-3, FAIL), (4, OPEN)))) == [
        Turned(turn=Turn.LOST, target="a", since=at(4)),
        Turned(turn=Turn.UNANSWERED, target="a", rule="X-1", since=at(-3)),
    ]
    assert course((-3, PASS), (4, OPEN)).has_moved


def test_a_server_that_is_read_again_says_since_when_it_was_not() -> None:
    assert list(turns(course((-3, PASS), (-2, OPEN), (4, PASS)))) == [Turned(turn=Turn.REGAINED, target="a", since=at(-2), until=at(4))]


def test_a_new_server_is_added() -> None:
    assert list(turns(course((2, PASS)))) == [Turned(turn=Turn.ADDED, target="a", since=at(2))]


def test_a_read_at_the_begin_of_the_period_is_in_it() -> None:
    assert course((0, PASS)).before is None
    assert len(course((-1, PASS), (0, FAIL)).within) == 1


def test_a_failure_has_no_age_once_it_is_over() -> None:
    assert failing_since(phases((-3, FAIL), (1, PASS)), "X-1") is None
    assert failing_since(phases((-3, FAIL), (1, OPEN)), "X-1") == at(-3)


# --- waivers and approvals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "holds"),
    [
        (Kept(waiver=WAIVER, since=at(-9)), True),
        (Kept(waiver=WAIVER, since=at(6.9)), True),
        (Kept(waiver=WAIVER, since=at(7)), False),
        (Kept(waiver=WAIVER, since=at(-9), until=at(0)), False),
        (Kept(waiver=WAIVER, since=at(-9), until=at(0.1)), True),
    ],
)
def test_a_waiver_counts_if_it_held_at_any_moment(kept: Kept, holds: bool) -> None:
    assert kept.holds_within(START, END) is holds


@pytest.mark.parametrize(
    ("changes", "holds"), [({"expires_at": START}, False), ({"expires_at": at(0.01)}, True), ({"approved_on": date(2026, 11, 23)}, False)]
)
def test_a_waiver_counts_within_its_own_time(changes: dict[str, Any], holds: bool) -> None:
    from dataclasses import replace

    assert Kept(waiver=replace(WAIVER, **changes), since=at(-9)).holds_within(START, END) is holds


def test_waivers_are_followed_through_the_records() -> None:
    first, second = WAIVER.document(), {**WAIVER.document(), "reason": "another"}
    records = [
        {"at": at(-9).isoformat(), "added": [first], "removed": []},
        {"at": at(2).isoformat(), "added": [second], "removed": [first]},
    ]
    assert [(kept.waiver.reason, kept.since, kept.until) for kept in kept_waivers(records)] == [
        (WAIVER.reason, at(-9), at(2)),
        ("another", at(2), None),
    ]


def approval(day: float, **others: Any) -> Approval:
    value = ProfileField(fact=Fact.of(State.VALUE, f"value of {day}"))
    return Approval(target="a", field="Host", value=value, by="Ada", reason="it is", approved_at=at(day), recorded_at=at(day), **others)


def test_an_approval_counts_if_it_was_in_force_at_any_moment() -> None:
    revoked = Revocation(by="Ada", reason="no more", at=at(-1), account="", host="")
    old, given_way, newest = approval(-30, revoked=revoked), approval(-20), approval(-10)
    later, ended = approval(3), approval(8)

    assert approved_within([old, given_way, newest, later, ended], START, END) == (newest, later)


def test_an_older_approval_is_in_force_again_once_the_newer_one_ends() -> None:
    older, newer = approval(-20), approval(-10, expires=date(2026, 11, 17))

    assert approved_within([older, newer], START, END) == (older, newer)


@pytest.mark.parametrize(
    ("condition", "subject"),
    [
        ({"fact": "UseSSL"}, Subject.TRANSPORT),
        ({"all": [{"fact": "$approved_hosts"}, {"any": [{"fact": "Host.org_domain"}]}]}, Subject.HOST),
        ({"fact": "SenderAccount.domain"}, Subject.SENDER),
        ({"fact": "RelayPassword"}, Subject.SECRETS),
        ({"fact": "ClientId"}, Subject.OAUTH),
        ({"fact": "drift.unapproved"}, Subject.DRIFT),
        ({"fact": "profile.configured"}, Subject.PROFILE),
        ({"fact": "target.labels"}, Subject.OTHER),
        (None, Subject.OTHER),
    ],
)
def test_a_rule_has_the_subject_of_what_it_requires(condition: Any, subject: Subject) -> None:
    assert subject_of(condition) is subject
