"""States of one target over time, as the store gives them back: in the order of recording, also where the clock was set back."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from auditor.core.coverage import MissedBecause, Terms
from auditor.core.model import (
    Approval,
    Direction,
    Drift,
    DriftEvent,
    EventState,
    Fact,
    FieldChange,
    JsonType,
    ProfileField,
    ReadOutcome,
    Revocation,
    Severity,
    State,
    TargetText,
)
from auditor.errors import StoreError
from auditor.store.calendar import Planned
from auditor.store.history import Sighting
from auditor.store.store import Store

HOUR = timedelta(hours=1)
TOOK = timedelta(milliseconds=212, microseconds=345)


def shows(store: Store, made: SimpleNamespace, *reads: tuple[int, int | None], target: str = "cmd-01") -> None:
    """Record `reads`: hours after noon, and the port that is shown, None for a read in vain."""
    for hours, port in reads:
        at = made.noon + hours * HOUR
        concluded = made.trouble(target, at=at) if port is None else made.follow(store, made.assessment(target, port=port, at=at))
        made.record(store, concluded)


def ports(store: Store, by: datetime | None = None) -> list[tuple[object, int]]:
    return [(store.snapshot(one.digest).facts["Port"].value, one.reads) for one in store.stretches("cmd-01", by=by)]


def test_reads_in_a_row_that_show_one_state_are_one_stretch(store: Store, made: SimpleNamespace) -> None:
    shows(store, made, (0, 587), (1, 587), (2, None), (3, 587), (4, 25), (5, 587))

    found = store.stretches("cmd-01")

    assert ports(store) == [(587, 3), (25, 1), (587, 1)]
    assert [(one.first_seen, one.last_seen) for one in found] == [
        (made.noon + TOOK, made.noon + 3 * HOUR),
        (made.noon + 4 * HOUR + TOOK, made.noon + 4 * HOUR),
        (made.noon + 5 * HOUR + TOOK, made.noon + 5 * HOUR),
    ]
    assert found[0].digest == found[2].digest == made.snapshot(port=587).digest


def test_a_target_that_was_never_read_or_only_in_vain_has_no_stretch(store: Store, made: SimpleNamespace) -> None:
    assert store.stretches("cmd-01") == ()
    shows(store, made, (0, None))
    assert store.stretches("cmd-01") == ()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (timedelta(microseconds=-1), []),
        (timedelta(0), [(587, 1)]),
        (2 * HOUR - timedelta(microseconds=1), [(587, 2)]),
        (2 * HOUR, [(587, 2), (25, 1)]),
        (100 * HOUR, [(587, 2), (25, 2)]),
    ],
    ids=["before the first read", "as it began", "just before the change", "as the change was read", "long after"],
)
def test_a_state_is_seen_from_the_begin_of_the_read_that_shows_it(
    store: Store, made: SimpleNamespace, by: timedelta, expected: list[tuple[object, int]]
) -> None:
    shows(store, made, (0, 587), (1, 587), (2, 25), (3, 25))

    assert ports(store, made.noon + by) == expected


def test_where_the_clock_was_set_back_the_state_is_the_one_recorded_last(store: Store, made: SimpleNamespace) -> None:
    shows(store, made, (0, 587), (4, 25), (1, 465))

    assert ports(store) == [(587, 1), (25, 1), (465, 1)]
    assert ports(store, made.noon) == [(587, 1)]
    assert ports(store, made.noon + 2 * HOUR) == [(587, 1), (25, 1), (465, 1)]  # 25 was seen before 465, whatever the clock said
    assert ports(store, made.noon + 5 * HOUR)[-1] == (465, 1)


def test_a_digest_names_its_snapshot_and_who_showed_it_last(store: Store, made: SimpleNamespace) -> None:
    shows(store, made, (0, 587), (1, 25))
    shows(store, made, (2, 587), target="cmd-02")
    digest, other = made.snapshot(port=587).digest, made.snapshot(port=25).digest

    assert store.snapshots_like(digest[:8]) == (Sighting(digest=digest, target="cmd-02", last_seen=made.noon + 2 * HOUR),)
    assert store.snapshots_like(other) == (Sighting(digest=other, target="cmd-01", last_seen=made.noon + HOUR),)
    assert {one.digest for one in store.snapshots_like("")} == {digest, other}
    assert store.snapshots_like("%") == ()
    assert store.snapshot(digest) == made.snapshot(port=587)
    with pytest.raises(StoreError, match=f"there is no snapshot {'0' * 64}"):
        store.snapshot("0" * 64)


# --- history ------------------------------------------------------------------------------------------------------


def test_reads_in_vain_are_told_as_runs_between_good_reads(store: Store, made: SimpleNamespace) -> None:
    for hours, outcome in (
        (0, "forbidden"),
        (1, "observed"),
        (2, "timeout"),
        (3, "timeout"),
        (4, "dns_failed"),
        (5, "timeout"),
        (6, "observed"),
        (7, "timeout"),
    ):
        at = made.noon + hours * HOUR
        is_good = outcome == "observed"
        made.record(store, made.follow(store, made.assessment(at=at)) if is_good else made.trouble(at=at, outcome=ReadOutcome(outcome)))

    found = [(s.outcomes, s.first, s.last, s.reads, s.before, s.after) for s in store.history("cmd-01").spells]

    at = [made.noon + hours * HOUR for hours in range(8)]
    assert found == [
        ((ReadOutcome.FORBIDDEN,), at[0], at[0], 1, None, at[1]),
        ((ReadOutcome.TIMEOUT, ReadOutcome.DNS_FAILED), at[2], at[5], 4, at[1], at[6]),
        ((ReadOutcome.TIMEOUT,), at[7], at[7], 1, at[6], None),
    ]


def test_a_target_that_the_store_does_not_know_has_its_approvals_alone(store: Store, made: SimpleNamespace) -> None:
    given = approval(made.noon)
    store.approve([given])

    found = store.history("cmd-01")

    assert (found.approvals, found.first_read, found.stretches, found.events) == ((given,), None, (), ())


def test_a_rename_keeps_the_history_and_is_told_with_its_time(store: Store, made: SimpleNamespace) -> None:
    shows(store, made, (0, 587), (1, 25), target="old")
    at = made.noon + 2 * HOUR
    text = TargetText(name="cmd-01", url="https://command.corp.example")
    store.take_stock([Planned(text=text, terms=Terms(since=at, schedule=None), renamed_from="old")], at, because=MissedBecause.NOT_RUNNING)

    found = store.history("cmd-01")

    assert (found.names, found.first_read, len(found.stretches)) == ((("old", at),), made.noon, 2)
    assert store.history("old").stretches == ()


def test_every_recorded_change_is_in_the_history_the_oldest_first(store: Store, made: SimpleNamespace) -> None:
    shows(store, made, (0, 587))
    for number in range(25):  # more than a standing has
        at = made.noon + (number + 1) * HOUR
        made.record(store, replace(made.follow(store, made.assessment(port=1000 + number, at=at)), changes=(port_change(number),)))

    found = store.history("cmd-01").moved

    assert [one.changes[0].after for one in found] == [str(number) for number in range(25)]
    assert (found[0].not_before, found[0].not_after) == (made.noon, made.noon + HOUR)


# --- where it stood -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "port", "outcome"),
    [
        (-HOUR, None, None),
        (timedelta(0), 587, "observed"),
        (2 * HOUR - timedelta(microseconds=1), 587, "observed"),
        (2 * HOUR, 25, "observed"),
        (3 * HOUR, 25, "forbidden"),
        (9 * HOUR, 465, "observed"),
    ],
)
def test_a_target_stood_as_the_last_read_by_then_says(
    store: Store, made: SimpleNamespace, by: timedelta, port: int | None, outcome: str | None
) -> None:
    shows(store, made, (0, 587), (2, 25), (3, None), (4, 465))

    found = store.standing_at("cmd-01", made.noon + by)

    if port is None:
        assert found is None
        return
    assert found is not None
    assert found.assessment is not None
    assert found.assessment.observation.outcome.value == outcome
    assert found.last_snapshot == made.snapshot(port=port)
    assert store.standing_at("cmd-02", made.noon) is None


def test_a_past_standing_is_the_one_that_was_given_back_then(store: Store, made: SimpleNamespace) -> None:
    shows(store, made, (0, 587))
    event = drift_event(made, made.noon + HOUR)
    made.record(store, replace(made.follow(store, made.assessment(port=25, at=made.noon + HOUR)), drift=Drift(opened=(event,), open=(event,))))
    store.approve([approval(made.noon + HOUR)])
    (then,) = store.standings(["cmd-01"])

    (is_open,), _ = store.drift_of("cmd-01", ended_since=made.noon)
    ended = replace(is_open, state=EventState.RETURNED, ended_after=made.noon + HOUR, ended_by=made.noon + 2 * HOUR)
    made.record(store, replace(made.follow(store, made.assessment(port=587, at=made.noon + 2 * HOUR)), drift=Drift(ended=(ended,))))
    store.revoke(approval(made.noon).digest, Revocation(by="Eve", reason="no", at=made.noon + 2 * HOUR))
    store.approve([replace(approval(made.noon + 2 * HOUR), by="Bob")])

    assert store.standing_at("cmd-01", made.noon + HOUR) == then
    (now,) = store.standings(["cmd-01"])
    assert store.standing_at("cmd-01", made.noon + 9 * HOUR) == now


# --- made here ----------------------------------------------------------------------------------------------------


def port_change(number: int) -> FieldChange:
    return FieldChange(field="Port", kind="value", direction=Direction.NEUTRAL, severity=Severity.LOW, before="1", after=str(number))


def approval(at: datetime) -> Approval:
    value = ProfileField(fact=Fact(State.VALUE, 587))
    return Approval(target="cmd-01", field="Port", value=value, by="Ada", reason="r", approved_at=at, recorded_at=at, account="root", host="audit01")


def drift_event(made: SimpleNamespace, at: datetime) -> DriftEvent:
    return DriftEvent(
        target="cmd-01",
        change=FieldChange(field="Port", kind="value", direction=Direction.DOWNGRADE, severity=Severity.HIGH, before="587", after="25"),
        reference=ProfileField(fact=Fact(State.VALUE, 587, JsonType.INTEGER)),
        value=ProfileField(fact=Fact(State.VALUE, 25, JsonType.INTEGER)),
        is_deviation=False,
        is_change=True,
        not_before=made.noon,
        not_after=at,
    )
