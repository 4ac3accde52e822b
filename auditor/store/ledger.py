"""The ledger in the database: records are appended in the transaction of what they record, and re-computed when it is verified.

The body of a read's record is its observation, so an unchanged read costs the ledger two hashes and a number.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, func, insert, or_, select, true

from auditor.core.canonical import canonical
from auditor.core.ledger import ORIGIN, Kind, link, record_digest
from auditor.errors import StoreError
from auditor.store import seals, tables
from auditor.store.documents import checked
from auditor.store.tables import ledger, observations, records

BATCH = 500
_UNREADABLE = (StoreError, TypeError, ValueError, OverflowError)
"""What comes of a value that the auditor never wrote: of another type, or out of range."""
_MICROSECOND = timedelta(microseconds=1)
READS = tuple(kind for kind in Kind if kind.is_read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record as it stands in the ledger. `ref` is the observation of a read. `body` is None where it was pruned."""

    seq: int
    kind: Kind
    ref: int | None
    digest: bytes
    link: bytes
    body: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first record that does not hold, and what differs."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of verifying: how many records there are, how many of their bodies were pruned, the head, and the first fault."""

    records: int
    pruned: int
    seq: int
    head: bytes
    fault: Fault | None


def iso(at: datetime) -> str:
    """An instant as records have it: UTC, to the microsecond where there is one, with Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Chain:
    """The end of the ledger, in one transaction: what is appended follows from it, and is written by `flush`, which whoever appends must call."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seq, self._link = head(connection)
        self._links: list[dict[str, Any]] = []
        self._bodies: list[dict[str, Any]] = []

    def append(self, kind: Kind, at: datetime, body: Mapping[str, Any], *, ref: int | None = None) -> int:
        """Append a record; returns its number. For a read, `ref` is the observation, whose record `body` is."""
        if self._seq == 0:
            mine = observations.c.id < ref if ref is not None else true()  # reads of this transaction are in the ledger
            before = self._connection.execute(select(func.coalesce(func.max(observations.c.id), 0)).where(mine)).scalar_one()
            self._add(Kind.BEGIN, {"observations_before": before, **_heading(Kind.BEGIN, at)})
        return self._add(kind, body if kind.is_read else {**body, **_heading(kind, at)}, ref=ref)

    def append_read(self, read: Mapping[str, Any], *, ref: int) -> int:
        """Append the record of an observation, given as `read_body` takes it."""
        return self.append(Kind.CHECK if read["slot"] is None else Kind.SLOT, read["started_at"], read_body(read), ref=ref)

    def flush(self) -> None:
        """Write what was appended."""
        if self._links:
            self._connection.execute(insert(ledger), self._links)
        if self._bodies:
            self._connection.execute(insert(records), self._bodies)
        self._links, self._bodies = [], []

    def _add(self, kind: Kind, body: Mapping[str, Any], *, ref: int | None = None) -> int:
        digest = record_digest(body)
        self._seq, self._link = self._seq + 1, link(self._link, digest)
        self._links.append({"seq": self._seq, "kind": kind, "ref": ref, "digest": digest, "link": self._link})
        if not kind.is_read:
            self._bodies.append({"seq": self._seq, "document": canonical(body)})
        return self._seq


def append(connection: Connection, kind: Kind, at: datetime, body: Mapping[str, Any]) -> int:
    """Append a record that is none of a read; returns its number."""
    chain = Chain(connection)
    seq = chain.append(kind, at, body)
    chain.flush()
    return seq


def read_body(read: Mapping[str, Any] | RowMapping) -> dict[str, Any]:
    """The record of a read, out of what its row in `read_rows()` says. What it refers to stands in it by digest."""
    return {
        **_heading(Kind.CHECK if read["slot"] is None else Kind.SLOT, read["started_at"] + read["took_us"] * _MICROSECOND),
        **{name: read[name] for name in _PLAIN},
        **{name: iso(read[name]) if read[name] else None for name in ("slot", "started_at")},
        "outcome": read["outcome"].value,
        "verdict": read["verdict"].value,
        **{name: read[f"{name}_digest"] for name in _REFERRED},
    }


