"""What was recorded of one target over time: states in the order of recording, reads in vain, names, and where it stood at a given time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from auditor.core.history import History, Spell, Stretch
from auditor.core.model import Approval, Drift, EventState, ReadOutcome, Snapshot, Standing
from auditor.errors import StoreError
from auditor.store import approvals, events, tables
from auditor.store.reading import Reading
from auditor.store.tables import former_names, observations, snapshots

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A snapshot that a digest names, and the target that showed it last, and when."""

    digest: str
    target: str
    last_seen: datetime


def of_target(connection: Connection, path: Path, target: str) -> History:
    """All that is recorded of `target`; approvals also of one that was never read."""
    number = _number(connection, target)
    approved = approvals.of_target(connection, path, target)
    if number is None:
        return History(target=target, approvals=approved)
    known = select(former_names).where(former_names.c.target_id == number).order_by(former_names.c.id)
    first = select(observations.c.started_at).where(observations.c.target_id == number).order_by(observations.c.id).limit(1)
    return History(
        target=target,
        first_read=connection.execute(first).scalar(),
        stretches=tuple(_stretches(connection, number, None)),
        spells=tuple(_spells(connection, number)),
        events=tuple(reversed(events.of_target(connection, path, number, newest=None))),
        moved=tuple(reversed(Reading(connection, path).moved(number, newest=None))),
        approvals=approved,
        names=tuple((row.name, row.until) for row in connection.execute(known)),
    )


def stretches(connection: Connection, target: str, by: datetime | None) -> tuple[Stretch, ...]:
    """The states of `target` in the order of recording: all, or those up to the last recorded good read that began no later than `by`."""
    number = _number(connection, target)
    return () if number is None else tuple(_stretches(connection, number, by))


def snapshot(connection: Connection, path: Path, digest: str) -> Snapshot:
    """The snapshot with this digest.

    Raises:
        StoreError: It was never stored.
    """
    found = connection.execute(select(snapshots.c.id).where(snapshots.c.digest == digest)).scalar()
    if found is None:
        raise StoreError(f"{path}: there is no snapshot {digest}")
    return Reading(connection, path).snapshot(found)


def like(connection: Connection, prefix: str) -> tuple[Sighting, ...]:
    """Every snapshot whose digest begins with `prefix`, hexadecimal digits in lower case, each with its last sighting."""
    newest = (
        select(observations.c.snapshot_id, func.max(observations.c.id).label("newest"))
        .join(snapshots)
        .where(snapshots.c.digest.startswith(prefix, autoescape=True))
        .group_by(observations.c.snapshot_id)
        .subquery()
    )
    query = (
        select(snapshots.c.digest, tables.targets.c.name, observations.c.started_at)
        .select_from(newest)
        .join(observations, observations.c.id == newest.c.newest)
        .join(snapshots, snapshots.c.id == newest.c.snapshot_id)
        .join(tables.targets, tables.targets.c.id == observations.c.target_id)
        .order_by(snapshots.c.digest)
    )
    return tuple(Sighting(digest=row.digest, target=row.name, last_seen=row.started_at) for row in connection.execute(query))


