"""Retention: what goes and what stays, coverage and ledger after it, who dies at it; and what `db check` and `db stats` find."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from auditor.core.coverage import MissedBecause, Terms
from auditor.core.ledger import Kind
from auditor.core.model import (
    Drift,
    DriftEvent,
    EventState,
    Fact,
    FieldChange,
    JsonType,
    ProfileField,
    ReadOutcome,
    Schedule,
    Shape,
    State,
    TargetText,
)
from auditor.store import care, ledger, notes, schema, sqlite
from auditor.store.calendar import Planned
from auditor.store.condition import Flaw
from auditor.store.store import Store

posix = pytest.mark.skipif(os.name != "posix", reason="needs fork or file modes")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
BY = {"account": "alice", "host": "audit01"}
DOCUMENTS = ("judgements", "findings", "policies", "snapshots", "contexts", "remarks", "changes", "waivers")


def prune(store, before, *, batch=care.BATCH):
    return care.prune(store._writer, store._path, before=before, at=before + 400 * DAY, reason="older than 400d", recorder=BY, batch=batch)


def ask(path, query, *parameters):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, parameters).fetchall()


def left(path):
    return [number for (number,) in ask(path, "SELECT id FROM observations ORDER BY id")]


def edit(path, statement, *parameters):
    with closing(sqlite3.connect(path)) as connection, connection:
        for trigger in ("ledger_refuse_update", "ledger_refuse_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        assert connection.execute(statement, parameters).rowcount > 0


def whole(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def bodies(store, kind):
    return [entry.body for entry in store.entries(kind=kind)]


def opening(port):
    """What a read means that finds this port instead of 587."""
    change = {"field": "Port", "kind": "value", "direction": "neutral", "severity": "low", "before": "587", "after": str(port)}
    seen, before = (ProfileField(fact=Fact(State.VALUE, value, JsonType.INTEGER)) for value in (port, 587))
    drifted = DriftEvent(
        target="cmd-01",
        change=FieldChange.from_document(change),
        reference=before,
        value=seen,
        is_deviation=False,
        is_change=True,
        not_before=None,
        not_after=datetime(2026, 11, 2, tzinfo=UTC),
    )
    return Drift(opened=(drifted,), open=(drifted,))


@pytest.fixture
def varied(store, made):
    """Ten days of two targets: documents of every kind, of which the first five days have some for themselves alone, and the last day the newest."""
    for day in range(10):
        at, port = made.noon + day * DAY, {2: 25, 3: 25, 9: 465}.get(day, 587)
        change = {"field": "Port", "kind": "value", "direction": "neutral", "before": "587", "after": str(port), "severity": "info"}
        seen = made.follow(store, made.assessment(port=port, at=at, changes=(FieldChange.from_document(change),) if day in (2, 9) else ()))
        collected = made.collection(server_date=None, collector_version="0.2.0" if day == 9 else "0.1.0")
        observation = replace(seen.observation, message={1: "odd type", 9: "odd name"}.get(day, ""), collection=collected)
        made.record(store, replace(seen, observation=observation))
        made.record(store, made.trouble("cmd-02", at=at) if day < 3 else made.assessment("cmd-02", at=at))
    return store


# --- what goes and what stays ---

GONE = {"observations": 10, "judgements": 2, "findings": 2, "policies": 0, "snapshots": 1, "contexts": 1, "remarks": 2, "changes": 1, "waivers": 0}
"""What the first five days of `varied` take with them."""


def test_a_dry_run_tells_exactly_what_goes_per_table_and_writes_nothing(varied, path, made):
    before = whole(path)
    foreseen = varied.prunable(before=made.noon + 5 * DAY)
    assert whole(path) == before
    counts = {table: len(ask(path, f"SELECT 1 FROM {table}")) for table in ("observations", *DOCUMENTS)}
    done = prune(varied, made.noon + 5 * DAY, batch=3)
    gone = {table: count - len(ask(path, f"SELECT 1 FROM {table}")) for table, count in counts.items()}
    assert done == replace(foreseen, checkpoint=done.checkpoint)
    assert (done.removed, done.troubles) == (gone, {})
    assert gone == GONE


def test_what_stays_is_given_back_as_before(varied, made):
    latest = [varied.latest(name) for name in ("cmd-01", "cmd-02")]
    prune(varied, made.noon + 5 * DAY)
    assert [varied.latest(name) for name in ("cmd-01", "cmd-02")] == latest
    assert varied.check().flaws == ()


@pytest.mark.parametrize(("late", "gone"), [(-1, 0), (0, 0), (1, 1)])
def test_a_read_goes_once_it_is_older(store, path, made, late, gone):
    made.record(store, made.assessment())
    made.record(store, made.assessment(at=made.noon + DAY))
    made.record(store, made.assessment(at=made.noon + 2 * DAY))
    assert prune(store, made.noon + timedelta(microseconds=late)).removed["observations"] == gone


def test_the_newest_read_and_the_newest_that_saw_the_profile_stay_whatever_their_age(store, path, made):
    for day in range(3):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    for day in range(3, 6):
        made.record(store, made.trouble(at=made.noon + day * DAY))
    assert prune(store, made.noon + 4000 * DAY).kept == 2
    assert left(path) == [3, 6]
    assert store.last_observed("cmd-01") == (made.noon + 2 * DAY, made.snapshot())


def test_the_newest_read_in_each_shape_of_the_api_stays(store, path, made):
    older = replace(made.snapshot(), shape=Shape.V1)
    for day, seen in enumerate((older, older, made.snapshot(), made.snapshot())):
        concluded = made.assessment(at=made.noon + day * DAY)
        judgement = replace(concluded.judgement, key=f"{seen.digest}/x")
        made.record(store, replace(concluded, observation=replace(concluded.observation, snapshot=seen), judgement=judgement))
    prune(store, made.noon + 4000 * DAY)
    assert left(path) == [2, 4]
    assert store.last_observed_as("cmd-01", Shape.V1) == (made.noon + DAY, older)


def test_the_read_that_an_open_drift_event_began_with_stays_and_goes_when_it_has_ended(store, path, made):
    made.record(store, made.assessment())
    made.record(store, made.assessment(at=made.noon + DAY))
    made.record(store, made.follow(store, made.assessment(port=2525, at=made.noon + 2 * DAY, drift=opening(2525))))
    for day in (3, 4):
        made.record(store, made.follow(store, made.assessment(port=2525, at=made.noon + day * DAY)))
    prune(store, made.noon + 4000 * DAY)
    assert left(path) == [2, 3, 4, 5]  # the one before the event, which is what it is measured by, and the one before the newest
    (drifted,), _ = store.drift_of("cmd-01", ended_since=made.noon)
    ended = replace(drifted, state=EventState.RETURNED, ended_after=made.noon + 4 * DAY, ended_by=made.noon + 5 * DAY)
    made.record(store, made.follow(store, made.assessment(at=made.noon + 5 * DAY, drift=Drift(ended=(ended,)))))
    prune(store, made.noon + 4000 * DAY)
    assert left(path) == [5, 6]
    assert store.check().flaws == ()


def test_the_newest_document_stays_so_that_its_number_is_not_used_again(store, path, made):
    for day, port in enumerate((587, 25, 587, 587)):
        made.record(store, made.assessment(port=port, at=made.noon + day * DAY))
    assert prune(store, made.noon + 3 * DAY).removed["snapshots"] == 0
    assert (ask(path, "SELECT max(id) FROM snapshots"), store.check().flaws) == ([(2,)], ())
    made.record(store, made.assessment(port=465, at=made.noon + 4 * DAY))
    assert prune(store, made.noon + 3 * DAY).removed["snapshots"] == 1


def test_nothing_to_prune_writes_nothing(store, path, made):
    made.record(store, made.assessment())
    before = whole(path)
    assert prune(store, made.noon).checkpoint is None
    assert whole(path) == before


def test_the_waivers_that_the_ledger_speaks_of_stay(store, made, path):
    waiver = {"rule": "SMTP-002", "reason": "x"}
    with store._writing() as connection:
        notes.note_waivers(connection, [waiver], made.noon)
    for day in range(3):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    assert prune(store, made.noon + 4000 * DAY).removed["waivers"] == 0
    with store._writing() as connection:
        notes.note_waivers(connection, [waiver], made.noon + DAY)
    assert len(bodies(store, Kind.WAIVERS)) == 1


def test_a_table_that_cannot_be_pruned_does_not_roll_back_the_others_nas_doctor_141(varied, path, made):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TRIGGER stuck BEFORE DELETE ON snapshots BEGIN SELECT RAISE(ABORT, 'stuck'); END")
    done = prune(varied, made.noon + 5 * DAY)
    assert (list(done.troubles), "stuck" in done.troubles["snapshots"]) == (["snapshots"], True)
    assert done.removed == GONE | {"snapshots": 0}
    assert [flaw.kind for flaw in varied.check().flaws] == ["orphans"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER stuck")
    assert prune(varied, made.noon + 5 * DAY).removed["snapshots"] == 1


def test_reads_that_cannot_be_pruned_do_not_keep_the_leftovers_of_others(varied, path, made):
    prune(varied, made.noon + 3 * DAY)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO remarks (id, digest, document) VALUES (0, 'x', 'left over')")
        connection.execute("CREATE TRIGGER stuck BEFORE DELETE ON observations BEGIN SELECT RAISE(ABORT, 'stuck'); END")
    done = prune(varied, made.noon + 5 * DAY)
    assert (done.removed["observations"], done.removed["remarks"], list(done.troubles)) == (0, 1, ["observations"])
    assert varied.verify().fault is None


# --- the ledger after it ---


def test_each_transaction_says_what_it_removed_and_the_ledger_verifies(store, made):
    for day in range(5):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    seq, link = store.head()
    done = prune(store, made.noon + 4 * DAY, batch=2)
    said = {"before": "2026-11-06T12:00:00Z", "reason": "older than 400d", **BY}
    heading = {"schema": "ledger/1", "kind": "prune", "at": "2027-12-11T12:00:00Z"}
    # record 1 is the beginning, 2 the first read, 3 the policy that judged it
    assert bodies(store, Kind.PRUNE) == [{"first": first, "last": last, "count": 2, **said, **heading} for first, last in ((2, 4), (5, 6))]
    assert bodies(store, Kind.CHECKPOINT) == [{**heading, "kind": "checkpoint", "seq": seq, "link": link.hex(), **BY}]
    verified = store.verify()
    assert (done.checkpoint, verified.fault, verified.pruned) == ((seq, link), None, 4)


def test_a_read_that_stays_divides_what_the_ledger_says(store, made):
    for day in range(7):
        made.record(store, made.assessment(at=made.noon + day * DAY, **({"drift": opening(2525)} if day == 3 else {})))
    prune(store, made.noon + 6 * DAY)
    assert [(body["first"], body["last"], body["count"]) for body in bodies(store, Kind.PRUNE)] == [(2, 5, 3), (8, 9, 2)]
    assert store.verify().fault is None


@pytest.mark.parametrize("number", [1, 5])
def test_a_body_that_is_missing_beside_the_pruned_ones_is_found(store, path, made, number):
    for day in range(6):
        made.record(store, made.assessment(at=made.noon + day * DAY, **({"drift": opening(2525)} if day == 0 else {})))
    prune(store, made.noon + 4 * DAY)
    edit(path, "DELETE FROM observations WHERE id = ?", number)
    assert "its body is missing, and no record says that it was pruned" in store.verify().fault.what


def test_the_body_of_what_is_no_read_is_never_pruned(store, path, made):
    for day in range(4):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    prune(store, made.noon + 3 * DAY)
    edit(path, "DELETE FROM records WHERE seq = 3")
    assert (store.verify().fault.seq, "no record says" in store.verify().fault.what) == (3, True)


def test_a_body_that_is_back_is_found(store, path, made):
    for day in range(4):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    row = ask(path, "SELECT * FROM observations WHERE id = 2")[0]
    prune(store, made.noon + 3 * DAY)
    edit(path, f"INSERT INTO observations VALUES ({', '.join('?' * len(row))})", *row)
    assert "is there, and record 8 says that it was pruned" in store.verify().fault.what


@pytest.mark.parametrize(
    ("first", "last", "count", "said"),
    [
        (2, 4, 3, "it says that it removed 3 bodies from record 2 to 4, of which 2 are reads"),
        (5, 99, 2, "it does not say which bodies were pruned"),
        ("2", 4, 2, "its body is missing, and no record says that it was pruned"),
        (4, 2, 0, "its body is missing, and no record says that it was pruned"),
        (None, None, 2, "its body is missing, and no record says that it was pruned"),
    ],
)
def test_a_prune_record_that_cannot_be_true_excuses_nothing(store, path, made, first, last, count, said):
    for day in range(4):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    if first != 5:
        edit(path, "DELETE FROM observations WHERE id <= 2")
    with store._writing() as connection:
        ledger.append(connection, Kind.PRUNE, made.noon, {"first": first, "last": last, "count": count})
    assert store.verify().fault.what == said


def test_what_was_pruned_is_not_pruned_again(store, made):
    for day in range(4):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    prune(store, made.noon + 2 * DAY)
    with store._writing() as connection:
        ledger.append(connection, Kind.PRUNE, made.noon, {"first": 2, "last": 4, "count": 2})
    fault = store.verify().fault
    assert (fault.seq, fault.what) == (9, "it says that it removed the bodies of records which record 8 had removed")


def test_a_read_that_does_not_have_its_digest_is_evidence_and_stays(store, path, made):
    for day in range(6):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    edit(path, "UPDATE observations SET status = 201 WHERE id = 2")
    edit(path, "UPDATE observations SET took_us = 'long' WHERE id = 3")
    done = prune(store, made.noon + 5 * DAY)
    assert left(path) == [2, 3, 6]
    assert "record 4 does not have the digest that was recorded, nor do 1 more: kept as evidence" in done.troubles["observations"]
    assert (store.verify().fault.seq, done.removed["observations"]) == (4, 3)


def test_reads_from_before_the_ledger_are_pruned_too(store, path, made):
    for day in range(6):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    with closing(sqlite3.connect(path)) as connection, connection:  # as the upgrade finds them
        for trigger in ("ledger_refuse_update", "ledger_refuse_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for table in ("records", "ledger"):
            connection.execute(f"DELETE FROM {table}")
    foreseen = store.prunable(before=made.noon + 3 * DAY)
    done = prune(store, made.noon + 3 * DAY, batch=2)
    assert (done.removed, left(path)) == (foreseen.removed, [4, 5, 6])
    assert [(body["first"], body["count"]) for body in bodies(store, Kind.PRUNE)] == [(None, 2), (None, 1)]
    assert (store.verify().fault, bodies(store, Kind.BEGIN)[0]["observations_before"]) == (None, 6)


# --- coverage after it ---

START = datetime(2026, 3, 27, tzinfo=UTC)  # the clocks of Berlin go forward on the 29th
SCHEDULES = (
    Schedule(every_s=3600),
    Schedule(every_s=5400),
    Schedule(cron="0 6,9,23 * * *", timezone="Europe/Berlin"),
    Schedule(cron="30 2 * * mon-fri", timezone="Europe/Berlin"),
)
DELAYS = (0, 7, 299, 300, 301, 900)
OUTCOMES = (ReadOutcome.OBSERVED, ReadOutcome.OBSERVED, ReadOutcome.NOT_CONFIGURED, ReadOutcome.TIMEOUT)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without content; a copy costs less than making one."""
    made = tmp_path_factory.mktemp("empty") / "auditor.db"
    Store.open(f"sqlite:///{made.as_posix()}", create=True).close()
    return made


