"""Times commands against each other: in turn, so that a machine whose speed drifts does not favour one of them."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence


def paired(first: Callable[[], object], second: Callable[[], object], *, runs: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of `first` and of `second`, called in turn `runs` times after one call each that does not count, and the ratios pair by pair."""
    first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for call, taken in zip((first, second), times, strict=True):
            begin = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begin)
    return *times, [a / b for a, b in zip(*times, strict=True)]


def command(*arguments: str, env: dict[str, str] | None = None) -> Callable[[], object]:
    """A call that runs a command to its end, its output thrown away; its failure is an error. Byte code may be kept, as in any installation."""
    environment = {name: value for name, value in {**os.environ, **(env or {})}.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def call() -> None:
        done = subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr}")

    return call


def row(name: str, values: Sequence[float], unit: str = "s") -> str:
    """Minimum, median and maximum in one line."""
    return f"{name:44} {min(values):8.3f} {statistics.median(values):8.3f} {max(values):8.3f} {unit}"


HEADER = f"{'':44} {'min':>8} {'median':>8} {'max':>8}"
