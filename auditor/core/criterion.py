"""Asks one criterion of the facts, and describes what it met."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

from auditor.core.model import Fact, JsonType, Leaf, Level, State
from auditor.core.operators import OPERATORS, Decides, Lookups, number_test, same_form, value_class
from auditor.core.policy import Criterion, Value, VarRef, plain

FALSE, ABSENT, UNSEEN, TRUE = Level

MAX_SHOWN_CHARACTERS = 200
"""Evidence shows so much of a text."""

Facts = Mapping[str, Fact]
Values = Mapping[str, Value | None]
"""Vars in force by name; None is one that nobody has set."""

LevelOf = Callable[[Facts, date], Level]
LeafOf = Callable[[Facts, Level], Leaf]


@dataclass(frozen=True, slots=True)
class Asked:
    """A compiled criterion: its level, and what it met, as the evidence for a level."""

    level: LevelOf
    leaf: LeafOf


def compile_criterion(criterion: Criterion, values: Values, lookups: Lookups) -> Asked:
    """Make `criterion` ready to be asked, with the vars in `values`.

    Raises:
        ValueError: Its pattern does not compile.
    """
    operator = OPERATORS[criterion.operator]
    get = _getter(criterion.subject, values)
    operand = resolved(criterion, values)
    untold = next((name for name in criterion.vars if values[name] is None), None)
    lacking = _OF_A_VAR if criterion.subject.startswith("$") else _LACKING
    exchanged = criterion.negated ^ (operator.negates is not None) ^ (operand is False and criterion.operator == "offered")
    answers = _Answers(FALSE, TRUE) if exchanged else _Answers(TRUE, FALSE)
    if untold is not None:
        level = _untold(get, lacking)
    elif criterion.operator in ("set", "unset"):
        level = _is_set(get, lacking, answers)
    elif criterion.operator == "offered":
        level = _is_offered(get, answers)
    elif criterion.operator == "type":
        level = _was_sent_as(get, JsonType(operand), answers)
    elif criterion.operator == "same_as":
        level = _is_same(get, itemgetter(operand), same_form(criterion.type, lookups), lacking, answers)
    elif criterion.operator == "days_ahead":
        level = _is_days_ahead(get, number_test(operand), lacking, answers)
    else:
        build = OPERATORS[operator.negates or criterion.operator].decides
        assert build is not None
        level = _holds(get, build(operand, criterion.type, lookups), value_class(criterion.type), lacking, answers)
    return Asked(level, _describer(criterion, get, operand, untold))


# --- its level ----------------------------------------------------------------------------------------------------

_LACKING = {
    State.UNSET: ABSENT,
    State.MISSING: ABSENT,
    State.ILL_TYPED: ABSENT,
    State.NOT_OFFERED: UNSEEN,
    State.INCONCLUSIVE: UNSEEN,
}
"""What a fact without a value comes to under most operators (rule language, section 3)."""

_OF_A_VAR = {**_LACKING, State.UNSET: UNSEEN}
"""The same for a var: one that nobody has set has yet to be told."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """The levels of yes and no, exchanged under a negation."""

    yes: Level
    no: Level


def _holds(get: Callable[[Facts], Fact], decides: Decides, expected: type, lacking: Mapping[State, Level], answers: _Answers) -> LevelOf:
    levels = {True: answers.yes, False: answers.no, None: ABSENT}

    def level(facts: Facts, _: date) -> Level:
        fact = get(facts)
        if fact.state is not State.VALUE:
            return lacking[fact.state]
        if fact.value.__class__ is not expected:
            raise TypeError(f"a {expected.__name__} was promised")
        return levels[decides(fact.value)]

    return level


def _is_days_ahead(get: Callable[[Facts], Fact], meets: Callable[[int], bool], lacking: Mapping[State, Level], answers: _Answers) -> LevelOf:
    def level(facts: Facts, as_of: date) -> Level:
        fact = get(facts)
        if fact.state is not State.VALUE:
            return lacking[fact.state]
        day: Any = fact.value
        return answers.yes if meets((day - as_of).days) else answers.no

    return level


def _is_same(
    get: Callable[[Facts], Fact], other: Callable[[Facts], Fact], form: Callable[[Any], Any], lacking: Mapping[State, Level], answers: _Answers
) -> LevelOf:
    def level(facts: Facts, _: date) -> Level:
        ours, theirs = get(facts), other(facts)
        if ours.state is State.VALUE and theirs.state is State.VALUE:
            return answers.yes if form(ours.value) == form(theirs.value) else answers.no
        return min(lacking.get(ours.state, TRUE), _LACKING.get(theirs.state, TRUE))

    return level


def _untold(get: Callable[[Facts], Fact], lacking: Mapping[State, Level]) -> LevelOf:
    """The level beside an operand that nobody has set."""
    return lambda facts, _: min(lacking.get(get(facts).state, UNSEEN), UNSEEN)


def _is_set(get: Callable[[Facts], Fact], lacking: Mapping[State, Level], answers: _Answers) -> LevelOf:
    def level(facts: Facts, _: date) -> Level:
        fact = get(facts)
        if fact.state is State.VALUE:
            return answers.no if fact.value == () else answers.yes
        return answers.no if fact.state is State.UNSET else lacking[fact.state]

    return level


def _is_offered(get: Callable[[Facts], Fact], answers: _Answers) -> LevelOf:
    levels = {**dict.fromkeys(State, answers.yes), State.NOT_OFFERED: answers.no, State.INCONCLUSIVE: UNSEEN}
    return lambda facts, _: levels[get(facts).state]


def _was_sent_as(get: Callable[[Facts], Fact], expected: JsonType, answers: _Answers) -> LevelOf:
    def level(facts: Facts, _: date) -> Level:
        fact = get(facts)
        if fact.sent is None:  # it was never on the wire
            return _LACKING.get(fact.state, ABSENT)
        return answers.yes if fact.sent is expected else answers.no

    return level


# --- what it met --------------------------------------------------------------------------------------------------


def _describer(criterion: Criterion, get: Callable[[Facts], Fact], operand: Any, untold: str | None) -> LeafOf:
    at, subject, operator, negated = criterion.at, criterion.subject, criterion.operator, criterion.negated
    var = ", ".join(criterion.vars) or None
    expected = dict(operand) if criterion.bounds else plain(operand)
    nobody = f"nobody has set ${untold}" if untold else None

    def written(fact: Fact, level: Level, beside: Any) -> Leaf:
        return Leaf(
            at=at,
            fact=subject,
            operator=operator,
            expected=beside,
            level=level,
            state=fact.state,
            negated=negated,
            var=var,
            reason=fact.reason or nobody,
            actual=_shown(fact),
            sent=fact.sent,
        )

    if operator == "same_as":
        return lambda facts, level: written(get(facts), level, _beside(operand, facts[operand]))
    last: tuple[Fact, Level, Leaf] | None = None

    def leaf(facts: Facts, level: Level) -> Leaf:
        """Rules that ask the same of one snapshot share the leaf; it is one tuple, so that threads see a whole one."""
        nonlocal last
        fact, known = get(facts), last
        if known is None or known[0] is not fact or known[1] is not level:
            known = last = fact, level, written(fact, level, expected)
        return known[2]

    return leaf


def _beside(name: str, fact: Fact) -> dict[str, Any]:
    return {"fact": name, "state": fact.state.value, "value": _shown(fact)}


def _shown(fact: Fact) -> Any:
    """What was found, as JSON: a text as sent but cut, an ill-typed list or object as its JSON type."""
    value = fact.value
    if isinstance(value, str):
        return value[:MAX_SHOWN_CHARACTERS]
    if isinstance(value, tuple):
        return [item[:MAX_SHOWN_CHARACTERS] for item in value]
    if fact.sent in (JsonType.LIST, JsonType.OBJECT) and fact.state is State.ILL_TYPED:
        return fact.sent.value
    return plain(value)


def _getter(subject: str, values: Values) -> Callable[[Facts], Fact]:
    if not subject.startswith("$"):
        return itemgetter(subject)
    value: Any = values[subject[1:]]
    fact = Fact(State.VALUE, value) if value is not None else Fact(State.UNSET, reason=f"nobody has set {subject}")
    return lambda _: fact


def resolved(criterion: Criterion, values: Values) -> Any:
    """Its operand with the vars in `values` put in: None for one that nobody has set."""
    if criterion.bounds:
        return tuple((name, values[bound.name] if isinstance(bound, VarRef) else bound) for name, bound in criterion.bounds)
    operand = criterion.operand
    return values[operand.name] if isinstance(operand, VarRef) else operand
