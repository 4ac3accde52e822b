"""Gives back what was recorded, as it was concluded: rows and the documents that they refer to, each checked against its digest."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, Table, select

from auditor.core.model import (
    MAX_MOVED,
    Assessment,
    Collection,
    FieldChange,
    Finding,
    Judgement,
    Moved,
    Observation,
    PolicyText,
    Snapshot,
    Standing,
    TargetText,
    Waiver,
)
from auditor.errors import StoreError
from auditor.store import approvals, events, tables
from auditor.store.documents import checked, rebuilt
from auditor.store.tables import observations

_Value = TypeVar("_Value")
_MICROSECOND = timedelta(microseconds=1)

CONTEXT_FIELDS = (
    "method",
    "url",
    "api_version",
    "product_version",
    "supported_versions",
    "remote_address",
    "tls_leaf_sha256",
    "tls_version",
    "tls_verified",
    "account",
    "auth_method",
    "collector_host",
    "collector_version",
)
"""Fields of a Collection that repeat from read to read: kept once."""

READ_FIELDS = ("status", "clock_offset_ms", "correlation_id", "attempts", "body_bytes")
"""Fields of a Collection that each read has of its own: columns of its row. `server_date` is the one left, kept as a distance."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one transaction reads from the database at `path`."""

    connection: Connection
    path: Path

    def standing(self, name: str, document: str) -> Standing | None:
        newest = self.connection.execute(newest_of(name)).one_or_none()
        return None if newest is None else self.standing_of(name, document, newest)

    def standing_of(self, name: str, document: str, newest: Row[Any]) -> Standing:
        """Where a target stood when `newest` was its newest observation, by what is known of its events and approvals today."""
        assessment = self.assessment(name, newest)
        seen = newest if newest.snapshot_id is not None else last_seen(self.connection, name, by=newest.id)
        policy_id = select(tables.judgements.c.policy_id).where(tables.judgements.c.id == newest.judgement_id)
        policy = self.document(tables.policies, self.connection.execute(policy_id).scalar_one())
        return Standing(
            target=self._rebuilt(f"target {name}", target_text, document),
            assessment=assessment,
            policy=self._rebuilt("policy", PolicyText.from_document, policy),
            last_seen=seen.started_at if seen is not None else None,
            last_snapshot=self.snapshot(seen.snapshot_id) if seen is not None else None,
            moved=self.moved(newest.target_id, by=newest.id),
            approvals=approvals.of_target(self.connection, self.path, name),
        )

    def moved(self, target_id: int, *, newest: int | None = MAX_MOVED, by: int | None = None) -> tuple[Moved, ...]:
        """The `newest` so many recorded changes (None: all), the newest first; those up to the observation `by`, if it is given."""
        before = observations.alias("before")
        query = (
            select(observations.c.changes_id, observations.c.started_at, before.c.started_at.label("not_before"))
            .outerjoin(before, before.c.id == observations.c.previous_id)
            .where(observations.c.target_id == target_id, observations.c.changes_id.is_not(None))
            .order_by(observations.c.id.desc())
            .limit(newest)
        )
        if by is not None:
            query = query.where(observations.c.id <= by)
        return tuple(
            Moved(not_before=row.not_before, not_after=row.started_at, changes=self.changes(row.changes_id))
            for row in self.connection.execute(query).all()
        )

    def changes(self, id_: int | None) -> tuple[FieldChange, ...]:
        documents = self.document(tables.changes, id_) if id_ is not None else []
        return tuple(self._rebuilt("changes", FieldChange.from_document, document) for document in documents)

    def waivers(self, id_: int | None) -> tuple[Waiver, ...]:
        documents = self.document(tables.waivers, id_) if id_ is not None else []
        return tuple(self._rebuilt("waivers", Waiver.from_document, document) for document in documents)

    def assessment(self, target: str, row: Row[Any]) -> Assessment:
        judged = self.connection.execute(
            select(tables.judgements.c.key, tables.judgements.c.findings_id, tables.policies.c.digest)
            .join(tables.policies)
            .where(tables.judgements.c.id == row.judgement_id)
        ).one()
        previous = None
        if row.previous_id is not None:
            # None as well where it was pruned
            previous = self.connection.execute(
                select(observations.c.started_at, tables.snapshots.c.digest).join(tables.snapshots).where(observations.c.id == row.previous_id)
            ).one_or_none()
        return Assessment(
            observation=self.observation(target, row),
            judgement=Judgement(
                key=judged.key,
                policy_digest=judged.digest,
                findings=self.findings(judged.findings_id, row.started_at.date()),
            ),
            verdict=row.verdict,
            changes=self.changes(row.changes_id),
            previous_digest=previous.digest if previous is not None else None,
            previous_at=previous.started_at if previous is not None else None,
            waivers=self.waivers(row.waivers_id),
            drift=events.of_observation(self.connection, self.path, row.target_id, row.id),
        )

    def observation(self, target: str, row: Row[Any]) -> Observation:
        context = self.document(tables.contexts, row.context_id)
        remark = self.document(tables.remarks, row.remark_id) if row.remark_id is not None else {}
        after_us = row.server_date_after_us
        server_date = row.started_at + after_us * _MICROSECOND if after_us is not None else None
        own = {name: row._mapping[name] for name in READ_FIELDS}
        try:
            ended_at = row.started_at + row.took_us * _MICROSECOND
        except (TypeError, OverflowError):
            raise StoreError(f"{self.path}: an observation took {row.took_us!r} microseconds", hint="restore the newest backup") from None
        return Observation(
            target=target,
            outcome=row.outcome,
            started_at=row.started_at,
            ended_at=ended_at,
            collection=self._rebuilt("context", lambda said: Collection(**said, **own, server_date=server_date), context),
            snapshot=self.snapshot(row.snapshot_id) if row.snapshot_id is not None else None,
            slot=row.slot,
            **remark,
        )

    def snapshot(self, id_: int) -> Snapshot:
        return self._rebuilt("snapshot", Snapshot.from_document, self.document(tables.snapshots, id_))

    def findings(self, id_: int, as_of: date) -> tuple[Finding, ...]:
        documents = self.document(tables.findings, id_)
        return tuple(self._rebuilt("finding", lambda said: Finding.from_document(said, as_of=as_of), document) for document in documents)

    def document(self, table: Table, id_: int) -> Any:
        row = self.connection.execute(select(table.c.digest, table.c.document).where(table.c.id == id_)).one()
        return checked(self.path, table, row.digest, row.document)

    def _rebuilt(self, what: str, build: Callable[[Any], _Value], document: Any) -> _Value:
        return rebuilt(self.path, what, build, document)


def newest_of(target: str) -> Select[Any]:
    mine = select(observations).join(tables.targets).where(tables.targets.c.name == target)
    return mine.order_by(observations.c.id.desc()).limit(1)


def last_seen(connection: Connection, target: str, *, by: int | None = None) -> Row[Any] | None:
    """The newest good read of a target; the newest up to the observation `by`, if it is given."""
    query = newest_of(target).where(observations.c.snapshot_id.is_not(None))
    return connection.execute(query if by is None else query.where(observations.c.id <= by)).one_or_none()


def target_text(document: str) -> TargetText:
    said = json.loads(document)
    return TargetText(**{**said, "labels": tuple((key, value) for key, value in said["labels"])})
