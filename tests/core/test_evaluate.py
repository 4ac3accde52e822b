"""From levels to an outcome, a severity and evidence; and what a bug of ours costs."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import pytest

from auditor.core.catalogue import INTEGER
from auditor.core.evaluate import MAX_REMEMBERED, compile_policy, judge
from auditor.core.evaluate import _mark as real
from auditor.core.model import Fact, Finding, JsonType, Leaf, Level, RuleOutcome, Severity, State
from auditor.core.policy import All, AnyOf, Condition, Criterion, Rating, VarRef, negated
from tests.core.judging import ABSENT, FALSE, LOOKUPS, TODAY, TRUE, UNSEEN, Facts, criterion, facts, judged, lacking, level, policy, rule, value

PASS, FAIL, NOT_EVALUATED, NOT_APPLICABLE, ERROR = (
    RuleOutcome.PASS,
    RuleOutcome.FAIL,
    RuleOutcome.NOT_EVALUATED,
    RuleOutcome.NOT_APPLICABLE,
    RuleOutcome.ERROR,
)
ON_MISSING = None

# One fact for each level of the criterion `is true`
AT = {TRUE: value(True), FALSE: value(False), ABSENT: lacking(State.MISSING), UNSEEN: lacking(State.INCONCLUSIVE, "timeout")}
FIELDS = ("UseSSL", "profile.configured", "Host.idna_stable", "server.tls.available")


def is_true(subject: str) -> Criterion:
    return criterion(subject, "equals", True)


def at(**levels: Level) -> Facts:
    return facts(**{name: AT[level_] for name, level_ in levels.items()})


# --- Kleene -------------------------------------------------------------------------------------------------------

KLEENE = {  # section 4: all / any
    (TRUE, TRUE): (TRUE, TRUE),
    (TRUE, UNSEEN): (UNSEEN, TRUE),
    (TRUE, ABSENT): (ABSENT, TRUE),
    (TRUE, FALSE): (FALSE, TRUE),
    (UNSEEN, UNSEEN): (UNSEEN, UNSEEN),
    (UNSEEN, ABSENT): (ABSENT, UNSEEN),
    (UNSEEN, FALSE): (FALSE, UNSEEN),
    (ABSENT, ABSENT): (ABSENT, ABSENT),
    (ABSENT, FALSE): (FALSE, ABSENT),
    (FALSE, FALSE): (FALSE, FALSE),
}


@pytest.mark.parametrize(("one", "other"), list(product(Level, Level)))
def test_all_is_the_lowest_and_any_the_highest(one: Level, other: Level) -> None:
    parts = (is_true("UseSSL"), is_true("profile.configured"))
    seen = at(UseSSL=one, profile__configured=other)
    expected = KLEENE.get((one, other)) or KLEENE[other, one]
    assert (level(All(parts), seen), level(AnyOf(parts), seen)) == expected


@pytest.mark.parametrize(("one", "other"), list(product(Level, Level)))
def test_negations_are_carried_down_by_de_morgan(one: Level, other: Level) -> None:
    parts = (is_true("UseSSL"), is_true("profile.configured"))
    seen = at(UseSSL=one, profile__configured=other)
    opposite = {TRUE: FALSE, FALSE: TRUE}
    assert level(negated(All(parts)), seen) is max(opposite.get(part, part) for part in (one, other))
    assert level(negated(AnyOf(parts)), seen) is min(opposite.get(part, part) for part in (one, other))
    assert negated(All(parts)) == AnyOf((negated(parts[0]), negated(parts[1])))
    assert negated(negated(All(parts))) == All(parts)


# --- outcomes -----------------------------------------------------------------------------------------------------

TABLE = {  # section 6: when, require
    (TRUE, TRUE): PASS,
    (TRUE, UNSEEN): NOT_EVALUATED,
    (TRUE, ABSENT): ON_MISSING,
    (TRUE, FALSE): FAIL,
    (UNSEEN, TRUE): NOT_EVALUATED,
    (UNSEEN, UNSEEN): NOT_EVALUATED,
    (UNSEEN, ABSENT): NOT_EVALUATED,
    (UNSEEN, FALSE): NOT_EVALUATED,
    (ABSENT, TRUE): NOT_EVALUATED,
    (ABSENT, UNSEEN): NOT_EVALUATED,
    (ABSENT, ABSENT): ON_MISSING,
    (ABSENT, FALSE): ON_MISSING,
    (FALSE, TRUE): NOT_APPLICABLE,
    (FALSE, UNSEEN): NOT_APPLICABLE,
    (FALSE, ABSENT): NOT_APPLICABLE,
    (FALSE, FALSE): NOT_APPLICABLE,
}


@pytest.mark.parametrize(
    ("when", "require", "on_missing"), [(*levels, missing) for levels in TABLE for missing in (FAIL, NOT_EVALUATED, NOT_APPLICABLE)]
)
def test_a_rule_is_the_implication_from_when_to_require(when: Level, require: Level, on_missing: RuleOutcome) -> None:
    asked = rule(is_true("UseSSL"), when=is_true("profile.configured"), on_missing=on_missing)
    finding = judged(asked, at(UseSSL=require, profile__configured=when))
    assert finding.outcome is (TABLE[when, require] or on_missing)
    assert (finding.severity is not None) is (finding.outcome in (FAIL, NOT_EVALUATED))


@pytest.mark.parametrize("require", list(Level))
def test_without_a_when_a_rule_applies(require: Level) -> None:
    assert judged(rule(is_true("UseSSL")), at(UseSSL=require)).outcome is (TABLE[TRUE, require] or FAIL)


@pytest.mark.parametrize(("guard", "when", "applies"), [(TRUE, TRUE, True), (FALSE, TRUE, False), (TRUE, FALSE, False), (UNSEEN, FALSE, False)])
def test_the_when_of_the_policy_and_of_the_rule_must_both_hold(guard: Level, when: Level, applies: bool) -> None:
    asked = rule(is_true("UseSSL"), guard=is_true("profile.configured"), when=is_true("Host.idna_stable"))
    finding = judged(asked, at(UseSSL=TRUE, profile__configured=guard, Host__idna_stable=when))
    assert (finding.outcome is not NOT_APPLICABLE) is applies


# --- severity -----------------------------------------------------------------------------------------------------

INFO, LOW, MEDIUM, HIGH, CRITICAL = Severity


@pytest.mark.parametrize(
    ("first", "second", "severity", "because"),
    [
        (FALSE, FALSE, LOW, []),
        (TRUE, TRUE, MEDIUM, ["profile.configured"]),
        (FALSE, TRUE, HIGH, ["Host.idna_stable"]),
        (TRUE, FALSE, MEDIUM, ["profile.configured"]),
        (ABSENT, FALSE, MEDIUM, ["profile.configured"]),  # an unknown never lowers a severity ...
        (UNSEEN, FALSE, MEDIUM, ["profile.configured"]),
        (TRUE, UNSEEN, MEDIUM, ["profile.configured"]),  # ... and one below the entry that counts does not raise it
        (UNSEEN, TRUE, HIGH, ["Host.idna_stable"]),
        (FALSE, UNSEEN, HIGH, ["Host.idna_stable"]),
        (ABSENT, UNSEEN, HIGH, ["Host.idna_stable"]),
    ],
)
def test_the_first_entry_that_holds_counts_and_so_does_any_above_it_that_may(
    first: Level, second: Level, severity: Severity, because: list[str]
) -> None:
    ratings = (Rating(MEDIUM, is_true("profile.configured")), Rating(HIGH, is_true("Host.idna_stable")), Rating(LOW))
    finding = judged(rule(is_true("UseSSL"), ratings=ratings), at(UseSSL=FALSE, profile__configured=first, Host__idna_stable=second))
    assert (finding.severity, [leaf.fact for leaf in finding.severity_because]) == (severity, because)


@pytest.mark.parametrize("unknown", [1, 2, 3])
def test_among_equals_the_entry_that_is_certain_is_taken(unknown: int) -> None:
    ratings = (*[Rating(HIGH, is_true("profile.configured"))] * unknown, Rating(HIGH, is_true("Host.idna_stable")), Rating(LOW))
    finding = judged(rule(is_true("UseSSL"), ratings=ratings), at(UseSSL=FALSE, profile__configured=UNSEEN, Host__idna_stable=TRUE))
    assert [leaf.fact for leaf in finding.severity_because] == ["Host.idna_stable"]


# --- evidence -----------------------------------------------------------------------------------------------------


def because(condition: Condition, seen: Facts) -> list[tuple[str, Level]]:
    return [(leaf.fact, leaf.level) for leaf in judged(rule(condition), seen).because]


def test_every_fault_of_an_all_is_listed_and_nothing_that_held() -> None:
    parts = All(tuple(map(is_true, FIELDS)))
    seen = at(UseSSL=FALSE, profile__configured=TRUE, Host__idna_stable=ABSENT, server__tls__available=UNSEEN)
    assert because(parts, seen) == [("UseSSL", FALSE), ("Host.idna_stable", ABSENT), ("server.tls.available", UNSEEN)]


def test_every_branch_of_an_any_that_failed_is_listed() -> None:
    parts = AnyOf((is_true("UseSSL"), All((is_true("profile.configured"), is_true("Host.idna_stable")))))
    assert because(parts, at(UseSSL=FALSE, profile__configured=TRUE, Host__idna_stable=FALSE)) == [("UseSSL", FALSE), ("Host.idna_stable", FALSE)]


def test_of_an_any_that_held_only_the_branches_that_held_are_listed() -> None:
    parts = AnyOf((is_true("UseSSL"), All((is_true("profile.configured"), is_true("Host.idna_stable")))))
    seen = at(UseSSL=FALSE, profile__configured=TRUE, Host__idna_stable=TRUE)
    assert because(parts, seen) == [("profile.configured", TRUE), ("Host.idna_stable", TRUE)]


def test_under_a_not_the_leaf_that_held_is_listed_as_negated() -> None:
    finding = judged(rule(negated(criterion("Port", "equals", 25))), facts(Port=25))
    assert [(leaf.operator, leaf.negated, leaf.level, leaf.actual) for leaf in finding.because] == [("equals", True, FALSE, 25)]


def test_a_rule_that_does_not_apply_says_why_and_nothing_else() -> None:
    asked = rule(is_true("UseSSL"), when=criterion("Port", "equals", 465, at="when/Port/equals"))
    finding = judged(asked, facts(Port=587, UseSSL=False))
    assert [leaf.at for leaf in finding.applies] == ["when/Port/equals"]
    assert (finding.because, finding.severity, finding.severity_because) == ((), None, ())


def test_a_pass_shows_what_held() -> None:
    finding = judged(rule(is_true("UseSSL"), when=is_true("profile.configured")), at(UseSSL=TRUE, profile__configured=TRUE))
    assert [(leaf.fact, leaf.actual) for leaf in (*finding.applies, *finding.because)] == [("profile.configured", True), ("UseSSL", True)]


def test_a_finding_is_json_and_comes_back_the_same() -> None:
    ratings = (Rating(HIGH, is_true("profile.configured")), Rating(LOW))
    finding = judged(rule(is_true("UseSSL"), ratings=ratings), at(UseSSL=FALSE, profile__configured=UNSEEN))
    assert Finding.from_document(finding.document(), as_of=TODAY) == finding


HELD = Leaf(at="require/UseSSL/equals", fact="UseSSL", operator="equals", expected=True, level=TRUE, state=State.VALUE, actual=True, negated=False)
GUARD = replace(HELD, at="require/profile.configured/equals", fact="profile.configured")


@pytest.mark.parametrize(
    ("when", "require", "expected"),
    [
        (TRUE, TRUE, Finding(rule="T-1", outcome=PASS, as_of=TODAY, applies=(GUARD,), because=(HELD,))),
        (FALSE, TRUE, Finding(rule="T-1", outcome=NOT_APPLICABLE, as_of=TODAY, applies=(replace(GUARD, level=FALSE, actual=False),))),
        (
            TRUE,
            FALSE,
            Finding(
                rule="T-1",
                outcome=FAIL,
                as_of=TODAY,
                severity=HIGH,
                applies=(GUARD,),
                because=(replace(HELD, level=FALSE, actual=False),),
                severity_because=(GUARD,),
            ),
        ),
        (
            TRUE,
            UNSEEN,
            Finding(
                rule="T-1",
                outcome=NOT_EVALUATED,
                as_of=TODAY,
                severity=HIGH,
                applies=(GUARD,),
                because=(replace(HELD, level=UNSEEN, state=State.INCONCLUSIVE, actual=None, reason="timeout"),),
                severity_because=(GUARD,),
            ),
        ),
    ],
)
def test_a_finding_tells_rule_outcome_day_severity_and_evidence(when: Level, require: Level, expected: Finding) -> None:
    asked = rule(is_true("UseSSL"), when=is_true("profile.configured"), ratings=(Rating(HIGH, is_true("profile.configured")), Rating(LOW)))
    assert judged(asked, at(UseSSL=require, profile__configured=when)) == expected


SENSITIVE = {  # a criterion that needs a var, a form or the day, and whether it holds, for a fact and a day
    "a var": (criterion("Port", "in", VarRef("ports")), ("Port", 587), ("Port", 25)),
    "a form": (criterion("Host", "equals", "xn--mnchen-3ya.de"), ("Host", "München.de"), ("Host", "munchen.de")),
    "the day": (
        criterion("server.cert.valid_through", "days_ahead", (("gte", 30),)),
        ("server.cert.valid_through", date(2026, 7, 1)),
        ("server.cert.valid_through", date(2026, 6, 30)),
    ),
}
PLACES: dict[str, Callable[[Condition], Condition]] = {
    "alone": lambda one: one,
    "in an all": lambda one: All((is_true("UseSSL"), one)),
    "in an any": lambda one: AnyOf((negated(is_true("UseSSL")), one)),
    "below": lambda one: All((is_true("UseSSL"), AnyOf((negated(is_true("UseSSL")), All((one, is_true("UseSSL"))))))),
}


@pytest.mark.parametrize(("name", "place"), list(product(SENSITIVE, PLACES)))
def test_vars_forms_and_the_day_reach_a_criterion_wherever_it_stands(name: str, place: str) -> None:
    asked, holding, failing = SENSITIVE[name]
    condition, ports = PLACES[place](asked), (INTEGER.listed, (465, 587))
    for (subject, it), holds in ((holding, True), (failing, False)):
        seen = Facts({"UseSSL": value(True), subject: value(it)})
        required = judged(rule(condition), seen, ports=ports)
        applied = judged(rule(negated(is_true("UseSSL")), when=condition), seen, ports=ports)
        rated = judged(rule(negated(is_true("UseSSL")), ratings=(Rating(CRITICAL, condition), Rating(LOW))), seen, ports=ports)
        assert (required.outcome, applied.outcome, rated.severity) == ((PASS, FAIL, CRITICAL) if holds else (FAIL, NOT_APPLICABLE, LOW))
        assert [leaf.level for leaf in required.because if leaf.fact == subject] == [TRUE if holds else FALSE]
        assert [leaf.level for leaf in applied.applies if leaf.fact == subject] == [TRUE if holds else FALSE]
        assert [leaf.level for leaf in rated.severity_because if leaf.fact == subject] == ([TRUE] if holds else [])


# --- standing limits ----------------------------------------------------------------------------------------------

LIMIT, TROUBLE, GONE = lacking(State.NOT_OFFERED, "API v1 cannot show this"), lacking(State.INCONCLUSIVE, "timeout"), lacking(State.MISSING)


@pytest.mark.parametrize(
    ("condition", "seen", "standing"),
    [
        (is_true("UseSSL"), {"UseSSL": LIMIT}, True),
        (is_true("UseSSL"), {"UseSSL": TROUBLE}, False),
        (AnyOf((is_true("UseSSL"), is_true("profile.configured"))), {"UseSSL": LIMIT, "profile.configured": value(False)}, True),
        (AnyOf((is_true("UseSSL"), is_true("profile.configured"))), {"UseSSL": LIMIT, "profile.configured": TROUBLE}, False),
        (AnyOf((is_true("UseSSL"), is_true("profile.configured"))), {"UseSSL": LIMIT, "profile.configured": GONE}, False),
        (All((is_true("UseSSL"), is_true("profile.configured"))), {"UseSSL": LIMIT, "profile.configured": value(True)}, True),
        (All((is_true("UseSSL"), is_true("profile.configured"))), {"UseSSL": LIMIT, "profile.configured": TROUBLE}, False),
    ],
)
def test_a_standing_limit_rests_on_what_the_source_does_not_offer_and_on_nothing_else(
    condition: Condition, seen: dict[str, Fact], standing: bool
) -> None:
    finding = judged(rule(condition), Facts(seen))
    assert (finding.outcome, finding.standing) == (NOT_EVALUATED, standing)


@pytest.mark.parametrize(
    ("when", "require", "standing"),
    [(LIMIT, TROUBLE, False), (LIMIT, value(False), True), (TROUBLE, LIMIT, False), (GONE, LIMIT, False), (value(True), LIMIT, True)],
)
def test_where_it_is_not_known_whether_the_rule_applies_trouble_on_either_side_is_no_limit(when: Fact, require: Fact, standing: bool) -> None:
    finding = judged(rule(is_true("UseSSL"), when=is_true("profile.configured")), Facts({"UseSSL": require, "profile.configured": when}))
    assert (finding.outcome, finding.standing) == (NOT_EVALUATED, standing)


@pytest.mark.parametrize(
    ("ours", "theirs", "standing"),
    [
        (value("a@b.example"), LIMIT, True),
        (LIMIT, value("a@b.example"), True),
        (LIMIT, LIMIT, True),
        (LIMIT, TROUBLE, False),
        (TROUBLE, LIMIT, False),
        (value("a@b.example"), TROUBLE, False),
    ],
)
def test_a_comparison_is_a_standing_limit_where_neither_side_is_trouble(ours: Fact, theirs: Fact, standing: bool) -> None:
    finding = judged(rule(criterion("SenderAccount", "same_as", "SenderAddress")), facts(SenderAccount=ours, SenderAddress=theirs))
    assert (finding.outcome, finding.standing) == (NOT_EVALUATED, standing)


def test_a_var_that_nobody_has_set_is_no_limit_of_the_source() -> None:
    finding = judged(rule(criterion("Port", "equals", VarRef("port"))), facts(Port=25), port=(INTEGER, None))
    assert (finding.outcome, finding.standing) == (NOT_EVALUATED, False)


def test_what_is_missing_and_not_to_be_failed_is_no_standing_limit() -> None:
    finding = judged(rule(is_true("UseSSL"), on_missing=NOT_EVALUATED), at(UseSSL=ABSENT))
    assert (finding.outcome, finding.standing) == (NOT_EVALUATED, False)


# --- faults of ours -----------------------------------------------------------------------------------------------


class Broken(Facts):
    """A source that cannot be read in one place."""

    def __getitem__(self, name: str) -> Fact:
        if name == "Host":
            raise ZeroDivisionError("the message holds hunter2")
        return super().__getitem__(name)


@pytest.mark.parametrize(
    "seen",
    [Broken(facts(UseSSL=True)), facts(UseSSL=True, Host=5), facts(UseSSL=True, Host=["unhashable"])],
    ids=["raises", "of another type", "unhashable"],
)
def test_a_bug_costs_one_rule_and_is_never_a_pass(seen: Facts) -> None:
    rules = (
        rule(is_true("UseSSL"), id_="A-1"),
        rule(criterion("Host", "format", "fqdn", negated=True), id_="B-1"),
        rule(is_true("UseSSL"), id_="C-1"),
    )
    findings = judge(compile_policy(policy(*rules), LOOKUPS), seen, as_of=TODAY)
    assert [(finding.rule, finding.outcome) for finding in findings] == [("A-1", PASS), ("B-1", ERROR), ("C-1", PASS)]
    fault = findings[1]
    assert fault.detail in ("ZeroDivisionError", "TypeError")
    assert (fault.severity, fault.because, fault.as_of) == (None, (), TODAY)


def test_an_error_does_not_show_the_message_of_the_fault() -> None:
    finding = judged(rule(criterion("Host", "set", True)), Broken())
    assert "hunter2" not in str(finding.document())


# --- judging many -------------------------------------------------------------------------------------------------


def test_a_compiled_policy_knows_what_it_was_made_from() -> None:
    written = policy(rule(is_true("UseSSL")))
    assert compile_policy(written, LOOKUPS).policy is written


def test_findings_come_in_the_order_of_the_rules() -> None:
    rules = tuple(rule(is_true("UseSSL"), id_=f"T-{number}") for number in (3, 1, 2))
    assert [finding.rule for finding in judge(compile_policy(policy(*rules), LOOKUPS), facts(UseSSL=True), as_of=TODAY)] == ["T-3", "T-1", "T-2"]


def test_the_same_facts_on_the_same_day_give_the_same_finding() -> None:
    compiled = compile_policy(policy(rule(is_true("UseSSL")), rule(criterion("Port", "gt", 1), id_="T-2")), LOOKUPS)
    first = judge(compiled, facts(UseSSL=True, Port=25), as_of=TODAY)
    again = judge(compiled, facts(UseSSL=True, Port=587), as_of=TODAY)
    assert first[0] is again[0]
    assert (first[1].because[0].actual, again[1].because[0].actual) == (25, 587)


def test_what_is_recalled_is_told_apart_by_type_reason_and_day() -> None:
    compiled = compile_policy(policy(rule(is_true("UseSSL"))), LOOKUPS)

    def outcome(fact: Fact, day: date = TODAY) -> tuple[str, Any, Any, date]:
        (finding,) = judge(compiled, Facts({"UseSSL": fact}), as_of=day)
        return (
            finding.outcome.value,
            finding.because[0].reason if finding.because else None,
            finding.because[0].sent if finding.because else None,
            finding.as_of,
        )

    assert outcome(value(True)) == ("pass", None, None, TODAY)
    assert outcome(value(1)) == ("error", None, None, TODAY)
    assert outcome(value(True, JsonType.BOOLEAN)) == ("pass", None, JsonType.BOOLEAN, TODAY)
    assert outcome(lacking(State.INCONCLUSIVE, "timeout")) == ("not_evaluated", "timeout", None, TODAY)
    assert outcome(lacking(State.INCONCLUSIVE, "SERVFAIL")) == ("not_evaluated", "SERVFAIL", None, TODAY)
    assert outcome(value(True), date(2026, 6, 2)) == ("pass", None, None, date(2026, 6, 2))


def test_evidence_that_is_shared_says_the_level_of_its_own_day() -> None:
    ahead = rule(criterion("Host.basic_ends_on", "days_ahead", (("gte", 30),), at="require"))
    ends = facts(Host__basic_ends_on=date(2026, 7, 15))
    compiled = compile_policy(policy(ahead), LOOKUPS)
    levels = [judge(compiled, ends, as_of=day)[0].because[0].level for day in (date(2026, 6, 1), date(2026, 7, 1), date(2026, 6, 1))]
    assert levels == [TRUE, FALSE, TRUE]


def test_evidence_that_is_shared_says_what_stands_beside_it() -> None:
    same = rule(criterion("SenderAddress", "same_as", "SenderAccount"))
    compiled = compile_policy(policy(same), LOOKUPS)
    address = value("pki@corp.com")
    found = [judge(compiled, facts(SenderAddress=address, SenderAccount=other), as_of=TODAY)[0] for other in ("pki@corp.com", "pki@CORP.com")]
    assert [finding.because[0].expected["value"] for finding in found] == ["pki@corp.com", "pki@CORP.com"]


def test_rules_that_claim_the_same_share_one_leaf() -> None:
    rules = [rule(criterion("Port", "gt", 1), id_=id_, when=is_true("UseSSL")) for id_ in ("T-1", "T-2")]
    first, second = judge(compile_policy(policy(*rules), LOOKUPS), facts(UseSSL=True, Port=25), as_of=TODAY)
    assert first.applies[0] is second.applies[0]
    assert first.because[0] is second.because[0]


def test_what_is_recalled_has_a_limit() -> None:
    rules = rule(criterion("Port", "gt", 1)), rule(All((criterion("Port", "gt", 1), is_true("UseSSL"))), id_="T-2")
    compiled = compile_policy(policy(*rules), LOOKUPS)
    for port in range(2 * MAX_REMEMBERED + 10):  # beyond what is kept of two facts together
        judge(compiled, facts(Port=port, UseSSL=True), as_of=TODAY)
    remembered = compiled.remembered[TODAY]
    assert [len(known) for known in remembered.findings] == [MAX_REMEMBERED, MAX_REMEMBERED]
    assert len(remembered.marks) == 2 * MAX_REMEMBERED


def test_beyond_the_limit_and_within_it_no_finding_is_taken_for_that_of_another_fact() -> None:
    compiled = compile_policy(policy(rule(criterion("Port", "gt", 1))), LOOKUPS)
    ports = [*range(MAX_REMEMBERED + 200)] * 2
    assert [judge(compiled, facts(Port=port), as_of=TODAY)[0].because[0].actual for port in ports] == ports


def test_facts_that_say_the_same_are_known_again_whichever_way_they_were_made() -> None:
    compiled = compile_policy(policy(rule(is_true("UseSSL"))), LOOKUPS)
    made = [value(True), Fact.of(State.VALUE, value=True), value(True), Fact.of(State.VALUE, value=True)]
    first, *others = [judge(compiled, Facts({"UseSSL": fact}), as_of=TODAY)[0] for fact in made]
    assert first.outcome is PASS
    assert all(other is first for other in others)


@pytest.mark.parametrize("pair", [(True, 1), (False, 0)])
def test_facts_are_shared_by_what_they_say_and_by_its_type(pair: tuple[bool, int]) -> None:
    boolean, number = [Fact.of(State.VALUE, it) for it in pair]
    assert Fact.of(State.VALUE, pair[0]) is boolean
    assert (boolean.value, number.value) == pair
    assert [type(boolean.value), type(number.value)] == [bool, int]


def test_what_was_found_yesterday_is_forgotten() -> None:
    compiled = compile_policy(policy(rule(is_true("UseSSL"))), LOOKUPS)
    tomorrow = date(2026, 6, 2)
    first, _, again = [judge(compiled, facts(UseSSL=True), as_of=day)[0] for day in (TODAY, tomorrow, TODAY)]
    assert again == first
    assert again is not first
    assert list(compiled.remembered) == [TODAY]


def test_an_error_is_not_remembered() -> None:
    answers = iter([ZeroDivisionError(), True])

    def matches(_: str) -> bool:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    compiled = compile_policy(policy(rule(criterion("SenderName", "matches", "PKI"))), replace(LOOKUPS, compile_pattern=lambda _: matches))
    outcomes = [judge(compiled, facts(SenderName="PKI"), as_of=TODAY)[0].outcome for _ in range(3)]
    assert outcomes == [ERROR, PASS, PASS]


def test_what_was_met_before_is_recalled_and_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [
        rule(is_true("UseSSL"), id_="T-1"),
        rule(criterion("Port", "gt", 1), id_="T-2"),
        rule(All((is_true("UseSSL"), criterion("Port", "gt", 1))), id_="T-3"),
        rule(All((criterion("Port", "gt", 30), is_true("UseSSL"), criterion("SenderName", "equals", "PKI"))), id_="T-4"),
        rule(All((is_true("UseSSL"), criterion("Port", "lt", 600))), id_="T-5"),
    ]
    compiled = compile_policy(policy(*rules), LOOKUPS)
    said = ((True, 25, "PKI"), (False, 587, "PKI"), (True, 587, "x"))
    met = [facts(**{name: Fact.of(State.VALUE, it) for name, it in zip(("UseSSL", "Port", "SenderName"), one, strict=True)}) for one in said]
    first = [judge(compiled, seen, as_of=TODAY) for seen in met]
    assert first == [judge(compile_policy(policy(*rules), LOOKUPS), seen, as_of=TODAY) for seen in met]

    def looked_at(*_: object) -> None:
        raise AssertionError("it was looked at again")

    monkeypatch.setattr("auditor.core.evaluate._learnt", looked_at)
    for seen, found in zip(met, first, strict=True):
        assert [a is b for a, b in zip(judge(compiled, seen, as_of=TODAY), found, strict=True)] == [True] * 5


def test_a_rule_of_one_fact_alone_is_recalled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_policy(policy(rule(is_true("UseSSL"))), LOOKUPS)
    seen = facts(UseSSL=True)
    first = judge(compiled, seen, as_of=TODAY)
    monkeypatch.setattr("auditor.core.evaluate._learnt", None)
    assert judge(compiled, seen, as_of=TODAY)[0] is first[0]


def test_what_is_recalled_is_told_apart_by_state() -> None:
    compiled = compile_policy(policy(rule(is_true("UseSSL"))), LOOKUPS)
    states = (State.MISSING, State.INCONCLUSIVE, State.NOT_OFFERED)
    found = [judge(compiled, Facts({"UseSSL": lacking(state, "why")}), as_of=TODAY)[0].because[0].state for state in states]
    assert found == list(states)


def test_where_there_is_no_room_for_marks_each_fact_is_told_apart_by_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_policy(policy(rule(criterion("Port", "gt", 1))), LOOKUPS)
    judge(compiled, facts(Port=0), as_of=TODAY)
    monkeypatch.setattr("auditor.core.evaluate._mark", lambda known, fact, _: real(known, fact, 0))
    assert [judge(compiled, facts(Port=port), as_of=TODAY)[0].because[0].actual for port in (25, 587, 0)] == [25, 587, 0]


def test_a_fact_that_was_met_is_known_again_where_there_is_no_more_room() -> None:
    known: dict[Any, object] = {}
    met, others = value(25), value(587)
    assert real(known, met, 1) is met.mark
    assert real(known, others, 1) is others.mark
    assert real(known, value(25), 1) is met.mark
    assert len(known) == 1


@pytest.mark.parametrize(("nothing", "outcome"), [(All(()), PASS), (AnyOf(()), FAIL)])
def test_all_of_nothing_holds_and_any_of_nothing_does_not(nothing: Condition, outcome: RuleOutcome) -> None:
    assert judged(rule(nothing), facts(UseSSL=True)).outcome is outcome


def test_a_policy_without_rules_finds_nothing() -> None:
    assert judge(compile_policy(policy(), LOOKUPS), facts(UseSSL=True), as_of=TODAY) == ()


def test_a_rule_that_reads_vars_alone_can_be_judged() -> None:
    asked = rule(criterion("$port", "gte", 1, type_=INTEGER))
    assert judged(asked, facts(), port=(INTEGER, 587)).outcome is PASS


def test_a_pattern_that_does_not_compile_is_refused_when_the_policy_is_compiled() -> None:
    with pytest.raises(re.error):
        compile_policy(policy(rule(criterion("SenderName", "matches", "("))), LOOKUPS)
