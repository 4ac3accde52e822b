"""Whatever happens, in whatever order: the ledger verifies and coverage adds up; whatever is changed afterwards shows, at its row."""

import random
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, event

from auditor.core.assess import Past, assess
from auditor.core.coverage import MissedBecause, Terms
from auditor.core.ledger import Kind, link
from auditor.core.model import Approval, EventState, ProfileField, ReadOutcome, Revocation, Schedule, TargetText, Waiver
from auditor.core.slots import EPOCH
from auditor.errors import StoreError
from auditor.store import ledger, sqlite, tables
from auditor.store.calendar import Planned
from auditor.store.store import Store
from tests.factories import snapshot
from tests.naive import LATE, Ledgerless, Plan

BEGINS = datetime(2026, 3, 2, 11, 58, tzinfo=UTC)
NAMES = ("north", "south", "east", "west")
PLANS = (None, 5, 15, 60, 1440)


@dataclass
class Story:
    """A store, a clock, and our own account of what happened; every act is one that people or the clock can do."""

    path: Path
    made: SimpleNamespace
    at: datetime = BEGINS
    because: MissedBecause = MissedBecause.NOT_RUNNING
    plans: dict[str, Plan] = field(default_factory=dict)
    naive: dict[str, Ledgerless] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    port: dict[str, int] = field(default_factory=dict)
    approved: list[Approval] = field(default_factory=list)
    names_given: int = 0
    approvals_given: int = 0
    latest: datetime = BEGINS

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.store = Store.open(f"sqlite:///{self.path.as_posix()}", create=False)

    def reopen(self) -> None:
        self.store.close()
        self.open()
        self.take_stock()

    def tick(self, by: timedelta) -> None:
        self.at = max(BEGINS, self.at + by)
        self.latest = max(self.latest, self.at)

    def take_stock(self) -> None:
        plan = [Planned(text=text(name), terms=terms_of(its), renamed_from=self.renamed.get(name)) for name, its in self.plans.items()]
        self.store.take_stock(plan, self.at, because=self.because)
        for name, its in self.plans.items():
            own = self.naive.setdefault(name, Ledgerless())
            own.agree(its, self.at)
            own.look(self.at)
        for name, one in self.naive.items():
            if name not in self.plans:
                one.agree(Plan(), self.at)
                one.look(self.at)

    def plan(self, name: str, plan: Plan | None) -> None:
        """Configure the target so; None takes it out."""
        if plan is None:
            self.plans.pop(name, None)
        else:
            self.plans[name] = plan
        self.take_stock()

    def rename(self, old: str) -> None:
        self.names_given += 1
        new = f"{old.partition('-')[0]}-{self.names_given}"
        self.plans[new], self.naive[new] = self.plans.pop(old), self.naive.pop(old)
        self.renamed[new] = old
        self.port[new] = self.port.get(old, 587)
        self.take_stock()

    def read(self, name: str, *, port: int | None, outcome: ReadOutcome = ReadOutcome.FORBIDDEN) -> None:
        """Read a target as the auditor does; without a `port` in vain."""
        slot = self.store.open_slot(name, self.at)
        one = self.made.trouble(name, at=self.at, outcome=outcome) if port is None else self.made.assessment(name, port=port, at=self.at)
        open_events, ended = self.store.drift_of(name, ended_since=self.at - timedelta(days=30))
        past = Past(previous=self.store.last_observed(name), open=open_events, ended=ended, approvals=self.store.approvals(name))
        seen = None if port is None else snapshot(Port=port)
        judged = one.judgement if seen is None else replace(one.judgement, key=seen.digest)
        concluded = assess(replace(one.observation, slot=slot, snapshot=seen), judged, past=past, org_domain=lambda host: host)
        self.made.record(self.store, concluded)
        assert slot == self.naive[name].read(self.at, is_good=port is not None), "it serves the newest slot that is owed, if nobody has"

    def approve(self, name: str, port: int) -> None:
        value = ProfileField(fact=snapshot(Port=port).facts["Port"])
        self.approvals_given += 1
        number = self.approvals_given
        given = Approval(
            target=name,
            field="Port",
            value=value,
            by="ada",
            reason=f"change {number}",
            approved_at=self.at,
            recorded_at=self.at,
            account="a",
            host="h",
        )
        self.store.approve([given])
        self.approved.append(given)

    def revoke(self) -> None:
        if self.approved:
            self.store.revoke(self.approved.pop().digest, Revocation(by="bob", reason="no longer", at=self.at, account="b", host="h"))

    def settle(self, number: int) -> None:
        waiver = Waiver(rule=f"X-{number}", reason="for now", owner="pki", approved_by="ada", expires_at=BEGINS + timedelta(days=90))
        waivers = [waiver] if number % 2 else []
        self.store.note_settings(configuration={"spread": str(number), f"targets.t{number}": "1"}, waivers=waivers, at=self.at)

    def note(self) -> None:
        self.store.note(about="review:2026-W10", by="eve", text="seen", at=self.at, recorder={"account": "e", "host": "h"})

    def check(self) -> None:
        """The ledger verifies, and coverage is what we counted ourselves, of every target and day."""
        verified = self.store.verify()
        assert verified.fault is None
        entries = self.store.entries()
        assert [entry.seq for entry in entries] == list(range(1, verified.records + 1))
        assert self.store.head() == (verified.seq, verified.head)
        missed = [entry.body for entry in entries if entry.kind is Kind.MISSED and entry.body]
        ids = {entry.body["name"]: entry.body["target"] for entry in entries if entry.kind is Kind.TARGET and entry.body and "name" in entry.body}
        for name, own in self.naive.items():
            covered = self.store.coverage(name, after=BEGINS - timedelta(days=1), until=self.latest)
            assert covered is not None
            days = {
                day: {state: getattr(tally, state) for state in ("on_time", "late", "failed", "missed")}
                for day, tally in sorted(covered.days.items())
            }
            assert days == own.days(self.latest), name
            assert covered.total.expected == sum(sum(day.values()) for day in days.values())
            assert sum(gap.count for gap in covered.gaps) == covered.total.failed + covered.total.missed
            told = [(at(body["first"]), at(body["last"])) for body in missed if body["target"] == ids[name]]
            for slot in own.missed(self.latest):
                assert any(first <= slot <= last for first, last in told), f"no record tells that {slot} of {name} was missed"
        with self.store._reading() as connection:
            double = "SELECT target_id, slot FROM observations WHERE slot IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"
            assert connection.exec_driver_sql(double).all() == [], "a slot is served once"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def text(name: str) -> TargetText:
    return TargetText(name=name, url="https://command.corp.example")


