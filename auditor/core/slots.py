"""The slot calendar: at which nominal times a schedule owes a read. Pure: whoever needs the clock hands the instants in.

A slot has one nominal time: schedule time plus the target's fixed offset. A local time that a clock change skips is owed as much later as
the clocks went forward; one that it repeats is one slot, the first of the two.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from auditor.core.model import Schedule

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_LOOK_DAYS = 366 * 5
"""How far `next_slot` and `newest_slot` look: past this a crontab line such as `0 0 29 2 mon` is taken to name no day."""


def slots(schedule: Schedule, after: datetime, until: datetime, *, offset_s: int = 0) -> Iterator[datetime]:
    """The slots in `(after, until]`, oldest first, in UTC."""
    offset = timedelta(seconds=offset_s)
    if schedule.every_s is not None:
        step = timedelta(seconds=schedule.every_s)
        slot = EPOCH + ((after - offset - EPOCH) // step + 1) * step + offset
        while slot <= until:
            yield slot
            slot += step
        return
    zone = ZoneInfo(schedule.timezone)
    day = (after - offset).astimezone(zone).date() - timedelta(days=1)
    last = (until - offset).astimezone(zone).date()
    while day <= last:
        for slot in _on_day(schedule.cron or "", day, zone):
            if after < slot + offset <= until:
                yield slot + offset
        day += timedelta(days=1)


def next_slot(schedule: Schedule, after: datetime, *, offset_s: int = 0) -> datetime | None:
    """The first slot later than `after`; None where the schedule names no day within `MAX_LOOK_DAYS`."""
    for days in (2, 40, MAX_LOOK_DAYS):
        found = next(slots(schedule, after, after + timedelta(days=days), offset_s=offset_s), None)
        if found is not None:
            return found
    return None


def newest_slot(schedule: Schedule, until: datetime, *, offset_s: int = 0) -> datetime | None:
    """The newest slot not later than `until`; None where there is none within `MAX_LOOK_DAYS` before it."""
    if schedule.every_s is not None:
        step, offset = timedelta(seconds=schedule.every_s), timedelta(seconds=offset_s)
        return EPOCH + (until - offset - EPOCH) // step * step + offset
    for days in (2, 40, MAX_LOOK_DAYS):
        found = list(slots(schedule, until - timedelta(days=days), until, offset_s=offset_s))
        if found:
            return found[-1]
    return None


def offset_of(target: str, *, spread_s: int) -> int:
    """The fixed offset of a target in `[0, spread_s)` seconds, from its name alone, so that a fleet is not read all at once."""
    return int.from_bytes(hashlib.sha256(target.encode()).digest()[:8], "big") % spread_s if spread_s > 0 else 0


def check_cron(line: str) -> None:
    """Whether `line` is a crontab line as it is taken here: minute hour day-of-month month weekday; weekdays and months by name or months by number.

    Raises:
        ValueError: It is not; the message says which field and why.
    """
    _parse(line)


# --- crontab lines ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _parse(line: str) -> tuple[tuple[int, ...], tuple[int, ...], frozenset[int] | None, frozenset[int], frozenset[int] | None]:
    fields = line.split()
    if len(fields) != 5:
        raise ValueError(f"a crontab line has five fields (minute hour day month weekday), this one has {len(fields)}")
    minute, hour, day, month, weekday = fields
    if any(character.isdigit() for character in weekday):
        raise ValueError(f"weekday {weekday!r}: write names (mon, tue, ...); programs disagree on which day is 0")
    return (
        tuple(sorted(_field("minute", minute, 0, 59))),
        tuple(sorted(_field("hour", hour, 0, 23))),
        None if day == "*" else _field("day", day, 1, 31),
        _field("month", month.lower(), 1, 12, MONTHS),
        None if weekday == "*" else frozenset(number - 1 for number in _field("weekday", weekday.lower(), 1, 7, WEEKDAYS)),
    )


def _field(name: str, text: str, low: int, high: int, words: tuple[str, ...] = ()) -> frozenset[int]:
    def number(word: str) -> int:
        if word in words:
            return words.index(word) + 1
        if not (word.isascii() and word.isdigit() and len(word) <= 2 and low <= int(word) <= high):
            raise ValueError(f"{name} {text!r}: {word!r} is not in {low}..{high}" + (f" or one of {', '.join(words)}" if words else ""))
        return int(word)

    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        if slash and not (step_text.isascii() and step_text.isdigit() and 1 <= int(step_text) <= high):
            raise ValueError(f"{name} {text!r}: {step_text!r} is no step")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            left, _, right = span.partition("-")
            first, last = number(left), number(right)
            if first > last:
                raise ValueError(f"{name} {text!r}: {span!r} runs backwards")
        else:
            first = number(span)
            last = high if slash else first
        found.update(range(first, last + 1, int(step_text) if slash else 1))
    return frozenset(found)


def _on_day(cron: str, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    minutes, hours, days, months, weekdays = _parse(cron)
    if day.month not in months or not _is_day(day, days, weekdays):
        return
    # fold=0 reads a skipped time with the offset before the change, and a repeated one as the first of the two (PEP 495)
    times = {datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC) for hour in hours for minute in minutes}
    yield from sorted(times)


def _is_day(day: date, days: frozenset[int] | None, weekdays: frozenset[int] | None) -> bool:
    """As cron has it: where day of month and weekday are both restricted, either will do."""
    of_month, of_week = days is None or day.day in days, weekdays is None or day.weekday() in weekdays
    return of_month or of_week if days is not None and weekdays is not None else of_month and of_week
