"""Documents are kept once, under their SHA-256, and checked against it each time they are read."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, insert, select

from auditor.core.canonical import canonical, digest_text
from auditor.errors import StoreError

_Value = TypeVar("_Value")


def interned(connection: Connection, table: Table, value: Any) -> int:
    """The number of the document with this value, written if it is new."""
    document = canonical(value)
    mark = digest_text(document)
    known = connection.execute(select(table.c.id).where(table.c.digest == mark)).scalar()
    return int(known) if known is not None else inserted(connection, table, {"digest": mark, "document": document})


def interned_all(connection: Connection, table: Table, texts: Mapping[str, Callable[[], str]]) -> dict[str, int]:
    """The numbers of documents by their digests, those that are new written; only of these is the text asked for."""
    if not texts:
        return {}
    found = {row.digest: row.id for row in connection.execute(select(table.c.id, table.c.digest).where(table.c.digest.in_(texts)))}
    new = [{"digest": mark, "document": text()} for mark, text in texts.items() if mark not in found]
    if new:
        connection.execute(insert(table), new)
        written = select(table.c.id, table.c.digest).where(table.c.digest.in_([one["digest"] for one in new]))
        found |= {row.digest: row.id for row in connection.execute(written)}
    return found


def inserted(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """The number of the new row with these values."""
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def checked(path: Path, table: Table, digest: str, text: str) -> Any:
    """The document whose stored text is `text`.

    Raises:
        StoreError: The text does not have the digest that it is stored under.
    """
    if digest_text(text) != digest:
        raise StoreError(
            f"{path}: {table.name} {digest}: the stored text does not have this digest",
            hint="the database was damaged or edited; keep it for inspection, and restore the newest backup",
        )
    return json.loads(text)


def rebuilt(path: Path, what: str, build: Callable[[Any], _Value], document: Any) -> _Value:
    """What `build` makes of a document.

    Raises:
        StoreError: It makes nothing of it.
    """
    try:
        return build(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: {what}: not in a form that this auditor reads", hint="did a newer auditor write it?") from error
