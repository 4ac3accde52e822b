"""What a run concludes: facts for the policy, verdicts, exit codes, keys."""

from datetime import timedelta

import pytest

from auditor.core.assess import Past, assess, exit_code, facts_of, judgement_key, verdict
from auditor.core.model import PROFILE_FIELDS, Assessment, Fact, Finding, Judgement, Observation, ReadOutcome, RuleOutcome, Severity, State, Verdict
from tests.factories import AT, NOT_OFFERED, observation, snapshot


def finding(outcome: RuleOutcome, severity: Severity | None = Severity.HIGH, *, standing: bool = False) -> Finding:
    return Finding(rule="X-1", outcome=outcome, as_of=AT.date(), severity=severity, standing=standing)


PASS, NA = finding(RuleOutcome.PASS, None), finding(RuleOutcome.NOT_APPLICABLE, None)
FAIL, INFO = finding(RuleOutcome.FAIL), finding(RuleOutcome.FAIL, Severity.INFO)
WAIVED, UNSEEN, LIMIT = finding(RuleOutcome.WAIVED), finding(RuleOutcome.NOT_EVALUATED), finding(RuleOutcome.NOT_EVALUATED, standing=True)
ERROR = finding(RuleOutcome.ERROR, None)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([PASS, NA], Verdict.COMPLIANT),
        ([PASS, LIMIT], Verdict.COMPLIANT),
        ([PASS, INFO], Verdict.COMPLIANT),
        ([PASS, WAIVED], Verdict.COMPLIANT_WITH_WAIVERS),
        ([PASS, UNSEEN], Verdict.INDETERMINATE),
        ([PASS, ERROR], Verdict.INDETERMINATE),
        ([WAIVED, UNSEEN], Verdict.INDETERMINATE),
        ([PASS, FAIL, UNSEEN], Verdict.NON_COMPLIANT),
        ([UNSEEN], Verdict.INDETERMINATE),
        ([LIMIT], Verdict.INDETERMINATE),
        ([NA], Verdict.INDETERMINATE),
        ([], Verdict.INDETERMINATE),
    ],
)
def test_what_was_not_checked_is_never_compliant(findings: list[Finding], expected: Verdict) -> None:
    assert verdict(findings) is expected


def assessed(*findings: Finding) -> Assessment:
    return assess(observation(snapshot()), Judgement(key="k", policy_digest="p", findings=findings), past=Past(), org_domain=lambda host: host)


@pytest.mark.parametrize(
    ("targets", "fail_on", "count_limits", "expected"),
    [
        ([[PASS]], "low", False, 0),
        ([[PASS, NA]], "low", False, 0),
        ([[PASS, WAIVED]], "low", False, 0),
        ([[PASS, LIMIT]], "low", False, 0),
        ([[PASS, LIMIT]], "low", True, 4),
        ([[PASS, INFO]], "low", False, 0),
        ([[PASS, INFO]], "info", False, 1),
        ([[PASS, FAIL]], "high", False, 1),
        ([[PASS, FAIL]], "critical", False, 0),
        ([[PASS, UNSEEN]], "low", False, 4),
        ([[PASS, ERROR]], "low", False, 4),
        ([[PASS], [UNSEEN]], "low", False, 4),
        ([[PASS], [NA]], "low", False, 4),
        ([[FAIL], [UNSEEN]], "low", False, 1),
        ([[UNSEEN], [UNSEEN]], "low", False, 3),
        ([[NA]], "low", False, 3),
        ([[LIMIT]], "low", False, 3),
        ([], "low", False, 3),
    ],
)
def test_the_exit_code_tells_findings_trouble_and_blindness_apart(
    targets: list[list[Finding]], fail_on: str, count_limits: bool, expected: int
) -> None:
    assert exit_code([assessed(*findings) for findings in targets], fail_on=Severity(fail_on), count_limits=count_limits) == expected


@pytest.mark.parametrize(
    ("moved", "fail_on", "expected"),
    [
        ({"UseSSL": False}, "low", 1),
        ({"Host": "smtp.else.example"}, "critical", 1),
        ({"Host": "b.office365.com"}, "low", 1),
        ({"Host": "b.office365.com"}, "medium", 0),
        ({"Scope": NOT_OFFERED}, "info", 0),
        ({"RelayAuthenticationType": 3}, "low", 0),
        ({"RelayAuthenticationType": 3}, "info", 1),
    ],
)
def test_an_open_drift_event_gives_exit_1_by_its_severity(moved: dict[str, object], fail_on: str, expected: int) -> None:
    before = (AT - timedelta(days=1), snapshot(RelayAuthenticationType=3 if "RelayAuthenticationType" not in moved else 2))
    judgement = Judgement(key="k", policy_digest="p", findings=(PASS,))
    found = assess(observation(snapshot(**moved)), judgement, past=Past(previous=before), org_domain=lambda host: ".".join(host.split(".")[-2:]))
    assert exit_code([found], fail_on=Severity(fail_on)) == expected