def terms_of(plan: Plan) -> Terms:
    schedule = Schedule(every_s=plan.every_min * 60) if plan.every_min is not None else None
    return Terms(
        since=EPOCH,
        schedule=schedule,
        late_after_s=int(LATE.total_seconds()),
        paused_until=plan.paused_until,
        paused_reason="moving house" if plan.paused_until else None,
        retired_on=plan.retired_on,
    )


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with nothing in it, to copy: making one takes as long as hundreds of reads."""
    path = tmp_path_factory.mktemp("empty") / "auditor.db"
    Store.open(f"sqlite:///{path.as_posix()}", create=True).close()
    return path


# --- any sequence of operations -----------------------------------------------------------------------------------


class Machine(RuleBasedStateMachine):
    """Any order of acts on a small fleet."""

    def __init__(self, empty: Path, folder: Path, made: SimpleNamespace) -> None:
        super().__init__()
        path = folder / "auditor.db"
        for old in folder.glob("auditor.db*"):
            old.unlink()
        shutil.copyfile(empty, path)
        self.story = Story(path=path, made=made)

    def pick(self, number: int) -> str | None:
        known = sorted(self.story.plans)
        return known[number % len(known)] if known else None

    @initialize()
    def begin(self) -> None:
        self.story.plans = {name: Plan(every_min=15) for name in NAMES[:2]}
        self.story.take_stock()

    @rule(seconds=st.one_of(st.integers(0, 4 * 3600), st.sampled_from([900, 86400, 3 * 86400])))
    def time_passes(self, seconds: int) -> None:
        self.story.tick(timedelta(seconds=seconds))

    @rule(seconds=st.integers(1, 3 * 3600))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.story.tick(-timedelta(seconds=seconds))

    @rule(number=st.integers(0, 3), port=st.sampled_from([587, 587, 587, 465, 25]))
    def a_read_succeeds(self, number: int, port: int) -> None:
        if (name := self.pick(number)) is not None:
            self.story.read(name, port=port)

    @rule(number=st.integers(0, 3), outcome=st.sampled_from([one for one in ReadOutcome if not one.is_observed]))
    def a_read_fails(self, number: int, outcome: ReadOutcome) -> None:
        if (name := self.pick(number)) is not None:
            self.story.read(name, port=None, outcome=outcome)

    @rule(number=st.integers(0, 3), every=st.sampled_from(PLANS))
    def a_target_is_planned(self, number: int, every: int | None) -> None:
        self.story.plan(self.pick(number) or NAMES[number], Plan(every_min=every))

    @rule(name=st.sampled_from(NAMES), every=st.sampled_from(PLANS))
    def a_target_comes(self, name: str, every: int | None) -> None:
        if not any(known.startswith(name) for known in self.story.plans):
            known = [one for one in self.story.naive if one.startswith(name)]
            self.story.plan(known[-1] if known else name, Plan(every_min=every))

    @rule(number=st.integers(0, 3), days=st.integers(-1, 2))
    def a_target_is_paused(self, number: int, days: int) -> None:
        if (name := self.pick(number)) is not None:
            until = self.story.at.date() + timedelta(days=days)
            self.story.plan(name, replace(self.story.plans[name], paused_until=until))

    @rule(number=st.integers(0, 3), days=st.integers(-1, 2))
    def a_target_is_retired(self, number: int, days: int) -> None:
        if (name := self.pick(number)) is not None:
            self.story.plan(name, replace(self.story.plans[name], retired_on=self.story.at.date() + timedelta(days=days)))

    @rule(number=st.integers(0, 3))
    def a_target_leaves(self, number: int) -> None:
        if (name := self.pick(number)) is not None:
            self.story.plan(name, None)

    @rule(number=st.integers(0, 3))
    def a_target_is_renamed(self, number: int) -> None:
        if (name := self.pick(number)) is not None:
            self.story.rename(name)

    @rule(number=st.integers(0, 3), port=st.sampled_from([587, 465]))
    def a_value_is_approved(self, number: int, port: int) -> None:
        if (name := self.pick(number)) is not None:
            self.story.approve(name, port)

    @rule()
    def an_approval_is_revoked(self) -> None:
        self.story.revoke()

    @rule(number=st.integers(0, 3))
    def settings_change(self, number: int) -> None:
        self.story.settle(number)

    @rule()
    def somebody_notes(self) -> None:
        self.story.note()

    @rule(because=st.sampled_from(MissedBecause))
    def the_store_is_reopened(self, because: MissedBecause) -> None:
        self.story.because = because
        self.story.reopen()

    @rule()
    def all_is_checked(self) -> None:
        self.story.take_stock()
        self.story.check()

    @invariant()
    def what_is_due_can_be_served(self) -> None:
        for name in self.story.store.due(self.story.at):
            own = self.story.naive[name]
            assert own.open_at(self.story.at) is not None or not own.reads

    def teardown(self) -> None:
        try:
            self.story.take_stock()
            self.story.check()
        finally:
            self.story.store.close()


def test_any_sequence_of_acts_leaves_a_ledger_that_verifies_and_coverage_that_adds_up(empty: Path, tmp_path: Path, made: SimpleNamespace) -> None:
    # a failure is told as it was found: to shrink one takes minutes, and the acts are few
    bounds = settings(
        max_examples=25,
        stateful_step_count=30,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(partial(Machine, empty, tmp_path, made), settings=bounds)


def story(empty: Path, tmp_path: Path, made: SimpleNamespace, **plans: Plan) -> Story:
    path = tmp_path / "auditor.db"
    shutil.copyfile(empty, path)
    begun = Story(path=path, made=made)
    begun.plans = dict(plans)
    begun.take_stock()
    return begun


@pytest.mark.parametrize(
    "ends", [Plan(every_min=15, retired_on=BEGINS.date()), Plan(every_min=15, paused_until=BEGINS.date() + timedelta(days=9)), None]
)
def test_the_last_slot_before_a_target_owes_nothing_any_more_is_missed_too(
    empty: Path, tmp_path: Path, made: SimpleNamespace, ends: Plan | None
) -> None:
    told = story(empty, tmp_path, made, north=Plan(every_min=15), south=Plan(every_min=15))
    told.tick(timedelta(minutes=24))
    told.plan("north", ends)
    told.take_stock()
    assert told.store.open_slot("north", told.at) is None, "it was due 7 minutes ago, and nothing is owed now"
    assert told.store.due(told.at) == ("south",)
    covered = told.store.coverage("north", after=BEGINS - timedelta(days=1), until=told.at + timedelta(days=1))
    assert covered is not None
    assert (covered.total.missed, covered.open) == (2, None)
    told.check()
    told.store.close()


def test_what_a_new_schedule_names_behind_a_clock_that_was_set_back_is_on_record(empty: Path, tmp_path: Path, made: SimpleNamespace) -> None:
    told = story(empty, tmp_path, made, north=Plan(every_min=15))
    told.tick(timedelta(minutes=18))
    told.read("north", port=587)
    told.tick(-timedelta(minutes=17))
    told.plan("north", Plan(every_min=5))
    told.check()
    told.tick(timedelta(minutes=6))
    assert told.store.open_slot("north", told.at) == datetime(2026, 3, 2, 12, 5, tzinfo=UTC), "the clock shows its time, and nobody has read"
    told.read("north", port=587)
    told.check()
    told.store.close()


def test_a_target_that_left_years_ago_costs_no_search(empty: Path, tmp_path: Path, made: SimpleNamespace) -> None:
    told = story(empty, tmp_path, made, north=Plan(every_min=1), south=Plan(every_min=1440))
    told.plan("north", None)
    told.tick(timedelta(days=4 * 365))
    begun_s = time.process_time()
    assert told.store.due(told.at) == ("south",)
    assert time.process_time() - begun_s < 0.3, "it owed two million slots before, none of which is to be looked at"
    told.store.close()


# --- any one change afterwards ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A ledger with records of every kind that there is, and a connection that an attacker would use: no triggers, no foreign keys."""
    from tests.store.conftest import assessment, record, trouble

    made = SimpleNamespace(assessment=assessment, record=record, trouble=trouble)
    told = story(empty, tmp_path_factory.mktemp("written"), made, north=Plan(every_min=15), south=Plan(every_min=60))
    for number, port in enumerate((587, 587, 465, 465, None, 587)):
        told.tick(timedelta(minutes=15))
        told.read("north", port=port)
        told.read("south", port=587)
        told.settle(number % 3)
    told.approve("north", 465)
    told.revoke()
    told.note()
    told.tick(timedelta(hours=3))
    told.rename("south")
    told.read("north", port=25)
    told.store.close()
    engine = sqlite.engine(told.path)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
    with engine.begin() as connection:
        for table in ("ledger", "approvals", "revocations"):
            for act in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {table}_refuse_{act}")
        seqs = connection.exec_driver_sql("SELECT seq FROM ledger ORDER BY seq").scalars().all()
        assert ledger.verify(connection, told.path).fault is None

    @contextmanager
    def tampering() -> Iterator[Connection]:
        with engine.connect() as connection:
            yield connection
            connection.rollback()

    yield SimpleNamespace(path=told.path, tampering=tampering, seqs=seqs)
    engine.dispose()


