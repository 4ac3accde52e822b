"""What the store knows of its database by heart, for as long as nobody else has written there."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Table

from auditor.core.recent import Recent
from auditor.store import situation, tables
from auditor.store.documents import interned_all
from auditor.store.situation import Situation

MAX_KEPT = 4096
"""Targets whose situation is known by heart; of documents and judgements, as many of each kind."""


class Known:
    """Situations of targets, and numbers of documents and judgements, as one connection has read or written them.

    SQLite tells a connection whether another one has committed a change since (`PRAGMA data_version`); then all is forgotten. It must be the same
    connection each time, and `forget` is to be called where a transaction of its own failed. For one thread at a time.
    """

    def __init__(self) -> None:
        self._version: int | None = None
        self.forget()

    def forget(self) -> None:
        self._situations: Recent[str, Situation] = Recent(MAX_KEPT)
        self._numbers: dict[str, Recent[str, int]] = {table.name: Recent(MAX_KEPT) for table in tables.DOCUMENTS}
        self.judgements: Recent[str, tuple[int, int]] = Recent(MAX_KEPT)
        """Number of a judgement, and of its findings, by its key."""

    def renew(self, connection: Connection) -> None:
        """Forget all if another connection has written since the last time; at the beginning of each transaction."""
        version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        if version != self._version:
            self.forget()
        self._version = version

    def situations(self, connection: Connection, path: Path, names: Sequence[str], *, ended_since: datetime) -> dict[str, Situation]:
        """As `situation.of_targets`."""
        at_hand = {name: one for name in names if (one := self._situations.get(name)) is not None and one.ended_since <= ended_since}
        others = [name for name in names if name not in at_hand]
        return at_hand | (situation.of_targets(connection, path, others, ended_since=ended_since) if others else {})

    def note(self, name: str, now: Situation) -> None:
        """Remember how a target stands after what was just written of it."""
        self._situations.put(name, now)

    def interned(self, connection: Connection, table: Table, texts: Mapping[str, Callable[[], str]]) -> dict[str, int]:
        """As `documents.interned_all`."""
        numbers = self._numbers[table.name]
        found = {mark: number for mark in texts if (number := numbers.get(mark)) is not None}
        asked = interned_all(connection, table, {mark: text for mark, text in texts.items() if mark not in found})
        for mark, number in asked.items():
            numbers.put(mark, number)
        return found | asked
