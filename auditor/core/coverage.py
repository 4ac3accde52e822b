"""Coverage: which reads a target owed by the terms in force, and what became of each. Pure.

expected = on_time + late + failed + missed, disjoint, for any period. A slot whose time has come and that nobody has served yet is *open* as long as
the next one is not due: it counts for nothing so far.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from auditor.core.model import ReadOutcome, Schedule
from auditor.core.slots import newest_slot, slots

_MICROSECOND = timedelta(microseconds=1)
_FOREVER = datetime.max.replace(tzinfo=UTC)


class SlotState(StrEnum):
    """What became of a slot: read in time, read later than that, read in vain, not read."""

    ON_TIME = "on_time"
    LATE = "late"
    FAILED = "failed"
    MISSED = "missed"


class MissedBecause(StrEnum):
    """Why nobody read, as far as whoever came next can tell."""

    NOT_RUNNING = "not_running"
    BUSY = "busy"
    STANDSTILL = "standstill"
    """The daemon ran, and its clock jumped: the machine slept, or the clock was set forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a target owes from `since` on, until other terms: reads by `schedule` (None: none), at a fixed offset.

    A slot on a day up to `paused_until`, or from `retired_on` on (UTC), is not owed. A read that begins more than `late_after_s` after its slot is
    late.
    """

    since: datetime
    schedule: Schedule | None
    offset_s: int = 0
    late_after_s: int = 300
    paused_until: date | None = None
    paused_reason: str | None = None
    retired_on: date | None = None

    def reads_on(self, day: date) -> bool:
        """Whether slots of the day `day` (UTC) are owed."""
        is_paused = self.paused_until is not None and day <= self.paused_until
        return self.schedule is not None and not is_paused and not (self.retired_on is not None and day >= self.retired_on)

    def span(self) -> tuple[datetime, datetime]:
        """Slots later than the first of these instants and not later than the second are on days that are read."""
        after = self.since if self.paused_until is None else max(self.since, _midnight(self.paused_until + timedelta(days=1)) - _MICROSECOND)
        return after, _FOREVER if self.retired_on is None else _midnight(self.retired_on) - _MICROSECOND

    def document(self) -> dict[str, Any]:
        """The terms as JSON, less `since`, which stands beside them."""
        plan = self.schedule
        return {
            "schema": "terms/1",
            "schedule": {"every_s": plan.every_s, "cron": plan.cron, "timezone": plan.timezone} if plan else None,
            "offset_s": self.offset_s,
            "late_after_s": self.late_after_s,
            "paused_until": self.paused_until.isoformat() if self.paused_until else None,
            "paused_reason": self.paused_reason,
            "retired_on": self.retired_on.isoformat() if self.retired_on else None,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any], *, since: datetime) -> "Terms":
        """The terms that `document()` wrote.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        if document["schema"] != "terms/1":
            raise ValueError(f"unknown terms schema {document['schema']!r}")
        return Terms(
            since=since,
            schedule=Schedule(**document["schedule"]) if document["schedule"] else None,
            **{key: document[key] for key in ("offset_s", "late_after_s", "paused_reason")},
            paused_until=date.fromisoformat(document["paused_until"]) if document["paused_until"] else None,
            retired_on=date.fromisoformat(document["retired_on"]) if document["retired_on"] else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The read that served a slot: when it began and what it ended in."""

    started_at: datetime
    outcome: ReadOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of one slot. `because` says why it failed (the outcome) or was missed."""

    slot: datetime
    state: SlotState
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A run of slots of one target without a good read: from the first of them to the last, and why."""

    target: str
    first: datetime
    last: datetime
    count: int
    because: tuple[str, ...]

    @property
    def id(self) -> str:
        """What a note names it by: `gap:prod/2026-11-24T09:00Z`."""
        return f"gap:{self.target}/{self.first.astimezone(UTC):%Y-%m-%dT%H:%M}Z"


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many slots came to what."""

    on_time: int = 0
    late: int = 0
    failed: int = 0
    missed: int = 0

    @property
    def expected(self) -> int:
        return self.on_time + self.late + self.failed + self.missed

    @property
    def read(self) -> int:
        """Slots with a good read, late or not."""
        return self.on_time + self.late

    def add(self, state: SlotState) -> None:
        setattr(self, state.value, getattr(self, state.value) + 1)


@dataclass(slots=True, kw_only=True)
class Coverage:
    """The slots of one target in a period: counted by UTC day and in all, the gaps among them, and the slot that is open now."""

    target: str
    days: dict[date, Tally] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)
    gaps: tuple[Gap, ...] = ()
    open: datetime | None = None
    terms: tuple[Terms, ...] = ()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def owed(terms: Sequence[Terms], after: datetime, until: datetime) -> Iterator[tuple[datetime, Terms]]:
    """The slots in `(after, until]` that `terms`, oldest first, make a target owe, each with those it is owed under."""
    ends = [later.since for _, later in pairwise(terms)]
    for one, end in zip(terms, [*ends, until], strict=False):  # no terms, no end
        if one.schedule is None or end <= after or one.since >= until:
            continue
        for slot in slots(one.schedule, max(after, one.since), min(end, until), offset_s=one.offset_s):
            if one.reads_on(slot.date()):
                yield slot, one


