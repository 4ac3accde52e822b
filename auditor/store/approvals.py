"""Approvals and revocations: rows that are written once; triggers in the database refuse to change or remove them."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select

from auditor.core.canonical import canonical
from auditor.core.ledger import Kind
from auditor.core.model import Approval, Revocation
from auditor.errors import StoreError
from auditor.store import calendar, ledger
from auditor.store.documents import checked, inserted, rebuilt
from auditor.store.tables import approvals, revocations

MAX_KEPT = 4096
"""Approvals that stay rebuilt from their rows."""

_REVOCATION = (
    revocations.c.revoked_by,
    revocations.c.reason,
    revocations.c.revoked_at,
    revocations.c.account.label("revoked_account"),
    revocations.c.host.label("revoked_host"),
)


def of_target(connection: Connection, path: Path, target: str) -> tuple[Approval, ...]:
    """Every approval of `target`, in order of recording; those under the names that it had before among them."""
    mine = [
        and_(
            approvals.c.target == name,
            *([approvals.c.recorded_at > after] if after is not None else []),
            *([approvals.c.recorded_at <= until] if until is not None else []),
        )
        for name, after, until in calendar.names_of(connection, target)
    ]
    query = select(approvals, *_REVOCATION).outerjoin(revocations).where(or_(*mine)).order_by(approvals.c.id)
    return tuple(_approval(path, row) for row in connection.execute(query))


def of_targets(connection: Connection, path: Path, names: Mapping[int, str]) -> dict[int, tuple[Approval, ...]]:
    """The same for several targets, whose names are given by their numbers."""
    renamed = calendar.renamed(connection, names)
    found: dict[str, list[Approval]] = {}
    plain = [name for number, name in names.items() if number not in renamed]
    query = select(approvals, *_REVOCATION).outerjoin(revocations).where(approvals.c.target.in_(plain)).order_by(approvals.c.id)
    for row in connection.execute(query):
        found.setdefault(row.target, []).append(_approval(path, row))
    return {number: tuple(found.get(name, ())) if number not in renamed else of_target(connection, path, name) for number, name in names.items()}


def record(connection: Connection, given: Iterable[Approval]) -> tuple[Approval, ...]:
    """Write those that are new, and revocations that are; returns the approvals that were new."""
    new = []
    for approval in given:
        known = _known(connection, approval.digest)
        if known is None:
            new.append(approval)
            known = _insert(connection, approval)
        if approval.revoked is not None and not _is_revoked(connection, known):
            _revoke(connection, known, approval.digest, approval.revoked)
    return tuple(new)


def revoke(connection: Connection, path: Path, digest: str, revocation: Revocation) -> None:
    known = _known(connection, digest)
    if known is None or _is_revoked(connection, known):
        raise StoreError(f"{path}: no approval {digest} is there to revoke", hint="`auditor baseline history` lists them; was it revoked meanwhile?")
    _revoke(connection, known, digest, revocation)


def _known(connection: Connection, digest: str) -> int | None:
    return connection.execute(select(approvals.c.id).where(approvals.c.digest == digest)).scalar()


def _is_revoked(connection: Connection, id_: int) -> bool:
    return connection.execute(select(revocations.c.approval_id).where(revocations.c.approval_id == id_)).scalar() is not None


def _insert(connection: Connection, approval: Approval) -> int:
    if approval.recorded_at is None:
        raise ValueError("an approval is recorded with the time of recording")
    own = {name: getattr(approval, name) for name in ("target", "digest", "approved_at", "recorded_at", "account", "host")}
    number = inserted(connection, approvals, own | {"document": canonical(approval.document())})
    recorded = {name: getattr(approval, name) for name in ("account", "host")} | {"approved_at": ledger.iso(approval.approved_at)}
    body = {"approval": number, "digest": approval.digest, **approval.document(), **recorded}
    ledger.append(connection, Kind.APPROVAL, approval.recorded_at, {key: value for key, value in body.items() if key != "schema"})
    return number


def _revoke(connection: Connection, id_: int, digest: str, revocation: Revocation) -> None:
    connection.execute(
        insert(revocations).values(
            approval_id=id_,
            revoked_by=revocation.by,
            reason=revocation.reason,
            revoked_at=revocation.at,
            account=revocation.account,
            host=revocation.host,
        )
    )
    said = {name: getattr(revocation, name) for name in ("by", "reason", "account", "host")}
    ledger.append(connection, Kind.REVOCATION, revocation.at, {"approval": id_, "digest": digest, **said})


@lru_cache(maxsize=MAX_KEPT)
def _approval(path: Path, row: Row[Any]) -> Approval:
    revoked = row.revoked_at and Revocation(
        by=row.revoked_by, reason=row.reason, at=row.revoked_at, account=row.revoked_account, host=row.revoked_host
    )
    own = {name: row._mapping[name] for name in ("approved_at", "recorded_at", "account", "host")}
    document = checked(path, approvals, row.digest, row.document)
    approval = rebuilt(path, "approval", lambda said: Approval.from_document(said, **own, revoked=revoked), document)
    if approval.target != row.target:
        raise StoreError(f"{path}: approvals {row.digest}: the row names another target than its document", hint="was the database edited?")
    return approval
