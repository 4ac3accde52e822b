"""Slots whose reads were pruned: what became of each stays known, so that coverage adds up for times whose reads are gone.

A run is slots at even distances, whatever schedule made them, that came to the same: one outcome, in time or late. Of how much later than its slot
each read began, the run keeps one figure that says of all of them what is true of each: the longest delay where they were in time, the shortest
where they were late.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from auditor.core.coverage import Served, SlotState, Terms, state_of
from auditor.core.model import ReadOutcome
from auditor.store.tables import served

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    first: datetime
    last: datetime
    count: int
    outcome: ReadOutcome
    delay_us: int

    def slots(self) -> Iterator[datetime]:
        step = (self.last - self.first) // max(1, self.count - 1)
        return (self.first + number * step for number in range(self.count))

    def read_of(self, slot: datetime) -> Served:
        return Served(started_at=slot + self.delay_us * _MICROSECOND, outcome=self.outcome)


def add(connection: Connection, target_id: int, agreed: Sequence[Terms], reads: Iterable[tuple[datetime, Served]]) -> None:
    """Keep what became of the slots of these reads, which are about to go. `agreed` are all terms of the target, the oldest first."""
    query = select(served).where(served.c.target_id == target_id).order_by(served.c.id.desc()).limit(1)
    newest = connection.execute(query).one_or_none()
    number, run = (newest.id, _run(newest)) if newest is not None else (None, None)
    for slot, read in sorted(reads, key=lambda item: item[0]):
        longer = _continued(run, slot, read, agreed) if run is not None else None
        if longer is None:
            _write(connection, target_id, number, run)
            number, longer = None, _Run(first=slot, last=slot, count=1, outcome=read.outcome, delay_us=(read.started_at - slot) // _MICROSECOND)
        run = longer
    _write(connection, target_id, number, run)


def within(connection: Connection, target_id: int, after: datetime, until: datetime) -> dict[datetime, Served]:
    """The read of each slot in `(after, until]` that was kept here."""
    query = select(served).where(served.c.target_id == target_id, served.c.last > after, served.c.first <= until)
    runs = [_run(row) for row in connection.execute(query)]
    return {slot: run.read_of(slot) for run in runs for slot in run.slots() if after < slot <= until}


def has(connection: Connection, target_id: int, slot: datetime) -> bool:
    """Whether `slot` was served by a read that was pruned."""
    query = select(served).where(served.c.target_id == target_id, served.c.first <= slot, served.c.last >= slot)
    return any(slot in _run(row).slots() for row in connection.execute(query))


def _continued(run: _Run, slot: datetime, read: Served, agreed: Sequence[Terms]) -> _Run | None:
    """The run with one slot more; None where the slot does not go with it."""
    is_even = slot > run.last and (run.count == 1 or (slot - run.last) * (run.count - 1) == run.last - run.first)
    before, now = _terms_of(agreed, run.last), _terms_of(agreed, slot)
    if not is_even or run.outcome is not read.outcome or (before and before.late_after_s) != (now and now.late_after_s):
        return None
    is_late = now is not None and state_of(slot, now, read) is SlotState.LATE
    if before is not None and is_late != (state_of(run.last, before, run.read_of(run.last)) is SlotState.LATE):
        return None
    delay_us = (read.started_at - slot) // _MICROSECOND
    return replace(run, last=slot, count=run.count + 1, delay_us=(min if is_late else max)(run.delay_us, delay_us))


def _terms_of(agreed: Sequence[Terms], slot: datetime) -> Terms | None:
    return next((terms for terms in reversed(agreed) if terms.since < slot), None)


def _write(connection: Connection, target_id: int, number: int | None, run: _Run | None) -> None:
    if run is None:
        return
    values = {name: getattr(run, name) for name in ("first", "last", "count", "outcome", "delay_us")}
    if number is None:
        connection.execute(insert(served).values(target_id=target_id, **values))
    else:
        connection.execute(update(served).where(served.c.id == number).values(values))


def _run(row: object) -> _Run:
    return _Run(**{name: getattr(row, name) for name in ("first", "last", "count", "outcome", "delay_us")})