def test_the_written_ledger_has_every_kind_that_is_written_today(written: SimpleNamespace) -> None:
    with written.tampering() as connection:
        kinds = {entry.kind for entry in ledger.entries(connection)}
    assert kinds == set(Kind) - {Kind.ATTRIBUTION, Kind.CHECKPOINT, Kind.PRUNE, Kind.EXPORT, Kind.INSPECTION, Kind.STAMP}


def flipped(value: Any, moment: random.Random) -> Any:
    """`value` with one byte, or one number, changed."""
    match value:
        case None:
            return 1
        case bytes():
            place = moment.randrange(len(value))
            return value[:place] + bytes([value[place] ^ moment.randint(1, 255)]) + value[place + 1 :]
        case str():
            place = moment.randrange(len(value))
            return value[:place] + chr((ord(value[place]) + moment.randint(1, 94) - 32) % 95 + 32) + value[place + 1 :]
        case _:
            return value ^ (1 << moment.randrange(8))


LEDGER_COLUMNS = ("kind", "ref", "digest", "link")


@pytest.mark.parametrize("column", LEDGER_COLUMNS)
def test_one_changed_byte_of_a_ledger_row_shows_at_that_row(written: SimpleNamespace, column: str) -> None:
    moment = random.Random(f"{column}1")
    for seq in written.seqs:
        with written.tampering() as connection:
            before = connection.exec_driver_sql(f"SELECT {column} FROM ledger WHERE seq = ?", (seq,)).scalar()
            connection.exec_driver_sql(f"UPDATE ledger SET {column} = ? WHERE seq = ?", (flipped(before, moment), seq))
            fault = ledger.verify(connection, written.path).fault
        assert fault is not None, f"{column} of {seq}"
        assert fault.seq == seq, f"{column}: {fault.what}"