def plan(name, schedule, late_after_s):
    return Planned(text=TargetText(name=name, url="https://x.example"), terms=Terms(since=START, schedule=schedule, late_after_s=late_after_s))


def read(made, name, at, slot, outcome):
    concluded = made.trouble(name, at=at, outcome=outcome) if outcome is ReadOutcome.TIMEOUT else made.assessment(name, at=at)
    if outcome is ReadOutcome.NOT_CONFIGURED:
        seen = replace(made.snapshot(), configured=False)
        observation = replace(concluded.observation, outcome=outcome, snapshot=seen)
        concluded = replace(concluded, observation=observation, judgement=replace(concluded.judgement, key=f"{seen.digest}/n"))
    return replace(concluded, observation=replace(concluded.observation, slot=slot))


def covered(store):
    return {
        (name, day): store.coverage(name, after=START + (day - 1) * DAY, until=START + day * DAY) for name in ("one", "two") for day in range(12)
    } | {name: store.coverage(name, after=START - DAY, until=START + 20 * DAY) for name in ("one", "two")}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_coverage_before_and_after_a_prune_is_equal_for_every_target_and_day(data, empty, tmp_path, made):
    path = tmp_path / "auditor.db"
    shutil.copy(empty, path)
    with Store.open(f"sqlite:///{path.as_posix()}", create=False) as store:
        now = START
        terms = {name: (data.draw(st.sampled_from(SCHEDULES)), 300) for name in ("one", "two")}
        for _ in range(data.draw(st.integers(8, 25))):
            now += timedelta(minutes=data.draw(st.sampled_from((10, 45, 60, 60, 90, 90, 180, 1500))))
            if data.draw(st.integers(0, 9)) == 0:
                terms[data.draw(st.sampled_from(("one", "two")))] = (
                    data.draw(st.sampled_from(SCHEDULES)),
                    data.draw(st.sampled_from((8, 300, 1000))),
                )
            store.take_stock([plan(name, *its) for name, its in terms.items()], now, because=MissedBecause.NOT_RUNNING)
            for name in terms:
                slot, how = store.open_slot(name, now), data.draw(st.integers(0, 9))
                if slot is not None and how:
                    at = slot + timedelta(seconds=data.draw(st.sampled_from(DELAYS)))
                    made.record(store, read(made, name, at, slot, OUTCOMES[how % len(OUTCOMES)]))
        before = covered(store)
        opened = [store.open_slot(name, now) for name in terms]
        for cut in sorted(data.draw(st.lists(st.integers(1, 12 * 24), min_size=1, max_size=3))):
            prune(store, START + timedelta(hours=cut), batch=data.draw(st.sampled_from((1, 4, 500))))
            assert covered(store) == before
        assert [store.open_slot(name, now) for name in terms] == opened
        assert store.check().flaws == ()


