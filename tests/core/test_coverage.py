"""Coverage: expected = on time + late + failed + missed, whatever the terms were and whatever the clocks did."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from auditor.core.coverage import Served, SlotState, Terms, cover, newest_owed, owed, state_of
from auditor.core.model import ReadOutcome, Schedule

DAY = timedelta(days=1)
HOURLY = Schedule(every_s=3600)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def terms(since: str = "2026-11-01T00:00", schedule: Schedule | None = HOURLY, **others: object) -> Terms:
    return Terms(since=at(since), schedule=schedule, **others)  # type: ignore[arg-type]


def count(*agreed: Terms, first: str, last: str) -> int:
    return sum(1 for _ in owed(agreed, at(first), at(last)))


def test_a_day_of_an_hourly_schedule_owes_24() -> None:
    assert count(terms(), first="2026-11-09T23:59", last="2026-11-10T23:59") == 24


@pytest.mark.parametrize(("day", "slots"), [("2026-03-29", 23), ("2026-10-25", 24), ("2026-10-26", 24)])
def test_a_local_hour_that_is_skipped_or_repeated_is_owed_once(day: str, slots: int) -> None:
    """On 29 March 02:00 to 03:00 does not exist in Berlin; on 25 October it happens twice."""
    berlin = Schedule(cron="0 * * * *", timezone="Europe/Berlin")
    begin = datetime.fromisoformat(f"{day}T00:00").astimezone(UTC).replace(tzinfo=UTC)
    local = [slot.astimezone(ZoneInfo("Europe/Berlin")).date() for slot, _ in owed([terms("2026-01-01", berlin)], begin - DAY, begin + 2 * DAY)]
    assert local.count(date.fromisoformat(day)) == slots


def test_a_new_schedule_owes_from_the_moment_it_is_known() -> None:
    agreed = (terms(), terms("2026-11-10T12:30", Schedule(every_s=1800)))
    assert count(*agreed, first="2026-11-10T00:00", last="2026-11-10T12:30") == 12
    assert count(*agreed, first="2026-11-10T12:30", last="2026-11-10T14:00") == 3


def test_a_slot_at_the_moment_of_change_belongs_to_the_old_terms() -> None:
    agreed = (terms(), terms("2026-11-10T12:00", Schedule(every_s=1800)))
    found = [(slot, one.schedule) for slot, one in owed(agreed, at("2026-11-10T11:30"), at("2026-11-10T12:30"))]
    assert found == [(at("2026-11-10T12:00"), HOURLY), (at("2026-11-10T12:30"), Schedule(every_s=1800))]


@pytest.mark.parametrize(
    ("agreed", "slots"),
    [
        (terms(paused_until=date(2026, 11, 9), paused_reason="move"), 24),
        (terms(paused_until=date(2026, 11, 10), paused_reason="move"), 0),
        (terms(paused_until=date(2026, 11, 11), paused_reason="move"), 0),
        (terms(retired_on=date(2026, 11, 9)), 0),
        (terms(retired_on=date(2026, 11, 10)), 0),
        (terms(retired_on=date(2026, 11, 11)), 24),
        (terms(schedule=None), 0),
    ],
    ids=["paused until the day before", "paused that day", "paused beyond", "retired before", "retired that day", "retired after", "left"],
)
def test_paused_and_retired_targets_owe_nothing(agreed: Terms, slots: int) -> None:
    assert count(agreed, first="2026-11-09T23:59", last="2026-11-10T23:59") == slots


@pytest.mark.parametrize(
    ("seconds", "outcome", "expected"),
    [
        (0, ReadOutcome.OBSERVED, SlotState.ON_TIME),
        (300, ReadOutcome.OBSERVED, SlotState.ON_TIME),
        (301, ReadOutcome.OBSERVED, SlotState.LATE),
        (301, ReadOutcome.NOT_CONFIGURED, SlotState.LATE),
        (0, ReadOutcome.NOT_CONFIGURED, SlotState.ON_TIME),
        (0, ReadOutcome.TIMEOUT, SlotState.FAILED),
        (301, ReadOutcome.BACKING_OFF, SlotState.FAILED),
    ],
)
def test_what_became_of_a_slot(seconds: int, outcome: ReadOutcome, expected: SlotState) -> None:
    slot = at("2026-11-10T12:00")
    assert state_of(slot, terms(), Served(started_at=slot + timedelta(seconds=seconds), outcome=outcome)) is expected
    assert state_of(slot, terms(), None) is SlotState.MISSED


def served(*hours: int, outcome: ReadOutcome = ReadOutcome.OBSERVED) -> dict[datetime, Served]:
    slots = [at(f"2026-11-10T{hour:02}:00") for hour in hours]
    return {slot: Served(started_at=slot, outcome=outcome) for slot in slots}


def test_the_counts_add_up_and_gaps_are_runs() -> None:
    reads = served(*range(5), *range(12, 23)) | served(5, 6, outcome=ReadOutcome.TIMEOUT)
    why = [(at("2026-11-10T07:00"), at("2026-11-10T11:00"), "not_running")]
    found = cover(
        "prod",
        [terms()],
        reads,
        after=at("2026-11-09T23:59"),
        until=at("2026-11-10T23:59"),
        settled_until=at("2026-11-10T22:00"),
        why_missed=why,
    )
    assert (found.total.expected, found.total.on_time, found.total.failed, found.total.missed) == (23, 16, 2, 5)
    assert found.open == at("2026-11-10T23:00"), "the newest slot can still be served: it counts for nothing yet"
    (gap,) = found.gaps
    assert (gap.id, gap.count, gap.because) == ("gap:prod/2026-11-10T05:00Z", 7, ("timeout", "not_running"))
    assert (gap.first, gap.last) == (at("2026-11-10T05:00"), at("2026-11-10T11:00"))


def test_a_gap_is_told_from_its_begin_before_the_period() -> None:
    found = cover(
        "prod",
        [terms("2026-11-09T12:00")],
        {},
        after=at("2026-11-09T23:59"),
        until=at("2026-11-10T02:30"),
        settled_until=at("2026-11-10T02:00"),
        look_back=40 * DAY,
    )
    assert [gap.id for gap in found.gaps] == ["gap:prod/2026-11-09T13:00Z"]
    assert found.total.expected == 3


def test_days_sum_up_to_the_total() -> None:
    found = cover("prod", [terms()], {}, after=at("2026-11-09T23:59"), until=at("2026-11-12T12:30"), settled_until=at("2026-11-12T12:00"))
    assert {day: tally.missed for day, tally in found.days.items()} == {date(2026, 11, 10): 24, date(2026, 11, 11): 24, date(2026, 11, 12): 13}
    assert found.total.expected == sum(tally.expected for tally in found.days.values())


@pytest.mark.parametrize(("moment", "expected"), [("2026-11-10T11:59", "2026-11-10T11:00"), ("2026-11-10T12:00", "2026-11-10T12:00")])
def test_the_newest_slot_is_owed_from_its_instant_on(moment: str, expected: str) -> None:
    assert newest_owed([terms()], at(moment)) == at(expected)


def test_nothing_is_owed_before_the_first_terms_or_without_any() -> None:
    assert newest_owed([], at("2026-11-10T12:00")) is None
    assert newest_owed([terms("2026-11-10T12:00")], at("2026-11-10T12:59")) is None


def agreed_forms() -> Iterable[Terms]:
    yield terms()
    yield terms(schedule=None)
    yield terms(schedule=Schedule(cron="0 6 * * mon-fri", timezone="Europe/Berlin"), offset_s=17, late_after_s=60)
    yield terms(paused_until=date(2026, 12, 31), paused_reason="переезд", retired_on=date(2027, 1, 1))


@pytest.mark.parametrize("one", list(agreed_forms()))
def test_terms_come_back_from_their_document(one: Terms) -> None:
    assert Terms.from_document(one.document(), since=one.since) == one
    with pytest.raises(ValueError, match="unknown terms schema"):
        Terms.from_document({**one.document(), "schema": "terms/2"}, since=one.since)
    assert replace(one, since=at("2027-01-01T00:00")).document() == one.document()
