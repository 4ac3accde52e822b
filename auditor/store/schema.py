"""Which edition of the tables a database has, and how it comes to the newest.

The version row is read with plain SQL: importing Alembic costs 260 ms, so only making or upgrading a database does it.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, Engine, String, column, select, table

from auditor import resources
from auditor.errors import SchemaError
from auditor.store import sqlite

HEAD = "0008"
"""The newest migration in `migrations/versions`; their numbers are four digits and rise by one."""

VERSION_TABLE = "auditor_schema"
"""Not Alembic's usual name: so the database of another program that uses Alembic is not taken for ours."""


class SchemaState(StrEnum):
    MISSING = "missing"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """`current` is the edition of the database (None where it is missing or foreign), `head` that of this auditor."""

    current: str | None
    head: str
    state: SchemaState


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What an upgrade did, as text a sentence: `before` is None where the database was made, `backup` where no copy was made."""

    before: str | None
    after: str
    backup: Path | None

    def __str__(self) -> str:
        if self.before is None:
            return f"made a database with schema {self.after}"
        if self.before == self.after:
            return f"the database has schema {self.after} already, nothing to do"
        kept = f"; a copy from before is in {self.backup}" if self.backup else ""
        return f"brought the database from schema {self.before} to {self.after}{kept}"


def status(url: str) -> SchemaStatus:
    """The edition of the database at `url`; a file without any table counts as missing.

    Raises:
        StoreError: It cannot be read, or is no database.
    """
    path = sqlite.file_of(url)
    if not path.exists():
        return _status(None, SchemaState.MISSING)
    with sqlite.opened(path) as engine, sqlite.store_errors(path), engine.connect() as connection:
        return status_in(connection)


def status_in(connection: Connection) -> SchemaStatus:
    tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
    if not tables:
        return _status(None, SchemaState.MISSING)
    version = select(column("version_num", String)).select_from(table(VERSION_TABLE))
    match list(connection.execute(version).scalars()) if VERSION_TABLE in tables else []:
        case [str(current)] if len(current) == len(HEAD) and current.isdecimal():
            # equally long digits sort as numbers do
            state = SchemaState.CURRENT if current == HEAD else SchemaState.OLDER if current < HEAD else SchemaState.NEWER
            return _status(current, state)
        case _:
            return _status(None, SchemaState.FOREIGN)


def require_current(path: Path, found: SchemaStatus) -> None:
    """Refuse a database that this auditor does not read.

    Raises:
        SchemaError: It is older, newer or not ours; a missing one is the caller's matter.
    """
    match found.state:
        case SchemaState.OLDER:
            raise SchemaError(
                f"{path}: the database has schema {found.current}, this auditor needs {HEAD}",
                hint="run `auditor db upgrade`; it keeps a copy beside the file first",
            )
        case SchemaState.NEWER:
            raise SchemaError(
                f"{path}: the database has schema {found.current}, this auditor only knows {HEAD}",
                hint="a newer auditor made it: install that one; there is no way back but an older backup",
            )
        case SchemaState.FOREIGN:
            raise SchemaError(f"{path}: this database is not the auditor's", hint="does the configuration name the right file?")


def upgrade(url: str, *, backup: bool = True) -> Upgrade:
    """Bring the database at `url` to the newest schema in one transaction, or make it where there is none.

    One that is upgraded is first copied beside itself (`auditor.db.before-0002`).

    Raises:
        SchemaError: It is newer, or not ours.
        StoreError: It, or the copy, cannot be written; the database is as it was.
    """
    path = sqlite.file_of(url)
    with sqlite.store_errors(path):
        sqlite.make_file(path)
    with sqlite.opened(path) as engine:
        with sqlite.store_errors(path), engine.connect() as connection:
            found = status_in(connection)
        kept = None
        match found.state:
            case SchemaState.CURRENT:
                return Upgrade(before=found.current, after=HEAD, backup=None)
            case SchemaState.NEWER | SchemaState.FOREIGN:
                require_current(path, found)
            case SchemaState.OLDER if backup:
                kept = _free_name(path.with_name(f"{path.name}.before-{HEAD}"))
                sqlite.copy(engine, kept)
        with sqlite.store_errors(path):
            _migrate(engine)
    return Upgrade(before=found.current, after=HEAD, backup=kept)


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # ConfigParser reads % as the beginning of a reference
    config.set_main_option("script_location", str(resources.folder("migrations")).replace("%", "%%"))
    # whoever else makes or upgrades the same database waits here, and then finds nothing left to do
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def _free_name(path: Path) -> Path:
    """`path`, or `path` with the lowest number behind it that is not taken: an upgrade that failed has left its copy."""
    numbered = (path.with_name(f"{path.name}.{number}") for number in count(2))
    return path if not path.exists() else next(name for name in numbered if not name.exists())


def _status(current: str | None, state: SchemaState) -> SchemaStatus:
    return SchemaStatus(current=current, head=HEAD, state=state)
