"""What is known of targets before a read of each is recorded: all of it, of all of them, in a handful of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, func, select

from auditor.core.assess import Past
from auditor.core.coverage import Terms
from auditor.core.model import Approval, DriftEvent, EventState, Memory, Observation, Shape, Snapshot
from auditor.core.notices import Told
from auditor.store import approvals, calendar, events, outbox, tables
from auditor.store.documents import checked, rebuilt
from auditor.store.reading import Reading
from auditor.store.tables import memories, observations, snapshots, targets, told

MAX_SHAPES_SOUGHT = 50
"""So many different states of one target are looked through for one in another API shape."""

DATED_SECRET = "ClientSecret"
"""The secret of which it counts when it was last seen to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The newest observation that saw a target's state: its number, when it began, and the snapshot."""

    observation_id: int
    at: datetime
    digest: str
    snapshot: Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One target, as far as recording a read of it needs. `policy_digest` is that of the policy which judged its newest read.

    `told` is what people were told, as it is on record, and what that says. `refers` has the documents that its newest read refers to, with digest
    and number, and `judgement` that read's judgement with its number and that of its findings; both are there only after it was recorded.
    `events` are the open ones, those that ended after `ended_since`, and all of the secret whose age counts.
    """

    target_id: int
    document: str
    settled_until: datetime | None = None
    memory: Memory | None = None
    told: tuple[str, Told] | None = None
    policy_digest: str | None = None
    seen: Sight | None = None
    agreed: tuple[Terms, ...] = ()
    ended_since: datetime
    events: tuple[DriftEvent, ...] = ()
    approvals: tuple[Approval, ...] = ()
    refers: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    judgement: tuple[str, int, int] | None = None

    def past(self, connection: Connection, path: Path, observation: Observation, *, ended_since: datetime) -> Past:
        """What a read is to be compared with. Events that ended after `ended_since` are in it."""
        snapshot, seen = observation.snapshot, self.seen
        hides = snapshot is not None and seen is not None and (seen.snapshot.configured, seen.snapshot.shape) != (True, snapshot.shape)
        return Past(
            previous=(seen.at, seen.snapshot) if seen is not None else None,
            earlier=seen_as(connection, path, observation.target, snapshot.shape) if snapshot is not None and hides else None,
            open=tuple(event for event in self.events if event.state is EventState.OPEN),
            ended=tuple(e for e in self.events if e.state is not EventState.OPEN and e.ended_by is not None and e.ended_by > ended_since),
            approvals=self.approvals,
            secret_changed_at=events.last_change(event for event in self.events if event.subject == DATED_SECRET),
        )


def of_targets(
    connection: Connection, path: Path, names: Sequence[str], *, ended_since: datetime, at_hand: Mapping[str, Snapshot]
) -> dict[str, Situation]:
    """The situation of each target of these names; one that is not on record is left out.

    A snapshot that is `at_hand` by its digest is not built anew.
    """
    rows = connection.execute(_QUERY.where(targets.c.name.in_(names))).all()
    ids = {row.id: row.name for row in rows}
    agreed = calendar.of_targets(connection, path, ids)
    happened = events.of_targets(connection, path, ids, ended_since=ended_since, subject=DATED_SECRET)
    approved = approvals.of_targets(connection, path, ids)
    return {
        row.name: Situation(
            target_id=row.id,
            document=row.document,
            settled_until=row.settled_until,
            memory=_memory(row) if row.identity is not None else None,
            told=(row.told, outbox.what_was_told(path, row.told)) if row.told is not None else None,
            policy_digest=row.policy_digest,
            seen=_sight(path, row, at_hand) if row.seen_id is not None else None,
            agreed=agreed.get(row.id, ()),
            ended_since=ended_since,
            events=happened.get(row.id, ()),
            approvals=approved.get(row.id, ()),
        )
        for row in rows
    }


def seen_as(connection: Connection, path: Path, target: str, shape: Shape) -> tuple[datetime, Snapshot] | None:
    """The newest state of `target` that shows a profile in this shape, among its `MAX_SHAPES_SOUGHT` newest different ones."""
    newest = func.max(observations.c.id)
    mine = select(observations.c.snapshot_id, func.max(observations.c.started_at).label("at")).join(targets)
    query = mine.where(targets.c.name == target, observations.c.snapshot_id.is_not(None)).group_by(observations.c.snapshot_id)
    for row in connection.execute(query.order_by(newest.desc()).limit(MAX_SHAPES_SOUGHT)).all():
        snapshot = Reading(connection, path).snapshot(row.snapshot_id)
        if snapshot.configured and snapshot.shape is shape:
            return row.at, snapshot
    return None


def _sight(path: Path, row: Row[Any], at_hand: Mapping[str, Snapshot]) -> Sight:
    document = checked(path, snapshots, row.digest, row.snapshot)
    snapshot = at_hand.get(row.digest) or rebuilt(path, "snapshot", Snapshot.from_document, document)
    return Sight(observation_id=row.seen_id, at=row.seen_at, digest=row.digest, snapshot=snapshot)


def _memory(row: Row[Any]) -> Memory:
    return Memory(**{name: row._mapping[name] for name in _MEMORY})


def _newest(*which: str) -> ScalarSelect[int]:
    mine = observations.alias()
    query = select(mine.c.id).where(mine.c.target_id == targets.c.id, *(mine.c[name].is_not(None) for name in which))
    return query.order_by(mine.c.id.desc()).limit(1).correlate(targets).scalar_subquery()


_MEMORY = tuple(column.name for column in memories.c if column.name != "target_id")
_judged, _seen = observations.alias("judged"), observations.alias("seen")
_QUERY = (
    select(
        targets,
        *(memories.c[name] for name in _MEMORY),
        told.c.document.label("told"),
        tables.policies.c.digest.label("policy_digest"),
        _seen.c.id.label("seen_id"),
        _seen.c.started_at.label("seen_at"),
        snapshots.c.digest,
        snapshots.c.document.label("snapshot"),
    )
    .select_from(targets)
    .outerjoin(memories, memories.c.target_id == targets.c.id)
    .outerjoin(told, told.c.target_id == targets.c.id)
    .outerjoin(_judged, _judged.c.id == _newest())
    .outerjoin(tables.judgements, tables.judgements.c.id == _judged.c.judgement_id)
    .outerjoin(tables.policies, tables.policies.c.id == tables.judgements.c.policy_id)
    .outerjoin(_seen, _seen.c.id == _newest("snapshot_id"))
    .outerjoin(snapshots, snapshots.c.id == _seen.c.snapshot_id)
)
