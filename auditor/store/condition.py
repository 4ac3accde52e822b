"""What can be said of the database as a whole: how large it is and becomes, and whether all that it holds agrees."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, cast, func, select, text
from sqlalchemy.exc import DatabaseError

from auditor.core.ledger import Kind
from auditor.errors import StoreError
from auditor.store import care, events, ledger, tables
from auditor.store.documents import checked
from auditor.store.tables import observations

GROWTH = timedelta(days=30)
"""How far growth looks back; of a younger database, as far as it goes."""

_DAY = timedelta(days=1)
_FORECAST_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """Rows of a table, and the bytes of its pages and those of its indexes; None where this SQLite cannot tell (it lacks dbstat)."""

    rows: int
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Sizes are in bytes. `unused` is that part of the file which is used again before it grows.

    `per_read` is what an unchanged read takes, with its index and its record; `growth_per_day` counts reads and new documents of the last days;
    `in_a_year` is the part in use by then, if nothing is pruned.
    """

    tables: Mapping[str, TableSize]
    file: int
    unused: int
    free_on_disk: int
    per_read: float | None
    reads_per_day: float
    growth_per_day: float | None
    in_a_year: int | None
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """The first fault of a kind, and how many more of that kind there are."""

    kind: str
    what: str
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What was looked at, by kind, and the first fault of each kind that has one."""

    kinds: tuple[str, ...]
    flaws: tuple[Flaw, ...]


def stats(connection: Connection, path: Path, at: datetime) -> Stats:
    sizes = _bytes_by_table(connection)
    rows = {name: connection.execute(select(func.count()).select_from(table)).scalar_one() for name, table in sorted(tables.METADATA.tables.items())}
    page, pages, unused = (int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()) for name in ("page_size", "page_count", "freelist_count"))
    oldest, newest = connection.execute(select(func.min(observations.c.started_at), func.max(observations.c.started_at))).one()
    days = max(1.0, min(GROWTH, at - oldest) / _DAY) if oldest is not None else 1.0
    young = connection.execute(select(func.count()).where(observations.c.started_at > at - GROWTH)).scalar_one()
    per_read = growth = None
    if sizes is not None and rows["observations"]:
        # of what is filled: pages that a prune half emptied, or that are new, say nothing of a read
        per_read = sum(sizes[name][1] / max(1, rows[name]) for name in ("observations", "ledger"))
        growth = (young * per_read + _new_documents(connection, at - GROWTH)) / days
    return Stats(
        tables={name: TableSize(rows=count, bytes=None if sizes is None else sizes[name][0]) for name, count in rows.items()},
        file=page * pages,
        unused=page * unused,
        free_on_disk=shutil.disk_usage(path.parent).free,
        per_read=per_read,
        reads_per_day=young / days,
        growth_per_day=growth,
        in_a_year=None if growth is None else round(page * (pages - unused) + growth * _FORECAST_DAYS),
        oldest=oldest,
        newest=newest,
    )


def examine(connection: Connection, path: Path, beside: Sequence[Path]) -> Condition:
    """Look at everything. A fault of what is stored is told; trouble with reading it is raised.

    Raises:
        StoreError: The file cannot be read.
    """
    looks: dict[str, Callable[[], Iterable[str]]] = {
        "file": lambda: _integrity(connection),
        "references": lambda: _references(connection),
        "documents": lambda: _documents(connection, path),
        "ledger": lambda: _ledger(connection),
        "drift": lambda: _drift(connection),
        "orphans": lambda: _orphans(connection),
        "modes": lambda: _modes(path, beside),
    }
    found = {kind: _told(look) for kind, look in looks.items()}
    flaws = tuple(Flaw(kind=kind, what=its[0], more=len(its) - 1) for kind, its in found.items() if its)
    return Condition(kinds=tuple(looks), flaws=flaws)


# --- sizes --------------------------------------------------------------------------------------------------------


def _bytes_by_table(connection: Connection) -> dict[str, tuple[int, int]] | None:
    """Bytes of the pages of each table and its indexes, and how many of them are filled; None where this SQLite cannot tell."""
    if "ENABLE_DBSTAT_VTAB" not in connection.exec_driver_sql("PRAGMA compile_options").scalars().all():
        return None
    query = (
        "SELECT m.tbl_name, sum(d.pgsize), sum(d.pgsize - d.unused) FROM dbstat d JOIN sqlite_master m ON m.name = d.name "
        "WHERE d.aggregate = TRUE GROUP BY m.tbl_name"
    )
    return {name: (int(size), int(filled)) for name, size, filled in connection.exec_driver_sql(query)}


def _new_documents(connection: Connection, since: datetime) -> int:
    """The bytes of documents that no read up to `since` referred to. They are numbered as they come, so the last number of then divides them."""
    old = observations.c.started_at <= since
    judged = tables.judgements.c.id.in_(select(observations.c.judgement_id).where(old))
    referring = (
        (tables.snapshots, observations.c.snapshot_id, old),
        (tables.contexts, observations.c.context_id, old),
        (tables.remarks, observations.c.remark_id, old),
        (tables.changes, observations.c.changes_id, old),
        (tables.waivers, observations.c.waivers_id, old),
        (tables.findings, tables.judgements.c.findings_id, judged),
        (tables.policies, tables.judgements.c.policy_id, judged),
    )
    total = 0
    for table, column, was_there in referring:
        last = connection.execute(select(func.max(column)).where(was_there)).scalar() or 0
        size = select(func.sum(func.length(cast(table.c.document, LargeBinary)))).where(table.c.id > last)
        total += connection.execute(size).scalar() or 0
    return total


# --- faults -------------------------------------------------------------------------------------------------------


def _told(look: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return list(look())
    except StoreError as fault:  # of what is stored: the file's own troubles are not ours yet
        return [str(fault)]
    except DatabaseError as trouble:
        if (getattr(trouble.orig, "sqlite_errorcode", 0) or 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return [f"the file is damaged: {trouble.orig}"]


def _integrity(connection: Connection) -> Iterable[str]:
    return [line for line in connection.execute(text("PRAGMA integrity_check")).scalars() if line != "ok"]


def _references(connection: Connection) -> Iterable[str]:
    for table, number, parent, _ in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"row {number} of {table} refers to a row of {parent} that is not there"


def _documents(connection: Connection, path: Path) -> Iterable[str]:
    for table in (*tables.DOCUMENTS, tables.approvals):
        for row in connection.execute(select(table.c.digest, table.c.document).order_by(table.c.id)).yield_per(ledger.BATCH):
            try:
                checked(path, table, row.digest, row.document)
            except StoreError as fault:
                yield str(fault).removeprefix(f"{path}: ")


def _ledger(connection: Connection) -> Iterable[str]:
    fault = ledger.recompute(connection).fault
    return [f"record {fault.seq}: {fault.what}"] if fault is not None else []


def _drift(connection: Connection) -> Iterable[str]:
    """Each event against its newest record, which has the fingerprint of its row."""
    newest = {body["event"]: body for body in ledger.bodies(connection, Kind.DRIFT) if "event" in body}
    for row in connection.execute(select(tables.events).order_by(tables.events.c.id)):
        body: Mapping[str, Any] | None = newest.pop(row.id, None)
        if body is None:
            yield f"the event {row.id} ({row.subject}) is in no record"
        elif body.get("row") != events.fingerprint(row):
            yield f"the event {row.id} ({row.subject}) is not as its newest record says: one of the two was changed"
    for number in newest:
        yield f"the event {number} is gone, and the ledger has a record of it"


def _orphans(connection: Connection) -> Iterable[str]:
    for name, digests in care.orphans(connection).items():
        for digest in digests:
            yield f"nothing refers to {name} {digest}; `auditor db prune` removes what was left over"


def _modes(path: Path, beside: Sequence[Path]) -> Iterable[str]:
    """Files that others than their owner may read or write; a file that is not there is none of them."""
    if os.name != "posix":  # modes mean nothing there
        return
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"), *beside):
        if file.exists() and (mode := file.stat().st_mode & 0o777) & 0o077:
            yield f"{file} has mode {mode:o}: others than its owner may open it (chmod 600)"
