"""What holds for any condition and any facts, beside an evaluator that is written as the tables read."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.core.model import Fact, Level, RuleOutcome, Severity, State
from auditor.core.policy import All, AnyOf, Condition, Criterion, Rating, Rule, negated
from tests.core.judging import ABSENT, FALSE, TRUE, UNSEEN, Facts, criterion, judged, level, rule

VALUES: dict[str, list[Any]] = {
    "Port": [25, 465, 587],
    "UseSSL": [True, False],
    "Host": ["smtp.corp.example", "SMTP.corp.example.", "localhost", "a b"],
    "Scope.tokens": [(), ("a",), ("a", "b")],
}
KNOWN = {name: [Fact(State.VALUE, it) for it in its] + [Fact(State.UNSET)] for name, its in VALUES.items()}
UNKNOWN = [Fact(State.MISSING), Fact(State.INCONCLUSIVE, reason="timeout")]
OTHER = [Fact(State.ILL_TYPED, "587"), Fact(State.NOT_OFFERED)]

CRITERIA: list[tuple[str, str, Any]] = [
    ("Port", "equals", 587),
    ("Port", "not_equals", 25),
    ("Port", "in", (465, 587)),
    ("Port", "gte", 465),
    ("Port", "set", True),
    ("UseSSL", "equals", True),
    ("UseSSL", "unset", True),
    ("Host", "under", ("corp.example",)),
    ("Host", "format", "fqdn"),
    ("Host", "length", (("gt", 9),)),
    ("Scope.tokens", "all_in", ("a",)),
    ("Scope.tokens", "none_in", ("b",)),
    ("Scope.tokens", "length", (("equals", 0),)),
]

criteria = st.tuples(st.sampled_from(CRITERIA), st.booleans()).map(lambda drawn: criterion(*drawn[0], negated=drawn[1]))
conditions: st.SearchStrategy[Condition] = st.recursive(
    criteria,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda them: All(tuple(them))),
        st.lists(parts, min_size=1, max_size=3).map(lambda them: AnyOf(tuple(them))),
        parts.map(negated),
    ),
    max_leaves=8,
)
rules = st.builds(
    lambda require, when, rated, on_missing: rule(
        require, when=when, ratings=(Rating(Severity.CRITICAL, rated), Rating(Severity.LOW)), on_missing=on_missing
    ),
    conditions,
    st.none() | conditions,
    conditions,
    st.sampled_from([RuleOutcome.FAIL, RuleOutcome.NOT_EVALUATED, RuleOutcome.NOT_APPLICABLE]),
)
documents = st.fixed_dictionaries({name: st.sampled_from([*known, *UNKNOWN, *OTHER]) for name, known in KNOWN.items()}).map(Facts)
partly_known = st.fixed_dictionaries({name: st.sampled_from([*known, *UNKNOWN]) for name, known in KNOWN.items()}).map(Facts)
answers = st.fixed_dictionaries({name: st.sampled_from(known) for name, known in KNOWN.items()}).map(Facts)


def naive(condition: Condition, seen: Facts) -> Level:
    match condition:
        case All(parts):
            return min(naive(part, seen) for part in parts)
        case AnyOf(parts):
            return max(naive(part, seen) for part in parts)
        case Criterion():
            plain = naive_criterion(condition, seen[condition.subject])
            return {TRUE: FALSE, FALSE: TRUE}.get(plain, plain) if condition.negated else plain


def naive_criterion(asked: Criterion, fact: Fact) -> Level:
    name, operand, it = asked.operator, asked.operand, fact.value
    if fact.state is State.UNSET and name in ("set", "unset"):
        return TRUE if name == "unset" else FALSE
    if fact.state is not State.VALUE:
        return UNSEEN if fact.state in (State.NOT_OFFERED, State.INCONCLUSIVE) else ABSENT
    if name == "all_in" and it == ():
        return ABSENT
    folded = it.lower().removesuffix(".") if isinstance(it, str) else it
    holds: Any = {
        "equals": lambda: it == operand,
        "not_equals": lambda: it != operand,
        "in": lambda: it in operand,  # type: ignore[operator]
        "gte": lambda: it >= operand,  # type: ignore[operator]
        "set": lambda: it != (),
        "unset": lambda: it == (),
        "under": lambda: folded == "corp.example" or folded.endswith(".corp.example"),
        "format": lambda: folded == "smtp.corp.example",
        "length": lambda: len(it) > 9 if isinstance(it, str) else len(it) == 0,  # type: ignore[arg-type]
        "all_in": lambda: set(it) <= {"a"},  # type: ignore[arg-type]
        "none_in": lambda: "b" not in it,  # type: ignore[operator]
    }[name]
    return TRUE if holds() else FALSE


@given(conditions, documents)
def test_the_engine_agrees_with_the_tables(condition: Condition, seen: Facts) -> None:
    assert level(condition, seen) is naive(condition, seen)


@given(conditions, documents)
def test_a_negation_negates_and_twice_is_none(condition: Condition, seen: Facts) -> None:
    opposite = {TRUE: {FALSE}, FALSE: {TRUE}, ABSENT: {ABSENT, UNSEEN}, UNSEEN: {ABSENT, UNSEEN}}  # the unknown stays unknown
    assert level(negated(condition), seen) in opposite[level(condition, seen)]
    assert negated(negated(condition)) == condition


def filled(seen: Facts, answers_: Facts) -> Facts:
    """What was missing or inconclusive turns out as the answers say."""
    return Facts({name: answers_[name] if fact in UNKNOWN else fact for name, fact in seen.items()})


@given(rules, partly_known, answers)
def test_a_pass_becomes_no_fail_however_the_unknown_turns_out(asked: Rule, seen: Facts, turned_out: Facts) -> None:
    if judged(asked, seen).outcome is RuleOutcome.PASS:
        assert judged(asked, filled(seen, turned_out)).outcome is RuleOutcome.PASS


@given(rules, partly_known, answers)
def test_a_fail_that_rests_on_false_leaves_no_pass(asked: Rule, seen: Facts, turned_out: Facts) -> None:
    applies = naive(asked.applies, seen) if asked.applies else TRUE
    if applies is TRUE and naive(asked.require, seen) is FALSE:
        assert judged(asked, seen).outcome is RuleOutcome.FAIL
        assert judged(asked, filled(seen, turned_out)).outcome is RuleOutcome.FAIL


@given(rules, partly_known, answers)
def test_an_unknown_never_lowers_a_severity(asked: Rule, seen: Facts, turned_out: Facts) -> None:
    before, after = judged(asked, seen), judged(asked, filled(seen, turned_out))
    if before.severity is not None and after.severity is not None:
        assert before.severity.rank >= after.severity.rank


@given(rules, documents)
def test_nothing_passes_without_evidence_that_held(asked: Rule, seen: Facts) -> None:
    finding = judged(asked, seen)
    assert finding.outcome is not RuleOutcome.ERROR
    if finding.outcome is RuleOutcome.PASS:
        assert finding.because
        assert {leaf.level for leaf in (*finding.applies, *finding.because)} == {TRUE}
    elif finding.because:
        assert TRUE not in {leaf.level for leaf in finding.because} or asked.applies is not None


@given(rules, documents)
def test_what_is_recalled_is_what_would_be_found_anew(asked: Rule, seen: Facts) -> None:
    assert judged(asked, seen) == judged(asked, Facts(seen))
