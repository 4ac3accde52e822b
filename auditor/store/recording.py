"""Writes one run's conclusions: the observation, what it refers to, and what they mean for calendar, ledger and drift events."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from auditor.core.canonical import canonical, digest_text
from auditor.core.ledger import Kind
from auditor.core.model import Assessment, Judgement, Memory, PolicyText, TargetText
from auditor.core.notices import Alerting
from auditor.errors import StoreError
from auditor.store import calendar, events, ledger, outbox, tables
from auditor.store.documents import inserted, interned
from auditor.store.reading import CONTEXT_FIELDS, READ_FIELDS
from auditor.store.tables import observations

_MICROSECOND = timedelta(microseconds=1)


def record(
    connection: Connection,
    path: Path,
    assessment: Assessment,
    target: TargetText,
    policy_document: Mapping[str, Any],
    memory: Memory,
    alerting: Alerting,
    *,
    is_partial: bool,
) -> int:
    """Write all that a run concluded, and what people are to be told of it; returns the number of the observation.

    `is_partial`: it was judged by a part of the target's policy.

    Raises:
        ValueError: The parts do not belong together.
        StoreError: The judgement's key already stands for other findings.
    """
    read = assessment.observation
    if target.name != read.target:
        raise ValueError("this target and policy are not those of the assessment")
    target_id = _record_target(connection, target)
    _record_memory(connection, target_id, memory, known=remembered(connection, target.name))
    remark = {"message": read.message, "hint": read.hint}
    slot = read.slot if read.slot and calendar.serve(connection, path, target_id, read.slot, read.started_at) else None
    collection = read.collection
    row = {
        "target_id": target_id,
        "slot": slot,
        "started_at": read.started_at,
        "took_us": (read.ended_at - read.started_at) // _MICROSECOND,
        "server_date_after_us": (collection.server_date - read.started_at) // _MICROSECOND if collection.server_date else None,
        "outcome": read.outcome,
        "verdict": assessment.verdict,
        **{name: getattr(collection, name) for name in READ_FIELDS},
        "previous_id": _previous(connection, target_id, assessment.previous_digest),
        "snapshot_id": interned(connection, tables.snapshots, read.snapshot.document()) if read.snapshot else None,
        "judgement_id": _record_judgement(connection, path, assessment.judgement, policy_document),
        "context_id": interned(connection, tables.contexts, {name: getattr(collection, name) for name in CONTEXT_FIELDS}),
        "remark_id": interned(connection, tables.remarks, remark) if any(remark.values()) else None,
        "changes_id": interned(connection, tables.changes, [change.document() for change in assessment.changes]) if assessment.changes else None,
        "waivers_id": interned(connection, tables.waivers, [waiver.document() for waiver in assessment.waivers]) if assessment.waivers else None,
    }
    before = connection.execute(_policy_before(target_id)).one_or_none()
    number = inserted(connection, observations, row)
    ledger.append_read(connection, number)
    if before is None or before.digest != assessment.judgement.policy_digest:
        _note_policy(connection, target_id, policy_document, assessment, before.digest if before is not None else None)
    events.record(connection, target_id, number, assessment.drift, read.started_at)
    outbox.tell(connection, path, target_id, assessment, target, PolicyText.from_document(policy_document), alerting, is_partial=is_partial)
    return number


def _record_judgement(connection: Connection, path: Path, judgement: Judgement, policy_document: Mapping[str, Any]) -> int:
    table = tables.judgements
    findings_id = interned(connection, tables.findings, [finding.document() for finding in judgement.findings])
    known = connection.execute(select(table.c.id, table.c.findings_id).where(table.c.key == judgement.key)).one_or_none()
    if known is None:
        policy_id = _record_policy(connection, judgement.policy_digest, policy_document)
        return inserted(connection, table, {"key": judgement.key, "policy_id": policy_id, "findings_id": findings_id})
    if known.findings_id != findings_id:
        raise StoreError(
            f"{path}: the judgement {judgement.key} was stored with other findings",
            hint="one key means one judgement: this is a fault of the auditor, please report it",
        )
    return int(known.id)


def _record_policy(connection: Connection, mark: str, document: Mapping[str, Any]) -> int:
    """The number of the policy with this digest. A policy is as long as all else that is recorded, so it is written out only if it is new."""
    table = tables.policies
    known = connection.execute(select(table.c.id).where(table.c.digest == mark)).scalar()
    if known is not None:
        return int(known)
    text = canonical(document)
    if digest_text(text) != mark:
        raise ValueError("this target and policy are not those of the assessment")
    return inserted(connection, table, {"digest": mark, "document": text})


def _policy_before(target_id: int) -> Select[Any]:
    """The digest of the policy that judged the newest read of a target."""
    judged = select(tables.policies.c.digest).select_from(observations).join(tables.judgements).join(tables.policies)
    return judged.where(observations.c.target_id == target_id).order_by(observations.c.id.desc()).limit(1)


def _note_policy(connection: Connection, target_id: int, document: Mapping[str, Any], assessment: Assessment, before: str | None) -> None:
    body = {
        "target": target_id,
        "policy": document["name"],
        "version": document["version"],
        "before": before,
        "after": assessment.judgement.policy_digest,
    }
    ledger.append(connection, Kind.POLICY, assessment.observation.started_at, body)


def remembered(connection: Connection, target: str) -> Memory | None:
    columns = [column for column in tables.memories.c if column.name != "target_id"]
    row = connection.execute(select(*columns).join(tables.targets).where(tables.targets.c.name == target)).one_or_none()
    return None if row is None else Memory(**row._mapping)


def _record_target(connection: Connection, target: TargetText) -> int:
    table, document = tables.targets, canonical(asdict(target))
    known = connection.execute(select(table.c.id, table.c.document).where(table.c.name == target.name)).one_or_none()
    if known is None:
        return inserted(connection, table, {"name": target.name, "document": document})
    if known.document != document:
        connection.execute(update(table).where(table.c.id == known.id).values(document=document))
    return int(known.id)


def _record_memory(connection: Connection, target_id: int, memory: Memory, *, known: Memory | None) -> None:
    table = tables.memories
    if known is None:
        connection.execute(insert(table).values(target_id=target_id, **asdict(memory)))
    elif known != memory:
        connection.execute(update(table).where(table.c.target_id == target_id).values(asdict(memory)))


def _previous(connection: Connection, target_id: int, previous_digest: str | None) -> int | None:
    """The newest observation that saw the state with which the assessment compared; another process may have recorded a newer one since."""
    if previous_digest is None:
        return None
    snapshot_id = select(tables.snapshots.c.id).where(tables.snapshots.c.digest == previous_digest).scalar_subquery()
    query = select(observations.c.id).where(observations.c.target_id == target_id, observations.c.snapshot_id == snapshot_id)
    found = connection.execute(query.order_by(observations.c.id.desc()).limit(1)).scalar()
    if found is None:
        raise ValueError("the assessment compares with a state that was never recorded for this target")
    return int(found)
