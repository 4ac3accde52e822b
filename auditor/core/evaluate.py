"""Judges facts by a policy: compiled once into closures, then one finding a rule, each with the evidence that decided it.

A criterion is false, absent, unseen or true. `all` is the lowest of its parts and `any` the highest, so the order always runs from bad to good, and
nothing passes because something was absent, ill-typed or not looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import repeat
from operator import attrgetter, call, getitem, itemgetter
from typing import Any

from auditor.core.criterion import ABSENT, FALSE, TRUE, UNSEEN, Asked, Facts, LeafOf, compile_criterion
from auditor.core.model import Fact, Finding, Leaf, Level, RuleOutcome, Severity, State
from auditor.core.operators import Lookups
from auditor.core.policy import All, AnyOf, Condition, Criterion, EffectivePolicy, Rating, Rule

Said = Sequence[tuple[LeafOf, Level]]
"""Evidence that is still to be written: the criteria that decided, each with its level."""

Weighs = Callable[[Facts, date], tuple[Level, Said]]

AskedOf = Callable[[Criterion], Asked]

Picks = Callable[[Any], Sequence[Any]]
"""Gives what stands in certain places of a row."""

MAX_REMEMBERED = 1024
"""Findings that a rule keeps of one day; of facts a policy keeps as many for each that it reads."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to judge."""

    id: str
    decide: Callable[[Facts, date], Finding]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a policy has met on one day: each rule's findings, by the marks of the facts that it reads; and of all facts that say the same one's mark.

    What says the same mostly is the same object (`Fact.of`), so that its own mark will do.
    """

    findings: tuple[dict[Any, Finding], ...]
    marks: dict[Any, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy ready to judge. It may be shared between threads and targets.

    `read` picks the facts in `reads` out of all. A rule finds what it remembers by their marks: `together` picks the sets of marks that rules with
    several facts go by, and `keys`, out of the row of all marks and then of these sets, what each rule goes by.
    """

    policy: EffectivePolicy
    rules: tuple[CompiledRule, ...]
    reads: tuple[str, ...]
    read: Picks
    together: tuple[Picks, ...]
    keys: Picks
    remembered: dict[date, Remembered] = field(default_factory=dict, compare=False, repr=False)


def compile_policy(policy: EffectivePolicy, lookups: Lookups) -> CompiledPolicy:
    """Make `policy` ready to judge.

    Raises:
        ValueError: A pattern does not compile.
    """
    values = {var.name: var.value for var in policy.vars}
    # What many rules claim, such as the `when` of their policy, is compiled once, so that they share its evidence
    asked = cache(lambda criterion: compile_criterion(criterion, values, lookups))
    reads = tuple(dict.fromkeys(name for rule in policy.rules for name in rule.facts))
    rules = tuple(CompiledRule(rule.id, _compile_rule(rule, asked)) for rule in policy.rules)
    places = [tuple(reads.index(name) for name in rule.facts) for rule in policy.rules]
    several = list(dict.fromkeys(read for read in places if len(read) != 1))
    keys = _picking([read[0] if len(read) == 1 else len(reads) + several.index(read) for read in places])
    return CompiledPolicy(policy, rules, reads, _picking(reads), tuple(map(_picking, several)), keys)


def judge(compiled: CompiledPolicy, facts: Facts, *, as_of: date) -> tuple[Finding, ...]:
    """What each rule comes to, in rule order. `facts` answers for every fact of the catalogue; `as_of` is the UTC day of the observation.

    A rule that has met the same facts on the same day gives the same finding again: servers of one fleet mostly say the same.
    """
    remembered = compiled.remembered.get(as_of) or _begun(compiled, as_of)
    try:
        marks = [*map(_MARK, compiled.read(facts))]
        return tuple(map(getitem, remembered.findings, compiled.keys([*marks, *map(call, compiled.together, repeat(marks))])))
    except Exception:  # noqa: BLE001 - something is new (KeyError), or cannot be had
        return _learnt(compiled, remembered, facts, as_of)


def _learnt(compiled: CompiledPolicy, remembered: Remembered, facts: Facts, as_of: date) -> tuple[Finding, ...]:
    try:
        room = MAX_REMEMBERED * len(compiled.reads)
        marks = [_mark(remembered.marks, fact, room) for fact in compiled.read(facts)]
        keys = compiled.keys([*marks, *map(call, compiled.together, repeat(marks))])
    except Exception:  # noqa: BLE001 - a fact that cannot be had costs the rules that read it, and those alone
        return tuple([_judged(rule, facts, as_of) for rule in compiled.rules])
    findings = []
    for rule, known, key in zip(compiled.rules, remembered.findings, keys, strict=True):
        finding = known.get(key)
        if finding is None:
            finding = _judged(rule, facts, as_of)
            if finding.outcome is not RuleOutcome.ERROR and len(known) < MAX_REMEMBERED:
                known[key] = finding
        findings.append(finding)
    return tuple(findings)