def test_even_slots_are_one_row_however_many_prunes_they_went_with(store, path, made):
    store.take_stock([plan("one", Schedule(every_s=3600), 300)], START, because=MissedBecause.NOT_RUNNING)
    for hour in range(1, 60):
        slot = START + timedelta(hours=hour)
        made.record(store, read(made, "one", slot + timedelta(seconds=hour), slot, ReadOutcome.OBSERVED))
    for hour in (10, 30, 50):
        prune(store, START + timedelta(hours=hour), batch=7)
    assert ask(path, "SELECT count, delay_us FROM served") == [(49, 49_000_000)]


def test_a_slot_whose_read_was_pruned_is_not_open_again(store, path, made):
    """The clock had been wrong when the gap was written, the slot was served after all, and now its time is shown once more."""
    schedule = [plan("one", Schedule(every_s=3600), 300)]
    store.take_stock(schedule, START, because=MissedBecause.NOT_RUNNING)
    store.take_stock(schedule, START + timedelta(hours=9), because=MissedBecause.NOT_RUNNING)
    for hour in (3, 4, 5, 6):
        slot = START + timedelta(hours=hour)
        assert store.open_slot("one", slot) == slot
        made.record(store, read(made, "one", slot, slot, ReadOutcome.OBSERVED))
    prune(store, START + timedelta(hours=6))
    assert [store.open_slot("one", START + timedelta(hours=hour)) is None for hour in (2, 3, 4, 5, 6)] == [False, True, True, True, True]