def standing_at(connection: Connection, path: Path, target: str, at: datetime) -> Standing | None:
    """Where `target` stood at `at`, by the read recorded last of those that began by then; None where none did.

    What was approved or revoked, opened or ended later is not in it. How the target is called, and its URL and labels, are those of today.
    """
    reading, number = Reading(connection, path), _number(connection, target)
    if number is None:
        return None
    row = connection.execute(_reads(number).where(observations.c.started_at <= at).order_by(observations.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    document = connection.execute(select(tables.targets.c.document).where(tables.targets.c.id == number)).scalar_one()
    standing = reading.standing_of(target, document, row)
    assessment = standing.assessment
    assert assessment is not None
    return replace(
        standing,
        assessment=replace(assessment, drift=_drift_as_of(connection, path, number, row.id, assessment.drift)),
        approvals=tuple(_as_of(approval, at) for approval in standing.approvals if _known_by(approval, at)),
    )


def _drift_as_of(connection: Connection, path: Path, number: int, observation_id: int, drift: Drift) -> Drift:
    """The events of a past read: those are open that were then, whatever has become of them since."""
    is_opened = tables.events.c.opened_id <= observation_id
    is_kept = tables.events.c.ended_id.is_(None) | (tables.events.c.ended_id > observation_id)
    found = events.select_of(connection, path, number, is_opened & is_kept)
    then = {event.number: replace(event, state=EventState.OPEN, ended_after=None, ended_by=None) for event in found}
    return Drift(opened=tuple(then.get(one.number, one) for one in drift.opened), ended=drift.ended, open=tuple(then.values()))


def _known_by(approval: Approval, at: datetime) -> bool:
    return approval.recorded_at is not None and approval.recorded_at <= at


def _as_of(approval: Approval, at: datetime) -> Approval:
    return replace(approval, revoked=None) if approval.revoked is not None and approval.revoked.at > at else approval


# --- runs of reads ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """Reads in a row that have something in common: the first of them, when the last one began, how many there are."""

    first: Row[Any]
    last: datetime
    reads: int


def _stretches(connection: Connection, number: int, by: datetime | None) -> Iterator[Stretch]:
    mine = _reads(number).where(observations.c.snapshot_id.is_not(None))
    if by is not None:
        newest = select(func.max(observations.c.id)).where(
            observations.c.target_id == number, observations.c.snapshot_id.is_not(None), observations.c.started_at <= by
        )
        mine = mine.where(observations.c.id <= newest.scalar_subquery())
    digests = {row.id: row.digest for row in connection.execute(_digests(number))}
    for run in _runs(connection, mine, "snapshot_id"):
        yield Stretch(digest=digests[run.first.snapshot_id], first_seen=_ended(run.first), last_seen=run.last, reads=run.reads)


def _spells(connection: Connection, number: int) -> Iterator[Spell]:
    alternating = groupby(_runs(connection, _reads(number), "outcome"), key=lambda run: run.first.outcome.is_observed)
    groups = [(is_good, list(runs)) for is_good, runs in alternating]  # good and vain by turns
    for index, (is_good, runs) in enumerate(groups):
        if is_good:
            continue
        outcomes: tuple[ReadOutcome, ...] = tuple(dict.fromkeys(run.first.outcome for run in runs))
        yield Spell(
            outcomes=outcomes,
            first=runs[0].first.started_at,
            last=runs[-1].last,
            reads=sum(run.reads for run in runs),
            before=groups[index - 1][1][-1].last if index else None,
            after=groups[index + 1][1][0].first.started_at if index + 1 < len(groups) else None,
        )


def _runs(connection: Connection, mine: Select[Any], key: str) -> Iterator[_Run]:
    """The rows of `mine`, in the order of recording, in runs of one `key`: by the database, which hands over the first row of each alone."""
    rows = mine.subquery()

    def over(what: Any) -> ColumnElement[Any]:
        column: ColumnElement[Any] = what.over(order_by=rows.c.id)
        return column

    place = select(
        rows,
        over(func.row_number()).label("place"),
        over(func.lag(rows.c[key])).label("key_before"),
        over(func.lag(rows.c.started_at, type_=rows.c.started_at.type)).label("began_before"),
    ).subquery()
    begins = place.c.key_before.is_(None) | (place.c.key_before != place.c[key])
    firsts = connection.execute(select(place).where(begins).order_by(place.c.id)).all()
    if not firsts:
        return
    total = connection.execute(select(func.count()).select_from(rows)).scalar_one()
    newest = connection.execute(select(rows.c.started_at).order_by(rows.c.id.desc()).limit(1)).scalar_one()
    for index, row in enumerate(firsts):
        after = firsts[index + 1] if index + 1 < len(firsts) else None
        yield _Run(row, after.began_before if after is not None else newest, (after.place if after is not None else total + 1) - row.place)


def _reads(number: int) -> Select[Any]:
    return select(observations).where(observations.c.target_id == number)


def _digests(number: int) -> Select[Any]:
    shown = select(observations.c.snapshot_id).where(observations.c.target_id == number)
    return select(snapshots.c.id, snapshots.c.digest).where(snapshots.c.id.in_(shown))


def _ended(row: Row[Any]) -> datetime:
    ended: datetime = row.started_at + row.took_us * _MICROSECOND
    return ended


def _number(connection: Connection, target: str) -> int | None:
    return connection.execute(select(tables.targets.c.id).where(tables.targets.c.name == target)).scalar()