@pytest.mark.parametrize("value", [None, "text", -1, 10**12, b"", 1.5])
@pytest.mark.parametrize("column", LEDGER_COLUMNS)
def test_a_value_of_another_kind_in_a_ledger_row_shows_at_that_row(written: SimpleNamespace, column: str, value: object) -> None:
    for seq in written.seqs[:: len(written.seqs) // 6]:
        with written.tampering() as connection:
            before = connection.exec_driver_sql(f"SELECT {column} FROM ledger WHERE seq = ?", (seq,)).scalar()
            if value is None and (column != "ref" or before is None):
                continue  # the column refuses it, or it is what stands there
            connection.exec_driver_sql(f"UPDATE ledger SET {column} = ? WHERE seq = ?", (value, seq))
            fault = ledger.verify(connection, written.path).fault
        assert fault is not None, f"{column} of {seq}"
        assert fault.seq == seq, f"{column}: {fault.what}"


def test_a_changed_number_of_a_record_shows_as_the_record_that_is_missing(written: SimpleNamespace) -> None:
    for seq in written.seqs:
        for other in (written.seqs[-1] + 1 + seq, -seq):
            with written.tampering() as connection:
                connection.exec_driver_sql("UPDATE ledger SET seq = ? WHERE seq = ?", (other, seq))
                fault = ledger.verify(connection, written.path).fault
            assert fault is not None
            assert fault.seq == (seq if other > 0 else other), fault.what


@settings(max_examples=200)
@given(data=st.data())
def test_any_one_changed_byte_of_a_body_shows_at_its_record(written: SimpleNamespace, data: st.DataObject) -> None:
    with written.tampering() as connection:
        bodies = connection.exec_driver_sql("SELECT seq, document FROM records ORDER BY seq").all()
        seq, document = data.draw(st.sampled_from(bodies))
        raw = document.encode()
        place, change = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(1, 255))
        changed = raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :]
        # as text, whatever the bytes are: SQLite does not look
        connection.exec_driver_sql("UPDATE records SET document = CAST(? AS TEXT) WHERE seq = ?", (changed, seq))
        fault = ledger.verify(connection, written.path).fault
    assert fault is not None
    assert fault.seq == seq, fault.what


