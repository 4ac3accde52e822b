"""A process that audits for years does not grow: what an audit allocates is given back, and what is remembered is bounded.

In process, the network replaced by a transport, and over a real database.
"""

import gc
import os
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


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_PASSWORD", "bench")


def test_a_thousand_audits_leave_the_process_as_large_as_it_was(tmp_path: Path) -> None:
    """More than the first ones need it to grow for good: a leak of 4 KiB an audit would be 4 MB here."""
    assert growth_bytes(tmp_path, warm=500, audits=1000) < 3_000_000


@pytest.mark.soak
def test_a_hundred_thousand_audits_grow_the_process_by_less_than_5_mb(tmp_path: Path) -> None:
    assert growth_bytes(tmp_path, warm=5000, audits=100_000) < 5_000_000
