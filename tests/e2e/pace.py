"""The auditor in a process of its own whose hours take a test seconds: its clock is a file's, and channels are paid more often.

    python -m tests.e2e.pace CLOCK DELIVER_EVERY_S ARGUMENTS-OF-AUDITOR...

CLOCK is a file with the seconds by which the clock is ahead of the machine's. All else is the auditor as it is.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]


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


def command(clock: Clock, deliver_every_s: float, *arguments: str) -> list[str]:
    """The command line of `auditor ARGUMENTS` at that pace."""
    return [sys.executable, "-m", "tests.e2e.pace", str(clock.path), str(deliver_every_s), *arguments]


def environment(*, is_measured: bool = True) -> dict[str, str]:
    """Where the command line finds this file. What is to be killed writes no figures of coverage down, and need not collect them."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    known = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return {name: value for name, value in known.items() if is_measured or not name.startswith("COVERAGE_")}


def spawn(words: list[str], *, is_measured: bool = True, log: int | None = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    """Run it; what it logs goes to `log`."""
    return subprocess.Popen(words, env=environment(is_measured=is_measured), stdout=subprocess.DEVNULL, stderr=log)


def main() -> None:
    from auditor import app, cli, daemon

    clock, deliver_every_s, *arguments = sys.argv[1:]
    daemon.DELIVER_EVERY_S = float(deliver_every_s)  # type: ignore[assignment]
    app.App = partial(app.App, clock=Clock(Path(clock)))  # type: ignore[assignment,misc]
    sys.exit(cli.run(arguments))


if __name__ == "__main__":
    main()
