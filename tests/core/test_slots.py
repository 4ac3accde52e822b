"""The slot calendar."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.core.model import Schedule
from auditor.core.slots import check_cron, newest_slot, next_slot, offset_of, slots

BERLIN_NIGHTLY = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(schedule: Schedule, first: str, last: str, offset_s: int = 0) -> list[str]:
    return [slot.strftime("%d %H:%M:%S") for slot in slots(schedule, at(first), at(last), offset_s=offset_s)]


def test_an_interval_counts_from_midnight_and_takes_the_end_but_not_the_beginning() -> None:
    assert between(Schedule(every_s=900), "2026-11-23T10:00", "2026-11-23T10:45") == ["23 10:15:00", "23 10:30:00", "23 10:45:00"]


def test_an_offset_moves_every_slot_by_the_same_time() -> None:
    assert between(Schedule(every_s=900), "2026-11-23T10:00", "2026-11-23T10:45", 7) == ["23 10:00:07", "23 10:15:07", "23 10:30:07"]


def test_a_local_time_that_autumn_repeats_is_one_slot() -> None:
    assert between(BERLIN_NIGHTLY, "2026-10-24T12:00", "2026-10-26T12:00") == ["25 00:30:00", "26 01:30:00"]


def test_a_local_time_that_spring_skips_is_still_owed_that_day() -> None:
    assert between(BERLIN_NIGHTLY, "2026-03-28T12:00", "2026-03-30T12:00") == ["29 01:30:00", "30 00:30:00"]


def test_every_quarter_of_an_hour_by_crontab_has_no_doubles_over_either_clock_change() -> None:
    quarterly = Schedule(cron="*/15 * * * *", timezone="Europe/Berlin")
    for first, last, expected in (("2026-03-28T23:00", "2026-03-29T23:00", 96), ("2026-10-24T23:00", "2026-10-25T23:00", 92)):
        found = between(quarterly, first, last)
        assert len(found) == len(set(found)) == expected, "the repeated hour of autumn has its four slots once"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 6 * * mon", ["23 06:00:00"]),
        ("0 6 * * mon-fri", ["23 06:00:00", "24 06:00:00", "25 06:00:00", "26 06:00:00", "27 06:00:00"]),
        ("0 6 24 * *", ["24 06:00:00"]),
        ("0 6 24 * mon", ["23 06:00:00", "24 06:00:00"]),
        ("0 6,18 24 nov *", ["24 06:00:00", "24 18:00:00"]),
        ("0 0-12/6 24 11 *", ["24 00:00:00", "24 06:00:00", "24 12:00:00"]),
        ("50/5 6 24 * *", ["24 06:50:00", "24 06:55:00"]),
        ("0 6 * jan *", []),
    ],
)
def test_a_crontab_line_names_these_slots_of_a_week(line: str, expected: list[str]) -> None:
    assert between(Schedule(cron=line), "2026-11-22T23:59", "2026-11-29T23:59") == expected


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0 6 * *", "five fields"),
        ("0 6 * * 1", "write names"),
        ("0 6 * * mon-xyz", "'xyz'"),
        ("60 6 * * *", "'60' is not in 0..59"),
        ("0 24 * * *", "'24'"),
        ("0 6 0 * *", "'0'"),
        ("0 6 * 13 *", "'13'"),
        ("30-10 6 * * *", "backwards"),
        ("*/0 6 * * *", "no step"),
        ("*/x 6 * * *", "no step"),
        ("² 6 * * *", "'²'"),
        (", 6 * * *", "''"),
    ],
)
def test_a_wrong_crontab_line_is_refused_by_name(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_cron(line)


def test_the_next_slot_of_a_leap_day_is_years_ahead_and_of_no_day_is_none() -> None:
    assert next_slot(Schedule(cron="0 0 29 feb *"), at("2026-11-23T00:00")) == at("2028-02-29T00:00")
    assert next_slot(Schedule(cron="0 0 31 feb *"), at("2026-11-23T00:00")) is None
    assert newest_slot(Schedule(cron="0 0 31 feb *"), at("2026-11-23T00:00")) is None


@given(
    moment=st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2030, 1, 1)),
    schedule=st.one_of(
        st.integers(60, 86400).map(lambda seconds: Schedule(every_s=seconds)),
        st.sampled_from([BERLIN_NIGHTLY, Schedule(cron="7 */3 * * mon-fri", timezone="America/New_York"), Schedule(cron="0 12 1 * *")]),
    ),
    offset_s=st.integers(0, 3600),
)
def test_newest_and_next_enclose_any_moment(moment: datetime, schedule: Schedule, offset_s: int) -> None:
    moment = moment.replace(tzinfo=UTC)
    before, after = newest_slot(schedule, moment, offset_s=offset_s), next_slot(schedule, moment, offset_s=offset_s)
    assert before is not None
    assert after is not None
    assert before <= moment < after
    assert list(slots(schedule, before, after, offset_s=offset_s)) == [after]
    assert next_slot(schedule, before - timedelta(microseconds=1), offset_s=offset_s) == before


def test_an_offset_is_fixed_by_the_name_and_within_the_spread() -> None:
    offsets = [offset_of(f"target-{number}", spread_s=60) for number in range(200)]
    assert offsets == [offset_of(f"target-{number}", spread_s=60) for number in range(200)]
    assert set(offsets) <= set(range(60))
    assert len(set(offsets)) > 40
    assert offset_of("anything", spread_s=0) == 0
