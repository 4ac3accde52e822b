"""Periods as people name them."""

from datetime import UTC, date, datetime

import pytest

from auditor.core.period import parse_period

TODAY = date(2026, 11, 24)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-24", date(2026, 11, 24), date(2026, 11, 24)),
        ("2026-W47", date(2026, 11, 16), date(2026, 11, 22)),
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        ("2026-11", date(2026, 11, 1), date(2026, 11, 30)),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
        ("2026-11-01..2026-11-15", date(2026, 11, 1), date(2026, 11, 15)),
        ("2026-11-01..2026-11-01", date(2026, 11, 1), date(2026, 11, 1)),
        ("today", TODAY, TODAY),
        ("this-week", date(2026, 11, 23), date(2026, 11, 29)),
        ("last-week", date(2026, 11, 16), date(2026, 11, 22)),
        ("this-month", date(2026, 11, 1), date(2026, 11, 30)),
        ("last-month", date(2026, 10, 1), date(2026, 10, 31)),
    ],
)
def test_a_period_has_a_first_and_a_last_day(text: str, first: date, last: date) -> None:
    period = parse_period(text, today=TODAY)
    assert (period.name, period.first, period.last) == (text, first, last)


def test_it_runs_from_midnight_to_midnight_utc() -> None:
    period = parse_period("2026-11-24", today=TODAY)
    assert (period.start, period.end) == (datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-W54", "2025-W53", "2026-13", "2026-02-30", "2026-11-15..2026-11-01", "2026-11-01..", "..2026-11-01", "soon", "٢٠٢٦-11"],
)
def test_what_names_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no period|no such|ends before"):
        parse_period(text, today=TODAY)