OBSERVED = (
    *("target_id", "slot", "started_at", "took_us", "server_date_after_us", "clock_offset_ms", "outcome", "verdict", "status", "attempts"),
    *("body_bytes", "correlation_id", "snapshot_id", "judgement_id", "context_id", "remark_id", "changes_id"),
)


@pytest.mark.parametrize("column", OBSERVED)
def test_one_changed_byte_of_an_observation_shows_at_its_record(written: SimpleNamespace, column: str) -> None:
    moment = random.Random(column)
    with written.tampering() as connection:
        reads = connection.exec_driver_sql("SELECT seq, ref FROM ledger WHERE ref IS NOT NULL ORDER BY seq").all()
    for seq, ref in reads:
        with written.tampering() as connection:
            before = connection.exec_driver_sql(f"SELECT {column} FROM observations WHERE id = ?", (ref,)).scalar()
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            connection.exec_driver_sql(f"UPDATE observations SET {column} = ? WHERE id = ?", (flipped(before, moment), ref))
            fault = ledger.verify(connection, written.path).fault
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")
        assert fault is not None, f"{column} of {ref}: {before!r}"
        assert fault.seq == seq, fault.what


@pytest.mark.parametrize("value", ["text", 10**17, -1])
@pytest.mark.parametrize("column", ["slot", "started_at", "took_us", "outcome", "verdict"])
def test_what_no_observation_can_hold_shows_at_its_record(written: SimpleNamespace, column: str, value: object) -> None:
    with written.tampering() as connection:
        seq, ref = connection.exec_driver_sql("SELECT seq, ref FROM ledger WHERE kind = 1 ORDER BY seq LIMIT 1 OFFSET 2").one()
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql(f"UPDATE observations SET {column} = ? WHERE id = ?", (value, ref))
        fault = ledger.verify(connection, written.path).fault
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")
    assert fault is not None
    assert fault.seq == seq, fault.what