def is_as_recorded(row: Row[Any], digest: bytes) -> bool:
    """Whether a row of `read_rows()` still makes the record with this digest."""
    try:
        return record_digest(read_body(row._mapping)) == digest
    except _UNREADABLE:
        return False


def head(connection: Connection) -> tuple[int, bytes]:
    """Number and link of the last record; (0, ORIGIN) for a ledger that has not begun."""
    last = connection.execute(select(ledger.c.seq, ledger.c.link).order_by(ledger.c.seq.desc()).limit(1)).one_or_none()
    return (0, ORIGIN) if last is None else (last.seq, last.link)


def entries(connection: Connection, *, after: int = 0, newest: int | None = None, kind: Kind | None = None) -> Iterator[Entry]:
    """Records in order: those behind number `after`, or of them the `newest` so many; of one `kind`, if it is given."""
    query = select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq)
    if kind is not None:
        query = query.where(ledger.c.kind == kind)
    if newest is not None:
        last = query.order_by(None).order_by(ledger.c.seq.desc()).limit(newest).subquery()
        query = select(last).order_by(last.c.seq)
    return _entries(connection, query)


def between(connection: Connection, first: int, last: int) -> Iterator[Entry]:
    """The records from number `first` to number `last`, in order."""
    return _entries(connection, select(ledger).where(ledger.c.seq.between(first, last)).order_by(ledger.c.seq))


def _entries(connection: Connection, query: Select[Any]) -> Iterator[Entry]:
    for rows in connection.execute(query).partitions(BATCH):
        bodies = _bodies(connection, rows)
        for row in rows:
            yield Entry(seq=row.seq, kind=row.kind, ref=row.ref, digest=row.digest, link=row.link, body=bodies.get(row.seq))


def latest(connection: Connection, kind: Kind) -> dict[str, Any] | None:
    """The body of the newest record of `kind` that still has one."""
    # a join would have SQLite walk the ledger past all reads, at every start; these are few
    its_kind = select(ledger.c.kind).where(ledger.c.seq == records.c.seq).scalar_subquery()
    query = select(records.c.document).where(its_kind == kind).order_by(records.c.seq.desc()).limit(1)
    found = connection.execute(query).scalar()
    return None if found is None else _parsed(found)


def verify(connection: Connection, path: Path) -> Verified:
    """Compute the whole chain again, from the bodies where they are there, and look for reads that it does not have.

    Every document that a body can refer to is checked against its digest first.

    Raises:
        StoreError: A document does not have its digest; the message names it.
    """
    for table in tables.DOCUMENTS:
        for row in connection.execute(select(table.c.digest, table.c.document)).yield_per(BATCH):
            checked(path, table, row.digest, row.document)
    return recompute(connection)


def recompute(connection: Connection) -> Verified:
    """The chain alone: as `verify`, but without looking at the documents."""
    pruned = _pruned(connection)
    count, absent, seq, previous, ref = 0, 0, 0, ORIGIN, -1
    for entry in _each(connection):
        fault = entry if isinstance(entry, Fault) else _fault(connection, entry, seq, previous, ref, pruned)
        if isinstance(entry, Fault) or isinstance(fault, Fault):
            return Verified(records=count, pruned=absent, seq=seq, head=previous, fault=fault)
        count, absent, seq, previous = count + 1, absent + (entry.body is None), entry.seq, entry.link
        ref = ref if entry.ref is None else entry.ref
    stray = _stray(connection)
    return Verified(records=count, pruned=absent, seq=seq, head=previous, fault=Fault(seq=seq, what=stray) if stray else None)


def _each(connection: Connection) -> Iterator[Entry | Fault]:
    """Every record in order; one whose row, or whose read's row, holds what cannot be there is a fault."""
    numbers = connection.execute(select(ledger.c.seq).order_by(ledger.c.seq)).yield_per(BATCH).scalars()
    for some in numbers.partitions():
        try:
            yield from list(between(connection, some[0], some[-1]))
        except _UNREADABLE:
            for seq in some:
                try:
                    yield from list(between(connection, seq, seq))
                except _UNREADABLE as error:
                    yield Fault(seq=seq, what=f"it cannot be read: {error}")