def test_a_database_from_before_prunes_is_upgraded_and_pruned(url, store, path, made):
    store.take_stock([plan("one", Schedule(every_s=86400), 300)], START, because=MissedBecause.NOT_RUNNING)
    for day in range(1, 5):
        made.record(store, read(made, "one", START + day * DAY, START + day * DAY, ReadOutcome.OBSERVED))
    before = store.coverage("one", after=START, until=START + 5 * DAY)
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("stamps", "checkpoints", "served", "deliveries", "enclosures", "notices", "known_channels", "told"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE auditor_schema SET version_num = '0004'")
    assert schema.upgrade(url).before == "0004"
    with Store.open(url, create=False) as upgraded:
        assert prune(upgraded, START + 4 * DAY).removed["observations"] == 3
        assert upgraded.coverage("one", after=START, until=START + 5 * DAY) == before
        assert upgraded.check().flaws == ()


# --- who dies at it ---


@posix
def test_dying_after_any_statement_of_a_prune_leaves_a_ledger_that_verifies(tmp_path, url, path, made):
    with Store.open(url, create=True) as store:
        store.take_stock([plan("one", Schedule(every_s=86400), 300)], START, because=MissedBecause.NOT_RUNNING)
        for day in range(1, 8):
            slot = START + day * DAY
            made.record(store, read(made, "one", slot, slot, OUTCOMES[day % 4]))
        cut, before = START + 6 * DAY + MINUTE, store.coverage("one", after=START, until=START + 8 * DAY)
    end = tmp_path / "end.db"
    ends = []

    def die(statement):
        engine, seen = sqlite.engine(end), 0

        @event.listens_for(engine, "after_cursor_execute")
        def count(*_):
            nonlocal seen
            seen += 1
            if seen == statement:
                os._exit(9)

        prune(Store(end, engine), cut, batch=2)

    sizes = set()
    while not ends or ends[-1] == 9:
        for name in ("end.db", "end.db-wal", "end.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(path, end)
        ends.append(made.in_child(lambda: die(len(ends) + 1)))
        with Store.open(f"sqlite:///{end.as_posix()}", create=False) as store:
            sizes.add(len(left(end)))
            assert store.verify().fault is None
            assert store.coverage("one", after=START, until=START + 8 * DAY) == before
            if len(ends) % 8 == 0:
                assert [flaw.kind for flaw in store.check().flaws] in ([], ["orphans"])
                prune(store, cut)
                assert (store.check().flaws, len(left(end))) == ((), 3)
    assert (ends[-1], sizes) == (0, {7, 5, 3}), "it died between the transactions, too"


# --- what is wrong, and how large it is ---


def test_a_sound_database_has_no_flaw(varied):
    found = varied.check()
    assert (found.flaws, found.kinds) == ((), ("file", "references", "documents", "ledger", "drift", "orphans", "modes"))


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        ("UPDATE snapshots SET document = '{}'", "documents", "the stored text does not have this digest"),
        ("UPDATE observations SET status = 201 WHERE id = 1", "ledger", "record 2: its body"),
        ("UPDATE observations SET verdict = 77 WHERE id = 1", "ledger", "77 where a Verdict is expected"),
        ("UPDATE ledger SET link = x'00' WHERE seq = 3", "ledger", "record 3: its link does not follow"),
        ("DELETE FROM contexts WHERE id = 1", "references", "row 1 of observations refers to a row of contexts"),
        ("INSERT INTO remarks (id, digest, document) VALUES (0, 'x', '{}')", "orphans", "nothing refers to remarks x"),
        ("UPDATE events SET subject = 'Host'", "drift", "the event 1 (Host) is not as its newest record says"),
        ("UPDATE events SET state = 1", "drift", "the event 1 (Port) is not as its newest record says"),
        ("DELETE FROM events", "drift", "the event 1 is gone"),
        ("UPDATE events SET id = 9", "drift", "the event 9 (Port) is in no record"),
    ],
)
def test_a_flaw_is_named_by_its_kind(varied, path, made, statement, kind, what):
    made.record(varied, made.follow(varied, made.assessment(port=2525, at=made.noon + 20 * DAY, drift=opening(2525))))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER ledger_refuse_update")
        connection.execute(statement)
    found = {flaw.kind: flaw.what for flaw in varied.check().flaws}
    assert what in found[kind]


