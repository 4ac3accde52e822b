"""A policy as it is in force: names resolved, negations carried down to the criteria, aliases and literals checked.

`policyfile` writes these values, `evaluate` judges by them. Nothing here knows what a file looks like.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

from auditor.core.canonical import digest
from auditor.core.catalogue import FACTS, Group, Type
from auditor.core.model import PolicyText, RuleOutcome, Severity

OUTSIDE = frozenset(name for name, entry in FACTS.items() if entry.group in (Group.AUDIT, Group.HISTORY))
"""Facts that no snapshot holds: whoever reuses a judgement must have seen the same of them."""

Value = bool | int | str | date | tuple[bool | int | str | date, ...]
"""A literal as it is compared: lists are tuples, dates are dates, aliases are integers."""


@dataclass(frozen=True, slots=True)
class VarRef:
    """A var named in the place of an operand."""

    name: str


Bound = tuple[str, int | VarRef]
"""One comparison of a number test, such as `("lte", 64)`."""

Operand = Value | VarRef | tuple[Bound, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One claim about one subject, a fact or (`$name`) a var. `at` is its place in the rule, `type` the type of the subject."""

    at: str
    subject: str
    type: Type
    operator: str
    operand: Operand
    negated: bool = False

    @property
    def vars(self) -> tuple[str, ...]:
        """Names of the vars in the operand."""
        parts = [self.operand, *(bound for _, bound in self.bounds)]
        return tuple(part.name for part in parts if isinstance(part, VarRef))

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The comparisons of a number test; none for any other operand."""
        operand: Any = self.operand
        return operand if isinstance(operand, tuple) and operand and isinstance(operand[0], tuple) else ()

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the facts that it reads."""
        names = [] if self.subject.startswith("$") else [self.subject]
        if self.operator == "same_as":
            names.append(str(self.operand))
        return tuple(names)


@dataclass(frozen=True, slots=True)
class All:
    """Holds where every part does; its level is the lowest of them."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where one part does; its level is the highest of them."""

    parts: "tuple[Condition, ...]"


Condition = Criterion | All | AnyOf


def negated(condition: Condition) -> Condition:
    """`not condition`, carried down to the criteria by De Morgan's laws."""
    match condition:
        case Criterion():
            return replace(condition, negated=not condition.negated)
        case All(parts):
            return AnyOf(tuple(map(negated, parts)))
        case AnyOf(parts):
            return All(tuple(map(negated, parts)))


def both(first: Condition | None, second: Condition | None) -> Condition | None:
    """What holds where both do; None is no condition at all."""
    return All((first, second)) if first and second else first or second


def criteria(condition: Condition | None) -> Iterator[Criterion]:
    """Every criterion in `condition`, in the order in which it is written."""
    if isinstance(condition, Criterion):
        yield condition
    elif condition is not None:
        for part in condition.parts:
            yield from criteria(part)


@dataclass(frozen=True, slots=True)
class Rating:
    """One entry of a severity list; the last one has no `when`."""

    severity: Severity
    when: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what must hold (`require`), and when it applies.

    `guard` is the `when` of the policy that the rule is written in. `on_missing` is the outcome where an answer will not do.
    `controls` maps a framework's key to ids, the rows of its bundles included.
    """

    id: str
    title: str
    ratings: tuple[Rating, ...]
    require: Condition
    when: Condition | None = None
    guard: Condition | None = None
    on_missing: RuleOutcome = RuleOutcome.FAIL
    rationale: str = ""
    remediation: str = ""
    references: tuple[str, ...] = ()
    controls: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def severity_text(self) -> str:
        """Every severity that the rule can have, the worst first."""
        levels = sorted({rating.severity for rating in self.ratings}, key=lambda level: -level.rank)
        return " or ".join(levels)

    @property
    def applies(self) -> Condition | None:
        """When the rule applies, the policy's own `when` included."""
        return both(self.guard, self.when)

    def criteria(self) -> Iterator[Criterion]:
        """Every criterion of the rule, those of its severity included."""
        for condition in (self.applies, self.require, *(rating.when for rating in self.ratings)):
            yield from criteria(condition)

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the facts that it reads, each once."""
        return tuple(dict.fromkeys(name for criterion in self.criteria() for name in criterion.facts))

    @property
    def is_of_the_installation(self) -> bool:
        """Whether it reads nothing but the store, and so is judged once a run and not for each target."""
        return bool(self.facts) and all(name.startswith("store.") for name in self.facts)

    @property
    def is_dated(self) -> bool:
        """Whether its finding depends on the day of the observation."""
        return any(criterion.operator == "days_ahead" for criterion in self.criteria())

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "severity": [{"when": _tree(rating.when), "is": rating.severity.value} for rating in self.ratings],
            "when": _tree(self.applies),
            "require": _tree(self.require),
            "on_missing": self.on_missing.value,
            "rationale": self.rationale,
            "remediation": self.remediation,
            "references": list(self.references),
            "controls": {framework: list(ids) for framework, ids in self.controls},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Var:
    """A var in force: its value (None where nobody has set it) and who set it."""

    name: str
    type: Type
    value: Value | None
    origin: str
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class EffectivePolicy:
    """What one target is judged by: rules in order, vars in force."""

    name: str
    title: str
    version: int
    rules: tuple[Rule, ...]
    vars: tuple[Var, ...] = ()

    def document(self) -> dict[str, Any]:
        """The policy as JSON: what findings are explained by. `origin` of a var is no part of it. Made once, and not to be changed."""
        return self._document

    @cached_property
    def _document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "version": self.version,
            "vars": {var.name: plain(var.value) for var in self.vars},
            "var_types": {var.name: str(var.type) for var in self.vars},
            "rules": [rule.document() for rule in self.rules],
        }

    @cached_property
    def text(self) -> PolicyText:
        """The policy as readers get to see it."""
        return PolicyText.from_document(self.document())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `document()`."""
        return digest(self.document())

    @cached_property
    def is_dated(self) -> bool:
        """Whether a finding can depend on the day of the observation."""
        return any(rule.is_dated for rule in self.rules)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The facts from outside the snapshot that its rules read."""
        return OUTSIDE.intersection(name for rule in self.rules for name in rule.facts)


def plain(value: Any) -> Any:
    """`value` as JSON: dates as text, tuples as lists."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _tree(condition: Condition | None) -> Any:
    match condition:
        case None:
            return None
        case All(parts):
            return {"all": [_tree(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [_tree(part) for part in parts]}
        case Criterion():
            tree: dict[str, Any] = {
                "fact": condition.subject,
                "type": str(condition.type),
                "operator": condition.operator,
                "operand": _written(condition),
            }
            return {**tree, "negated": True} if condition.negated else tree


def _written(criterion: Criterion) -> Any:
    if criterion.bounds:
        return {operator: f"${bound.name}" if isinstance(bound, VarRef) else bound for operator, bound in criterion.bounds}
    if isinstance(criterion.operand, VarRef):
        return f"${criterion.operand.name}"
    text = criterion.operand
    return f"${text}" if isinstance(text, str) and text.startswith("$") else plain(text)