def _fault(connection: Connection, entry: Entry, seq: int, previous: bytes, ref: int, pruned: Sequence["_Pruned"]) -> Fault | None:
    what = ""
    by = _pruned_by(pruned, entry.seq) if entry.kind.is_read else None
    if entry.seq != seq + 1:
        return Fault(seq=min(entry.seq, seq + 1), what=f"record {seq + 1} is missing: after {seq} comes {entry.seq}")
    if entry.kind.is_read != (entry.ref is not None):
        what = "it refers to an observation, and is no read" if entry.ref is not None else "it is a read, and refers to no observation"
    elif entry.ref is not None and entry.ref <= ref:
        what = f"it tells of observation {entry.ref} after {ref}: one of the two records is none of its time"
    elif entry.body is None and by is None:
        what = "its body is missing, and no record says that it was pruned"
    elif entry.body is not None and entry.body.get("kind") != entry.kind.value:
        what = f"its body is that of a {entry.body.get('kind')!r}, the ledger says {entry.kind.value}"
    elif entry.body is not None and _digest(entry.body) != entry.digest:
        what = f"its body ({_named(entry)}) does not have the digest that was recorded: one of the two was changed"
    elif entry.body is not None and by is not None:
        what = f"its body ({_named(entry)}) is there, and record {by.seq} says that it was pruned"
    elif link(previous, entry.digest) != entry.link:
        what = "its link does not follow from the record before it: the link or the digest was changed, or a record was taken out"
    elif entry.kind is Kind.PRUNE:
        what = _prune_fault(connection, entry, pruned)
    elif entry.kind in (Kind.CHECKPOINT, Kind.STAMP) and entry.body is not None:
        what = seals.fault(connection, entry.kind, entry.seq, entry.body)
    return Fault(seq=entry.seq, what=what) if what else None


def _digest(body: Mapping[str, Any]) -> bytes | None:
    try:
        return record_digest(body)
    except ValueError:  # no form for what it says, so nobody wrote it
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pruned:
    """What a prune record says: that it removed the bodies of the `count` reads from record `first` to record `last`, which are all there are."""

    seq: int
    first: int
    last: int
    count: int


def _pruned(connection: Connection) -> list[_Pruned]:
    """What the prune records say, in the order of what they removed; without those that speak of reads from before the ledger."""
    query = select(ledger.c.seq, records.c.document).join(records).where(ledger.c.kind == Kind.PRUNE)
    said = ((row.seq, _parsed(row.document)) for row in connection.execute(query))
    names = ("first", "last", "count")
    told = [_Pruned(seq=seq, **{name: body[name] for name in names}) for seq, body in said if all(isinstance(body.get(name), int) for name in names)]
    return sorted((one for one in told if one.first <= one.last < one.seq), key=lambda one: one.first)


def _pruned_by(pruned: Sequence[_Pruned], seq: int) -> _Pruned | None:
    place = bisect_right(pruned, seq, key=lambda one: one.first)
    return pruned[place - 1] if place and seq <= pruned[place - 1].last else None


def _prune_fault(connection: Connection, entry: Entry, pruned: Sequence[_Pruned]) -> str:
    place = next((place for place, one in enumerate(pruned) if one.seq == entry.seq), None)
    if place is None:
        is_older = entry.body is not None and entry.body.get("first") is None  # of reads that are older than the ledger
        return "" if is_older else "it does not say which bodies were pruned"
    own = pruned[place]
    if place and pruned[place - 1].last >= own.first:
        return f"it says that it removed the bodies of records which record {pruned[place - 1].seq} had removed"
    there = connection.execute(select(func.count()).where(ledger.c.seq.between(own.first, own.last), ledger.c.kind.in_(READS))).scalar_one()
    if there != own.count:
        return f"it says that it removed {own.count} bodies from record {own.first} to {own.last}, of which {there} are reads"
    return ""


def _named(entry: Entry) -> str:
    body = entry.body or {}
    about = [f"{key} {body[key]}" for key in ("target", "slot", "started_at", "event", "about", "policy") if body.get(key) is not None]
    return ", ".join([entry.kind.value, *about])


