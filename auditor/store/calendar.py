"""What each target owes and which slots nobody served: terms, gaps and names, each kept together with its record in the ledger."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, update

from auditor.core.canonical import canonical
from auditor.core.coverage import MissedBecause, Served, Terms, newest_owed, open_at, owed
from auditor.core.ledger import Kind
from auditor.core.model import TargetText
from auditor.core.slots import EPOCH
from auditor.errors import StoreError
from auditor.store import ledger
from auditor.store import served as aside
from auditor.store.documents import inserted, rebuilt
from auditor.store.tables import former_names, gaps, observations, targets
from auditor.store.tables import terms as terms_table

MAX_KEPT = 4096
"""Terms that stay rebuilt from their texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A configured target as the calendar needs it: who it is, what it was called before, and what it owes (`since` is not read)."""

    text: TargetText
    terms: Terms
    renamed_from: str | None = None


def take_stock(connection: Connection, path: Path, plan: Sequence[Planned], at: datetime, because: MissedBecause) -> None:
    """Bring the calendar up to `at`: names, terms, and the slots that passed without a read. What has not changed is not written again."""
    names = {planned.text.name for planned in plan}
    for planned in plan:
        if planned.renamed_from is not None and planned.renamed_from not in names:
            _rename(connection, planned.renamed_from, planned.text.name, at)
    known = {row.name: row for row in connection.execute(select(targets.c.id, targets.c.name, targets.c.settled_until))}
    agreed = _all_terms(connection, path)
    for planned in plan:
        row = known.get(planned.text.name)
        target_id = row.id if row is not None else _add(connection, planned.text, at)
        done = row.settled_until if row is not None else None
        before = agreed.get(target_id, ())
        agreed[target_id] = _agree(connection, target_id, planned.terms, before, at, done)
        if done is not None and agreed[target_id] != before:
            _catch_up(connection, target_id, agreed[target_id][-1], done, at, because)
        _settle(connection, target_id, agreed[target_id], done, at, because)
    for name in known.keys() - names:
        row = known[name]
        _settle(connection, row.id, _leave(connection, row.id, agreed.get(row.id, ()), at), row.settled_until, at, because)


def serve(connection: Connection, target_id: int, agreed: Sequence[Terms], done: datetime | None, slot: datetime, at: datetime) -> datetime | None:
    """Settle `slot`, which is open, by a read that begins at `at`; returns until when all is settled then, which is the caller's to write.

    `agreed` are all terms of the target, and up to `done` its slots are settled. Those before `slot` were missed while others were read.
    """
    return _accounted(connection, target_id, agreed, done, at, MissedBecause.BUSY, serving=slot)


def _settle(
    connection: Connection,
    target_id: int,
    agreed: Sequence[Terms],
    done: datetime | None,
    at: datetime,
    because: MissedBecause,
) -> None:
    """Account for the slots before the one that is open at `at`."""
    settled = _accounted(connection, target_id, agreed, done, at, because)
    if settled != done:
        connection.execute(update(targets).where(targets.c.id == target_id).values(settled_until=settled))


def _accounted(
    connection: Connection,
    target_id: int,
    agreed: Sequence[Terms],
    done: datetime | None,
    at: datetime,
    because: MissedBecause,
    *,
    serving: datetime | None = None,
) -> datetime | None:
    """The same, or before the one that is served now; returns until when all is settled then."""
    newest = serving or newest_owed(agreed, at)
    if newest is None or (done is not None and done >= newest):
        return done
    start = done or min((one.since for one in agreed), default=newest)
    is_over = serving is None and open_at(agreed, at) is None
    passed = [(slot, one) for slot, one in owed(agreed, start, newest) if slot < newest or is_over]
    for _, run in groupby(passed, key=lambda item: id(item[1])):
        _miss(connection, target_id, [slot for slot, _ in run], at, because)
    return serving or (passed[-1][0] if passed else done)


def _catch_up(connection: Connection, target_id: int, new: Terms, done: datetime, at: datetime, because: MissedBecause) -> None:
    """Account for the slots of `new` terms up to `done`, where those before them had been settled already: the clock was set back since."""
    if new.since >= done:
        return
    read, missed = served(connection, target_id, new.since, done), why_missed(connection, target_id)
    told = (slot for slot, _ in owed((new,), new.since, done) if slot not in read)
    slots = [slot for slot in told if not any(first <= slot <= last for first, last, _ in missed)]
    if slots:
        _miss(connection, target_id, slots, at, because)


def _miss(connection: Connection, target_id: int, slots: Sequence[datetime], at: datetime, because: MissedBecause) -> None:
    body = {"target": target_id, "first": ledger.iso(slots[0]), "last": ledger.iso(slots[-1]), "count": len(slots), "because": because.value}
    values = {"target_id": target_id, "first": slots[0], "last": slots[-1], "count": len(slots), "because": because.value, "recorded_at": at}
    connection.execute(insert(gaps).values(values))
    ledger.append(connection, Kind.MISSED, at, body)


def open_slot(connection: Connection, path: Path, target: str, at: datetime) -> datetime | None:
    """The newest slot that `target` owes at `at`, unless it was served; None as well where nothing is owed.

    A target's offset spreads reads out; who comes by the schedule itself, as cron does, may serve the slot that much before its time. A slot in a gap
    is open again where the clock was wrong when the gap was written: at a time that is still to come, or before the slot itself.
    """
    row = connection.execute(select(targets.c.id, targets.c.settled_until).where(targets.c.name == target)).one_or_none()
    if row is None:
        return None
    return slot_at(connection, row.id, of_target(connection, path, row.id), row.settled_until, at)


def slot_at(connection: Connection, target_id: int, agreed: Sequence[Terms], settled_until: datetime | None, at: datetime) -> datetime | None:
    """The same, of a target whose terms and settled slots are at hand."""
    slot = open_at(agreed, at + timedelta(seconds=agreed[-1].offset_s)) if agreed else None
    return slot if slot is not None and is_open(connection, target_id, settled_until, slot, at) else None


def due(connection: Connection, path: Path, at: datetime) -> tuple[str, ...]:
    """The targets that owe a read at `at`: those with an open slot, and those with a schedule in force that were never read at all."""
    agreed = _all_terms(connection, path)
    found = []
    for row in connection.execute(select(targets).order_by(targets.c.id)).all():
        its = agreed.get(row.id, ())
        slot = open_at(its, at)
        is_new = bool(its) and its[-1].reads_on(at.date()) and row.settled_until is None and not _was_read(connection, row.id)
        if is_new or (slot is not None and is_open(connection, row.id, row.settled_until, slot, at)):
            found.append(row.name)
    return tuple(found)


def is_open(connection: Connection, target_id: int, settled_until: datetime | None, slot: datetime, at: datetime) -> bool:
    """Whether `slot` can be served at `at`: nobody has, and it was not given up."""
    if settled_until is not None and slot > settled_until:
        return True
    mine = (gaps.c.target_id == target_id, gaps.c.first <= slot, gaps.c.last >= slot)
    in_gap = select(gaps.c.id).where(*mine, or_(gaps.c.recorded_at > at, gaps.c.recorded_at <= slot)).limit(1)
    by = select(observations.c.id).where(observations.c.target_id == target_id, observations.c.slot == slot).limit(1)
    is_owed = settled_until is None or connection.execute(in_gap).scalar() is not None
    return is_owed and connection.execute(by).scalar() is None and not aside.has(connection, target_id, slot)


def of_target(connection: Connection, path: Path, target_id: int) -> tuple[Terms, ...]:
    """All terms of a target, the oldest first."""
    query = select(terms_table).where(terms_table.c.target_id == target_id).order_by(terms_table.c.id)
    return tuple(_terms(path, row.document, row.since) for row in connection.execute(query))


def of_targets(connection: Connection, path: Path, target_ids: Collection[int]) -> dict[int, tuple[Terms, ...]]:
    """The same for several targets, by their numbers."""
    return _all_terms(connection, path, terms_table.c.target_id.in_(target_ids))


def renamed(connection: Connection, names: Mapping[int, str]) -> frozenset[int]:
    """Those of the targets, whose names are given by their numbers, that had another name, or have one that another target had."""
    query = select(former_names.c.target_id, former_names.c.name)
    rows = connection.execute(query.where(or_(former_names.c.target_id.in_(names), former_names.c.name.in_(names.values())))).all()
    told = {row.name for row in rows}
    return frozenset(row.target_id for row in rows) | frozenset(number for number, name in names.items() if name in told)


def served(connection: Connection, target_id: int, after: datetime, until: datetime) -> dict[datetime, Served]:
    """The read of each slot in `(after, until]` that has one, or had one that was pruned; of the latter, as late or in time as it was."""
    mine = (observations.c.target_id == target_id, observations.c.slot > after, observations.c.slot <= until)
    query = select(observations.c.slot, observations.c.started_at, observations.c.outcome).where(*mine)
    there = {row.slot: Served(started_at=row.started_at, outcome=row.outcome) for row in connection.execute(query)}
    return aside.within(connection, target_id, after, until) | there


def why_missed(connection: Connection, target_id: int) -> list[tuple[datetime, datetime, str]]:
    """The gaps of a target on record: first slot, last slot, cause."""
    query = select(gaps.c.first, gaps.c.last, gaps.c.because).where(gaps.c.target_id == target_id).order_by(gaps.c.id)
    return [(row.first, row.last, row.because) for row in connection.execute(query)]


def names_of(connection: Connection, target: str) -> list[tuple[str, datetime | None, datetime | None]]:
    """The names under which `target` was known, each with the time after which and until which it was; None where there is no such bound."""
    row = connection.execute(select(targets.c.id).where(targets.c.name == target)).one_or_none()
    mine = (former_names.c.target_id == row.id) if row is not None else former_names.c.target_id.is_(None)
    query = select(former_names).where(or_(mine, former_names.c.name == target)).order_by(former_names.c.until)
    former = connection.execute(query).all()
    bounds: list[tuple[str, datetime | None, datetime | None]] = []
    for name in dict.fromkeys([target, *(one.name for one in former if row is not None and one.target_id == row.id)]):
        own = [one for one in former if one.name == name]
        ends = [one.until for one in own if row is not None and one.target_id == row.id]
        others = [one.until for one in own if row is None or one.target_id != row.id]
        until = None if name == target else max(ends)
        bounds.append((name, max((o for o in others if until is None or o < until), default=None), until))
    return bounds


def _was_read(connection: Connection, target_id: int) -> bool:
    return connection.execute(select(observations.c.id).where(observations.c.target_id == target_id).limit(1)).scalar() is not None


def _rename(connection: Connection, old: str, new: str, at: datetime) -> None:
    row = connection.execute(select(targets.c.id).where(targets.c.name == old)).one_or_none()
    taken = connection.execute(select(targets.c.id).where(targets.c.name == new)).one_or_none()
    if row is None:
        return  # renamed before, or never read under the old name
    if taken is not None:
        raise StoreError(f"{new} has a history of its own, and cannot take that of {old}", hint=f"take `renamed_from: {old}` out")
    connection.execute(update(targets).where(targets.c.id == row.id).values(name=new))
    connection.execute(insert(former_names).values(target_id=row.id, name=old, until=at))
    ledger.append(connection, Kind.TARGET, at, {"target": row.id, "act": "renamed", "name": new, "before": old})


def _add(connection: Connection, text: TargetText, at: datetime) -> int:
    target_id = inserted(connection, targets, {"name": text.name, "document": canonical(asdict(text))})
    ledger.append(connection, Kind.TARGET, at, {"target": target_id, "act": "added", "name": text.name, "url": text.url})
    return target_id


def _agree(
    connection: Connection, target_id: int, wanted: Terms, agreed: tuple[Terms, ...], at: datetime, settled_until: datetime | None
) -> tuple[Terms, ...]:
    """All terms of a target, those that are `wanted` written down first where they are new."""
    known = agreed[-1] if agreed else None
    document = wanted.document()
    if known is not None and known.document() == document:
        return agreed
    since = max(at, known.since) if known is not None else max(_first_owed(wanted, at), settled_until or EPOCH)
    connection.execute(insert(terms_table).values(target_id=target_id, since=since, document=canonical(document)))
    body = {"target": target_id, "act": _act(wanted, known), "since": ledger.iso(since), "terms": document}
    ledger.append(connection, Kind.TARGET, at, body)
    return (*agreed, replace(wanted, since=since))


def _first_owed(wanted: Terms, at: datetime) -> datetime:
    """Since when the first terms of a target hold: a read just after its slot serves it, also where it is the first that hears of it."""
    window = replace(wanted, since=at - timedelta(seconds=wanted.late_after_s))
    newest = newest_owed([window], at)
    return newest - timedelta(microseconds=1) if newest is not None else at


def _act(wanted: Terms, known: Terms | None) -> str:
    if wanted.retired_on is not None and (known is None or known.retired_on is None):
        return "retired"
    if wanted.paused_until is not None and (known is None or known.paused_until != wanted.paused_until):
        return "paused"
    return "scheduled" if known is None else "rescheduled"


def _leave(connection: Connection, target_id: int, agreed: tuple[Terms, ...], at: datetime) -> tuple[Terms, ...]:
    """All terms of a target that is configured no longer: from now on it owes nothing."""
    if not agreed or agreed[-1].schedule is None:
        return agreed
    gone = Terms(since=max(at, agreed[-1].since), schedule=None)
    connection.execute(insert(terms_table).values(target_id=target_id, since=gone.since, document=canonical(gone.document())))
    ledger.append(connection, Kind.TARGET, at, {"target": target_id, "act": "left", "since": ledger.iso(gone.since)})
    return (*agreed, gone)


def _all_terms(connection: Connection, path: Path, *which: ColumnElement[bool]) -> dict[int, tuple[Terms, ...]]:
    found: dict[int, list[Terms]] = {}
    for row in connection.execute(select(terms_table).where(*which).order_by(terms_table.c.id)):
        found.setdefault(row.target_id, []).append(_terms(path, row.document, row.since))
    return {target_id: tuple(its) for target_id, its in found.items()}


def of_row(path: Path, row: Row[Any]) -> Terms:
    """The terms that a row of the table holds."""
    return _terms(path, row.document, row.since)


@lru_cache(maxsize=MAX_KEPT)
def _terms(path: Path, document: str, since: datetime) -> Terms:
    def build(text: str) -> Terms:
        said: Mapping[str, Any] = json.loads(text)
        return Terms.from_document(said, since=since)

    return rebuilt(path, "terms", build, document)
