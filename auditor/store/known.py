"""What the store knows of its database by heart, for as long as nobody else has written there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from auditor.core.model import Snapshot
from auditor.recent import Recent
from auditor.store import situation
from auditor.store.situation import Situation

MAX_KEPT = 4096
"""Targets whose situation is known by heart."""

MAX_EVENTS = 16
"""Drift events that a target may have there."""


class Known:
    """Situations of targets, as one connection has read or written them.

    SQLite tells a connection whether another one has committed a change since (`PRAGMA data_version`); then all is forgotten. It must be the same
    connection each time, and `forget` is to be called where a transaction of its own failed. For one thread at a time.
    """

    def __init__(self) -> None:
        self._version: int | None = None
        self.foreign_writes = 0
        """How often another connection was found to have written."""
        self.forget()

    def forget(self) -> None:
        self._situations: Recent[str, Situation] = Recent(MAX_KEPT)

    def renew(self, connection: Connection) -> None:
        """Forget all if another connection has written since the last time; at the beginning of each transaction."""
        version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        if version != self._version:
            self.forget()
            self.foreign_writes += 1
        self._version = version

    def situations(
        self, connection: Connection, path: Path, names: Sequence[str], *, ended_since: datetime, at_hand: Mapping[str, Snapshot]
    ) -> dict[str, Situation]:
        """As `situation.of_targets`."""
        found = {name: one for name in names if (one := self._situations.get(name)) is not None and one.ended_since <= ended_since}
        others = [name for name in names if name not in found]
        asked = situation.of_targets(connection, path, others, ended_since=ended_since, at_hand=at_hand) if others else {}
        return found | asked

    def note(self, name: str, now: Situation) -> None:
        """Remember how a target stands after what was just written of it; one to which much has happened is asked for anew each time."""
        if len(now.events) <= MAX_EVENTS:
            self._situations.put(name, now)
        else:
            self._situations.drop(name)

    def drop(self, name: str) -> None:
        """Let a target be asked for anew."""
        self._situations.drop(name)
