"""Which transitions people are told of, once each, and to which channels."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from auditor.core.model import (
    Assessment,
    Direction,
    Drift,
    DriftEvent,
    EventState,
    Fact,
    FieldChange,
    Finding,
    Judgement,
    Leaf,
    Level,
    Notice,
    NoticeKind,
    PolicyText,
    ProfileField,
    ReadOutcome,
    RuleOutcome,
    RuleText,
    Severity,
    State,
    TargetText,
    Verdict,
)
from auditor.core.notices import Alerting, OpenFinding, QuietHours, Route, Told, at_hand, news, routed
from tests.factories import AT, observation, snapshot

DAY = timedelta(days=1)
TARGET = TargetText(name="prod", url="https://command.corp.example", labels=(("env", "prod"),), owner="pki")
RULES = (RuleText(id="X-1", title="TLS is on", remediation="Turn it on."),)
POLICY = PolicyText(name="recommended", title="Recommended", version=1, digest="p", rules=RULES)


def finding(outcome: RuleOutcome, rule: str = "X-1", fact: str = "UseSSL") -> Finding:
    leaf = Leaf(at="require", fact=fact, operator="equals", expected=True, level=Level.FALSE, state=State.VALUE, actual=False)
    return Finding(rule=rule, outcome=outcome, as_of=AT.date(), severity=Severity.HIGH, because=(leaf,))


def assessed(*outcomes: Finding, day: int = 0, outcome: ReadOutcome = ReadOutcome.OBSERVED, drift: Drift | None = None) -> Assessment:
    seen = snapshot() if outcome is ReadOutcome.OBSERVED else None
    return Assessment(
        observation=observation(seen, outcome=outcome, at=AT + day * DAY, message="" if seen else "it is gone"),
        judgement=Judgement(key="k", policy_digest="p", findings=outcomes),
        verdict=Verdict.COMPLIANT,
        drift=drift or Drift(),
    )


def told(*reads: Assessment, remind_after: timedelta | None = None) -> list[list[tuple[str, str | None]]]:
    """Kind and subject of what each read was worth telling."""
    known, said = Told(), []
    for read in reads:
        found = news(read, known, target=TARGET, policy=POLICY, remind_after=remind_after)
        known = Told.from_document(found.told.document())
        assert known == found.told
        said.append([(notice.kind.value, notice.subject) for notice in found.notices])
    return said


PASS, FAIL, WAIVED, UNSEEN = (finding(it) for it in (RuleOutcome.PASS, RuleOutcome.FAIL, RuleOutcome.WAIVED, RuleOutcome.NOT_EVALUATED))


def test_the_first_state_is_announced_once_also_where_all_is_well() -> None:
    assert told(assessed(PASS), assessed(PASS, day=1)) == [[("initial", None)], []]


def test_a_target_that_fails_already_is_announced_fleet_7808() -> None:
    known = news(assessed(FAIL), Told(), target=TARGET, policy=POLICY)
    (notice,) = known.notices
    assert (notice.title, notice.severity, notice.detail) == ("prod is watched from now on, and fails 1 rule", Severity.HIGH, "X-1 TLS is on")
    assert (notice.labels, notice.owner) == (TARGET.labels, TARGET.owner)


def test_a_finding_is_told_when_it_opens_and_when_it_is_resolved_fleet_8785() -> None:
    reads = [assessed(it, day=day) for day, it in enumerate([PASS, FAIL, FAIL, PASS, PASS])]
    assert told(*reads) == [[("initial", None)], [("finding_opened", "X-1")], [], [("finding_resolved", "X-1")], []]


def test_pass_fail_pass_is_two_notices_and_not_none() -> None:
    assert [len(said) for said in told(assessed(PASS), assessed(FAIL, day=1), assessed(PASS, day=2))] == [1, 1, 1]


def test_what_was_not_looked_at_is_as_it_was() -> None:
    assert told(assessed(FAIL), assessed(UNSEEN, day=1), assessed(FAIL, day=2)) == [[("initial", None)], [], []]


def test_a_waived_failure_is_resolved_and_says_so() -> None:
    known = news(assessed(FAIL), Told(), target=TARGET, policy=POLICY).told
    (notice,) = news(assessed(WAIVED, day=1), known, target=TARGET, policy=POLICY).notices
    assert (notice.kind, notice.detail) == (NoticeKind.FINDING_RESOLVED, "It is waived.")


def test_a_target_is_lost_once_and_recovers_once() -> None:
    lost = [assessed(UNSEEN, day=day, outcome=ReadOutcome.TIMEOUT) for day in (1, 2)]
    assert told(assessed(FAIL), *lost, assessed(FAIL, day=3)) == [[("initial", None)], [("target_lost", None)], [], [("target_recovered", None)]]


def test_a_target_that_never_could_be_read_is_announced_as_such_and_recovers() -> None:
    assert told(assessed(UNSEEN, outcome=ReadOutcome.FORBIDDEN), assessed(PASS, day=1)) == [[("initial", None)], [("target_recovered", None)]]


def event(state: EventState = EventState.OPEN) -> DriftEvent:
    change = FieldChange(field="Host", kind="value", direction=Direction.REDIRECTION, before="a", after="b", severity=Severity.CRITICAL)
    value = ProfileField(fact=Fact(State.VALUE, "b"))
    return DriftEvent(
        target="prod", change=change, reference=value, value=value, is_deviation=False, is_change=True, not_before=AT, not_after=AT, state=state
    )


def test_drift_is_told_when_it_opens_and_when_it_ends() -> None:
    opened, ended = Drift(opened=(event(),), open=(event(),)), Drift(ended=(event(EventState.APPROVED),))
    said = told(assessed(PASS), assessed(PASS, day=1, drift=opened), assessed(PASS, day=2, drift=ended))
    assert said == [[("initial", None)], [("drift_opened", "Host")], [("drift_ended", "Host")]]


def test_a_rule_about_drift_says_nothing_that_the_drift_has_not_said() -> None:
    about_drift = finding(RuleOutcome.FAIL, "DRF-002", fact="drift.downgrades")
    assert told(assessed(PASS), assessed(about_drift, day=1), assessed(PASS, day=2)) == [[("initial", None)], [], []]


def test_what_a_part_of_the_policy_does_not_judge_stays_as_it_was_told() -> None:
    known = news(assessed(finding(RuleOutcome.FAIL), finding(RuleOutcome.FAIL, "X-2")), Told(), target=TARGET, policy=POLICY).told
    part = replace(
        assessed(finding(RuleOutcome.PASS, "X-2"), day=1),
        judgement=Judgement(key="k2", policy_digest="a part", findings=(finding(RuleOutcome.PASS, "X-2"),)),
    )
    found = news(part, known, target=TARGET, policy=POLICY, is_partial=True)
    assert [(notice.kind, notice.subject) for notice in found.notices] == [(NoticeKind.FINDING_RESOLVED, "X-2")]
    assert [one.rule for one in found.told.findings] == ["X-1"]
    assert found.told.policy_digest == known.policy_digest


def test_a_rule_that_the_policy_has_no_more_is_resolved_and_says_so() -> None:
    known = news(assessed(finding(RuleOutcome.FAIL)), Told(), target=TARGET, policy=POLICY).told
    (resolved,) = news(assessed(day=1), known, target=TARGET, policy=POLICY).notices
    assert (resolved.kind, resolved.detail) == (NoticeKind.FINDING_RESOLVED, "The policy has the rule no more.")


def test_another_policy_is_told() -> None:
    other = replace(assessed(PASS, day=1), judgement=Judgement(key="k", policy_digest="q", findings=(PASS,)))
    assert told(assessed(PASS), other)[1] == [("policy_changed", "recommended")]


def test_what_stays_open_is_called_to_mind_after_days() -> None:
    reads = [assessed(FAIL, day=day) for day in range(8)]
    said = told(*reads, remind_after=3 * DAY)
    assert [day for day, notices in enumerate(said) if ("reminder", None) in notices] == [3, 6]


@pytest.mark.parametrize(
    ("route", "takes"),
    [
        (Route(channel="c"), True),
        (Route(channel="c", minimum=Severity.HIGH), True),
        (Route(channel="c", minimum=Severity.CRITICAL), False),
        (Route(channel="c", labels=(("env", "prod"),)), True),
        (Route(channel="c", labels=(("env", "lab"),)), False),
        (Route(channel="c", owners=("pki",)), True),
        (Route(channel="c", owners=("net",)), False),
    ],
)
def test_a_channel_takes_what_it_asks_for(route: Route, takes: bool) -> None:
    notice = Notice(kind=NoticeKind.FINDING_OPENED, at=AT, severity=Severity.HIGH, title="t", target="prod", labels=TARGET.labels, owner="pki")
    assert routed([notice], [route]) == ((notice, ("c",) if takes else ()),)


def test_a_new_channel_is_told_where_a_target_stands() -> None:
    open_finding = OpenFinding(rule="X-1", severity=Severity.CRITICAL, since=AT, told_at=AT)
    notice = at_hand(TARGET, Told(is_known=True, findings=(open_finding,), lost_since=AT), at=AT + DAY)
    assert notice.title == "prod cannot be read since 2026-11-23 10:00 UTC and fails X-1"
    assert notice.severity is Severity.CRITICAL
    assert at_hand(TARGET, Told(is_known=True), at=AT).title == "prod fails no rule"


QUIET = QuietHours(begin=time(22), end=time(6), timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-11-23T20:59", "2026-11-23T20:59"),
        ("2026-11-23T21:00", "2026-11-24T05:00"),
        ("2026-11-24T04:59", "2026-11-24T05:00"),
        ("2026-11-24T05:00", "2026-11-24T05:00"),
        ("2026-10-24T23:30", "2026-10-25T05:00"),  # the night in which the clocks go back
        ("2026-03-28T23:30", "2026-03-29T04:00"),  # and forward
    ],
)
def test_quiet_hours_delay_and_never_drop(moment: str, until: str) -> None:
    at, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (moment, until))
    assert Alerting(quiet=QUIET).due_at(at) == end
    assert Alerting().due_at(at) == at


def test_a_notice_comes_back_from_its_document() -> None:
    (notice,) = news(assessed(FAIL), Told(), target=TARGET, policy=POLICY).notices
    assert Notice.from_document(notice.document()) == notice
    assert len(notice.key) == 64
