"""When a waiver holds: to the second, in any zone, for whom, and what is said of it before it bites."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.core.assess import Past, assess, exit_code, facts_of
from auditor.core.canonical import digest
from auditor.core.model import Assessment, Fact, Finding, Judgement, RuleOutcome, Severity, Standing, State, TargetText, Verdict, Waiver
from auditor.core.waiver import Concern, Review, WaiverState, holds, in_scope, laid_over, review, scope_text, state_of, until
from tests.factories import observation, snapshot

END = datetime(2027, 1, 1, tzinfo=UTC)
AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
WAIVER = Waiver(rule="CFG-003", targets=("lab",), reason="the relay is replaced in spring", owner="ann", approved_by="bob", expires_at=END)


def finding(outcome: RuleOutcome, rule: str = "CFG-003", severity: Severity | None = Severity.HIGH) -> Finding:
    return Finding(rule=rule, outcome=outcome, as_of=AT.date(), severity=severity)


PASS, FAIL = finding(RuleOutcome.PASS), finding(RuleOutcome.FAIL)


def standing(name: str, *findings: Finding, labels: tuple[tuple[str, str], ...] = ()) -> Standing:
    """A target; one without findings was never read."""
    told = TargetText(name=name, url="https://command.example.org", labels=labels)
    if not findings:
        return Standing(target=told)
    judged = Judgement(key="k", policy_digest="p", findings=findings)
    return Standing(target=told, assessment=Assessment(observation=observation(snapshot()), judgement=judged, verdict=Verdict.INDETERMINATE))


def excuses(waiver: Waiver, at: datetime) -> bool:
    return holds(waiver, rule="CFG-003", target="lab", labels={}, at=at)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 12, 30, 12, tzinfo=UTC), True),
        (datetime(2026, 12, 31, tzinfo=UTC), True),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), True),
        (datetime(2027, 1, 1, tzinfo=UTC), False),
        (datetime(2027, 1, 1, 12, tzinfo=UTC), False),
        (datetime(2026, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-5))), False),
        (datetime(2027, 1, 1, 0, 59, tzinfo=timezone(timedelta(hours=1))), True),
        (datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), False),
        (datetime(2027, 1, 1, 13, 59, tzinfo=timezone(timedelta(hours=14))), True),
        (datetime(2026, 12, 31, 12, tzinfo=timezone(timedelta(hours=-12))), False),
    ],
)
def test_a_waiver_holds_through_its_last_day(at: datetime, expected: bool) -> None:
    assert excuses(WAIVER, at) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 10, 1, tzinfo=UTC), True),
        (datetime(2026, 10, 1, 1, 59, tzinfo=timezone(timedelta(hours=2))), False),
        (datetime(2026, 9, 30, 20, tzinfo=timezone(timedelta(hours=-4))), True),
    ],
)
def test_a_waiver_does_not_hold_before_the_day_of_its_approval(at: datetime, expected: bool) -> None:
    waiver = replace(WAIVER, approved_on=date(2026, 10, 1))
    assert (excuses(waiver, at), state_of(waiver, at) is WaiverState.PENDING) == (expected, not expected)


@pytest.mark.parametrize(
    ("targets", "labels", "target", "own", "expected"),
    [
        (("lab",), {}, "lab", {}, True),
        (("lab",), {}, "lab-1", {}, False),
        (("lab",), {}, "Lab", {}, False),
        (("prod", "lab"), {}, "lab", {}, True),
        (("glob:lab-*",), {}, "lab-1", {}, True),
        (("glob:lab-*",), {}, "lab", {}, False),
        (("glob:lab-*",), {}, "LAB-1", {}, False),
        (("lab-*",), {}, "lab-1", {}, False),
        ((), {}, "anything", {}, True),
        ((), {"env": "lab"}, "anything", {"env": "lab", "x": "y"}, True),
        ((), {"env": "lab"}, "anything", {"env": "Lab"}, False),
        ((), {"env": "lab"}, "anything", {}, False),
        (("lab",), {"env": "lab"}, "lab", {"env": "prod"}, False),
        (("lab",), {"env": "lab"}, "prod", {"env": "lab"}, False),
        (("lab",), {"env": "lab", "site": "x"}, "lab", {"env": "lab"}, False),
    ],
)
def test_targets_and_labels_must_both_match(
    targets: tuple[str, ...], labels: dict[str, str], target: str, own: dict[str, str], expected: bool
) -> None:
    waiver = replace(WAIVER, targets=targets, labels=tuple(labels.items()))
    assert in_scope(waiver, target=target, labels=own) is expected
    assert holds(waiver, rule="CFG-003", target=target, labels=own, at=AT) is expected
    assert not holds(waiver, rule="CFG-004", target=target, labels=own, at=AT)


@pytest.mark.parametrize("outcome", [outcome for outcome in RuleOutcome if outcome is not RuleOutcome.FAIL])
def test_only_a_failure_is_waived(outcome: RuleOutcome) -> None:
    assert laid_over([finding(outcome)], [WAIVER], target="lab", labels={}, at=AT) == ()


def test_of_several_waivers_the_one_that_lasts_longest_is_laid_over() -> None:
    longer = replace(WAIVER, targets=("glob:*",), expires_at=END + DAY)
    ended = replace(WAIVER, expires_at=AT)
    failing = [finding(RuleOutcome.FAIL, "CFG-001"), FAIL]
    assert laid_over(failing, [WAIVER, longer, ended], target="lab", labels={}, at=AT) == (longer,)


def assessed(*findings: Finding, waivers: tuple[Waiver, ...] = ()) -> Assessment:
    judgement = Judgement(key="k", policy_digest="p", findings=findings)
    return assess(observation(snapshot(), at=AT), judgement, past=Past(), org_domain=lambda host: host, waivers=waivers)


def test_the_judgement_stays_as_it_was_and_the_failure_counts_as_waived() -> None:
    other = finding(RuleOutcome.PASS, "CFG-001", None)
    concluded = assessed(FAIL, other, waivers=(WAIVER,))

    assert concluded.judgement.findings == (FAIL, other)
    assert concluded.findings == (replace(FAIL, outcome=RuleOutcome.WAIVED), other)
    assert (concluded.verdict, exit_code([concluded])) == (Verdict.COMPLIANT_WITH_WAIVERS, 0)


@pytest.mark.parametrize(
    ("findings", "verdict", "code"),
    [
        ((FAIL,), Verdict.COMPLIANT_WITH_WAIVERS, 0),
        ((FAIL, finding(RuleOutcome.FAIL, "CFG-001")), Verdict.NON_COMPLIANT, 1),
        ((FAIL, finding(RuleOutcome.NOT_EVALUATED, "CFG-001")), Verdict.INDETERMINATE, 4),
        ((finding(RuleOutcome.FAIL, severity=Severity.INFO),), Verdict.COMPLIANT, 0),
        ((finding(RuleOutcome.NOT_EVALUATED),), Verdict.INDETERMINATE, 3),
    ],
)
def test_a_waiver_excuses_its_own_failure_and_nothing_else(findings: tuple[Finding, ...], verdict: Verdict, code: int) -> None:
    concluded = assessed(*findings, waivers=(WAIVER,))
    assert (concluded.verdict, exit_code([concluded], fail_on=Severity.INFO)) == (verdict, code)


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (15 * DAY, WaiverState.IN_FORCE),
        (14 * DAY + SECOND, WaiverState.IN_FORCE),
        (14 * DAY, WaiverState.EXPIRING),
        (SECOND, WaiverState.EXPIRING),
        (0 * DAY, WaiverState.EXPIRED),
        (-DAY, WaiverState.EXPIRED),
    ],
)
def test_a_waiver_is_called_expiring_in_its_last_fourteen_days(left: timedelta, state: WaiverState) -> None:
    assert state_of(WAIVER, END - left) is state


IDLE = "is not needed: CFG-003 passes on"
NA = finding(RuleOutcome.NOT_APPLICABLE)
UNSEEN = finding(RuleOutcome.NOT_EVALUATED)


@pytest.mark.parametrize(
    ("waiver", "standings", "concerns"),
    [
        (WAIVER, [standing("lab", FAIL)], []),
        (WAIVER, [standing("lab", PASS)], [(Concern.PASSES, f"{IDLE} lab")]),
        (WAIVER, [standing("lab", UNSEEN)], []),
        (WAIVER, [standing("lab")], []),
        (WAIVER, [standing("lab", NA)], [(Concern.UNUSED, "is unused: CFG-003 does not apply to lab")]),
        (WAIVER, [standing("lab", finding(RuleOutcome.FAIL, "X-1"))], [(Concern.UNUSED, "is unused: CFG-003 does not apply to lab")]),
        (WAIVER, [standing("prod", FAIL)], [(Concern.UNUSED, "is unused: no target is in its scope")]),
        (WAIVER, [], [(Concern.UNUSED, "is unused: no target is in its scope")]),
        (replace(WAIVER, targets=("a", "b")), [standing("a", FAIL), standing("b", PASS)], [(Concern.PASSES, f"{IDLE} b")]),
        (replace(WAIVER, targets=("glob:?",)), [standing("a", FAIL), standing("b", PASS)], []),
        (replace(WAIVER, targets=("glob:?",)), [standing("a"), standing("b", PASS)], []),
        (
            replace(WAIVER, targets=("glob:?",)),
            [standing(name, PASS) for name in "abcdef"],
            [(Concern.PASSES, f"{IDLE} a, b, c and 3 more")],
        ),
        (replace(WAIVER, targets=("glob:?",)), [standing(name, PASS) for name in "abc"], [(Concern.PASSES, f"{IDLE} a, b, c")]),
        (replace(WAIVER, targets=()), [standing("a", FAIL)], [(Concern.BROAD, "is broad: it covers every target, those to come included")]),
        (
            replace(WAIVER, targets=("x", "glob:*")),
            [standing("a", FAIL)],
            [(Concern.BROAD, "is broad: it covers every target, those to come included")],
        ),
        (replace(WAIVER, targets=("glob:?*",)), [standing("a", FAIL)], [(Concern.BROAD, "is broad: it covers every target, those to come included")]),
        (
            replace(WAIVER, targets=("glob:[a-z]*",)),
            [standing("a", FAIL)],
            [(Concern.BROAD, "is broad: it covers every target, those to come included")],
        ),
        (
            replace(WAIVER, targets=("glob:[]!]*",)),
            [standing("!a", FAIL)],
            [(Concern.BROAD, "is broad: it covers every target, those to come included")],
        ),
        (replace(WAIVER, targets=("glob:a[0-9]*",)), [standing("a1", FAIL)], []),
        (replace(WAIVER, targets=("glob:?",)), [standing("a", FAIL)], []),
        (replace(WAIVER, targets=("glob:a*",)), [standing("a", FAIL)], []),
        (replace(WAIVER, targets=("glob:X*",)), [standing("X1", FAIL)], []),
        (replace(WAIVER, targets=("*",)), [standing("*", FAIL)], []),  # a name, since it is no glob
        (replace(WAIVER, targets=(), labels=(("env", "lab"),)), [standing("a", FAIL, labels=(("env", "lab"),))], []),
    ],
)
def test_what_is_unused_not_needed_or_broad_is_said(waiver: Waiver, standings: list[Standing], concerns: list[tuple[Concern, str]]) -> None:
    assert list(review(waiver, standings, at=AT).concerns) == concerns


def test_a_review_tells_the_targets_in_scope_and_which_of_them_fail() -> None:
    waiver = replace(WAIVER, targets=("glob:lab-*",))
    standings = [standing("lab-1", FAIL), standing("prod", FAIL), standing("lab-2", PASS), standing("lab-3")]
    assert review(waiver, standings, at=AT) == Review(
        waiver=waiver, state=WaiverState.IN_FORCE, targets=("lab-1", "lab-2", "lab-3"), failing=("lab-1",), concerns=()
    )


def test_documents_call_states_and_concerns_by_these_words() -> None:
    assert [*WaiverState] == ["pending", "in_force", "expiring", "expired"]
    assert [*Concern] == ["pending", "expiring", "expired", "unused", "passes", "broad"]


@pytest.mark.parametrize(
    ("waiver", "at", "concern"),
    [
        (WAIVER, END - 3 * DAY, (Concern.EXPIRING, "expires soon: it holds through 2026-12-31 UTC")),
        (WAIVER, END, (Concern.EXPIRED, "expired: it held through 2026-12-31 UTC, and failures count again")),
        (replace(WAIVER, targets=()), END, (Concern.EXPIRED, "expired: it held through 2026-12-31 UTC, and failures count again")),
        (replace(WAIVER, approved_on=date(2026, 11, 24)), AT, (Concern.PENDING, "does not hold yet: it was approved for 2026-11-24 UTC")),
    ],
)
def test_what_the_time_brings_is_said(waiver: Waiver, at: datetime, concern: tuple[Concern, str]) -> None:
    found = review(waiver, [standing("lab", FAIL)], at=at)
    assert (found.concerns, found.targets, found.failing) == ((concern,), ("lab",), ("lab",))


def test_a_review_names_the_targets_in_scope_that_fail() -> None:
    found = review(replace(WAIVER, targets=("glob:?",)), [standing("a", FAIL), standing("b", PASS), standing("long", FAIL)], at=AT)
    assert (found.targets, found.failing) == (("a", "b"), ("a",))


@pytest.mark.parametrize(
    ("expires_at", "said"),
    [
        (END, "through 2026-12-31 UTC"),
        (datetime(2028, 3, 1, tzinfo=UTC), "through 2028-02-29 UTC"),
        (datetime(2026, 12, 31, 18, tzinfo=timezone(timedelta(hours=1))), "until 2026-12-31 17:00:00 UTC"),
        (datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "through 2026-12-31 UTC"),
    ],
)
def test_how_long_it_holds_is_said_in_utc(expires_at: datetime, said: str) -> None:
    assert until(replace(WAIVER, expires_at=expires_at)) == said


@pytest.mark.parametrize(
    ("targets", "labels", "said"),
    [
        (("lab", "glob:test-*"), (), "lab, glob:test-*"),
        ((), (), "every target"),
        ((), (("env", "lab"), ("site", "x")), "every target with env=lab, site=x"),
    ],
)
def test_where_it_holds_is_said_in_words(targets: tuple[str, ...], labels: tuple[tuple[str, str], ...], said: str) -> None:
    assert scope_text(replace(WAIVER, targets=targets, labels=labels)) == said


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process can be changed on POSIX alone")
@pytest.mark.platform_only
@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-14"])
def test_the_zone_of_the_machine_changes_nothing(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waiver = replace(WAIVER, approved_on=date(2026, 10, 1))
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        states = [state_of(waiver, datetime(2026, 10, 1, tzinfo=UTC) - left) for left in (SECOND, 0 * SECOND)]
        said = until(waiver)
    time.tzset()
    assert (states, said) == ([WaiverState.PENDING, WaiverState.IN_FORCE], "through 2026-12-31 UTC")


FULL = replace(
    WAIVER,
    labels=(("env", "lab"),),
    requested_by="cy",
    approved_on=date(2026, 10, 1),
    ticket="SEC-1",
    risk="others can read it",
    expires_at=END.astimezone(timezone(timedelta(hours=5))),
)


@pytest.mark.parametrize("waiver", [WAIVER, FULL])
def test_a_waiver_comes_back_from_its_document_as_it_was(waiver: Waiver) -> None:
    assert Waiver.from_document(waiver.document()) == waiver
    assert waiver.id == digest(waiver.document())[:12]
    assert replace(waiver, reason="another").id != waiver.id


@pytest.mark.parametrize(
    ("waivers", "count", "expired"),
    [
        ((), 0, ()),
        ((WAIVER,), 1, ()),
        ((WAIVER, replace(WAIVER, targets=("prod",))), 1, ()),
        ((replace(WAIVER, expires_at=AT),), 0, ("CFG-003",)),
        ((WAIVER, replace(WAIVER, expires_at=AT)), 1, ()),
        ((replace(WAIVER, approved_on=date(2026, 11, 24)),), 0, ()),
    ],
)
def test_a_policy_can_ask_for_waivers_that_have_ended(waivers: tuple[Waiver, ...], count: int, expired: tuple[str, ...]) -> None:
    read = observation(snapshot(), target="lab", at=AT)
    facts = facts_of(read, labels=(), previous=None, org_domain=lambda host: host, waivers=waivers)
    assert {name: fact for name, fact in facts.items() if name.startswith("waivers.")} == {
        "waivers.count": Fact(State.VALUE, count),
        "waivers.expired": Fact(State.VALUE, expired),
        "waivers.incomplete": Fact(State.VALUE, ()),
    }


@given(
    days=st.integers(-20, 20),
    seconds=st.integers(-2, 2),
    offset=st.integers(-14 * 60, 14 * 60),
    approved=st.one_of(st.none(), st.integers(-5, 5)),
)
def test_the_zone_in_which_an_instant_is_written_changes_nothing(days: int, seconds: int, offset: int, approved: int | None) -> None:
    waiver = replace(WAIVER, approved_on=(END + timedelta(days=approved)).date() if approved is not None else None)
    at = END + days * DAY + seconds * SECOND
    begins = datetime.min.replace(tzinfo=UTC) if waiver.approved_on is None else datetime.combine(waiver.approved_on, datetime.min.time(), UTC)
    assert excuses(waiver, at.astimezone(timezone(timedelta(minutes=offset)))) is (begins <= at < END)
