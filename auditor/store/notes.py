"""What the ledger tells besides reads: changes of the configuration and of the waivers, and what people noted."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select

from auditor.core.canonical import digest
from auditor.core.ledger import Kind
from auditor.store import ledger, tables
from auditor.store.documents import interned

MAX_NAMED = 100
"""So many changed settings are named in one record; all are counted."""


def note_configuration(connection: Connection, settings: Mapping[str, str], at: datetime) -> None:
    """Record that the configuration says something new: which settings came, went or changed, by their paths. Values stay outside."""
    document = sorted([path, value] for path, value in settings.items())
    before = _before(connection, Kind.CONFIGURATION, tables.configurations, document)
    if before is None:
        return
    old, new = dict(before), settings
    paths = {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(path for path in old.keys() & new.keys() if old[path] != new[path]),
    }
    interned(connection, tables.configurations, document)
    counts = {"settings": len(new), **{act: len(its) for act, its in paths.items()}}
    named = {act: its[:MAX_NAMED] for act, its in paths.items()} if before else {}
    ledger.append(connection, Kind.CONFIGURATION, at, {"digest": digest(document), "counts": counts, "what": named})


def note_waivers(connection: Connection, waivers: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """Record that the waivers are others than before: those that came and those that went, whole."""
    document = sorted(waivers, key=digest)
    before = _before(connection, Kind.WAIVERS, tables.waivers, document)
    if before is None:
        return
    old, new = ({digest(waiver): waiver for waiver in its} for its in (before, document))
    interned(connection, tables.waivers, document)
    came, went = ([its[mark] for mark in sorted(its.keys() - others.keys())] for its, others in ((new, old), (old, new)))
    ledger.append(connection, Kind.WAIVERS, at, {"digest": digest(document), "added": came, "removed": went})


def add(connection: Connection, about: str, by: str, text: str, at: datetime, recorder: Mapping[str, str]) -> int:
    """Record what somebody noted; returns the number of the record."""
    return ledger.append(connection, Kind.NOTE, at, {"about": about, "by": by, "text": text, **recorder})


def _before(connection: Connection, kind: Kind, table: Table, document: Any) -> list[Any] | None:
    """What the newest record of `kind` stands for; `[]` for none, and None where `document` is the same."""
    last = ledger.latest(connection, kind)
    if last is None:
        return [] if document else None
    if last["digest"] == digest(document):
        return None
    text = connection.execute(select(table.c.document).where(table.c.digest == last["digest"])).scalar()
    return list(json.loads(text)) if text is not None else []