def test_of_each_kind_the_first_flaw_is_named_and_the_others_counted(varied, path):
    edit(path, "UPDATE snapshots SET document = '{}'")
    documents = next(flaw for flaw in varied.check().flaws if flaw.kind == "documents")
    assert documents.more == 2


def test_a_damaged_page_is_a_flaw_and_no_crash(varied, path):
    root = ask(path, "SELECT rootpage FROM sqlite_master WHERE name = 'remarks'")[0][0]
    varied._engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(raw)
    kinds = [flaw.kind for flaw in varied.check().flaws]
    assert "file" in kinds


@posix
def test_a_file_that_others_may_open_is_named(store, path, tmp_path):
    key = tmp_path / "auditor.key"
    key.write_text("k", encoding="ascii")
    key.chmod(0o640)
    assert store.check([key, tmp_path / "none"]).flaws == (
        Flaw(kind="modes", what=f"{key} has mode 640: others than its owner may open it (chmod 600)"),
    )
    path.chmod(0o604)
    assert store.check().flaws[0].what.startswith(f"{path} has mode 604")


def test_sizes_growth_and_forecast(store, path, made):
    now = made.noon + 60 * DAY
    for day in range(60):
        made.record(store, made.assessment(at=made.noon + day * DAY))
    found = store.stats(now)
    assert {name: size.rows for name, size in found.tables.items() if size.rows} == {
        "contexts": 1,
        "findings": 1,
        "judgements": 1,
        "ledger": 62,
        "memories": 1,
        "observations": 60,
        "policies": 1,
        "records": 2,
        "snapshots": 1,
        "targets": 1,
        "told": 1,
    }
    (size,) = ask(path, "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%observations%'")
    assert found.tables["observations"].bytes == size[0]
    assert (found.oldest, found.newest) == (made.noon, made.noon + 59 * DAY)
    assert found.reads_per_day == pytest.approx(29 / 30)
    assert found.growth_per_day == pytest.approx(found.per_read * 29 / 30), "no document is new"
    assert 100 < found.per_read < 250, "few reads, and still no share of empty pages"
    assert found.in_a_year == round(found.file - found.unused + 365 * found.growth_per_day)
    assert found.free_on_disk > 0


