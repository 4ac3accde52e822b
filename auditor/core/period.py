"""Periods as people name them: a day, an ISO week, a month, from one day to another. Pure; days are UTC unless a zone is given."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FORMS = "2026-11-24, 2026-W47, 2026-11, 2026-11-01..2026-11-15, today, this-week, last-week, this-month, last-month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From the begin of the day `first` to the end of the day `last`, by the clocks of `zone`. `name` is how it was asked for."""

    name: str
    first: date
    last: date
    zone: str = "UTC"

    @property
    def start(self) -> datetime:
        return self._midnight(self.first)

    @property
    def end(self) -> datetime:
        """The first instant that is no longer in it."""
        return self._midnight(self.last + timedelta(days=1))

    @property
    def key(self) -> str:
        """One name for the same days, however they were asked for: `2026-W47`, `2026-11`, `2026-11-24`, else `2026-11-01_2026-11-15`."""
        if self.first == self.last:
            return self.first.isoformat()
        if self.first.weekday() == 0 and self.last == self.first + timedelta(days=6):
            return f"{self.first:%G-W%V}"
        if self.first.day == 1 and self.last == _end_of_month(self.first):
            return f"{self.first:%Y-%m}"
        return f"{self.first.isoformat()}_{self.last.isoformat()}"

    def _midnight(self, day: date) -> datetime:
        # a midnight that a clock change skips is read with the offset before the change (PEP 495), which is its first instant all the same
        return datetime.combine(day, time.min, tzinfo=ZoneInfo(self.zone) if self.zone != "UTC" else UTC).astimezone(UTC)


def parse_period(text: str, *, today: date, zone: str = "UTC") -> Period:
    """The period that `text` names, one of `FORMS`; words count from `today`. Its days begin and end by the clocks of `zone`.

    Raises:
        ValueError: It names none; the message says why.
    """
    try:
        period = replace(_parsed(text, today=today), zone=zone)
        _ = period.start, period.end
    except OverflowError:
        raise ValueError(f"{text!r} is beyond what a calendar has") from None
    return period


def _parsed(text: str, *, today: date) -> Period:
    named = _WORDS.get(text)
    if named is not None:
        first, last = named(today)
        return Period(name=text, first=first, last=last)
    if match := re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII):
        return _week(text, int(match[1]), int(match[2]))
    if match := re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII):
        first = _day(f"{text}-01")
        return Period(name=text, first=first, last=_end_of_month(first))
    start, dots, end = text.partition("..")
    first, last = _day(start), _day(end if dots else start)
    if last < first:
        raise ValueError(f"{text!r} ends before it begins")
    return Period(name=text, first=first, last=last)


def _week(text: str, year: int, week: int) -> Period:
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:
        raise ValueError(f"{text!r}: there is no such week") from None
    return Period(name=text, first=monday, last=monday + timedelta(days=6))


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(f"{text!r} is no period: write one of {FORMS}")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}: there is no such day") from None


def _end_of_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


_WORDS: dict[str, Callable[[date], tuple[date, date]]] = {
    "today": lambda today: (today, today),
    "this-week": lambda today: (_monday(today), _monday(today) + timedelta(days=6)),
    "last-week": lambda today: (_monday(today) - timedelta(days=7), _monday(today) - timedelta(days=1)),
    "this-month": lambda today: (today.replace(day=1), _end_of_month(today.replace(day=1))),
    "last-month": lambda today: ((today.replace(day=1) - timedelta(days=1)).replace(day=1), today.replace(day=1) - timedelta(days=1)),
}