def facts(seen: Observation, *, previous: bool = False) -> dict[str, Fact]:
    before = (AT - timedelta(hours=30), snapshot(UseSSL=True)) if previous else None
    return facts_of(seen, labels=[("env", "prod")], previous=before, org_domain=lambda host: host)


def test_after_a_failed_read_every_fact_of_the_profile_is_inconclusive_and_says_why() -> None:
    found = facts(observation(outcome=ReadOutcome.TIMEOUT), previous=True)
    unseen = Fact(State.INCONCLUSIVE, reason="timeout")
    for name in (*PROFILE_FIELDS, "profile.configured", "api.shape", "response.exposed", "drift.downgrades", "drift.unapproved"):
        assert found[name] == unseen
    assert found["collection.outcome"] == Fact(State.VALUE, "timeout")
    assert found["collection.profile_age_hours"] == Fact(State.VALUE, 30)
    assert found["target.labels"] == Fact(State.VALUE, ("env=prod",))


def test_a_target_that_was_never_read_has_no_age_and_nothing_to_compare_with() -> None:
    assert facts(observation(outcome=ReadOutcome.TIMEOUT))["collection.profile_age_hours"] == Fact(State.UNSET)
    first = facts(observation(snapshot()))
    assert first["collection.profile_age_hours"] == Fact(State.VALUE, 0)
    assert first["drift.previous"] == Fact(State.VALUE, value=False)
    assert first["drift.downgrades"] == Fact(State.NOT_OFFERED, reason="nothing to compare with")


def test_an_age_that_the_clock_turned_negative_is_not_known() -> None:
    ahead = (AT + timedelta(days=3650), snapshot())
    found = facts_of(observation(outcome=ReadOutcome.TIMEOUT), labels=(), previous=ahead, org_domain=lambda host: host)
    assert found["collection.profile_age_hours"].state is State.INCONCLUSIVE


def test_drift_is_a_fact_that_policies_can_read() -> None:
    found = facts(observation(snapshot(UseSSL=False)), previous=True)
    assert found["drift.downgrades"] == Fact(State.VALUE, ("tls_off",))
    assert found["drift.redirections"] == Fact(State.VALUE, ())


def key(seen: Observation, **others: object) -> str:
    arguments: dict[str, object] = {"policy_digest": "p", "tables": {"psl": "1"}, "engine": "1", "is_dated": False, "outside": {}} | others
    return judgement_key(seen, **arguments)  # type: ignore[arg-type]


def test_a_judgement_is_reused_for_the_same_snapshot_policy_tables_engine_and_outside_facts_alone() -> None:
    now, later = observation(snapshot()), observation(snapshot(), at=AT + timedelta(days=1))
    assert key(now) == key(later)
    assert key(now, is_dated=True) != key(later, is_dated=True)
    labels = {"target.labels": Fact(State.VALUE, ("a=b",))}
    distinct = [
        key(now),
        key(observation(snapshot(Port=25))),
        key(observation(outcome=ReadOutcome.TIMEOUT)),
        key(observation(outcome=ReadOutcome.FORBIDDEN)),
        key(now, policy_digest="q"),
        key(now, tables={"psl": "2"}),
        key(now, engine="2"),
        key(now, outside=labels),
        key(now, outside={"collection.profile_age_hours": Fact(State.VALUE, 3)}),
        key(now, outside={"collection.profile_age_hours": Fact(State.UNSET)}),
        key(now, is_dated=True),
    ]
    assert len(set(distinct)) == len(distinct)


def test_changes_lie_between_this_snapshot_and_the_one_before() -> None:
    before = (AT - timedelta(days=1), snapshot())
    judgement = Judgement(key="k", policy_digest="p", findings=(PASS,))
    moved = assess(observation(snapshot(UseSSL=False)), judgement, past=Past(previous=before), org_domain=lambda host: host)
    assert [change.field for change in moved.changes] == ["UseSSL"]
    assert (moved.previous_at, moved.previous_digest) == (before[0], before[1].digest)
    assert assess(observation(snapshot()), judgement, past=Past(previous=before), org_domain=lambda host: host).changes == ()
    assert assess(observation(outcome=ReadOutcome.TIMEOUT), judgement, past=Past(previous=before), org_domain=lambda host: host).changes == ()


@pytest.mark.parametrize(("days", "age"), [(0, 0), (1, 1), (400, 400), (None, None)])
def test_the_age_of_a_client_secret_counts_from_when_it_was_seen_to_change(days: int | None, age: int | None) -> None:
    changed = AT - timedelta(days=days, hours=1) if days is not None else None
    found = facts_of(observation(snapshot()), labels=(), previous=None, org_domain=lambda host: host, secret_changed_at=changed)
    assert found.get("ClientSecret.age_days") == (Fact(State.VALUE, age) if age is not None else None)