def newest_owed(terms: Sequence[Terms], at: datetime) -> datetime | None:
    """The newest slot not later than `at` that is owed by `terms`, oldest first; None where there is none."""
    found = _newest(terms, at)
    return found[0] if found else None


def open_at(terms: Sequence[Terms], at: datetime) -> datetime | None:
    """The slot that a read at `at` serves, unless another has: the newest one that is owed.

    It can be served until the next one is due. Where the target owes nothing any more (it is paused, retired, or configured no longer), there is no
    next one: then only as long as the read is not late.
    """
    found = _newest(terms, at)
    if found is None:
        return None
    slot, owed_by = found
    in_force = next(one for one in reversed(terms) if one.since <= at)
    is_over = not in_force.reads_on(at.date()) and at - slot > timedelta(seconds=owed_by.late_after_s)
    return None if is_over else slot


def _newest(terms: Sequence[Terms], at: datetime) -> tuple[datetime, Terms] | None:
    """The newest slot that is owed at `at`, with its terms; sought backwards, so that years without a read cost nothing."""
    end = at
    for one in reversed(terms):
        if one.schedule is not None:
            after, until = one.span()
            slot = newest_slot(one.schedule, min(end, until), offset_s=one.offset_s)
            if slot is not None and slot > after:
                return slot, one
        end = min(end, one.since)
    return None


def state_of(slot: datetime, terms: Terms, served: Served | None) -> SlotState:
    """What became of a slot that is settled."""
    if served is None:
        return SlotState.MISSED
    if not served.outcome.is_observed:
        return SlotState.FAILED
    return SlotState.LATE if served.started_at - slot > timedelta(seconds=terms.late_after_s) else SlotState.ON_TIME


def cover(
    target: str,
    terms: Sequence[Terms],
    served: Mapping[datetime, Served],
    *,
    after: datetime,
    until: datetime,
    settled_until: datetime | None,
    why_missed: Iterable[tuple[datetime, datetime, str]] = (),
    look_back: timedelta = timedelta(0),
) -> Coverage:
    """The coverage of `target` in `(after, until]`. A gap that begins up to `look_back` before is told from its begin, so that it has one name.

    `served` has the read of each slot that has one. Slots later than `settled_until` that nobody served are not accounted for yet: the newest of them
    is the open one. `why_missed` are the causes on record, as first slot, last slot and cause.
    """
    covered = Coverage(target=target, terms=tuple(terms))
    causes, accounts = list(why_missed), []
    for slot, one in owed(terms, after - look_back, until):
        read = served.get(slot)
        if read is None and (settled_until is None or slot > settled_until):
            covered.open = slot
            continue
        state = state_of(slot, one, read)
        because = read.outcome.value if state is SlotState.FAILED and read else ""
        if state is SlotState.MISSED:
            because = next((cause for first, last, cause in causes if first <= slot <= last), MissedBecause.NOT_RUNNING.value)
        accounts.append(Account(slot=slot, state=state, because=because))
        if slot <= after:
            continue
        covered.days.setdefault(slot.date(), Tally()).add(state)
        covered.total.add(state)
    covered.gaps = tuple(gap for gap in _gaps(target, accounts) if gap.last > after)
    return covered


def _gaps(target: str, accounts: Iterable[Account]) -> Iterator[Gap]:
    run: list[Account] = []
    for account in accounts:
        if account.state in (SlotState.FAILED, SlotState.MISSED):
            run.append(account)
        elif run:
            yield _gap(target, run)
            run = []
    if run:
        yield _gap(target, run)


def _gap(target: str, run: Sequence[Account]) -> Gap:
    because = tuple(dict.fromkeys(account.because for account in run))
    return Gap(target=target, first=run[0].slot, last=run[-1].slot, count=len(run), because=because)
