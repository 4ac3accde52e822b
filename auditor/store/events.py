"""Drift events in the database: opened, measured anew and ended in the transaction of the read that does so; each act is a record of the ledger."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, or_, select, update

from auditor.core.canonical import canonical, digest
from auditor.core.ledger import Kind
from auditor.core.model import Attribution, Drift, DriftEvent, EventState
from auditor.store import ledger, tables
from auditor.store.documents import rebuilt
from auditor.store.tables import events


def open_of(connection: Connection, path: Path, target_id: int) -> tuple[DriftEvent, ...]:
    """The open events of a target, the oldest first."""
    return _all(connection, path, _of(target_id).where(events.c.state == EventState.OPEN))


def ended_since(connection: Connection, path: Path, target_id: int, since: datetime) -> tuple[DriftEvent, ...]:
    """The events of a target that ended after `since`, the oldest first."""
    return _all(connection, path, _of(target_id).where(events.c.state != EventState.OPEN, events.c.ended_by > since))


def changed_at(connection: Connection, path: Path, target_id: int, subject: str) -> datetime | None:
    """When `subject` was last seen to change; None where it never was."""
    return last_change(_all(connection, path, _of(target_id).where(events.c.subject == subject)))


def last_change(found: Iterable[DriftEvent]) -> datetime | None:
    """When a field was last seen to change, by all its events, the oldest first; None where it never was."""
    moves = (EventState.RETURNED, EventState.SUPERSEDED)
    for event in reversed(list(found)):
        if event.ended_by is not None and event.state in moves:
            return event.ended_by
        if event.is_change:
            return event.not_after
    return None


def of_targets(
    connection: Connection, path: Path, target_ids: Collection[int], *, ended_since: datetime, subject: str
) -> dict[int, tuple[DriftEvent, ...]]:
    """The events of targets that are open, ended after `ended_since`, or are about `subject`, by target, the oldest first."""
    wanted = or_(events.c.state == EventState.OPEN, events.c.ended_by > ended_since, events.c.subject == subject)
    query = select(events, tables.targets.c.name).join(tables.targets).where(events.c.target_id.in_(target_ids), wanted).order_by(events.c.id)
    found: dict[int, list[DriftEvent]] = {}
    for row in connection.execute(query):
        found.setdefault(row.target_id, []).append(of_row(path, row))
    return {target_id: tuple(its) for target_id, its in found.items()}


def of_target(connection: Connection, path: Path, target_id: int, *, newest: int | None) -> tuple[DriftEvent, ...]:
    """The `newest` so many events of a target (None: all), open or not, the newest first."""
    return _all(connection, path, _of(target_id).order_by(None).order_by(events.c.id.desc()).limit(newest))


def of_observation(connection: Connection, path: Path, target_id: int, observation_id: int) -> Drift:
    """What an observation meant for the events of its target; those that are open are the open ones of today."""
    opened = _all(connection, path, _of(target_id).where(events.c.opened_id == observation_id))
    ended = _all(connection, path, _of(target_id).where(events.c.ended_id == observation_id))
    return Drift(opened=opened, ended=ended, open=open_of(connection, path, target_id))


def select_of(connection: Connection, path: Path, target_id: int, condition: ColumnElement[bool]) -> tuple[DriftEvent, ...]:
    """The events of a target for which `condition` holds, the oldest first."""
    return _all(connection, path, _of(target_id).where(condition))


def record(connection: Connection, target_id: int, observation_id: int, drift: Drift, at: datetime, *, known: Sequence[DriftEvent] = ()) -> None:
    """Write what a read means for the events. What another process wrote since they were read gives way to it. `known` are as they are on record."""
    as_recorded = {event.number: event for event in known}
    for event in drift.ended:
        assert event.number is not None
        values = {"state": event.state, "ended_after": event.ended_after, "ended_by": event.ended_by, "ended_id": observation_id}
        done = connection.execute(update(events).where(events.c.id == event.number, events.c.state == EventState.OPEN).values(values))
        if done.rowcount:
            _note(connection, event.number, "ended", at)
    for event in drift.open:
        if event.number is None:
            _open(connection, target_id, observation_id, event, at)
        elif as_recorded.get(event.number) is event:
            continue
        elif _document(connection, event.number) != (document := canonical(event.document())):
            connection.execute(update(events).where(events.c.id == event.number).values(document=document))
            _note(connection, event.number, "measured", at)


def attribute(connection: Connection, number: int, attribution: Attribution, at: datetime) -> None:
    """Write what is known of who did it; it may be filled in later, and again. What stood there before stays in the ledger."""
    document = canonical(attribution.document())
    connection.execute(update(events).where(events.c.id == number).values(attribution=document))
    ledger.append(connection, Kind.ATTRIBUTION, at, {"event": number, "attribution": attribution.document()})
    _note(connection, number, "attributed", at)


def fingerprint(row: Row[Any]) -> str:
    """SHA-256 of all that an event's row says: what its newest record in the ledger has."""
    return digest(
        {
            **{name: row._mapping[name] for name in ("id", "target_id", "subject", "opened_id", "ended_id", "document", "attribution")},
            **{name: ledger.iso(at) if (at := row._mapping[name]) else None for name in ("not_before", "not_after", "ended_after", "ended_by")},
            "state": row.state.value,
        }
    )