def test_new_documents_count_as_growth(store, made):
    made.record(store, made.assessment())
    made.record(store, made.assessment(at=made.noon + 50 * DAY))
    before = store.stats(made.noon + 60 * DAY)
    made.record(store, made.assessment(port=2525, at=made.noon + 51 * DAY))
    after = store.stats(made.noon + 60 * DAY)
    assert before.growth_per_day == pytest.approx(before.per_read / 30)
    added = len(json.dumps(made.snapshot(port=2525).document(), separators=(",", ":")))
    assert after.growth_per_day * 30 - 2 * after.per_read > added


def test_an_empty_database_has_sizes_and_no_growth(store, made):
    found = store.stats(made.noon)
    assert (found.oldest, found.per_read, found.growth_per_day, found.in_a_year, found.reads_per_day) == (None, None, None, None, 0)


def test_where_sqlite_cannot_tell_the_size_of_a_table_that_of_the_file_is_left(store, made):
    made.record(store, made.assessment())

    @event.listens_for(store._engine, "before_cursor_execute", retval=True)
    def without_dbstat(_connection, _cursor, statement, parameters, _context, _many):
        return ("SELECT 'THREADSAFE=1'" if statement == "PRAGMA compile_options" else statement), parameters

    found = store.stats(made.noon + DAY)
    assert (found.tables["observations"].bytes, found.tables["observations"].rows, found.growth_per_day) == (None, 1, None)
    assert found.file > found.unused
