"""Lets many threads share one transaction: what comes while one is being written waits, and is written as one with the next."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")

MAX_TOGETHER = 64
"""So many things are written as one at most: others that write to the same database wait for no longer than these take."""


def _held() -> threading.Lock:
    """A lock that is held: what an Event is, for one who waits, at a fraction of its price."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Place(Generic[_Given, _Made]):
    """One thing in the queue. Whoever brought it waits at `called`: until it is done, or until he is to do it, and what waits behind it."""

    given: _Given
    called: threading.Lock = field(default_factory=_held)
    is_called: bool = False
    is_done: bool = False
    made: _Made | None = None
    fault: BaseException | None = None

    def end(self, made: _Made | None, fault: BaseException | None = None) -> None:
        self.made, self.fault, self.is_done = made, fault, True
        self.call()

    def call(self) -> None:
        if not self.is_called:
            self.is_called = True
            self.called.release()


class Together(Generic[_Given, _Made]):
    """Does things of many threads at a time: `act` does several, all or none, and gives back what became of each, in their order.

    Where `act` fails for several, each is done by itself, so that one thing's fault is not another's; but for a fault that `is_everybodys`. Of
    several with one `key` the first alone is taken: the next is to find what became of it.
    """

    def __init__(
        self,
        act: Callable[[Sequence[_Given]], Sequence[_Made]],
        *,
        key: Callable[[_Given], Hashable],
        at_most: int = MAX_TOGETHER,
        is_everybodys: Callable[[Exception], bool] = lambda _: False,
    ) -> None:
        self._act, self._key, self._at_most, self._is_everybodys = act, key, at_most, is_everybodys
        self._queue: list[_Place[_Given, _Made]] = []
        self._leader: _Place[_Given, _Made] | None = None
        self._lock = threading.Lock()

    def do(self, given: _Given) -> _Made:
        """Do `given`, and come back when it is done.

        Raises:
            Exception: Whatever `act` raised for it.
        """
        place: _Place[_Given, _Made] = _Place(given)
        try:
            with self._lock:
                self._queue.append(place)
                self._leader = self._leader or place
            if self._leader is not place:
                place.called.acquire()
            if not place.is_done:
                self._lead()
        except BaseException:  # Ctrl-C
            self._withdraw(place)
            raise
        if place.fault is not None:
            raise place.fault
        return place.made  # type: ignore[return-value]  # it is done, and had no fault

    def _withdraw(self, place: _Place[_Given, _Made]) -> None:
        with self._lock:
            if place in self._queue:
                self._queue.remove(place)
            if self._leader is place:
                self._hand_over()

    def _hand_over(self) -> None:
        """Let the first one that waits lead; under the lock, so that nobody withdraws between being chosen and being called."""
        self._leader = self._queue[0] if self._queue else None
        if self._leader is not None:
            self._leader.call()

    def _lead(self) -> None:
        """Do what waits, as far as it goes together; the first one of the rest does that next."""
        mine: list[_Place[_Given, _Made]] = []
        try:
            with self._lock:
                mine = self._taken()
            self._serve(mine)
        finally:
            with self._lock:
                for place in mine:
                    if not place.is_done:
                        place.end(None, RuntimeError("another thread was interrupted while it did this"))
                self._hand_over()

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
            made = self._act([place.given for place in places])
        except Exception as fault:  # noqa: BLE001 - handed to whoever brought it
            if len(places) == 1 or self._is_everybodys(fault):
                for place in places:
                    place.end(None, fault)
                return
            for place in places:
                self._serve([place])
            return
        for place, one in zip(places, made, strict=True):
            place.end(one)