def _open(connection: Connection, target_id: int, observation_id: int, event: DriftEvent, at: datetime) -> None:
    document = canonical(event.document())
    same = select(events.c.id, events.c.document).where(
        events.c.target_id == target_id, events.c.subject == event.subject, events.c.state == EventState.OPEN
    )
    other = connection.execute(same).one_or_none()
    if other is not None and json.loads(other.document)["value"] == event.value.document():
        return  # another process saw the same, and was quicker
    if other is not None:
        ended = {"state": EventState.SUPERSEDED, "ended_after": event.not_before, "ended_by": event.not_after, "ended_id": observation_id}
        connection.execute(update(events).where(events.c.id == other.id).values(ended))
        _note(connection, other.id, "ended", at)
    row = {
        "target_id": target_id,
        "subject": event.subject,
        "state": event.state,
        "not_before": event.not_before,
        "not_after": event.not_after,
        "opened_id": observation_id,
        "document": document,
    }
    key = connection.execute(insert(events).values(row)).inserted_primary_key
    assert key is not None
    _note(connection, int(key[0]), "opened", at)


def _note(connection: Connection, number: int, act: str, at: datetime) -> None:
    row = connection.execute(select(events).where(events.c.id == number)).one()
    said = json.loads(row.document)["change"]
    told = {key: said[key] for key in ("field", "kind", "direction", "severity", "before", "after")}
    body = {"event": number, "act": act, "target": row.target_id, "state": row.state.value, "row": fingerprint(row), "change": told}
    ledger.append(connection, Kind.DRIFT, at, body)


def _document(connection: Connection, number: int) -> str | None:
    return connection.execute(select(events.c.document).where(events.c.id == number)).scalar()


def _of(target_id: int) -> Select[Any]:
    return select(events, tables.targets.c.name).join(tables.targets).where(events.c.target_id == target_id).order_by(events.c.id)


def _all(connection: Connection, path: Path, query: Select[Any]) -> tuple[DriftEvent, ...]:
    return tuple(of_row(path, row) for row in connection.execute(query))


def of_row(path: Path, row: Row[Any]) -> DriftEvent:
    """The event that a row holds, which has the target's name beside it."""
    beside = {name: row._mapping[name] for name in ("state", "not_before", "not_after", "ended_after", "ended_by")}
    return rebuilt(path, "drift event", lambda text: _from_texts(text, row.attribution, target=row.name, number=row.id, **beside), row.document)


def _from_texts(text: str, attribution: str | None, **beside: Any) -> DriftEvent:
    by = Attribution.from_document(json.loads(attribution)) if attribution is not None else None
    return DriftEvent.from_document(json.loads(text), attribution=by, **beside)
