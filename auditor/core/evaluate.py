"""Judges facts by a policy: compiled once into closures, then one finding a rule, each with the evidence that decided it.

A criterion is false, absent, unseen or true. `all` is the lowest of its parts and `any` the highest, so the order always runs from bad to good, and
nothing passes because something was absent, ill-typed or not looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from operator import attrgetter, itemgetter
from typing import Any

from auditor.core.criterion import ABSENT, FALSE, TRUE, UNSEEN, Facts, LevelOf, Values, compile_criterion
from auditor.core.model import Finding, Leaf, Level, RuleOutcome, Severity, State
from auditor.core.operators import Lookups
from auditor.core.policy import All, Condition, Criterion, EffectivePolicy, Rule

MAX_REMEMBERED = 1024
"""Findings that a rule keeps, of one day."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to judge. `key` picks what it reads out of all that was seen."""

    id: str
    key: Callable[[Mapping[str, Any]], Any]
    decide: Callable[[Facts, date], Finding]


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy ready to judge. It may be shared between threads and targets."""

    policy: EffectivePolicy
    rules: tuple[CompiledRule, ...]
    reads: tuple[str, ...]
    remembered: "dict[date, tuple[dict[Any, Finding], ...]]" = field(default_factory=dict, compare=False, repr=False)


def compile_policy(policy: EffectivePolicy, lookups: Lookups) -> CompiledPolicy:
    """Make `policy` ready to judge.

    Raises:
        ValueError: A pattern does not compile.
    """
    values = {var.name: var.value for var in policy.vars}
    rules = tuple(CompiledRule(rule.id, _picking(rule.facts), _compile_rule(rule, values, lookups)) for rule in policy.rules)
    return CompiledPolicy(policy, rules, tuple(dict.fromkeys(name for rule in policy.rules for name in rule.facts)))


def judge(compiled: CompiledPolicy, facts: Facts, *, as_of: date) -> tuple[Finding, ...]:
    """What each rule comes to, in rule order. `facts` answers for every fact of the catalogue; `as_of` is the UTC day of the observation.

    A rule that has met the same facts on the same day gives the same finding again: servers of one fleet mostly say the same.
    """
    try:
        return tuple(_recalled(compiled, facts, as_of))
    except Exception:  # noqa: BLE001 - a fact that cannot be had costs the rules that read it, and those alone
        return tuple([_judged(rule, facts, as_of) for rule in compiled.rules])


def _recalled(compiled: CompiledPolicy, facts: Facts, as_of: date) -> list[Finding]:
    seen = {name: _SEEN(facts[name]) for name in compiled.reads}
    findings = []
    for rule, known in zip(compiled.rules, _remembered(compiled, as_of), strict=True):
        key = rule.key(seen)
        finding = known.get(key)
        if finding is None:
            finding = _judged(rule, facts, as_of)
            if finding.outcome is not RuleOutcome.ERROR and len(known) < MAX_REMEMBERED:
                known[key] = finding
        findings.append(finding)
    return findings


_SEEN = attrgetter("state", "value", "value.__class__", "sent", "reason")
"""A fact as it is recalled; by its class, too, since in Python `True == 1`."""


def _picking(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
    return itemgetter(*names) if names else lambda _: None


def _remembered(compiled: CompiledPolicy, as_of: date) -> "tuple[dict[Any, Finding], ...]":
    known = compiled.remembered.get(as_of)
    if known is None:
        compiled.remembered.clear()  # yesterday does not come back
        known = compiled.remembered[as_of] = tuple({} for _ in compiled.rules)
    return known


def _judged(rule: CompiledRule, facts: Facts, as_of: date) -> Finding:
    try:
        return rule.decide(facts, as_of)
    except Exception as fault:  # noqa: BLE001 - a bug of ours costs one rule: never a pass, and never the other rules
        # The message may quote a fact; the name of the class cannot.
        return Finding(rule=rule.id, outcome=RuleOutcome.ERROR, as_of=as_of, detail=type(fault).__name__)


# --- a rule: the implication when -> require ----------------------------------------------------------------------

_OUTCOMES: dict[tuple[Level, Level], RuleOutcome | None] = {
    (TRUE, TRUE): RuleOutcome.PASS,
    (TRUE, UNSEEN): RuleOutcome.NOT_EVALUATED,
    (TRUE, ABSENT): None,
    (TRUE, FALSE): RuleOutcome.FAIL,
    **{(UNSEEN, level): RuleOutcome.NOT_EVALUATED for level in Level},
    (ABSENT, TRUE): RuleOutcome.NOT_EVALUATED,
    (ABSENT, UNSEEN): RuleOutcome.NOT_EVALUATED,
    (ABSENT, ABSENT): None,
    (ABSENT, FALSE): None,
}
"""The table of section 6 by the levels of `when` and `require`; None is the rule's `on_missing`."""

