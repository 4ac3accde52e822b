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


def growth_bytes(folder: Path, *, warm: int, audits: int) -> int:
    """How much the process grew over `audits` audits of ten servers, `warm` of them having gone before."""
    file = folder / "auditor.yaml"
    file.write_text(CONFIG + "".join(f"- {{name: t{n}, url: 'https://c{n}.example'}}\n" for n in range(10)), encoding="utf-8")
    done = 0

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=body(SenderName=f"Certificate Services {done // CHANGES_EVERY}"))

    with App(load(file), transport=lambda _: httpx.MockTransport(answer)) as app:
        begin = 0
        for done in range(warm + audits):
            if done == warm:
                begin = resident_bytes()
            seen = app.auditor.audit(app.config.targets[done % 10], at=app.clock())
            assert seen.observation.outcome.is_observed, seen.observation.message
        grown = resident_bytes() - begin
        assert app.store.head()[0] >= warm + audits, "not every audit is on record"
    return grown


def grown_in_a_process_of_its_own(folder: Path, *, warm: int, audits: int) -> int:
    """The same, in a fresh process: what others have given back in this one would hide a leak."""
    program = f"from tests.soak.test_memory import *; print(growth_bytes(Path({str(folder)!r}), warm={warm}, audits={audits}))"
    environment = os.environ | {"MEMORY_PASSWORD": "x", "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, "-c", program], check=False, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_hundreds_of_audits_leave_the_process_as_large_as_it_was(tmp_path: Path) -> None:
    """A leak of 4 KiB an audit would be 2.4 MB here."""
    assert grown_in_a_process_of_its_own(tmp_path, warm=400, audits=600) < 2_000_000


@pytest.mark.soak
def test_a_hundred_thousand_audits_grow_the_process_by_less_than_5_mb(tmp_path: Path) -> None:
    assert grown_in_a_process_of_its_own(tmp_path, warm=5000, audits=100_000) < 5_000_000
