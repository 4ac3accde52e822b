"""The course of one target through a period: what its reads came to, one phase after another, and what that means between begin and end. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from auditor.core.baseline import baseline
from auditor.core.coverage import Coverage
from auditor.core.model import Approval, DriftEvent, Moved, ReadOutcome, RuleOutcome, Standing, Verdict, Waiver

_FAILS = (RuleOutcome.FAIL, RuleOutcome.WAIVED)
_ANSWERS_WELL = (RuleOutcome.PASS, RuleOutcome.NOT_APPLICABLE, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Reads in a row that came to the same. `outcomes` are the rules' results as they counted, `snapshot` the digest of the state, if one was seen.

    `first` and `last` are when the first and the last of them began, `policy` is the digest of what they were judged by.
    """

    outcome: ReadOutcome
    verdict: Verdict
    snapshot: str | None
    policy: str
    outcomes: Mapping[str, RuleOutcome]
    first: datetime
    last: datetime
    reads: int

    @property
    def is_seen(self) -> bool:
        return self.outcome.is_observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All that is recorded of one target for a period, as it stood at its end.

    `phases` reach from the first read on record to the end of the period. `events` are those that were open, opened or ended within it, as they
    stood at its end; `moved` the changes within it.
    """

    standing: Standing
    start: datetime
    end: datetime
    phases: tuple[Phase, ...] = ()
    coverage: Coverage | None = None
    events: tuple[DriftEvent, ...] = ()
    moved: tuple[Moved, ...] = ()

    @property
    def name(self) -> str:
        return self.standing.target.name

    @property
    def before(self) -> Phase | None:
        """What the last read before the period came to; None where there was none."""
        return next((phase for phase in reversed(self.phases) if phase.first < self.start), None)

    @property
    def within(self) -> tuple[Phase, ...]:
        """The phases with a read in the period, the oldest first."""
        return tuple(phase for phase in self.phases if phase.last >= self.start)

    @property
    def has_moved(self) -> bool:
        """Whether anything was seen to change in the period: a value, an outcome, a verdict."""
        return bool(self.moved) or any(event.not_after >= self.start for event in self.events) or any(True for _ in turns(self))


class Turn(StrEnum):
    """What became of a rule on a target, or of the target itself, between the begin of a period and its end."""

    NEW = "new"
    WAIVER_OVER = "waiver_over"
    BETWEEN = "between"
    """It failed for a while within the period, and at neither end of it."""
    STILL = "still"
    FIXED = "fixed"
    MOOT = "moot"
    """It failed, and is not asked any more: it does not apply, or the policy has it no more. That is no pass."""
    WAIVED = "waived"
    UNANSWERED = "unanswered"
    """It failed, and at the end nobody knows."""
    LOST = "lost"
    REGAINED = "regained"
    ADDED = "added"
    """The target was read for the first time."""

    @property
    def is_change(self) -> bool:
        return self is not Turn.STILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """One such thing. `rule` is None where it is about the target itself. `since` and `until` are the span of the failure (or of the silence), as
    reads saw it; `until` None where it lasts."""

    turn: Turn
    target: str
    rule: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def turns(course: Course) -> Iterator[Turned]:
    """What became of the rules and of the target, by the last read before the period against the last one in it."""
    phases = course.phases
    if not phases:
        return
    before, now, name = course.before, phases[-1], course.name
    if before is None:
        yield Turned(turn=Turn.ADDED, target=name, since=phases[0].first)
    if not now.is_seen and (before is None or before.is_seen):
        yield Turned(turn=Turn.LOST, target=name, since=_silent_since(phases))
    if now.is_seen and before is not None and not before.is_seen:
        yield Turned(turn=Turn.REGAINED, target=name, since=_silent_since(phases[: phases.index(before) + 1]), until=_seen_again(phases, before))
    for rule in _failed(course):
        yield from _turn(course, rule, before, now)


def failing_since(phases: Sequence[Phase], rule: str) -> datetime | None:
    """Since when `rule` fails, waived or not, up to the last of `phases`; None where it does not. Reads that gave no answer do not end a failure."""
    since = None
    for phase in reversed(phases):
        outcome = phase.outcomes.get(rule)
        if outcome in _FAILS:
            since = phase.first
        elif outcome in _ANSWERS_WELL:
            break
    return since


def _failed(course: Course) -> list[str]:
    seen = [*([course.before] if course.before else []), *course.within]
    return sorted({rule for phase in seen for rule, outcome in phase.outcomes.items() if outcome in _FAILS})


def _turn(course: Course, rule: str, before: Phase | None, now: Phase) -> Iterator[Turned]:
    phases, was, is_ = course.phases, before.outcomes.get(rule) if before else None, now.outcomes.get(rule)
    turn: Turn | None
    match is_:
        case RuleOutcome.FAIL:
            turn = {RuleOutcome.FAIL: Turn.STILL, RuleOutcome.WAIVED: Turn.WAIVER_OVER}.get(was, Turn.NEW) if was else Turn.NEW
            # one that was not known at the begin may have failed all along
            since = failing_since(phases, rule)
            turn = Turn.STILL if turn is Turn.NEW and before is not None and since is not None and since < course.start else turn
        case RuleOutcome.WAIVED:
            turn = Turn.WAIVED if was is not RuleOutcome.WAIVED else None
        case RuleOutcome.PASS:
            turn = Turn.FIXED if was in _FAILS else Turn.BETWEEN
        case RuleOutcome.NOT_APPLICABLE | None:
            turn = Turn.MOOT if was in _FAILS else Turn.BETWEEN
        case _:  # no answer
            turn = Turn.UNANSWERED
    if turn is None:
        return
    last = next((index for index in range(len(phases) - 1, -1, -1) if phases[index].outcomes.get(rule) in _FAILS), None)
    if last is None:
        return
    after = next((phase.first for phase in phases[last + 1 :] if phase.outcomes.get(rule) in _ANSWERS_WELL), None)
    yield Turned(turn=turn, target=course.name, rule=rule, since=failing_since(phases[: last + 1], rule), until=after)


def _silent_since(phases: Sequence[Phase]) -> datetime:
    since = phases[-1].first
    for phase in reversed(phases):
        if phase.is_seen:
            break
        since = phase.first
    return since


def _seen_again(phases: Sequence[Phase], before: Phase) -> datetime | None:
    later = phases[phases.index(before) + 1 :]
    return next((phase.first for phase in later if phase.is_seen), None)


# --- waivers and approvals in force at any moment ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A waiver, and how long the configuration had it: on record from `since`, until `until` (None: it still has it)."""

    waiver: Waiver
    since: datetime
    until: datetime | None = None

    def holds_within(self, start: datetime, end: datetime) -> bool:
        """Whether it was in force at any moment of `[start, end)`."""
        begins = self.since
        if self.waiver.approved_on is not None:
            begins = max(begins, datetime.combine(self.waiver.approved_on, time.min, tzinfo=UTC))
        ends = min(self.waiver.expires_at, self.until) if self.until else self.waiver.expires_at
        return begins < min(end, ends) and ends > start


