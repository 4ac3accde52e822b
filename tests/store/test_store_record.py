"""What is recorded comes back as it was concluded, and nothing is kept twice."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from auditor.core.canonical import digest
from auditor.core.model import (
    PROFILE_FIELDS,
    SECRET_FIELDS,
    Collection,
    Direction,
    Fact,
    FieldChange,
    Finding,
    Fingerprint,
    HeaderSeen,
    JsonType,
    Judgement,
    Leaf,
    Level,
    Memory,
    PolicyText,
    ReadOutcome,
    RuleOutcome,
    SecretPlace,
    Severity,
    Shape,
    Snapshot,
    Standing,
    State,
    TargetText,
    UnknownField,
    Verdict,
)
from auditor.errors import StoreError
from auditor.store import sqlite, tables
from auditor.store.reading import CONTEXT_FIELDS, READ_FIELDS
from auditor.store.store import Store
from auditor.store.tables import OUTCOMES, VERDICTS

DAY = timedelta(days=1)
CHANGE = FieldChange(field="Port", kind="value", direction=Direction.DOWNGRADE, before="587", after="25", severity=Severity.HIGH)


def rows(store, table):
    with store._engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_an_assessment_comes_back_as_it_was_recorded(store, made):
    concluded = made.assessment()
    made.record(store, concluded)
    assert store.latest("cmd-01") == concluded


UUID_TEXT = "3f0a1b2c-93a4-4f10-9d1e-6a1f2b3c4d5e"


@pytest.mark.parametrize(
    ("said", "size"),
    [(UUID_TEXT, 16), (UUID_TEXT.upper(), 36), (UUID_TEXT.replace("-", ""), 32), (f"{{{UUID_TEXT}}}", 38), ("req-1", 5), ("", 0), ("ä" * 16, 16)],
)
def test_a_correlation_id_comes_back_as_it_was_sent_and_a_uuid_takes_16_bytes(store, made, said, size):
    made.record(store, made.assessment(observation=replace(made.assessment().observation, collection=made.collection(correlation_id=said))))
    assert store.latest("cmd-01").observation.collection.correlation_id == said
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT length(correlation_id) FROM observations").scalar() == size


def test_a_correlation_id_from_before_it_was_packed_comes_back_and_a_damaged_one_is_named(store, made):
    made.record(store, made.assessment())
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE observations SET correlation_id = ?", (UUID_TEXT,))
    assert store.latest("cmd-01").observation.collection.correlation_id == UUID_TEXT
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE observations SET correlation_id = ?", (b"short",))
    with pytest.raises(StoreError, match="5 bytes where a UUID is expected"):
        store.latest("cmd-01")


def test_trouble_comes_back_with_its_words(store, made):
    concluded = made.trouble()
    made.record(store, concluded)
    assert store.latest("cmd-01") == concluded


def test_a_change_comes_back_with_what_it_was_compared_with(store, made):
    made.record(store, made.assessment())
    changed = replace(made.follow(store, made.assessment(port=25, at=made.noon + DAY)), changes=(CHANGE,))
    made.record(store, changed)
    assert changed.previous_at == made.noon
    assert store.latest("cmd-01") == changed


def test_an_unscheduled_read_with_nothing_learnt_comes_back(store, made):
    concluded = made.trouble(outcome=ReadOutcome.DNS_FAILED)
    bare = replace(concluded, observation=replace(concluded.observation, message="", hint="", collection=Collection(url="https://command.example")))
    made.record(store, bare)
    assert store.latest("cmd-01") == bare


def test_times_in_other_zones_come_back_as_the_same_instants(store, made):
    concluded = made.assessment(at=datetime(2026, 11, 2, 23, 30, 0, 1, tzinfo=timezone(timedelta(hours=-5))))
    made.record(store, concluded)
    read = store.latest("cmd-01").observation
    assert read == concluded.observation
    assert (read.started_at.tzinfo, read.slot.tzinfo) == (UTC, UTC)


def test_findings_are_dated_by_the_utc_day_of_the_read(store, made):
    made.record(store, made.assessment(at=datetime(2026, 11, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5)))))
    assert [finding.as_of for finding in store.latest("cmd-01").judgement.findings] == [date(2026, 11, 3)]


def test_an_unknown_target_has_no_past(store, made):
    assert (store.memory("new"), store.last_observed("new"), store.open_slot("new", made.noon), store.latest("new")) == (Memory(), None, None, None)
    assert store.standings() == store.standings(["new"]) == []


def test_the_number_of_an_observation_rises(store, made):
    first, second = made.record(store, made.assessment()), made.record(store, made.assessment("cmd-02"))
    assert first < second


def test_an_unchanged_profile_is_one_row_and_no_document_more(store, made):
    documents = (tables.snapshots, tables.policies, tables.findings, tables.contexts, tables.remarks, tables.changes, tables.judgements)
    made.record(store, made.assessment())
    before = [rows(store, table) for table in documents]
    made.record(store, made.follow(store, made.assessment(at=made.noon + DAY)))
    assert rows(store, tables.observations) == 2
    assert [rows(store, table) for table in documents] == before == [1, 1, 1, 1, 0, 0, 1]


def test_a_dated_policy_stores_equal_findings_once(store, made):
    for day in range(3):
        concluded = made.assessment(at=made.noon + day * DAY)
        made.record(store, replace(concluded, judgement=replace(concluded.judgement, key=f"{concluded.judgement.key}/{day}")))
    assert (rows(store, tables.judgements), rows(store, tables.findings)) == (3, 1)


def test_repeated_trouble_keeps_its_words_once(store, made):
    for day in range(3):
        made.record(store, made.trouble(at=made.noon + day * DAY))
    assert rows(store, tables.remarks) == 1


def test_an_unchanged_observation_takes_at_most_200_bytes_with_ledger_and_index(url, path, made):
    def size(reads):
        with Store.open(url, create=True) as store:
            for number in range(reads):
                at = made.noon + timedelta(seconds=45.001237 * number)
                made.record(store, made.follow(store, made.assessment(f"cmd-{number % 5:02}", at=at)))
        return path.stat().st_size

    few = size(100)
    many = size(700)
    assert (many - few) / 700 <= 200


def test_what_was_last_observed_outlives_trouble(store, made):
    made.record(store, made.assessment(port=25))
    made.record(store, made.assessment(at=made.noon + DAY))
    made.record(store, made.trouble(at=made.noon + 2 * DAY))
    assert store.last_observed("cmd-01") == (made.noon + DAY, made.snapshot())


def test_newest_is_what_was_recorded_last_even_if_the_clock_was_set_back(store, made):
    made.record(store, made.assessment())
    behind = made.assessment(port=25, at=made.noon - DAY)
    made.record(store, behind)
    unscheduled = replace(behind.observation, slot=None)  # a slot before those that are settled is none to be served
    assert store.latest("cmd-01") == replace(behind, observation=unscheduled)


def test_targets_do_not_mix(store, made):
    one, other = made.assessment("cmd-01"), made.assessment("cmd-02", port=25, at=made.noon + DAY)
    made.record(store, one)
    made.record(store, other)
    assert (store.latest("cmd-01"), store.latest("cmd-02")) == (one, other)


MEMORY = Memory(
    identity="9c1f",
    api_version=1,
    product_version="25.1.1",
    denied_as=ReadOutcome.FORBIDDEN,
    denied_at=datetime(2026, 11, 2, 12, tzinfo=UTC),
    denied_until=datetime(2026, 11, 2, 18, tzinfo=UTC),
)


def test_memory_is_what_was_handed_in_last(store, made):
    seen = []
    for memory in (Memory(identity="9c1f"), MEMORY, MEMORY, Memory()):
        made.record(store, made.assessment(), memory=memory)
        seen.append(store.memory("cmd-01"))
    assert seen == [Memory(identity="9c1f"), MEMORY, MEMORY, Memory()]


def test_a_judgement_is_found_by_its_key_and_dated_anew(store, made):
    concluded = made.assessment()
    made.record(store, concluded)
    assert store.findings(concluded.judgement.key, as_of=date(2026, 12, 1)) == (made.finding(at=datetime(2026, 12, 1, tzinfo=UTC)),)
    assert store.findings("another key", as_of=date(2026, 12, 1)) is None


def test_one_key_cannot_stand_for_two_judgements(store, made):
    concluded = made.assessment()
    made.record(store, concluded)
    other = replace(concluded, judgement=replace(concluded.judgement, findings=(made.finding(port=25),)))
    with pytest.raises(StoreError, match="other findings"):
        made.record(store, other)
    assert rows(store, tables.observations) == 1


def test_a_policy_is_found_by_its_digest(store, made):
    concluded = made.assessment()
    made.record(store, concluded)
    assert store.policy(concluded.judgement.policy_digest) == made.policy
    with pytest.raises(StoreError, match="no policy 00ff"):
        store.policy("00ff")


@pytest.mark.parametrize("wrong", ["target", "policy"])
def test_parts_that_do_not_belong_together_are_refused(store, made, wrong):
    target = TargetText(name="cmd-02" if wrong == "target" else "cmd-01", url="https://command.corp.example")
    policy = {**made.policy, "version": 4} if wrong == "policy" else made.policy
    with pytest.raises(ValueError, match="not those of the assessment"):
        store.record(made.assessment(), target=target, policy_document=policy, memory=Memory())
    assert rows(store, tables.observations) == 0


def test_an_assessment_cannot_follow_a_state_that_was_never_recorded(store, made):
    with pytest.raises(ValueError, match="never recorded"):
        made.record(store, made.assessment(previous_digest="00" * 32, previous_at=made.noon))
    assert rows(store, tables.targets) == 0


def test_a_state_recorded_meanwhile_does_not_hide_the_one_compared_with(store, made):
    made.record(store, made.assessment())
    mine = made.follow(store, made.assessment(at=made.noon + 2 * DAY))
    made.record(store, made.assessment(port=25, at=made.noon + DAY))
    made.record(store, mine)
    assert store.latest("cmd-01") == mine


@pytest.mark.parametrize("when", ["started_at", "slot"])
def test_a_time_without_a_zone_is_refused(store, made, when):
    concluded = made.assessment()
    naive = replace(concluded.observation, **{when: datetime(2026, 11, 2, 12), **({"ended_at": datetime(2026, 11, 2, 12)} if when != "slot" else {})})
    read = replace(naive, collection=replace(naive.collection, server_date=None))
    with pytest.raises(ValueError, match="without a zone"):
        made.record(store, replace(concluded, observation=read))
    assert rows(store, tables.observations) == 0


def test_standings_tell_where_each_target_stands(store, made):
    seen = made.assessment("cmd-01")
    troubled = replace(made.trouble("cmd-02", at=made.noon + DAY), previous_digest=made.snapshot().digest, previous_at=made.noon)
    dark = made.trouble("cmd-03")
    made.record(store, dark, owner="Mail team", labels=(("env", "prod"), ("стойка", "7")), insecure_http=True)
    made.record(store, made.assessment("cmd-02"))
    made.record(store, troubled)
    made.record(store, seen)
    policy = PolicyText.from_document(made.policy)
    base = "https://command.corp.example"
    expected = {
        "cmd-01": Standing(
            target=TargetText(name="cmd-01", url=base), assessment=seen, policy=policy, last_seen=made.noon, last_snapshot=made.snapshot()
        ),
        "cmd-02": Standing(
            target=TargetText(name="cmd-02", url=base), assessment=troubled, policy=policy, last_seen=made.noon, last_snapshot=made.snapshot()
        ),
        "cmd-03": Standing(
            target=TargetText(name="cmd-03", url=base, owner="Mail team", labels=(("env", "prod"), ("стойка", "7")), insecure_http=True),
            assessment=dark,
            policy=policy,
        ),
    }
    assert store.standings() == [expected["cmd-01"], expected["cmd-02"], expected["cmd-03"]]
    assert store.standings(["cmd-03", "never-read", "cmd-01"]) == [expected["cmd-03"], expected["cmd-01"]]


def test_a_target_is_told_as_it_was_configured_last(store, made):
    made.record(store, made.assessment())
    made.record(store, made.assessment(at=made.noon + DAY), owner="Mail team")
    assert [standing.target.owner for standing in store.standings()] == ["Mail team"]


def test_every_field_of_a_collection_has_a_place():
    assert sorted((*CONTEXT_FIELDS, *READ_FIELDS, "server_date")) == sorted(field.name for field in fields(Collection))


def test_every_outcome_and_verdict_has_a_number_that_stays():
    assert (set(OUTCOMES), len(OUTCOMES)) == (set(ReadOutcome), 18)
    assert VERDICTS == (Verdict.COMPLIANT, Verdict.COMPLIANT_WITH_WAIVERS, Verdict.NON_COMPLIANT, Verdict.INDETERMINATE)
    assert " ".join(OUTCOMES) == (
        "observed not_configured dns_failed unreachable timeout tls_failed redirected unauthenticated forbidden not_found rejected"
        " unsupported_version throttled server_error malformed too_large credential_missing backing_off"
    )


def test_a_number_that_stands_for_nothing_is_refused(store, made):
    made.record(store, made.assessment())
    with store._writer.begin() as connection:
        connection.exec_driver_sql("UPDATE observations SET verdict = -1")
    with pytest.raises(StoreError, match="-1 where a Verdict"):
        store.latest("cmd-01")


def test_an_observed_outcome_cannot_be_stored_without_its_snapshot(store, made):
    blind = made.trouble(outcome=ReadOutcome.OBSERVED)
    with pytest.raises(StoreError, match="CHECK constraint"):
        made.record(store, blind)


def test_an_error_does_not_repeat_what_was_to_be_stored(store, made):
    with pytest.raises(StoreError) as caught, sqlite.store_errors(store._path), store._writer.begin() as connection:
        connection.execute(insert(tables.targets), [{"name": "s3cret-canary", "document": "{}"}] * 2)
    assert "s3cret-canary" not in f"{caught.value} {caught.value.__cause__}"


def test_threads_record_side_by_side(store, made):
    def work(name):
        for number in range(15):
            made.record(store, made.follow(store, made.assessment(name, port=(587, 465, 25)[number % 3], at=made.noon + number * DAY)))

    threads = [Thread(target=work, args=(f"cmd-{number:02}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (rows(store, tables.observations), rows(store, tables.snapshots), rows(store, tables.judgements)) == (120, 3, 3)
    assert [standing.last_seen for standing in store.standings()] == [made.noon + 14 * DAY] * 8


# --- any snapshot, any finding ------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ascii_names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
json_types = st.sampled_from(JsonType)
marks = st.builds(Fingerprint, st.just("8c2f11aa"), st.sampled_from(["00" * 16, "7f" * 16]))
facts = st.builds(
    Fact,
    st.sampled_from(State),
    st.none() | st.booleans() | integers | words | st.lists(words, max_size=3).map(tuple),
    st.none() | json_types,
    st.none() | words,
)
places = st.builds(
    SecretPlace,
    provider=st.none() | integers,
    parameters=st.dictionaries(ascii_names, marks, max_size=3).map(lambda found: tuple(sorted(found.items()))),
    undisclosed=st.booleans(),
)
snapshots = st.builds(
    Snapshot,
    configured=st.booleans(),
    shape=st.sampled_from(Shape),
    facts=st.dictionaries(st.sampled_from([*PROFILE_FIELDS, "api.version", "RequestHeaders.faults"]), facts),
    secrets=st.dictionaries(st.sampled_from(SECRET_FIELDS), places),
    headers=st.lists(st.builds(HeaderSeen, name=words, kind=words, length=words, fingerprint=marks), max_size=2).map(tuple),
    unknown=st.lists(st.builds(UnknownField, name=words, sent=json_types, length=words, fingerprint=marks), max_size=2).map(tuple),
    detectors=st.integers(1, 3),
)
json_values = (
    st.none() | st.booleans() | integers | words | st.lists(words | integers, max_size=3) | st.dictionaries(ascii_names, integers, max_size=2)
)
leaves = st.builds(
    Leaf,
    at=words,
    fact=words,
    operator=words,
    expected=json_values,
    level=st.sampled_from(Level),
    state=st.sampled_from(State),
    negated=st.booleans(),
    var=st.none() | words,
    reason=st.none() | words,
    actual=json_values,
    sent=st.none() | json_types,
)
findings = st.builds(
    Finding,
    rule=words,
    outcome=st.sampled_from(RuleOutcome),
    as_of=st.just(date(2026, 11, 2)),
    severity=st.none() | st.sampled_from(Severity),
    standing=st.booleans(),
    applies=st.lists(leaves, max_size=2).map(tuple),
    because=st.lists(leaves, max_size=2).map(tuple),
    severity_because=st.lists(leaves, max_size=1).map(tuple),
    detail=words,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seen=snapshots, found=st.lists(findings, max_size=3).map(tuple))
def test_any_snapshot_and_any_findings_come_back(store, made, seen, found):
    concluded = made.assessment()
    concluded = replace(
        concluded,
        observation=replace(concluded.observation, snapshot=seen, slot=None),
        judgement=Judgement(key=digest([each.document() for each in found]), policy_digest=concluded.judgement.policy_digest, findings=found),
    )
    made.record(store, concluded)
    assert store.latest("cmd-01") == concluded


def test_a_slot_is_served_once_however_many_read(store, made):
    first = made.assessment()
    assert first.observation.slot is not None
    made.record(store, first)
    made.record(store, first)
    latest = store.latest("cmd-01")
    assert latest.observation.slot is None
