"""How fast a fleet is swept: 1 000 servers over TLS that answer after 200 ms, 256 asked at a time, everything judged and recorded.

Beside it, in turn and against the same server: a bare loop of threads that asks the same with httpx, a client for each server and one SSLContext for
all, and throws the answer away. The server is a process of its own. Budget: the bare loop takes at least 0.85 x as long as ours.

The first sweep judges every profile for the first time. Those after it find what they have judged before, as most sweeps do.
"""

import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from timing import HEADER, row

from auditor import config
from auditor.app import App
from auditor.simulator.ca import PrivateCa
from auditor.simulator.server import write_pem

TARGETS, IN_FLIGHT, WAIT_S, ROUNDS = 1000, 256, 0.2, 7
BUDGET = 0.85
CONFIG = """\
defaults: {{ca_file: root.pem, auth: {{type: basic, username: 'CORP\\svc', password: env:BENCH_PASSWORD}}}}
targets:
{targets}
"""
TARGET = "- {{name: t{number}, url: '{url}', api_path: {number}/KeyfactorAPI}}"


@contextmanager
def far_end(folder: Path) -> Iterator[str]:
    """The URL of a server in a process of its own; `root.pem` in `folder` is its authority."""
    now = datetime.now(UTC)
    authority = PrivateCa.create(at=now)
    issued = authority.issue(["127.0.0.1"], valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1))
    write_pem(folder / "root.pem", authority.certificate_pem)
    files = write_pem(folder / "server.pem", issued.certificate_pem), write_pem(folder / "server.key", issued.key_pem)
    command = [sys.executable, "-c", "import sys, slowserver; slowserver.run(*sys.argv[1:])", *map(str, files), str(WAIT_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent) as server:
        try:
            assert server.stdout is not None
            yield f"https://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def bare(url: str, context: ssl.SSLContext) -> None:
    """Ask every server once, and nothing more."""

    def ask(number: int) -> int:
        with httpx.Client(verify=context, trust_env=False) as client:
            answer = client.get(f"{url}/{number}/KeyfactorAPI/SMTP", headers={"x-keyfactor-api-version": "2"}, auth=("CORP\\svc", "bench"))
        return len(json.loads(answer.raise_for_status().content))

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        assert all(pool.map(ask, range(TARGETS)))


def audited(app: App) -> None:
    """Audit every server once; each is to be observed, or it was not the same work."""
    outcomes = Counter(done.observation.outcome.value for done in app.auditor.audit_all(app.config.targets, clock=app.clock, workers=IN_FLIGHT))
    assert outcomes == {"observed": TARGETS}, outcomes


def get_ready(app: App) -> None:
    """Compile the policy of every server, and take stock of what is owed: once, when a process starts."""
    assert app.auditor.judge is app.judge


def taken(act: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    begin, worked = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - begin, time.process_time() - worked


def main() -> None:
    os.environ["BENCH_PASSWORD"] = "bench"
    with tempfile.TemporaryDirectory() as place, far_end(Path(place)) as url:
        file, context = Path(place) / "auditor.yaml", ssl.create_default_context(cafile=f"{place}/root.pem")
        targets = "\n".join(TARGET.format(number=number, url=url) for number in range(TARGETS))
        file.write_text(CONFIG.format(targets=targets), encoding="utf-8")
        bare(url, context)
        with App(config.load(file)) as app:
            start, _ = taken(lambda: get_ready(app))
            first, _ = taken(lambda: audited(app))
            pairs = [(taken(lambda: audited(app)), taken(lambda: bare(url, context))) for _ in range(ROUNDS)]
            assert app.store.head()[0] >= TARGETS * (ROUNDS + 1), "not every audit is on record"
    (ours, ours_cpu), (theirs, theirs_cpu) = (zip(*side, strict=True) for side in zip(*pairs, strict=True))
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    print(HEADER)
    print(row("start: policies compiled, stock taken", [start]))
    print(row("the first sweep", [first]))
    print(row("a sweep", ours))
    print(row("  of the processor, for each target", [1000 * s / TARGETS for s in ours_cpu], "ms"))
    print(row("the bare loop", theirs))
    print(row("  of the processor, for each target", [1000 * s / TARGETS for s in theirs_cpu], "ms"))
    print(row("bare / ours of the processor", [b / a for a, b in zip(ours_cpu, theirs_cpu, strict=True)], "x"))
    print(row(f"bare / ours, pair by pair (budget: {BUDGET})", ratios, "x"))
    if statistics.median(ratios) < BUDGET:
        print("the budget is not met")


if __name__ == "__main__":
    main()
