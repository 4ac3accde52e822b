"""Looks through what is stored for what looks like a secret; each document once."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from auditor.core.detectors import looks_like_secret
from auditor.core.ledger import Kind
from auditor.core.model import Finding
from auditor.store import ledger, tables

_LOOKED_THROUGH = (tables.snapshots, tables.contexts, tables.remarks, tables.changes, tables.waivers, tables.configurations)


def suspects(connection: Connection) -> tuple[str, ...]:
    """The documents that look as if they held a secret, as table and number: those found before that are still there, and new ones."""
    before = ledger.latest(connection, Kind.INSPECTION) or {}
    found = [name for name in before.get("suspects", ()) if _is_there(connection, name)]
    for table in _LOOKED_THROUGH:
        newer = select(table.c.id, table.c.document).where(table.c.id > before.get("looked_through", {}).get(table.name, 0)).order_by(table.c.id)
        found += [f"{table.name} {row.id}" for row in connection.execute(newer) if any(map(looks_like_secret, _texts(json.loads(row.document))))]
    return tuple(found)


def record(connection: Connection, found: tuple[str, ...], findings: tuple[Finding, ...], policy: str, at: datetime) -> None:
    """Put the inspection into the ledger, unless it came to the same as the last one and found nothing new to look through."""
    body = {
        "policy": policy,
        "suspects": list(found),
        "looked_through": {table.name: connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one() for table in _LOOKED_THROUGH},
        "findings": [finding.document() for finding in findings],
    }
    before = ledger.latest(connection, Kind.INSPECTION) or {}
    if {key: before.get(key) for key in body} != body:
        ledger.append(connection, Kind.INSPECTION, at, body)


def _is_there(connection: Connection, name: str) -> bool:
    table, _, number = name.partition(" ")
    return (
        connection.execute(select(tables.METADATA.tables[table].c.id).where(tables.METADATA.tables[table].c.id == int(number))).scalar() is not None
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
