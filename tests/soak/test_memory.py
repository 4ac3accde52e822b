"""A process that audits for years does not grow: what an audit allocates is given back, and what is remembered is bounded.

In process, the network replaced by a transport, and over a real database.
"""

import gc
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from auditor.app import App
from auditor.config import load
from tests.factories import body

pytestmark = [pytest.mark.platform_only, pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")]

CHANGES_EVERY = 20
"""So many audits see one profile, then a new one that was never there: a memory of all that was met would show."""

CONFIG = """\
defaults: {auth: {type: basic, username: 'CORP\\svc', password: env:MEMORY_PASSWORD}}
targets:
"""


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(folder: Path, *, warm: int, audits: int) -> tuple[int, int]:
    """By how many bytes the process grew over `audits` audits of ten servers, `warm` having gone before, and by how many blocks of Python's."""
    file = folder / "auditor.yaml"
    file.write_text(CONFIG + "".join(f"- {{name: t{n}, url: 'https://c{n}.example'}}\n" for n in range(10)), encoding="utf-8")
    done = 0

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=body(SenderName=f"Certificate Services {done // CHANGES_EVERY}"))

    with App(load(file), transport=lambda _: httpx.MockTransport(answer)) as app:
        begin = blocks = 0
        for done in range(warm + audits):
            if done == warm:
                begin, blocks = resident_bytes(), sys.getallocatedblocks()
            seen = app.auditor.audit(app.config.targets[done % 10], at=app.clock())
            assert seen.observation.outcome.is_observed, seen.observation.message
        grown = resident_bytes() - begin, sys.getallocatedblocks() - blocks
        assert app.store.head()[0] >= warm + audits, "not every audit is on record"
    return grown


def grown_in_a_process_of_its_own(folder: Path, *, warm: int, audits: int) -> tuple[int, int]:
    """The same, in a fresh process: what others have given back in this one would hide a leak. Coverage is not measured: its figures grow, too."""
    program = f"from tests.soak.test_memory import *; print(*growth(Path({str(folder)!r}), warm={warm}, audits={audits}))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")} | {
        "MEMORY_PASSWORD": "x",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    run = subprocess.run([sys.executable, "-c", program], check=False, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    grown_bytes, blocks = map(int, run.stdout.split())
    return grown_bytes, blocks


def test_hundreds_of_audits_leave_the_process_as_large_as_it_was(tmp_path: Path) -> None:
    """A leak of 4 KiB an audit would be 1.4 MB here, beside as much for SQLite's cache of a new database; one of two objects would be 700 blocks."""
    grown_bytes, blocks = grown_in_a_process_of_its_own(tmp_path, warm=200, audits=350)
    assert (grown_bytes < 2_200_000, blocks < 600) == (True, True), (grown_bytes, blocks)


@pytest.mark.soak
def test_a_hundred_thousand_audits_grow_the_process_by_less_than_5_mb(tmp_path: Path) -> None:
    grown_bytes, blocks = grown_in_a_process_of_its_own(tmp_path, warm=5000, audits=100_000)
    assert (grown_bytes < 5_000_000, blocks < 10_000) == (True, True), (grown_bytes, blocks)