def _stray(connection: Connection) -> str:
    """What there is besides the chain: an observation that no record speaks of, or a body of none."""
    begin = latest(connection, Kind.BEGIN)
    known = connection.execute(select(ledger.c.ref).where(ledger.c.ref.is_not(None)).order_by(ledger.c.seq)).yield_per(BATCH).scalars()
    newer = select(observations.c.id).where(or_(observations.c.id > (begin or {}).get("observations_before", 0), observations.c.id <= 0))
    for number in (
        connection.execute(newer.order_by(observations.c.id)).yield_per(BATCH).scalars()
    ):  # numbers rise in both, so the two are walked side by side
        if next((ref for ref in known if ref >= number), None) != number:
            return f"the observation {number} is in no record"
    of_none = select(records.c.seq).outerjoin(ledger).where(or_(ledger.c.seq.is_(None), ledger.c.ref.is_not(None))).order_by(records.c.seq).limit(1)
    lone = connection.execute(of_none).scalar()
    if lone is not None:
        return f"there is a body of a record {lone}, which has none"
    unsaid = seals.stray(connection)
    return f"there is a checkpoint or a time stamp of record {unsaid}, which speaks of none" if unsaid is not None else ""


def bodies(connection: Connection, kind: Kind) -> list[dict[str, Any]]:
    """The bodies of all records of `kind`, which is none of a read, the oldest first."""
    query = select(records.c.document).join(ledger).where(ledger.c.kind == kind).order_by(ledger.c.seq)
    return [_parsed(document) for document in connection.execute(query).scalars()]


def _heading(kind: Kind, at: datetime) -> dict[str, Any]:
    """What every record says of itself."""
    return {"schema": "ledger/1", "kind": kind.value, "at": iso(at)}


def _bodies(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    reads = [(row.seq, row.ref) for row in rows if row.kind.is_read and row.ref is not None]
    others = [row.seq for row in rows if not row.kind.is_read]
    found: dict[int, dict[str, Any]] = {}
    if reads:
        numbers = {ref for _, ref in reads}
        rows_of = connection.execute(read_rows().where(observations.c.id.between(min(numbers), max(numbers))))
        known = {row.id: read_body(row._mapping) for row in rows_of if row.id in numbers}
        found |= {seq: known[ref] for seq, ref in reads if ref in known}
    if others:
        written = connection.execute(select(records.c.seq, records.c.document).where(records.c.seq.in_(others)))
        found |= {row.seq: _parsed(row.document) for row in written}
    return found


def _parsed(document: str) -> dict[str, Any]:
    """The body as it was written; one that is no longer JSON, or no longer canonical, keeps its text, which then has another digest."""
    try:
        body = json.loads(document)
        return body if isinstance(body, dict) and canonical(body) == document else {"kind": body.get("kind"), "text": document}
    except (ValueError, AttributeError):
        return {"kind": None, "text": document}


_PLAIN = ("target", "took_us", "server_date_after_us", "clock_offset_ms", "status", "attempts", "body_bytes", "correlation_id")
_REFERRED = ("snapshot", "policy", "findings", "context", "remark", "changes", "waivers")


def read_rows() -> Select[Any]:
    """Observations with all that their records say; a target stands in them by its number, which a new name does not change."""
    o, j = observations, tables.judgements
    joined = {
        "snapshot": (tables.snapshots, o.c.snapshot_id),
        "policy": (tables.policies, j.c.policy_id),
        "findings": (tables.findings, j.c.findings_id),
        "context": (tables.contexts, o.c.context_id),
        "remark": (tables.remarks, o.c.remark_id),
        "changes": (tables.changes, o.c.changes_id),
        "waivers": (tables.waivers, o.c.waivers_id),
    }
    own = (o.c.id, o.c.slot, o.c.started_at, o.c.outcome, o.c.verdict, o.c.target_id.label("target"), *(o.c[name] for name in _PLAIN[1:]))
    query = select(*own, *(table.c.digest.label(f"{name}_digest") for name, (table, _) in joined.items())).select_from(o)
    query = query.outerjoin(j, j.c.id == o.c.judgement_id)
    for table, column in joined.values():
        query = query.outerjoin(table, table.c.id == column)
    return query
