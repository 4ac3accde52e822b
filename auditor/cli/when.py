"""Points in time as people type them: a whole UTC day, or an instant with its offset."""

import re
from datetime import UTC, date, datetime, time

from auditor.errors import UsageError


def parse_when(text: str, *, option: str, ends: bool) -> datetime:
    """The instant that `text` names, in UTC; of a day its last moment where `ends`, else its first.

    Raises:
        UsageError: It names none, or an instant without its offset.
    """
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return datetime.combine(date.fromisoformat(text), time.max if ends else time.min, tzinfo=UTC)
        if re.match(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", text, re.ASCII):
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is None:
                raise UsageError(f"{option} {text[:32]}: an instant needs its offset", hint=f"{text[:32]}Z is UTC")
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{option} {text[:32]!r} is no date and no instant", hint="2026-11-23 is the whole day (UTC), 2026-11-23T14:30+01:00 an instant")


def day_of(at: datetime) -> tuple[datetime, datetime]:
    """First and last moment of the UTC day of `at`."""
    return datetime.combine(at.date(), time.min, tzinfo=UTC), datetime.combine(at.date(), time.max, tzinfo=UTC)
