"""Times commands against each other: in turn, so that a machine whose speed drifts does not favour one of them."""

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


def command(*arguments: str, **options: object) -> Callable[[], object]:
    """A call that runs a command to its end, its output thrown away; a failure of the command is an error unless its code is in `codes`."""
    codes: Sequence[int] = options.pop("codes", (0,))  # type: ignore[assignment]

    def call() -> None:
        done = subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, **options)  # type: ignore[call-overload]
        if done.returncode not in codes:
            raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr}")

    return call


def row(name: str, values: Sequence[float], unit: str = "s") -> str:
    """Minimum, median and maximum in one line."""
    return f"{name:44} {min(values):8.3f} {statistics.median(values):8.3f} {max(values):8.3f} {unit}"


HEADER = f"{'':44} {'min':>8} {'median':>8} {'max':>8}"
