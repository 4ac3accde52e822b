"""Checkpoints: heads of the ledger that were signed, and the time stamps of those signatures, with all bytes as they were made or came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from auditor.core.ledger import Kind
from auditor.errors import StoreError
from auditor.store import ledger, tables
from auditor.store.seals import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The head `seq`, `link` of the ledger, signed: `statement` says so, `signature` is of its bytes, by the certificate `signer` (SHA-256, hex)."""

    seq: int
    link: str
    signer: str
    subject: str
    statement: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A time stamp of a checkpoint's signature, as it is on record: `time` is the authority's, `reply` all that it sent."""

    number: int
    time: datetime
    reply: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One on record; `number` is that of its record. `stamps` are in order of recording; `trouble` is why the last attempt at one failed."""

    number: int
    at: datetime
    sealed: Sealed
    stamps: tuple[Stamped, ...] = ()
    trouble: str = ""


def add(connection: Connection, path: Path, sealed: Sealed, at: datetime, recorder: Mapping[str, str]) -> int:
    """Record a checkpoint; returns the number of its record.

    Raises:
        StoreError: The ledger has no such head.
    """
    link = connection.execute(select(tables.ledger.c.link).where(tables.ledger.c.seq == sealed.seq)).scalar()
    if link is None or link.hex() != sealed.link:
        raise StoreError(f"{path}: record {sealed.seq} has another link than was signed", hint="`auditor ledger verify` says more")
    said = {"seq": sealed.seq, "link": sealed.link, "signer": sealed.signer, "subject": sealed.subject}
    digests = {"statement": digest(sealed.statement), "signature": digest(sealed.signature)}
    number = ledger.append(connection, Kind.CHECKPOINT, at, {**said, **digests, **recorder})
    connection.execute(insert(tables.checkpoints).values(seq=number, statement=sealed.statement, signature=sealed.signature))
    return number


def add_stamp(connection: Connection, checkpoint: int, reply: bytes, time: datetime, *, by: str, at: datetime, recorder: Mapping[str, str]) -> int:
    """Record a stamp of the checkpoint with this number, given by the authority on the host `by`; returns the number of its record."""
    said = {"checkpoint": checkpoint, "stamp": digest(reply), "time": ledger.iso(time), "authority": by}
    number = ledger.append(connection, Kind.STAMP, at, {**said, **recorder})
    connection.execute(insert(tables.stamps).values(seq=number, checkpoint=checkpoint, reply=reply))
    return number


def add_trouble(connection: Connection, checkpoint: int, trouble: str, *, by: str, at: datetime, recorder: Mapping[str, str]) -> int:
    """Record that no stamp was to be had; returns the number of the record."""
    return ledger.append(connection, Kind.STAMP, at, {"checkpoint": checkpoint, "trouble": trouble, "authority": by, **recorder})


def all_of(connection: Connection, path: Path) -> list[Checkpoint]:
    """Every signed checkpoint, the oldest first.

    Raises:
        StoreError: One is not as it was recorded.
    """
    rows = {row.seq: row for row in connection.execute(select(tables.checkpoints))}
    replies = {row.seq: row.reply for row in connection.execute(select(tables.stamps))}
    given: dict[int, list[Stamped]] = {}
    trouble: dict[int, str] = {}
    try:
        for entry in ledger.entries(connection, kind=Kind.STAMP):
            body = _body(entry)
            of = body["checkpoint"]
            if "stamp" in body:
                stamp = Stamped(number=entry.seq, time=datetime.fromisoformat(body["time"]), reply=_as_recorded(replies[entry.seq], body["stamp"]))
                given.setdefault(of, []).append(stamp)
            trouble[of] = body.get("trouble", "")
        return [
            Checkpoint(
                number=entry.seq,
                at=datetime.fromisoformat(body["at"]),
                sealed=_sealed(body, rows[entry.seq]),
                stamps=tuple(given.get(entry.seq, ())),
                trouble=trouble.get(entry.seq, ""),
            )
            for entry in ledger.entries(connection, kind=Kind.CHECKPOINT)
            if "signature" in (body := _body(entry))
        ]
    except (KeyError, TypeError, ValueError):
        raise StoreError(f"{path}: a checkpoint or a time stamp is not as it was recorded", hint="`auditor ledger verify` names it") from None


def newest(connection: Connection) -> tuple[datetime | None, bool]:
    """When the newest signed checkpoint was made, None where there is none; and whether all are dated."""
    last = select(func.max(tables.checkpoints.c.seq)).scalar_subquery()
    document = connection.execute(select(tables.records.c.document).where(tables.records.c.seq == last)).scalar()
    undated = select(tables.checkpoints.c.seq).where(tables.checkpoints.c.seq.not_in(select(tables.stamps.c.checkpoint))).limit(1)
    at = datetime.fromisoformat(json.loads(document)["at"]) if document is not None else None
    return at, connection.execute(undated).scalar() is None


def _body(entry: ledger.Entry) -> dict[str, Any]:
    return entry.body or {}


def _sealed(body: Mapping[str, Any], row: Any) -> Sealed:
    statement, signature = _as_recorded(row.statement, body["statement"]), _as_recorded(row.signature, body["signature"])
    return Sealed(seq=body["seq"], link=body["link"], signer=body["signer"], subject=body["subject"], statement=statement, signature=signature)


def _as_recorded(content: bytes, recorded: str) -> bytes:
    if digest(content) != recorded:
        raise ValueError("changed")
    return content