_RATED = (RuleOutcome.FAIL, RuleOutcome.NOT_EVALUATED)


def _compile_rule(rule: Rule, values: Values, lookups: Lookups) -> Callable[[Facts, date], Finding]:
    when = _compile(rule.applies, values, lookups) if rule.applies else None
    require = _compile(rule.require, values, lookups)
    ratings = [(rating.severity, _compile(rating.when, values, lookups) if rating.when else None) for rating in rule.ratings]

    def decide(facts: Facts, as_of: date) -> Finding:
        applies = when.level(facts, as_of) if when else TRUE
        applied = tuple(_listed(when, applies, facts, as_of)) if when else ()
        if applies is FALSE:
            return Finding(rule=rule.id, outcome=RuleOutcome.NOT_APPLICABLE, as_of=as_of, applies=applied)
        required = require.level(facts, as_of)
        because = tuple(_listed(require, required, facts, as_of))
        outcome = _OUTCOMES[applies, required] or rule.on_missing
        if outcome not in _RATED:
            return Finding(rule=rule.id, outcome=outcome, as_of=as_of, applies=applied, because=because)
        severity, taken = _rated(ratings, facts, as_of)
        lacking = [leaf for leaf in (*applied, *because) if leaf.level in (ABSENT, UNSEEN)]
        return Finding(
            rule=rule.id,
            outcome=outcome,
            as_of=as_of,
            severity=severity,
            standing=outcome is RuleOutcome.NOT_EVALUATED and all(map(_is_limit, lacking)),
            applies=applied,
            because=because,
            severity_because=tuple(_listed(taken, taken.level(facts, as_of), facts, as_of)) if taken else (),
        )

    return decide


def _is_limit(leaf: Leaf) -> bool:
    """Whether all that the leaf lacks is what the source does not offer; `same_as` has two sides."""
    sides = {leaf.state, State(leaf.expected["state"])} if leaf.operator == "same_as" else {leaf.state}
    return sides - {State.VALUE} == {State.NOT_OFFERED}


def _rated(ratings: "list[tuple[Severity, _Node | None]]", facts: Facts, as_of: date) -> "tuple[Severity, _Node | None]":
    """The first rating that holds, or one above it that may hold and is worse: an unknown never lowers a severity."""
    possible: list[tuple[Severity, _Node | None]] = []
    for severity, when in ratings:
        level = when.level(facts, as_of) if when else TRUE
        if level is TRUE:
            possible.insert(0, (severity, when))
            break
        if level is not FALSE:
            possible.append((severity, when))
    return max(possible, key=lambda rating: rating[0].rank)


# --- a condition: levels for speed, nodes for evidence ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Node:
    """A compiled condition. `leaf` describes a criterion and is None where there are parts."""

    level: LevelOf
    parts: "tuple[_Node, ...]" = ()
    leaf: Callable[[Facts, Level], Leaf] | None = None


def _listed(node: _Node, level: Level, facts: Facts, as_of: date) -> list[Leaf]:
    """The evidence: of each node those parts that lie on its own side, true or not true."""
    if node.leaf:
        return [node.leaf(facts, level)]
    leaves = []
    for part in node.parts:
        found = part.level(facts, as_of)
        if (found is TRUE) is (level is TRUE):
            leaves += _listed(part, found, facts, as_of)
    return leaves


def _compile(condition: Condition, values: Values, lookups: Lookups) -> _Node:
    if isinstance(condition, Criterion):
        asked = compile_criterion(condition, values, lookups)
        return _Node(asked.level, leaf=asked.leaf)
    parts = tuple(_compile(part, values, lookups) for part in condition.parts)
    levels = tuple(part.level for part in parts)
    return _Node(_lowest(levels) if isinstance(condition, All) else _highest(levels), parts)


def _lowest(levels: tuple[LevelOf, ...]) -> LevelOf:
    def lowest_level(facts: Facts, as_of: date) -> Level:
        lowest = TRUE
        for level in levels:
            found = level(facts, as_of)
            if found < lowest:
                if found is FALSE:
                    return FALSE
                lowest = found
        return lowest

    return lowest_level


def _highest(levels: tuple[LevelOf, ...]) -> LevelOf:
    def highest_level(facts: Facts, as_of: date) -> Level:
        highest = FALSE
        for level in levels:
            found = level(facts, as_of)
            if found > highest:
                if found is TRUE:
                    return TRUE
                highest = found
        return highest

    return highest_level
