"""Lets many threads share one transaction: what comes while one is being written waits, and is written as one with the next."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")

MAX_TOGETHER = 64
"""So many things are written as one at most: others that write to the same database wait for no longer than these take."""


@dataclass(slots=True, eq=False)
class _Place(Generic[_Given, _Made]):
    """One thing in the queue. Whoever brought it waits at `called`: until it is done, or until he is to do it, and what waits behind it."""

    given: _Given
    called: threading.Event = field(default_factory=threading.Event)
    is_done: bool = False
    made: _Made | None = None
    fault: BaseException | None = None


class Together(Generic[_Given, _Made]):
    """Does things of many threads at a time: `act` does several, all or none, and gives back what became of each, in their order.

    Where `act` fails for several, each is done by itself, so that one thing's fault is not another's. Of several with one `key` the first alone is
    taken: the next is to find what became of it.
    """

    def __init__(self, act: Callable[[Sequence[_Given]], Sequence[_Made]], *, key: Callable[[_Given], Hashable], at_most: int = MAX_TOGETHER) -> None:
        self._act, self._key, self._at_most = act, key, at_most
        self._queue: list[_Place[_Given, _Made]] = []
        self._is_busy = False
        self._lock = threading.Lock()

    def do(self, given: _Given) -> _Made:
        """Do `given`, and come back when it is done.

        Raises:
            Exception: Whatever `act` raised for it.
        """
        place: _Place[_Given, _Made] = _Place(given)
        with self._lock:
            self._queue.append(place)
            is_first, self._is_busy = not self._is_busy, True
        try:
            if not is_first:
                place.called.wait()
        except BaseException:  # Ctrl-C
            self._withdraw(place)
            raise
        if not place.is_done:
            self._lead()
        if place.fault is not None:
            raise place.fault
        return place.made  # type: ignore[return-value]  # it is done, and had no fault

    def _withdraw(self, place: _Place[_Given, _Made]) -> None:
        with self._lock:
            is_called = place.called.is_set() and not place.is_done
            if place in self._queue:
                self._queue.remove(place)
        if is_called:  # nobody else would do what waits behind it
            self._lead()

    def _lead(self) -> None:
        """Do what waits, as far as it goes together; the first one of the rest does that next."""
        with self._lock:
            mine = self._taken()
        try:
            self._serve(mine)
        finally:
            with self._lock:
                following = self._queue[0] if self._queue else None
                self._is_busy = following is not None
            for place in mine:
                place.is_done = True
                place.called.set()
            if following is not None:
                following.called.set()

    def _taken(self) -> list[_Place[_Given, _Made]]:
        mine: dict[Hashable, _Place[_Given, _Made]] = {}
        rest = []
        for place in self._queue:
            key = self._key(place.given)
            if len(mine) < self._at_most and key not in mine:
                mine[key] = place
            else:
                rest.append(place)
        self._queue = rest
        return list(mine.values())

    def _serve(self, places: Sequence[_Place[_Given, _Made]]) -> None:
        try:
            for place, made in zip(places, self._act([place.given for place in places]), strict=True):
                place.made = made
        except Exception as fault:  # noqa: BLE001 - handed to whoever brought it
            if len(places) == 1:
                places[0].fault = fault
                return
            for place in places:
                self._serve([place])
        except BaseException as end:  # Ctrl-C in the one thread that does it for all: none of it is on record
            for place in places:
                place.fault = place.fault or RuntimeError("another thread was interrupted while it recorded this")
            raise end from None