@pytest.mark.parametrize("column", ["document", "digest"])
def test_one_changed_byte_of_any_document_names_the_document(written: SimpleNamespace, column: str) -> None:
    moment, seen = random.Random(column), set()
    for table in tables.DOCUMENTS:
        with written.tampering() as connection:
            rows = connection.exec_driver_sql(f"SELECT id, {column}, digest FROM {table.name}").all()
        for number, value, digest in rows:
            changed = flipped(value, moment)
            named = digest if column == "document" else changed
            with written.tampering() as connection:
                connection.exec_driver_sql(f"UPDATE {table.name} SET {column} = ? WHERE id = ?", (changed, number))
                with pytest.raises(StoreError, match=re.escape(f"{table.name} {named}")):
                    ledger.verify(connection, written.path)
            seen.add(table.name)
    assert seen == {table.name for table in tables.DOCUMENTS}, "each kind of document is there to be changed"


@pytest.mark.parametrize("table", ["snapshots", "policies", "findings", "contexts", "remarks", "changes"])
def test_a_document_that_was_taken_out_shows_at_the_first_record_that_needs_it(written: SimpleNamespace, table: str) -> None:
    with written.tampering() as connection:
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE id = 1")
        fault = ledger.verify(connection, written.path).fault
    assert fault is not None
    assert "does not have the digest" in fault.what


def test_a_deleted_record_is_missed_at_its_number(written: SimpleNamespace) -> None:
    for seq in written.seqs[:-1]:
        with written.tampering() as connection:
            connection.exec_driver_sql("DELETE FROM ledger WHERE seq = ?", (seq,))
            connection.exec_driver_sql("DELETE FROM records WHERE seq = ?", (seq,))
            fault = ledger.verify(connection, written.path).fault
        assert fault is not None
        assert fault.seq == seq


@pytest.mark.parametrize("with_body", [False, True])
def test_a_deleted_end_shows_by_what_it_left_behind_or_by_a_head_that_is_known_elsewhere(written: SimpleNamespace, *, with_body: bool) -> None:
    with written.tampering() as connection:
        head = ledger.head(connection)
        connection.exec_driver_sql("DELETE FROM ledger WHERE seq = ?", (head[0],))
        if with_body:
            connection.exec_driver_sql("DELETE FROM records WHERE seq = ?", (head[0],))
        verified = ledger.verify(connection, written.path)
    assert (verified.fault is None) == with_body
    assert (verified.seq, verified.head) != head


