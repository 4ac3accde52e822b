"""One daemon a database: a lock that the operating system takes back when its holder dies, and a note of who holds it."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from auditor.errors import InstanceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the lock of a database, by its own word."""

    pid: int
    host: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The lock of a database, in the hand of this process; `file` is the device and the number of the file that is locked."""

    database: Path
    holder: Holder
    file: tuple[int, int]

    def is_ours(self) -> bool:
        """Whether it still keeps others away: where the file was removed or replaced, another daemon can have locked that of its name."""
        try:
            return _identity(_lock_of(self.database)) == self.file and _noted(self.database) == self.holder
        except OSError:
            return False


@contextmanager
def only_one(database: Path, *, at: datetime) -> Iterator[Held]:
    """Hold the lock of `database`; it is beside it, and goes with the process that holds it, however that ends.

    Raises:
        InstanceError: Another process holds it; the message says which.
    """
    lock = FileLock(_lock_of(database), mode=0o600)
    try:
        lock.acquire(timeout=1)  # `is_held` of somebody else holds it for a moment
    except Timeout:
        held = holder(database)
        who = f"process {held.pid} on {held.host} since {held.since}" if held else "another process"
        hint = "stop that one first; `auditor check` may run beside it"
        raise InstanceError(f"{database}: a daemon is at work on it already: {who}", hint=hint) from None
    ours = Held(
        database=database,
        holder=Holder(pid=os.getpid(), host=platform.node()[:128], since=at.isoformat(timespec="seconds")),
        file=_identity(_lock_of(database)),
    )
    try:
        _note_of(database).write_text(json.dumps(asdict(ours.holder)), encoding="utf-8")
        yield ours
    finally:
        with suppress(OSError):
            if _noted(database) in (ours.holder, None):  # another's, if the lock was taken from under us, is theirs
                _note_of(database).unlink(missing_ok=True)
        lock.release()


def holder(database: Path) -> Holder | None:
    """Who holds the lock of `database`; None where nobody does, or it does not say."""
    return _noted(database) if is_held(database) else None


def is_held(database: Path) -> bool:
    """Whether a daemon is at work on `database`."""
    path = _lock_of(database)
    if not path.exists():
        return False
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return True  # it cannot be told, so its slots are left to it
    lock.release()
    return False


def ask_to_reload(database: Path) -> None:
    """Leave word for the daemon of `database` to read its configuration anew; it looks every second."""
    request_of(database).touch(mode=0o600)


def request_of(database: Path) -> Path:
    """The file by which a reload is asked for."""
    return database.with_name(f"{database.name}.reload")


def _noted(database: Path) -> Holder | None:
    try:
        said = json.loads(_note_of(database).read_text(encoding="utf-8"))
        return Holder(pid=int(said["pid"]), host=str(said["host"])[:128], since=str(said["since"])[:64])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _lock_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.lock")


def _note_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.daemon")