def _mark(known: dict[Any, object], fact: Fact, room: int) -> object:
    """The mark of the first fact that said the same; of one for which there is no more room, its own."""
    # By the type of the value, too, since in Python `True == 1`
    said = (fact.state, fact.value, type(fact.value), fact.sent, fact.reason)
    return known.setdefault(said, fact.mark) if len(known) < room else known.get(said, fact.mark)


_MARK = attrgetter("mark")


def _picking(places: Sequence[Any]) -> Picks:
    # A tuple of any length; `itemgetter` gives one from two places on
    return itemgetter(*places) if len(places) > 1 else lambda row: tuple([row[place] for place in places])


def _begun(compiled: CompiledPolicy, as_of: date) -> Remembered:
    compiled.remembered.clear()  # yesterday does not come back
    return compiled.remembered.setdefault(as_of, Remembered(tuple({} for _ in compiled.rules)))


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


def _compile_rule(rule: Rule, asked: AskedOf) -> Callable[[Facts, date], Finding]:
    when = _compile(rule.applies, asked) if rule.applies else None
    require = _compile(rule.require, asked)
    rated = _compile_ratings(rule.ratings, asked)

    def decide(facts: Facts, as_of: date) -> Finding:
        applies, said = when(facts, as_of) if when else (TRUE, ())
        applied = _written(said, facts)
        if applies is FALSE:
            return Finding(rule=rule.id, outcome=RuleOutcome.NOT_APPLICABLE, as_of=as_of, applies=applied)
        required, said = require(facts, as_of)
        because = _written(said, facts)
        outcome = _OUTCOMES[applies, required] or rule.on_missing
        if outcome is not RuleOutcome.FAIL and outcome is not RuleOutcome.NOT_EVALUATED:
            return Finding(rule=rule.id, outcome=outcome, as_of=as_of, applies=applied, because=because)
        severity, said = rated(facts, as_of)
        return Finding(
            rule=rule.id,
            outcome=outcome,
            as_of=as_of,
            severity=severity,
            standing=outcome is RuleOutcome.NOT_EVALUATED and all(_is_limit(leaf) for leaf in (*applied, *because) if leaf.level in (ABSENT, UNSEEN)),
            applies=applied,
            because=because,
            severity_because=_written(said, facts),
        )

    return decide


def _is_limit(leaf: Leaf) -> bool:
    """Whether all that the leaf lacks is what the source does not offer; `same_as` has two sides."""
    sides = {leaf.state, State(leaf.expected["state"])} if leaf.operator == "same_as" else {leaf.state}
    return sides - {State.VALUE} == {State.NOT_OFFERED}


def _compile_ratings(ratings: tuple[Rating, ...], asked: AskedOf) -> Callable[[Facts, date], tuple[Severity, Said]]:
    """The first rating that holds, or one above it that may hold and is worse: an unknown never lowers a severity."""
    compiled = [(rating.severity, _compile(rating.when, asked) if rating.when else None) for rating in ratings]

    def rated(facts: Facts, as_of: date) -> tuple[Severity, Said]:
        possible: list[tuple[Severity, Said]] = []
        for severity, when in compiled:
            level, said = when(facts, as_of) if when else (TRUE, ())
            if level is TRUE:
                possible.insert(0, (severity, said))
                break
            if level is not FALSE:
                possible.append((severity, said))
        return max(possible, key=lambda rating: rating[0].rank)

    return rated


# --- a condition: its level, and what is to be said for it ---------------------------------------------------------


def _written(said: Said, facts: Facts) -> tuple[Leaf, ...]:
    return tuple([leaf(facts, level) for leaf, level in said])


def _compile(condition: Condition, asked: AskedOf) -> Weighs:
    if isinstance(condition, Criterion):
        return _weighs_one(asked(condition))
    parts = tuple(_compile(part, asked) for part in _flat(condition))
    return _weighs(parts, min, TRUE) if isinstance(condition, All) else _weighs(parts, max, FALSE)


def _flat(condition: All | AnyOf) -> Iterator[Condition]:
    """Its parts; one of its own kind, such as a `when` beneath that of the policy, stands for its parts."""
    for part in condition.parts:
        if isinstance(part, All | AnyOf) and type(part) is type(condition):
            yield from _flat(part)
        else:
            yield part


def _weighs_one(asked: Asked) -> Weighs:
    level_of, leaf = asked.level, asked.leaf

    def weigh(facts: Facts, as_of: date) -> tuple[Level, Said]:
        level = level_of(facts, as_of)
        return level, ((leaf, level),)

    return weigh


def _weighs(parts: tuple[Weighs, ...], pick: Callable[..., Level], of_none: Level) -> Weighs:
    """The lowest or highest level of the parts, and what is said by those that lie on its own side, true or not true."""

    def weigh(facts: Facts, as_of: date) -> tuple[Level, Said]:
        weighed = [part(facts, as_of) for part in parts]
        level = pick([found for found, _ in weighed], default=of_none)
        holds = level is TRUE
        return level, [one for found, said in weighed if (found is TRUE) is holds for one in said]

    return weigh