def test_a_deleted_body_or_observation_shows_at_its_record(written: SimpleNamespace) -> None:
    for seq in written.seqs:
        with written.tampering() as connection:
            ref = connection.exec_driver_sql("SELECT ref FROM ledger WHERE seq = ?", (seq,)).scalar()
            table, number = ("records WHERE seq", seq) if ref is None else ("observations WHERE id", ref)
            connection.exec_driver_sql(f"DELETE FROM {table} = ?", (number,))
            fault = ledger.verify(connection, written.path).fault
        assert fault is not None
        assert (fault.seq, "its body is missing" in fault.what) == (seq, True)


def test_two_records_that_change_places_show_at_the_first(written: SimpleNamespace) -> None:
    for seq in written.seqs[:-1]:
        with written.tampering() as connection:
            for table in ("ledger", "records"):
                for old, new in ((seq, -1), (seq + 1, seq), (-1, seq + 1)):
                    connection.exec_driver_sql(f"UPDATE {table} SET seq = ? WHERE seq = ?", (new, old))
            fault = ledger.verify(connection, written.path).fault
        assert fault is not None
        assert fault.seq == seq


@pytest.mark.parametrize("ahead", [0, -7])
def test_a_record_before_the_first_shows(written: SimpleNamespace, ahead: int) -> None:
    with written.tampering() as connection:
        insert_copy(connection, written.seqs[3], ahead)
        fault = ledger.verify(connection, written.path).fault
    assert fault is not None
    assert fault.seq == ahead


def test_a_record_that_is_pushed_in_shows_where_it_was_pushed_in(written: SimpleNamespace) -> None:
    last = written.seqs[-1]
    for seq in written.seqs[1::3]:
        with written.tampering() as connection:
            for table in ("ledger", "records"):
                connection.exec_driver_sql(f"UPDATE {table} SET seq = -seq WHERE seq >= ?", (seq,))
                connection.exec_driver_sql(f"UPDATE {table} SET seq = 1 - seq WHERE seq < 0")
            insert_copy(connection, 2, seq)
            fault = ledger.verify(connection, written.path).fault
        assert fault is not None
        assert fault.seq == seq
    with written.tampering() as connection:
        insert_copy(connection, 2, last + 1)
        fault = ledger.verify(connection, written.path).fault
    assert fault is not None
    assert fault.seq == last + 1


def test_a_read_that_is_told_twice_shows_even_with_a_link_that_follows(written: SimpleNamespace) -> None:
    with written.tampering() as connection:
        seq, head = ledger.head(connection)
        read = connection.execute(tables.ledger.select().where(tables.ledger.c.ref.is_not(None))).first()
        assert read is not None
        again = dict(read._mapping) | {"seq": seq + 1, "link": link(head, read.digest)}
        connection.execute(tables.ledger.insert().values(again))
        fault = ledger.verify(connection, written.path).fault
    assert fault is not None
    assert fault.seq == seq + 1


def test_an_observation_that_was_pushed_in_is_named(written: SimpleNamespace) -> None:
    for number in (500, -3):
        with written.tampering() as connection:
            columns = ", ".join(column.name for column in tables.observations.c if column.name != "id")
            connection.exec_driver_sql(f"INSERT INTO observations (id, {columns}) SELECT {number}, {columns} FROM observations WHERE id = 1")
            fault = ledger.verify(connection, written.path).fault
        assert fault is not None
        assert fault.what == f"the observation {number} is in no record"


def insert_copy(connection: Connection, seq: int, to: int) -> None:
    connection.exec_driver_sql("INSERT INTO ledger SELECT ?, kind, ref, digest, link FROM ledger WHERE seq = ?", (to, seq))
    connection.exec_driver_sql("INSERT INTO records SELECT ?, document FROM records WHERE seq = ?", (to, seq))


def test_an_open_event_of_the_written_ledger_is_there(written: SimpleNamespace) -> None:
    with written.tampering() as connection:
        states = connection.execute(tables.events.select()).all()
    assert {row.state for row in states} >= {EventState.OPEN, EventState.RETURNED}
