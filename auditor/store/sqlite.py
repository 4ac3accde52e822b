"""The database file: how it is found, made, opened and copied, and what its troubles are called."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError, StatementError

from auditor.errors import StoreError, UsageError

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another process; an audit's own transaction takes milliseconds."""


def file_of(url: str) -> Path:
    """The absolute path of the database that `url` (`sqlite:////var/lib/auditor/auditor.db`) names.

    Raises:
        UsageError: It does not name an SQLite file.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    # what was given is not repeated: the URL of another database holds a password
    if parsed is None or parsed.get_backend_name() != "sqlite" or parsed.host or parsed.query or parsed.database in (None, "", ":memory:"):
        raise UsageError("the database is not named as an SQLite file", hint="write it as sqlite:////folder/auditor.db")
    return Path(str(parsed.database)).absolute()


def engine(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """An engine for the existing file at `path`; what runs under the execution option `writes` holds SQLite's one writer's place from the start."""
    made = create_engine(URL.create("sqlite", database=path.as_uri(), query={"mode": "rw", "uri": "true"}), hide_parameters=True)

    # Python's driver would begin late and only before some statements; so its own BEGIN is off and ours comes first. Without IMMEDIATE, a
    # transaction that reads before it writes can fail with "locked" at once, whatever the timeout.
    @event.listens_for(made, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        # bytes that are no UTF-8 reach the digest check, which says what is damaged
        connection.text_factory = _text
        connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout_s * 1000)}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return made


@contextmanager
def opened(path: Path) -> Iterator[Engine]:
    """An engine for the file at `path`, whose connections are closed in the end."""
    made = engine(path)
    try:
        yield made
    finally:
        made.dispose()


@contextmanager
def without_foreign_keys(engine: Engine) -> Iterator[Connection]:
    """A transaction whose caller knows that no row refers to those it deletes: to find out, SQLite would walk the whole child table for each."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA foreign_keys = OFF")  # has no effect within a transaction, so it comes first
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


def make_file(path: Path) -> None:
    """Make an empty file at `path` that its owner alone may read, unless there is one; SQLite gives its WAL the same mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def copy(source: Engine, path: Path) -> None:
    """Write the database as it is now to `path`, whole or not at all; writers go on meanwhile.

    Raises:
        StoreError: There is a file at `path`, or it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    with store_errors(path):
        if path.exists():
            raise StoreError(f"{path}: there is a file already", hint="name another one; a backup is never overwritten")
        partial.unlink(missing_ok=True)
        make_file(partial)
        try:
            with source.connect() as connection, closing(sqlite3.connect(partial)) as into:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.backup(into)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what SQLAlchemy, SQLite and the file system raise about `path` into a StoreError; a value of the wrong kind stays our own bug."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, (ValueError, TypeError)):
            raise error.orig from None
        raise _store_error(path, error.orig or error) from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise _store_error(path, error) from error


_OWNER = "the file and its folder must be there, and writable for the user that runs the auditor"
_TROUBLES = {
    sqlite3.SQLITE_BUSY: ("another process kept it locked for too long", "is a backup or another auditor at work? run it again later"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _OWNER),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "keep the file for inspection, and restore the newest backup"),
    sqlite3.SQLITE_FULL: ("the disk is full", "make room, then run it again; nothing was half-written"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "look at the system's log before anything else is written there"),
    sqlite3.SQLITE_NOTADB: ("is not an SQLite database", "does the configuration name the right file?"),
    sqlite3.SQLITE_PERM: ("cannot be opened", _OWNER),
    sqlite3.SQLITE_READONLY: ("is read-only", _OWNER),
}


def _store_error(path: Path, error: BaseException) -> StoreError:
    if isinstance(error, OSError):
        return StoreError(f"{path}: {error.strerror or type(error).__name__}", hint=_OWNER)
    # the lower byte is the error's kind, the upper ones refine it
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:  # what the WAL needs beside the database is not to be had on a full disk
        code = sqlite3.SQLITE_FULL
    what, hint = _TROUBLES.get(code & 0xFF if code is not None else -1, (f"{type(error).__name__}: {error}", ""))
    return StoreError(f"{path}: {what}", hint=hint)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
