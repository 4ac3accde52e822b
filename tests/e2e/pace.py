"""The auditor in a process of its own whose hours take a test seconds: its clock is a file's, and channels are paid more often.

    python -m tests.e2e.pace CLOCK DELIVER_EVERY_S ARGUMENTS-OF-AUDITOR...

CLOCK is a file with the seconds by which the clock is ahead of the machine's. It must be behind when a daemon starts, or level: the first read is due
at once by our clock, and the alarm rings by the machine's. All else is the auditor as it is.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).parents[2]
WARM = [
    "auditor.cli.check",
    "auditor.cli.daemon",
    "auditor.daemon",
    "auditor.store.store",
    "auditor.command.client",
    "auditor.notify.webhook",
    "rich.table",
]


class Clock:
    """The machine's time and what the file says, which is taken up by every process that reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            self.ahead = timedelta()

    @property
    def ahead(self) -> timedelta:
        return timedelta(seconds=float(self.path.read_text(encoding="ascii")))

    @ahead.setter
    def ahead(self, ahead: timedelta) -> None:
        written = self.path.with_suffix(".new")
        written.write_text(str(ahead.total_seconds()), encoding="ascii")
        written.replace(self.path)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def spawn(clock: Clock, deliver_every_s: float, *arguments: str, log: int) -> "subprocess.Popen[bytes]":
    """`auditor ARGUMENTS` at that pace, in a process from the ground up; what it logs goes to `log`."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-m", "tests.e2e.pace", str(clock.path), str(deliver_every_s), *arguments]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, stdout=subprocess.DEVNULL, stderr=log)


def fork(*arguments: str, clock: Clock | None = None, deliver_every_s: float | None = None) -> BaseProcess:
    """`auditor ARGUMENTS`, in a process that has imported it already: what is to be killed dozens of times is killed at work, not at importing."""
    process = _forks().Process(target=_forked, args=(dict(os.environ), arguments, clock, deliver_every_s))
    process.start()
    return process


@cache
def _forks() -> ForkServerContext:
    """What forks. It measures no coverage, which costs time: who is killed writes none down."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    kept = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("COVERAGE_")}
    try:
        forkserver.ensure_running()
    finally:
        os.environ.update(kept)
    return context


def _forked(environment: dict[str, str], arguments: tuple[str, ...], clock: Clock | None, deliver_every_s: float | None) -> None:
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.exit(_run(arguments, clock, deliver_every_s))


def _run(arguments: Sequence[str], clock: Clock | None, deliver_every_s: float | None) -> int:
    from auditor import app, cli, daemon

    if deliver_every_s is not None:
        daemon.DELIVER_EVERY_S = deliver_every_s  # type: ignore[assignment]
    if clock is not None:
        daemon.MISFIRE_GRACE_S = 10**9  # the alarm counts in the machine's time, and must not call late what begins at an earlier time of ours
        app.App = partial(app.App, clock=clock)  # type: ignore[assignment,misc]
    return cli.run(arguments)


if __name__ == "__main__":
    sys.exit(_run(sys.argv[3:], Clock(Path(sys.argv[1])), float(sys.argv[2])))
