"""What is remembered of the targets of one sweep: asked for at once, and again as soon as somebody else may have written."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from auditor.core.model import Memory

FRESH_S = 5.0
"""So long what was asked for holds at most: a denial that another process records meanwhile is respected from then on, or from the next record on."""


class Memories:
    """The memories of targets, for many threads. `ask` reads them all; `writes` counts how often others were found to have written."""

    def __init__(self, targets: Sequence[str], *, ask: Callable[[Sequence[str]], Mapping[str, Memory]], writes: Callable[[], int]) -> None:
        self._targets, self._ask, self._writes = targets, ask, writes
        self._lock = threading.Lock()
        self._found: Mapping[str, Memory] = {}
        self._asked_at, self._seen = -FRESH_S, writes()

    def of(self, target: str) -> Memory:
        """What is remembered of `target`; an empty Memory where it was never read.

        Raises:
            StoreError: The database cannot be read.
        """
        with self._lock:
            seen, now = self._writes(), time.monotonic()
            if seen != self._seen or now - self._asked_at >= FRESH_S:
                self._found = self._ask(self._targets)
                self._asked_at, self._seen = now, seen
            return self._found.get(target) or Memory()
