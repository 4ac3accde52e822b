"""Runs that end together are written together, and come to what they would have come to one by one."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select, text

from auditor.core.coverage import MissedBecause, Terms
from auditor.core.model import Assessment, Memory, PolicyText, Schedule, TargetText
from auditor.core.notices import Alerting, Route
from auditor.errors import StoreError
from auditor.store import tables
from auditor.store.calendar import Planned
from auditor.store.run import Run
from auditor.store.store import Store
from auditor.store.together import Together
from tests.store.test_store_approvals import approval

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALERTING = Alerting(routes=(Route(channel="mail"),))


def together_of(*batches: list[int], fails: frozenset[int] = frozenset(), at_most: int = 8) -> tuple[list[list[int]], dict[int, Any]]:
    """What is done at once, and what each gets: the first batch is held up until all the others wait."""
    done: list[list[int]] = []
    got: dict[int, Any] = {}
    may_go, has_begun = threading.Event(), threading.Event()

    def act(given: Any) -> list[int]:
        if not done:
            has_begun.set()
            may_go.wait(10)
        done.append(list(given))
        if fails.intersection(given):
            raise ValueError(f"not {sorted(fails.intersection(given))}")
        return [10 * one for one in given]

    shared: Together[int, int] = Together(act, key=lambda one: one % 100, at_most=at_most)

    def bring(one: int) -> None:
        try:
            got[one] = shared.do(one)
        except ValueError as fault:
            got[one] = str(fault)

    threads = [threading.Thread(target=bring, args=(one,)) for batch in batches for one in batch]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 0:
            assert has_begun.wait(10)
        else:
            while len(shared._queue) < number:
                pass
    may_go.set()
    for thread in threads:
        thread.join(10)
    assert not shared._queue
    assert not shared._is_busy
    return done, got


def test_what_comes_while_one_is_written_is_written_at_once_afterwards() -> None:
    done, got = together_of([1], [2, 3, 4])
    assert done == [[1], [2, 3, 4]]
    assert got == {1: 10, 2: 20, 3: 30, 4: 40}


def test_no_more_are_written_at_once_than_may_be() -> None:
    assert together_of([1], [2, 3, 4, 5, 6], at_most=2)[0] == [[1], [2, 3], [4, 5], [6]]


def test_of_two_with_one_key_the_second_waits_for_what_became_of_the_first() -> None:
    assert together_of([1], [2, 102, 3])[0] == [[1], [2, 3], [102]]


def test_the_fault_of_one_is_not_that_of_the_others() -> None:
    done, got = together_of([1], [2, 3, 4], fails=frozenset({3}))
    assert done == [[1], [2, 3, 4], [2], [3], [4]]
    assert got == {1: 10, 2: 20, 3: "not [3]", 4: 40}


def test_who_is_interrupted_leaves_the_others_someone_to_go_on() -> None:
    begun, calls = threading.Event(), count()

    def act(given: Any) -> list[int]:
        if next(calls) == 0:
            begun.set()
            while len(shared._queue) < 2:
                pass
            raise KeyboardInterrupt
        return list(given)

    shared: Together[int, int] = Together(act, key=lambda one: one, at_most=8)
    faults: list[BaseException] = []
    got: list[int] = []

    def interrupted() -> None:
        try:
            shared.do(1)
        except KeyboardInterrupt as fault:
            faults.append(fault)

    first = threading.Thread(target=interrupted)
    first.start()
    assert begun.wait(10)
    others = [threading.Thread(target=lambda one=one: got.append(shared.do(one))) for one in (2, 3)]
    for thread in others:
        thread.start()
    for thread in (first, *others):
        thread.join(10)
    assert (len(faults), sorted(got)) == (1, [2, 3])


# --- the store ----------------------------------------------------------------------------------------------------


def run_of(made: Any, concluded: Assessment, **given: Any) -> Run:
    read = concluded.observation

    def conclude(seen: Any, past: Any, _stored: Any) -> Assessment:
        before = past.previous
        return replace(
            concluded,
            observation=seen,
            previous_at=before[0] if before else None,
            previous_digest=before[1].digest if before else None,
        )

    fields = {
        "target": TargetText(name=read.target, url="https://command.corp.example"),
        "memory": Memory(identity=read.target),
        "policy": PolicyText.from_document(made.policy),
        "policy_document": made.policy,
        "alerting": ALERTING,
        "due_at": read.started_at,
        "look_back": 30 * DAY,
    }
    return Run(observation=read, conclude=conclude, **(fields | given))


def story(made: Any) -> list[list[Run]]:
    """Four days of five targets: some are read with trouble, some say something else, one is never in the calendar."""
    days = []
    for day in range(4):
        runs = []
        for number in range(5):
            at = made.noon + day * DAY + number * timedelta(seconds=1)
            fails = (day + number) % 4 == 3
            one = made.trouble(f"cmd-0{number}", at=at) if fails else made.assessment(f"cmd-0{number}", at=at, port=25 if day == 2 else 587)
            runs.append(run_of(made, replace(one, observation=replace(one.observation, slot=None))))
        days.append(runs)
    return days


def planned(names: list[str]) -> list[Planned]:
    terms = Terms(since=datetime(2026, 11, 2, tzinfo=UTC), schedule=Schedule(every_s=3600))
    return [Planned(text=TargetText(name=name, url="https://command.corp.example"), terms=terms) for name in names]


def all_rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store._engine.connect() as connection:
        return {table.name: [tuple(row) for row in connection.execute(select(table))] for table in tables.METADATA.sorted_tables}


def told_by_content(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, Any]:
    """What is on record without the numbers that depend on the order of writing: of the observations, what the ledger says of each."""
    documents = {table.name: sorted(row[1:] for row in rows[table.name]) for table in tables.DOCUMENTS}
    return documents | {
        "memories": sorted(rows["memories"], key=str),
        "told": sorted(rows["told"]),
        "gaps": sorted(row[1:] for row in rows["gaps"]),
        "targets": sorted(rows["targets"]),
        "judgements": sorted(row[1] for row in rows["judgements"]),
        "digests": sorted(row[3] for row in rows["ledger"]),
        "notices": sorted(row[3] for row in rows["notices"]),
        "deliveries": len(rows["deliveries"]),
    }


@pytest.fixture
def other(tmp_path: Any) -> Any:
    with Store.open(f"sqlite:///{(tmp_path / 'other.db').as_posix()}", create=True) as store:
        yield store


def test_runs_written_together_come_to_the_same_as_one_by_one(store: Store, other: Store, made: Any) -> None:
    for each in (store, other):
        each.take_stock(planned([f"cmd-0{number}" for number in range(4)]), made.noon - HOUR, because=MissedBecause.NOT_RUNNING)
    for runs in story(made):
        store._record(runs)
        for run in runs:
            other.conclude(run)
    alone, at_once = told_by_content(all_rows(other)), told_by_content(all_rows(store))
    assert at_once == alone
    assert store.verify().fault is None
    assert other.verify().fault is None
    assert store.verify().records == other.verify().records > 20


def test_a_run_that_cannot_be_recorded_costs_the_others_nothing(store: Store, made: Any) -> None:
    good = made.assessment("cmd-01")
    store.conclude(run_of(made, good))
    wrong = replace(good, judgement=replace(good.judgement, findings=(made.finding(port=25),)))
    wrong = replace(wrong, observation=replace(wrong.observation, target="cmd-02"))
    with pytest.raises(StoreError, match="other findings"):
        store._record([run_of(made, made.assessment("cmd-03")), run_of(made, wrong)])
    assert store.latest("cmd-03") is None, "all or nothing"
    assert store.conclude(run_of(made, made.assessment("cmd-03"))).observation.target == "cmd-03"
    assert store.verify().fault is None


def test_what_is_known_by_heart_is_forgotten_once_another_writes(store: Store, made: Any) -> None:
    store.conclude(run_of(made, made.assessment(at=made.noon)))
    with Store.open(f"sqlite:///{store._path.as_posix()}", create=False) as elsewhere:
        elsewhere.conclude(run_of(made, made.assessment(at=made.noon + HOUR, port=25), memory=Memory(identity="elsewhere")))
    after = store.conclude(run_of(made, made.assessment(at=made.noon + 2 * HOUR)))
    assert after.previous_at == made.noon + HOUR, "the read of the other process is the one before this"
    assert store.memory("cmd-01") == Memory(identity="cmd-01")
    assert store.verify().fault is None


def test_an_approval_given_between_two_reads_counts_in_the_second(store: Store, made: Any) -> None:
    pasts = []

    def looking(run: Run) -> Run:
        def conclude(seen: Any, past: Any, stored: Any) -> Assessment:
            pasts.append(past)
            return run.conclude(seen, past, stored)

        return replace(run, conclude=conclude)

    store.conclude(looking(run_of(made, made.assessment(at=made.noon))))
    store.approve([approval(target="cmd-01", approved_at=made.noon, recorded_at=made.noon)])
    store.conclude(looking(run_of(made, made.assessment(at=made.noon + HOUR))))
    assert [len(past.approvals) for past in pasts] == [0, 1]


def test_what_prune_removed_is_not_referred_to_by_heart(store: Store, made: Any) -> None:
    for day in range(3):
        store.conclude(run_of(made, made.assessment(at=made.noon + day * DAY, port=25 if day == 0 else 587)))
    store.prune(before=made.noon + 2 * DAY, at=made.noon + 3 * DAY, reason="old", recorder={"account": "a", "host": "h"})
    store.conclude(run_of(made, made.assessment(at=made.noon + 4 * DAY, port=25)))
    with store._engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    assert store.latest("cmd-01") is not None
    assert store.verify().fault is None


def test_a_slot_is_served_by_the_first_of_two_runs_alone(store: Store, made: Any) -> None:
    store.take_stock(planned(["cmd-01"]), made.noon - HOUR, because=MissedBecause.NOT_RUNNING)
    first, second = (store.conclude(run_of(made, made.assessment(at=made.noon + minute * timedelta(minutes=1)))) for minute in (1, 2))
    assert (first.observation.slot, second.observation.slot) == (made.noon, None)
