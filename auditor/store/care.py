"""Retention: removes old reads from the database, and the documents that only they referred to. What the ledger says of them stays.

Delivered notices go as well, of which the ledger has nothing.

Reads alone are pruned; all other records keep their bodies, which are small and few. Each small transaction removes reads, keeps what became of their
slots, and says in the ledger what it removed: whoever is interrupted leaves a ledger that verifies, and the next one goes on.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Row, Select, and_, case, delete, func, select

from auditor.core.coverage import Served
from auditor.core.ledger import Kind
from auditor.core.model import EventState
from auditor.errors import StoreError
from auditor.store import calendar, ledger, outbox, served, sqlite, tables
from auditor.store.tables import observations

BATCH = 500
"""So many rows go in one transaction: milliseconds in which an audit waits."""

DOCUMENTS = (
    tables.judgements,
    tables.findings,
    tables.policies,
    tables.snapshots,
    tables.contexts,
    tables.remarks,
    tables.changes,
    tables.waivers,
)
"""Tables whose rows go when nothing refers to them any more; judgements first, since they refer to findings and policies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a prune removed, or would remove: rows by table.

    `kept` reads are older than `before` and were kept, since something needs them. `checkpoint` is number and link of the last record whose body
    could go, None where none was to. `troubles` tells by table what could not be done; the rest was.
    """

    before: datetime
    removed: Mapping[str, int]
    kept: int
    checkpoint: tuple[int, bytes] | None = None
    troubles: Mapping[str, str] = field(default_factory=dict)


def foresee(connection: Connection, path: Path, before: datetime, delivered_before: datetime | None = None) -> Pruned:
    """What `prune` would do now, found by the same steps; nothing is written."""
    plan = _plan(connection, path, before, last=ledger.head(connection)[0])
    gone = [number for batch in _batches(connection, plan) for number in batch.numbers]
    left = select(observations).where(observations.c.id.not_in(_listed(gone))).subquery()
    judged = select(tables.judgements).where(tables.judgements.c.id.in_(select(left.c.judgement_id))).subquery()
    counts = {
        table.name: connection.execute(select(func.count()).select_from(_orphans(connection, table, left, judged).subquery())).scalar_one()
        for table in DOCUMENTS
    }
    for table, outworn in outbox.outworn(delivered_before) if delivered_before else ():
        counts[table.name] = connection.execute(select(func.count()).select_from(outworn.subquery())).scalar_one()
    return Pruned(before=before, removed={observations.name: len(gone), **counts}, kept=len(_needed_before(connection, plan)), troubles=plan.told())


def prune(
    engine: Engine,
    path: Path,
    *,
    before: datetime,
    at: datetime,
    reason: str,
    recorder: Mapping[str, str],
    delivered_before: datetime | None = None,
    batch: int = BATCH,
    go_on: Callable[[], bool] = lambda: True,
) -> Pruned:
    """Remove reads that began before `before`, less those that something needs, and documents that nothing refers to any more.

    With `delivered_before` also what was delivered before then. `go_on` is asked between transactions: where it says no, the rest stays.

    First the ledger's head is written down as a checkpoint; bodies go below it alone. `engine` is the one that writes. `reason` and `recorder`
    (account, host) go into the records of what was removed; `batch` rows go in one transaction. A read that does not have the digest of its record
    is evidence, and stays.

    Raises:
        StoreError: The database cannot be read, or not be written at all.
    """

    def writing() -> AbstractContextManager[Connection]:
        return engine.begin()

    said = {"before": ledger.iso(before), "reason": reason, **recorder}
    with sqlite.store_errors(path), writing() as connection:
        seq, link = ledger.head(connection)
        plan = _plan(connection, path, before, last=seq, batch=batch)
        kept = len(_needed_before(connection, plan))
        is_due = _is_due(connection, plan)
        if is_due:
            ledger.append(connection, Kind.CHECKPOINT, at, {"seq": seq, "link": link.hex(), **recorder})
    removed, troubles = dict.fromkeys((observations.name, *(table.name for table in DOCUMENTS)), 0), {}
    try:
        for count in _reads_removed(writing, plan, at, said, go_on) if is_due else ():
            removed[observations.name] += count
    except StoreError as trouble:
        troubles[observations.name] = str(trouble)
    troubles = plan.told() | troubles
    outworn = dict(outbox.outworn(delivered_before)) if delivered_before else {}
    for table in (*DOCUMENTS, *outworn):
        removed.setdefault(table.name, 0)
        try:
            while go_on() and (count := _some_removed(engine, path, table, outworn.get(table), batch)):
                removed[table.name] += count
        except StoreError as trouble:  # one table's trouble is not that of the others
            troubles[table.name] = str(trouble)
    return Pruned(before=before, removed=removed, kept=kept, checkpoint=(seq, link) if is_due else None, troubles=troubles)


def orphans(connection: Connection) -> dict[str, list[str]]:
    """The digests (keys, of judgements) of documents that nothing refers to, by table; tables without any are left out."""
    found = {}
    for table in DOCUMENTS:
        named = table.c.key if table is tables.judgements else table.c.digest
        query = select(named).where(table.c.id.in_(_orphans(connection, table, observations, tables.judgements))).order_by(table.c.id)
        found[table.name] = list(connection.execute(query).scalars())
    return {name: its for name, its in found.items() if its}


# --- reads --------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What may go: reads before `before` that are not `needed`, recorded up to record `last`; those up to `unrecorded` are older than the ledger."""

    path: Path
    before: datetime
    last: int
    batch: int
    needed: frozenset[int]
    unrecorded: int
    newest: int
    """The newest observation that is old enough; so the walk ends there."""
    broken: list[int] = field(default_factory=list)

    def told(self) -> dict[str, str]:
        if not self.broken:
            return {}
        more = f", nor do {len(self.broken) - 1} more" if len(self.broken) > 1 else ""
        return {observations.name: f"the read of record {self.broken[0]} does not have the digest that was recorded{more}: kept as evidence"}

    def may_go(self) -> ColumnElement[bool]:
        return and_(observations.c.started_at < self.before, observations.c.id.not_in(_listed(self.needed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Reads that go together. `runs` are the numbers of their records, first, last and how many; `seq` is where the next batch begins behind."""

    reads: Sequence[Row[Any]]
    runs: Sequence[tuple[int | None, int | None, int]]
    seq: int

    @property
    def numbers(self) -> list[int]:
        return [row.id for row in self.reads]


def _plan(connection: Connection, path: Path, before: datetime, *, last: int, batch: int = BATCH) -> _Plan:
    begin = ledger.latest(connection, Kind.BEGIN)
    newest = select(func.max(observations.c.id)).where(observations.c.started_at < before)
    counted = connection.execute(select(func.max(observations.c.id))).scalar() or 0
    return _Plan(
        path=path,
        before=before,
        last=last,
        batch=batch,
        needed=frozenset(_needed(connection)),
        unrecorded=begin["observations_before"] if begin else counted,
        newest=connection.execute(newest).scalar() or 0,
    )


def _needed(connection: Connection) -> set[int]:
    """The observations that something refers to or compares with: of each target the newest, the newest that saw anything, and the newest in each
    shape of the API; those that open drift events began with; and what each of these was compared with."""
    newest = func.max(observations.c.id)
    seen = select(observations.c.target_id, observations.c.snapshot_id, newest.label("id")).where(observations.c.snapshot_id.is_not(None))
    states = seen.group_by(observations.c.target_id, observations.c.snapshot_id).subquery()
    document = tables.snapshots.c.document
    shape = case((func.json_valid(document) == 1, func.json_extract(document, "$.configured", "$.shape")))
    queries = (
        select(newest).group_by(observations.c.target_id),
        select(func.max(states.c.id)).join(tables.snapshots, tables.snapshots.c.id == states.c.snapshot_id).group_by(states.c.target_id, shape),
        select(tables.events.c.opened_id).where(tables.events.c.state == EventState.OPEN),
    )
    needed = {number for query in queries for number in connection.execute(query).scalars()}
    compared = select(observations.c.previous_id).where(observations.c.id.in_(_listed(needed)), observations.c.previous_id.is_not(None))
    return needed | set(connection.execute(compared).scalars())


def _needed_before(connection: Connection, plan: _Plan) -> list[int]:
    query = select(observations.c.id).where(observations.c.started_at < plan.before, observations.c.id.in_(_listed(plan.needed)))
    return list(connection.execute(query).scalars())


def _is_due(connection: Connection, plan: _Plan) -> bool:
    return connection.execute(select(observations.c.id).where(observations.c.id <= plan.newest, plan.may_go()).limit(1)).scalar() is not None


def _reads_removed(
    writing: Callable[[], AbstractContextManager[Connection]], plan: _Plan, at: datetime, said: Mapping[str, Any], go_on: Callable[[], bool]
) -> Iterable[int]:
    """Remove them, a batch a transaction, as long as `go_on` says so; yields how many went with each."""
    for step in (_before_the_ledger, _in_the_ledger):
        seq: int | None = 0
        while seq is not None and go_on():
            with sqlite.store_errors(plan.path), writing() as connection:
                batch = step(connection, plan, seq)
                if batch is not None and batch.reads:
                    _remove(connection, plan, batch, at, said)
            if batch is not None:
                yield len(batch.reads)
            seq = batch.seq if batch is not None else None


def _batches(connection: Connection, plan: _Plan) -> Iterable[_Batch]:
    for step in (_before_the_ledger, _in_the_ledger):
        seq = 0
        while (batch := step(connection, plan, seq)) is not None:
            yield batch
            seq = batch.seq


def _remove(connection: Connection, plan: _Plan, batch: _Batch, at: datetime, said: Mapping[str, Any]) -> None:
    with_slot = sorted((row for row in batch.reads if row.slot is not None), key=lambda row: row.target)
    for target_id, rows in groupby(with_slot, key=lambda row: row.target):
        agreed = calendar.of_target(connection, plan.path, target_id)
        served.add(connection, target_id, agreed, [(row.slot, Served(started_at=row.started_at, outcome=row.outcome)) for row in rows])
    connection.execute(delete(observations).where(observations.c.id.in_(batch.numbers)))
    for first, last, count in batch.runs:
        ledger.append(connection, Kind.PRUNE, at, {"first": first, "last": last, "count": count, **said})


def _before_the_ledger(connection: Connection, plan: _Plan, after: int) -> _Batch | None:
    """Reads that the ledger, which began later, has no record of."""
    query = ledger.read_rows().where(observations.c.id > after, observations.c.id <= plan.unrecorded, plan.may_go())
    rows = connection.execute(query.order_by(observations.c.id).limit(plan.batch)).all()
    return _Batch(reads=rows, runs=[(None, None, len(rows))], seq=rows[-1].id) if rows else None


def _in_the_ledger(connection: Connection, plan: _Plan, after: int) -> _Batch | None:
    """The next reads to go, and the runs of records that they make: within a run, no read is left."""
    there = tables.ledger.outerjoin(observations, observations.c.id == tables.ledger.c.ref)
    query = select(tables.ledger.c.seq, tables.ledger.c.ref, tables.ledger.c.digest, observations.c.started_at).select_from(there)
    walk: Select[Any] = query.where(
        tables.ledger.c.kind.in_(ledger.READS),
        tables.ledger.c.seq > after,
        tables.ledger.c.seq <= plan.last,
        tables.ledger.c.ref <= plan.newest,
    )
    found: list[tuple[int, Row[Any]]] = []
    with connection.execute(walk.order_by(tables.ledger.c.seq)) as rows:
        for place, row in enumerate(rows):
            if row.started_at is not None and row.started_at < plan.before and row.ref not in plan.needed:
                found.append((place, row))
                if len(found) == plan.batch:
                    break
    if not found:
        return None
    numbers = [row.ref for _, row in found]
    reads = {row.id: row for row in connection.execute(ledger.read_rows().where(observations.c.id.in_(numbers)))}
    sound = [(place, row) for place, row in found if ledger.is_as_recorded(reads[row.ref], row.digest)]
    plan.broken += sorted({row.seq for _, row in found} - {row.seq for _, row in sound})
    runs = []
    for _, run in groupby(enumerate(sound), key=lambda item: item[1][0] - item[0]):  # places that follow each other are as far from their numbers
        seqs = [row.seq for _, (_, row) in run]
        runs.append((seqs[0], seqs[-1], len(seqs)))
    return _Batch(reads=[reads[row.ref] for _, row in sound], runs=runs, seq=found[-1][1].seq)


# --- documents ----------------------------------------------------------------------------------------------------


def _some_removed(engine: Engine, path: Path, table: Any, outworn: Select[Any] | None, most: int) -> int:
    """Remove up to `most` of the `outworn` rows of `table`, or of its documents that nothing refers to; how many went."""
    with sqlite.store_errors(path), sqlite.without_foreign_keys(engine) as connection:
        some = (outworn if outworn is not None else _orphans(connection, table, observations, tables.judgements)).limit(most)
        return connection.execute(delete(table).where(table.c.id.in_(some))).rowcount


def _orphans(connection: Connection, table: Any, reads: FromClause, judgements: FromClause) -> Select[Any]:
    """The numbers of documents that neither `reads` nor `judgements` refer to."""
    referring = {
        "judgements": reads.c.judgement_id,
        "findings": judgements.c.findings_id,
        "policies": judgements.c.policy_id,
        "snapshots": reads.c.snapshot_id,
        "contexts": reads.c.context_id,
        "remarks": reads.c.remark_id,
        "changes": reads.c.changes_id,
        "waivers": reads.c.waivers_id,
    }[table.name]
    query = select(table.c.id).where(table.c.id.not_in(select(referring).where(referring.is_not(None))))
    # the newest stays: SQLite would give its number to the next one, and whoever looked at all up to that number would take it for known
    query = query.where(table.c.id < select(func.max(table.c.id)).scalar_subquery())
    if table is tables.waivers:  # what the file of waivers said stands in the ledger by its digest
        query = query.where(table.c.digest.not_in(_listed(str(body.get("digest")) for body in ledger.bodies(connection, Kind.WAIVERS))))
    return query


def _listed(values: Iterable[Any]) -> Select[Any]:
    """The values as a query: of any number, where parameters of a statement are limited."""
    return select(func.json_each(json.dumps(sorted(values))).table_valued("value").c.value)
