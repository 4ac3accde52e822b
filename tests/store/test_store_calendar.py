"""Names, terms, slots: the calendar in the database, each change of it with its record."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from auditor.core.coverage import MissedBecause, Terms
from auditor.core.ledger import Kind
from auditor.core.model import Approval, Memory, Schedule, TargetText
from auditor.core.slots import EPOCH
from auditor.errors import StoreError
from auditor.store.calendar import Planned

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOURLY = Schedule(every_s=3600)


def planned(name="cmd-01", schedule=HOURLY, renamed_from=None, **terms):
    text = TargetText(name=name, url="https://command.corp.example")
    return Planned(text=text, terms=Terms(since=EPOCH, schedule=schedule, **terms), renamed_from=renamed_from)


def stock(store, at, *plan, because=MissedBecause.NOT_RUNNING):
    store.take_stock(plan or (planned(),), at, because=because)


def acts(store):
    return [(e.body["act"], e.body.get("name") or e.body.get("since")) for e in store.entries(kind=Kind.TARGET)]


def read(store, made, at, *, slot, name="cmd-01"):
    concluded = made.follow(store, made.assessment(name, at=at))
    return made.record(store, replace(concluded, observation=replace(concluded.observation, slot=slot)))


def counts(store, until, name="cmd-01"):
    total = store.coverage(name, after=NOON - HOUR, until=until).total
    return total.on_time, total.late, total.failed, total.missed


def test_a_new_target_owes_nothing_before_it_was_known(store):
    stock(store, NOON + 30 * MINUTE)
    assert store.open_slot("cmd-01", NOON + 30 * MINUTE) is None
    assert store.due(NOON + 30 * MINUTE) == ("cmd-01",), "but it was never read"
    assert store.open_slot("cmd-01", NOON + HOUR) == NOON + HOUR


def test_a_read_just_after_its_slot_serves_it_though_nobody_knew_the_target_before(store):
    stock(store, NOON + MINUTE)
    assert store.open_slot("cmd-01", NOON + MINUTE) == NOON


def test_taking_stock_again_writes_nothing(store):
    stock(store, NOON)
    before = store.head()
    stock(store, NOON + MINUTE)
    assert store.head() == before


def test_slots_that_passed_are_missed_and_the_newest_is_open(store, made):
    stock(store, NOON)
    read(store, made, NOON, slot=NOON)
    stock(store, NOON + 3 * HOUR + MINUTE)
    assert counts(store, NOON + 3 * HOUR + MINUTE) == (1, 0, 0, 2)
    assert store.open_slot("cmd-01", NOON + 3 * HOUR + MINUTE) == NOON + 3 * HOUR
    (missed,) = store.entries(kind=Kind.MISSED)
    assert (missed.body["count"], missed.body["because"]) == (2, "not_running")


def test_a_read_that_comes_late_serves_the_newest_slot_and_misses_those_before(store, made):
    stock(store, NOON)
    read(store, made, NOON + 2 * HOUR + 10 * MINUTE, slot=NOON + 2 * HOUR)
    assert counts(store, NOON + 3 * HOUR - MINUTE) == (0, 1, 0, 2)
    assert store.entries(kind=Kind.MISSED)[0].body["because"] == "busy"


def test_a_slot_is_served_once(store, made):
    stock(store, NOON)
    read(store, made, NOON, slot=NOON)
    read(store, made, NOON + MINUTE, slot=NOON)
    assert store.latest("cmd-01").observation.slot is None
    assert counts(store, NOON + MINUTE) == (1, 0, 0, 0)


def test_a_clock_that_ran_ahead_leaves_slots_that_can_be_served_after_all(store, made):
    stock(store, NOON)
    stock(store, NOON + 48 * HOUR)
    assert counts(store, NOON + 3 * HOUR) == (0, 0, 0, 4)
    assert store.open_slot("cmd-01", NOON + HOUR) == NOON + HOUR, "the clock was set back: its time comes again"
    read(store, made, NOON + HOUR, slot=NOON + HOUR)
    assert counts(store, NOON + 3 * HOUR) == (1, 0, 0, 3)
    assert store.open_slot("cmd-01", NOON + HOUR + MINUTE) is None


def test_a_clock_set_back_by_an_hour_serves_no_slot_twice(store, made):
    stock(store, NOON)
    for hour in range(3):
        read(store, made, NOON + hour * HOUR, slot=NOON + hour * HOUR)
    assert [store.open_slot("cmd-01", NOON + hour * HOUR) for hour in range(3)] == [None] * 3
    assert store.open_slot("cmd-01", NOON + 3 * HOUR) == NOON + 3 * HOUR


def test_a_changed_schedule_settles_the_old_one_first(store, made):
    stock(store, NOON)
    read(store, made, NOON, slot=NOON)
    stock(store, NOON + 2 * HOUR + 30 * MINUTE, planned(schedule=Schedule(every_s=900)))
    stock(store, NOON + 3 * HOUR + MINUTE, planned(schedule=Schedule(every_s=900)))
    assert counts(store, NOON + 3 * HOUR + MINUTE) == (1, 0, 0, 3), "13:00, 14:00 by the old terms, 14:45 by the new; 15:00 is open"
    assert [act for act, _ in acts(store)] == ["added", "scheduled", "rescheduled"]


@pytest.mark.parametrize(
    ("terms", "act", "missed"),
    [
        ({"paused_until": date(2026, 11, 2), "paused_reason": "moved to another host"}, "paused", 1),
        ({"retired_on": date(2026, 11, 2)}, "retired", 1),
    ],
)
def test_a_pause_and_a_retirement_are_on_record_and_owe_nothing(store, terms, act, missed):
    stock(store, NOON)
    stock(store, NOON + HOUR + MINUTE, planned(**terms))
    stock(store, NOON + 6 * HOUR, planned(**terms))
    assert store.due(NOON + 6 * HOUR) == ()
    assert counts(store, NOON + 6 * HOUR)[3] == missed + 1, "what was owed before it is still owed"
    assert acts(store)[-1][0] == act


def test_a_target_that_leaves_the_configuration_owes_nothing_more(store):
    stock(store, NOON, planned(), planned("cmd-02"))
    stock(store, NOON + HOUR + MINUTE, planned("cmd-02"))
    stock(store, NOON + 5 * HOUR, planned("cmd-02"))
    assert counts(store, NOON + 5 * HOUR)[3] == 2
    assert ("left", "2026-11-02T13:01:00Z") in acts(store)
    stock(store, NOON + 6 * HOUR, planned(), planned("cmd-02"))
    assert store.open_slot("cmd-01", NOON + 7 * HOUR) == NOON + 7 * HOUR, "it can come back"


def test_a_rename_keeps_the_history(store, made):
    stock(store, NOON, planned("old"))
    read(store, made, NOON, slot=NOON, name="old")
    store.approve([approval("old", made)])
    stock(store, NOON + MINUTE, planned("new", renamed_from="old"))
    assert store.latest("old") is None
    assert store.latest("new").observation.target == "new"
    assert [one.target for one in store.approvals("new")] == ["old"]
    assert store.approvals("old") == ()
    assert counts(store, NOON + MINUTE, "new") == (1, 0, 0, 0)
    assert acts(store)[-1] == ("renamed", "new")
    stock(store, NOON + 2 * MINUTE, planned("new", renamed_from="old"))
    assert acts(store)[-1] == ("renamed", "new"), "once"
    assert store.verify().fault is None


def test_a_new_target_under_a_former_name_has_a_history_of_its_own(store, made):
    stock(store, NOON, planned("old"))
    read(store, made, NOON, slot=NOON, name="old")
    store.approve([approval("old", made)])
    stock(store, NOON + MINUTE, planned("new", renamed_from="old"))
    stock(store, NOON + 2 * MINUTE, planned("new"), planned("old"))
    assert (store.latest("old"), store.approvals("old")) == (None, ())
    store.approve([replace(approval("old", made), reason="another", recorded_at=NOON + HOUR)])
    assert [one.reason for one in store.approvals("old")] == ["another"]
    assert [one.reason for one in store.approvals("new")] == ["so decided"]


def test_a_rename_onto_a_name_with_a_history_is_refused(store, made):
    stock(store, NOON, planned("old"), planned("new"))
    with pytest.raises(StoreError, match="new has a history of its own"):
        stock(store, NOON + MINUTE, planned("new", renamed_from="old"))


def approval(target, made):
    value = made.snapshot().field("Port")
    return Approval(target=target, field="Port", value=value, by="Ada", reason="so decided", approved_at=NOON, recorded_at=NOON)


def test_every_act_is_a_record_and_the_ledger_verifies(store, made):
    stock(store, NOON)
    read(store, made, NOON, slot=NOON)
    read(store, made, NOON + MINUTE, slot=None)
    store.approve([approval("cmd-01", made)])
    store.note_settings(configuration={"targets.cmd-01.url": '"https://a"'}, waivers=(), at=NOON)
    store.note_settings(configuration={"targets.cmd-01.url": '"https://b"'}, waivers=(), at=NOON)
    store.note(about="review:2026-W45", by="Ada", text="read", at=NOON, recorder={"account": "root", "host": "audit01"})
    stock(store, NOON + 3 * HOUR)
    kinds = [entry.kind.value for entry in store.entries()]
    assert kinds == ["begin", "target", "target", "slot", "policy", "check", "approval", "configuration", "configuration", "note", "missed"]
    changed = store.entries(kind=Kind.CONFIGURATION)[-1].body
    assert (changed["what"]["changed"], changed["counts"]["changed"]) == (["targets.cmd-01.url"], 1)
    found = store.verify()
    assert (found.fault, found.records, found.seq) == (None, 11, 11)
    assert store.memory("cmd-01") == Memory()
