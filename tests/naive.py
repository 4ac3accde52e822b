"""What a fleet owes and what became of it, counted the slow way: minute by minute, without a line of the auditor's own calendar.

A test tells this model what it did and when; the model says what the coverage has to come to.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
LATE = timedelta(minutes=5)
STATES = ("on_time", "late", "failed", "missed")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a target is configured to owe: every so many minutes, or at these local times of each day; None of both: nothing."""

    every_min: int | None = None
    local: tuple[time, ...] = ()
    zone: str = "UTC"
    paused_until: date | None = None
    retired_on: date | None = None

    def names(self, minute: datetime) -> bool:
        """Whether the schedule names this minute (UTC)."""
        if self.every_min is not None:
            return int(minute.timestamp()) % (self.every_min * 60) == 0
        if not self.local:
            return False
        local = minute.astimezone(ZoneInfo(self.zone))
        if local.time() in self.local and not local.fold:  # of an hour that comes twice, the first
            return True
        before = (minute - timedelta(hours=1)).astimezone(ZoneInfo(self.zone))
        sprang = local.utcoffset() > before.utcoffset()  # type: ignore[operator]
        skipped = (datetime.combine(local.date(), local.time()) - timedelta(hours=1)).time()
        return sprang and skipped in self.local  # an hour that does not come is read one later

    def reads_on(self, day: date) -> bool:
        is_paused = self.paused_until is not None and day <= self.paused_until
        is_retired = self.retired_on is not None and day >= self.retired_on
        return (self.every_min is not None or bool(self.local)) and not is_paused and not is_retired


NOTHING = Plan()


@dataclass
class Ledgerless:
    """One target. `plans` are what it owed, each from an instant on; `served` has a byte a minute: what the read of that slot came to, if any."""

    plans: list[tuple[datetime, Plan]] = field(default_factory=list)
    served: bytearray = field(default_factory=bytearray)
    minutes: int = 0
    """So long a story is made room for at once, for those who measure memory meanwhile."""
    told: deque[tuple[datetime, datetime]] = field(default_factory=lambda: deque(maxlen=500))
    """Up to the first of each pair somebody has looked, at the second: what nobody had read by then was missed. The first ones rise."""
    _known: tuple[datetime | None, datetime | None, int] = (None, None, 0)
    """The newest slot by some minute, so that the next search ends there."""

    def agree(self, plan: Plan, at: datetime) -> None:
        """The configuration says `plan`, and somebody looked at it at `at`."""
        if not self.plans:
            self.plans.append((at - LATE, plan))
            self.served = bytearray(b"\0" * self.minutes)
        elif self.plans[-1][1] != plan:
            self.plans.append((max(at, self.plans[-1][0]), plan))

    def plan_of(self, slot: datetime) -> Plan:
        return next((plan for since, plan in reversed(self.plans) if since < slot), NOTHING)

    def owes(self, minute: datetime) -> bool:
        plan = self.plan_of(minute)
        return plan.reads_on(minute.date()) and plan.names(minute)

    def owed(self, until: datetime) -> Iterator[datetime]:
        """Every slot from the first plan on, up to `until`."""
        minute = self.plans[0][0].replace(second=0, microsecond=0)
        while minute <= until:
            if self.owes(minute):
                yield minute
            minute += MINUTE

    def open_at(self, at: datetime) -> datetime | None:
        """The slot that a read at `at` would serve."""
        slot = self._newest(at)
        if slot is None or self._read_of(slot) or self._is_given_up(slot, at):
            return None
        now = next(plan for since, plan in reversed(self.plans) if since <= at)
        return slot if now.reads_on(at.date()) or at - slot <= LATE else None

    def look(self, at: datetime) -> None:
        """Somebody accounts for what has passed by `at`."""
        newest = self._newest(at)
        if newest is None:
            return
        is_closed = self._read_of(newest) != 0 or self.open_at(at) is None
        self._tell(newest if is_closed else newest - MINUTE, at)

    def read(self, at: datetime, *, is_good: bool) -> datetime | None:
        """A read begins at `at`; the slot that it serves."""
        slot = self.open_at(at)
        if slot is not None:
            number = self._number(slot)
            self.served.extend(b"\0" * (number + 1 - len(self.served)))
            self.served[number] = 3 if not is_good else 2 if at - slot > LATE else 1
            self._tell(slot, at)
        return slot

    def state_of(self, slot: datetime) -> str | None:
        """What became of a slot that was owed; None where it is open still."""
        read = self._read_of(slot)
        if read:
            return STATES[read - 1]
        return "missed" if self.told_until is not None and slot <= self.told_until else None

    @property
    def told_until(self) -> datetime | None:
        return self.told[-1][0] if self.told else None

    @property
    def reads(self) -> int:
        """How many slots were read."""
        return len(self.served) - self.served.count(0)

    def days(self, until: datetime) -> dict[date, dict[str, int]]:
        """How many slots came to what, by UTC day."""
        found: dict[date, dict[str, int]] = {}
        for slot in self.owed(until):
            state = self.state_of(slot)
            if state is not None:
                found.setdefault(slot.date(), dict.fromkeys(STATES, 0))[state] += 1
        return found

    def missed(self, until: datetime) -> list[datetime]:
        return [slot for slot in self.owed(until) if self.state_of(slot) == "missed"]

    def _number(self, slot: datetime) -> int:
        return (slot - self.plans[0][0]) // MINUTE

    def _read_of(self, slot: datetime) -> int:
        number = self._number(slot)
        return self.served[number] if number < len(self.served) else 0

    def _newest(self, at: datetime) -> datetime | None:
        last = at.astimezone(UTC).replace(second=0, microsecond=0)
        known, found, plans = self._known
        minute, stop = last, self.plans[0][0]
        if plans == len(self.plans) and known is not None and known <= last:
            stop = known  # what stands before was looked through already
        else:
            found = None
        while minute > stop:
            if self.owes(minute):
                found = minute
                break
            minute -= MINUTE
        self._known = (last, found, len(self.plans))
        return found

    def _tell(self, until: datetime, at: datetime) -> None:
        if self.told_until is None or until > self.told_until:  # what was told already stays told as it was
            self.told.append((until, at))

    def _is_given_up(self, slot: datetime, at: datetime) -> bool:
        """Whether the slot was called missed, by a clock that was not wrong: neither ahead of now nor behind the slot."""
        told_at = next((when for until, when in self.told if slot <= until), None)
        return told_at is not None and slot < told_at <= at
