"""Signatures and time stamps of checkpoints against the records that speak of them: each record has the SHA-256 of what it stands for."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, union_all

from auditor.core.ledger import ORIGIN, Kind
from auditor.store.tables import checkpoints, ledger, stamps


def digest(content: object) -> str:
    """SHA-256 as records have it; empty for what is no bytes, which nobody of us wrote."""
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else ""


def fault(connection: Connection, kind: Kind, seq: int, body: Mapping[str, Any]) -> str:
    """What is wrong with the checkpoint or stamp that the record `seq` of `kind` tells of; empty where all is as recorded."""
    if kind is Kind.STAMP:
        return _stamp_fault(connection, seq, body)
    head, told = body.get("seq"), body.get("link")
    link = ORIGIN if head == 0 else connection.execute(select(ledger.c.link).where(ledger.c.seq == head)).scalar() if _is_before(head, seq) else None
    if link is None or link.hex() != told:
        return f"it says that record {head} had another link"
    row = connection.execute(select(checkpoints).where(checkpoints.c.seq == seq)).one_or_none()
    if "signature" not in body:  # made by a prune, without a signer
        return "" if row is None else "it was not signed, and there is a signature of it"
    if row is None:
        return "what was signed for it is gone"
    for name in ("statement", "signature"):
        if digest(getattr(row, name)) != body.get(name):
            return f"the {name} of its checkpoint is not the one that was recorded"
    return ""


def stray(connection: Connection) -> int | None:
    """The first record that is said to have a checkpoint or a stamp, and is of another kind; None where there is none."""
    its = union_all(select(checkpoints.c.seq), select(stamps.c.seq)).subquery()
    of_others = select(its.c.seq).outerjoin(ledger, ledger.c.seq == its.c.seq)
    wrong = of_others.where(ledger.c.kind.is_(None) | ledger.c.kind.not_in([Kind.CHECKPOINT, Kind.STAMP]))
    return connection.execute(wrong.order_by(its.c.seq).limit(1)).scalar()


def _stamp_fault(connection: Connection, seq: int, body: Mapping[str, Any]) -> str:
    row = connection.execute(select(stamps).where(stamps.c.seq == seq)).one_or_none()
    if "stamp" not in body:  # there was none to be had
        return "" if row is None else "it tells of no time stamp, and there is one"
    if row is None:
        return "its time stamp is gone"
    if row.checkpoint != body.get("checkpoint"):
        return "its time stamp is said to be of another checkpoint"
    return "" if digest(row.reply) == body["stamp"] else "its time stamp is not the one that was recorded"


def _is_before(head: Any, seq: int) -> bool:
    return isinstance(head, int) and 0 < head < seq
