"""Judges facts by a policy: compiled once into closures, then one finding a rule, each with the evidence that decided it.

A criterion is false, absent, unseen or true. `all` is the lowest of its parts and `any` the highest, so the order always runs from bad to good, and
nothing passes because something was absent, ill-typed or not looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Any

from auditor.core.criterion import ABSENT, FALSE, TRUE, UNSEEN, Facts, LevelOf, Values, compile_criterion
from auditor.core.model import Finding, Leaf, Level, RuleOutcome, Severity, State
from auditor.core.operators import Lookups
from auditor.core.policy import All, Condition, Criterion, EffectivePolicy, Rule

MAX_REMEMBERED = 4096
"""Findings that a compiled rule keeps for facts that it has met before."""

@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy ready to judge; it may be shared between threads."""

    policy: EffectivePolicy
    rules: "tuple[Callable[[Facts, date], Finding], ...]"


def compile_policy(policy: EffectivePolicy, lookups: Lookups) -> CompiledPolicy:
    """Make `policy` ready to judge.

    Raises:
        ValueError: A pattern does not compile.
    """
    values = {var.name: var.value for var in policy.vars}
    return CompiledPolicy(policy, tuple(_remembering(rule, _compile_rule(rule, values, lookups)) for rule in policy.rules))


def judge(compiled: CompiledPolicy, facts: Facts, *, as_of: date) -> tuple[Finding, ...]:
    """What each rule comes to, in rule order. `facts` answers for every fact of the catalogue; `as_of` is the UTC day of the observation."""
    return tuple([rule(facts, as_of) for rule in compiled.rules])


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
_SEEN = attrgetter("state", "value", "sent", "reason")


def _remembering(rule: Rule, decide: Callable[[Facts, date], Finding]) -> Callable[[Facts, date], Finding]:
    """`decide`, asked once for the same day and the same facts: servers of one fleet mostly say the same."""
    reads, known = rule.facts, dict[Any, Finding]()

    def judged(facts: Facts, as_of: date) -> Finding:
        try:
            key = (as_of, *map(_SEEN, map(facts.__getitem__, reads)))
            finding = known.get(key)
            if finding is None:
                finding = decide(facts, as_of)
                if len(known) < MAX_REMEMBERED:
                    known[key] = finding
        except Exception as fault:  # noqa: BLE001 - a bug of ours costs one rule, never a pass and never the other rules
            # The message may quote a fact; the name of the class cannot.
            return Finding(rule=rule.id, outcome=RuleOutcome.ERROR, as_of=as_of, detail=type(fault).__name__)
        return finding

    return judged


def _compile_rule(rule: Rule, values: Values, lookups: Lookups) -> Callable[[Facts, date], Finding]:
    when = _compile(rule.applies, values, lookups) if rule.applies else None
    require = _compile(rule.require, values, lookups)
    ratings = [(rating.severity, _compile(rating.when, values, lookups) if rating.when else None) for rating in rule.ratings]

    def decide(facts: Facts, as_of: date) -> Finding:
        applies = when.level(facts, as_of) if when else TRUE
        applied = tuple(_listed(when, facts, as_of)) if when else ()
        if applies is FALSE:
            return Finding(rule=rule.id, outcome=RuleOutcome.NOT_APPLICABLE, as_of=as_of, applies=applied)
        outcome = _OUTCOMES[applies, require.level(facts, as_of)] or rule.on_missing
        because = tuple(_listed(require, facts, as_of))
        if outcome not in _RATED:
            return Finding(rule=rule.id, outcome=outcome, as_of=as_of, applies=applied, because=because)
        severity, taken = _rated(ratings, facts, as_of)
        rests_on = when if when and applies is not TRUE else require
        return Finding(
            rule=rule.id,
            outcome=outcome,
            as_of=as_of,
            severity=severity,
            standing=outcome is RuleOutcome.NOT_EVALUATED and all(leaf.state is State.NOT_OFFERED for leaf in _decisive(rests_on, facts, as_of)),
            applies=applied,
            because=because,
            severity_because=tuple(_listed(taken, facts, as_of)) if taken else (),
        )

    return decide


def _rated(ratings: "list[tuple[Severity, _Node | None]]", facts: Facts, as_of: date) -> "tuple[Severity, _Node | None]":
    """The first rating that holds, or one above it that may hold and is worse: an unknown never lowers a severity."""
    possible = []
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
    leaf: Callable[[Facts, date], Leaf] | None = None


def _listed(node: _Node, facts: Facts, as_of: date) -> Iterator[Leaf]:
    """The evidence: of each node those parts that lie on its own side, true or not true."""
    if node.leaf:
        yield node.leaf(facts, as_of)
        return
    held = node.level(facts, as_of) is TRUE
    for part in node.parts:
        if (part.level(facts, as_of) is TRUE) is held:
            yield from _listed(part, facts, as_of)


def _decisive(node: _Node, facts: Facts, as_of: date) -> Iterator[Leaf]:
    """The criteria that give the node its level."""
    if node.leaf:
        yield node.leaf(facts, as_of)
        return
    level = node.level(facts, as_of)
    for part in node.parts:
        if part.level(facts, as_of) is level:
            yield from _decisive(part, facts, as_of)


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