def kept_waivers(records: Iterable[Mapping[str, Any]]) -> tuple[Kept, ...]:
    """The waivers that the ledger's records tell of, in the order in which they came; `records` are the bodies of their kind, the oldest first."""
    kept: dict[str, Kept] = {}
    over: list[Kept] = []
    for body in records:
        at = datetime.fromisoformat(body["at"])
        for document in body["removed"]:
            waiver = Waiver.from_document(document)
            if waiver.id in kept:
                over.append(replace(kept.pop(waiver.id), until=at))
        for document in body["added"]:
            waiver = Waiver.from_document(document)
            kept[waiver.id] = Kept(waiver=waiver, since=at)
    return (*over, *kept.values())


def approved_span(approval: Approval) -> tuple[datetime, datetime | None]:
    """From when until when `approval` was in force by itself; None where nothing ends it."""
    ends = [approval.revoked.at] if approval.revoked else []
    if approval.expires is not None:
        ends.append(datetime.combine(approval.expires + timedelta(days=1), time.min, tzinfo=UTC))
    return approval.approved_at, min(ends, default=None)


def approved_within(approvals: Sequence[Approval], start: datetime, end: datetime) -> tuple[Approval, ...]:
    """The approvals in force at any moment of `[start, end)`, in order of recording; one that had given way to a newer one is not."""
    spans = [approved_span(approval) for approval in approvals]
    acts = {instant for span in spans for instant in span if instant is not None and start < instant < end}
    held = {id(approval) for at in (start, *acts) for approval in baseline(approvals, at).values()}
    return tuple(approval for approval in approvals if id(approval) in held)
