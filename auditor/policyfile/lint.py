"""Doubts about policies that are sound in form: what is probably not meant as it stands."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from auditor.core.catalogue import AUTHENTICATION_TYPES
from auditor.core.model import RuleOutcome
from auditor.core.policy import All, AnyOf, Condition, Criterion, Rule, Var, VarRef, criteria, negated
from auditor.policyfile.book import Policy, PolicyBook
from auditor.policyfile.rules import WrittenRule


@dataclass(frozen=True, slots=True, kw_only=True)
class LintWarning:
    """One doubt, and where it arises."""

    file: str
    line: int
    text: str


def lint(book: PolicyBook, *, targets: Mapping[str, Mapping[str, str]] | None = None) -> list[LintWarning]:
    """What is doubtful in the policies of `book`, by file and line. With `targets` (labels by name), labels that none of them has are named, too."""
    found = {warning: None for name in book.names() for warning in _of_policy(book.policy(name), targets)}
    found |= dict.fromkeys(_namesakes(book))
    return sorted(found, key=lambda warning: (warning.file, warning.line, warning.text))


def _of_policy(policy: Policy, targets: Mapping[str, Mapping[str, str]] | None) -> Iterator[LintWarning]:
    file = policy.part.file
    carried: set[tuple[str, ...]] | None = None if targets is None else {(key, value) for labels in targets.values() for key, value in labels.items()}
    for written in policy.written:
        for at, text in (*_of_rule(written, policy.vars), *(_unlabelled(written.rule, carried) if carried is not None else ())):
            yield LintWarning(file=file.path, line=written.line_of(at) if at else written.part.line, text=f"rule {written.rule.id}: {text}")
    for var in policy.vars.values():
        if var.origin == f"policy {policy.name}" and var.type.names and _undocumented(var.value):
            yield LintWarning(file=file.path, line=file.line("vars", var.name), text=f"${var.name}: {_UNDOCUMENTED}")
    for index, override in enumerate(policy.part.value.get("overrides", ())):
        for key, value in override.get("labels", {}).items():
            if carried is not None and (key, value) not in carried:
                yield LintWarning(file=file.path, line=file.line("overrides", index, "labels", key), text=f"no target has the label {key}={value}")


def _namesakes(book: PolicyBook) -> Iterator[LintWarning]:
    """Rules with the id of another policy's rule: a waiver, and a finding in a report, would speak of either."""
    homes: dict[str, dict[str, WrittenRule]] = {}
    for name in book.names():
        for written in book.policy(name).written:
            homes.setdefault(written.rule.id, {})[name] = written
    for id_, written_in in homes.items():
        for name, written in written_in.items():
            if others := sorted(written_in.keys() - {name}):
                text = f"rule {id_}: policy {', '.join(others)} has another rule of this id, and a waiver speaks of both"
                yield LintWarning(file=book.policy(name).part.file.path, line=written.part.line, text=text)


def _of_rule(written: WrittenRule, vars_: Mapping[str, Var]) -> Iterator[tuple[str, str]]:
    """Doubts about a rule: a place in it, empty for the rule as a whole, and the words."""
    rule = written.rule
    if not any(example.outcome is RuleOutcome.FAIL for example in written.examples):
        yield "", "no example shows it failing"
    for criterion in rule.criteria():
        if criterion.type.names and criterion.operator in ("equals", "not_equals", "in", "not_in") and _undocumented(criterion.operand):
            yield criterion.at, _UNDOCUMENTED
    guards = _guards(rule.applies)
    for condition in (rule.applies, rule.require, *(rating.when for rating in rule.ratings)):
        for criterion, var in _unguarded(condition, guards, vars_):
            yield criterion.at, f"nobody has set ${var}, and nothing asks whether somebody has: until then the rule is not evaluated"
    if (contradiction := _contradiction(rule.applies)) is not None:
        yield contradiction.at, "its `when` never holds, so nothing reaches the rule"
    earlier: list[Condition] = []
    for rating in rule.ratings:
        if rating.when is not None and _placeless(rating.when) in earlier:
            yield next(criteria(rating.when)).at, "an entry above it has the same `when`, so nothing reaches this one"
        if rating.when is not None:
            earlier.append(_placeless(rating.when))


def _unlabelled(rule: Rule, carried: Collection[tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Labels that the rule asks for and no target carries."""
    for criterion in rule.criteria():
        if criterion.subject == "target.labels" and criterion.operator in ("contains", "any_in", "all_in", "none_in"):
            labels = criterion.operand if isinstance(criterion.operand, tuple) else (criterion.operand,)
            for label in labels:
                if isinstance(label, str) and tuple(label.split("=", 1)) not in carried:
                    yield criterion.at, f"no target has the label {label}"


# --- an authentication type that no manual names ------------------------------------------------------------------

_UNDOCUMENTED = f"an undocumented authentication type; documented are {', '.join(f'{name} ({number})' for name, number in AUTHENTICATION_TYPES)}"


def _undocumented(operand: object) -> bool:
    documented = {number for _, number in AUTHENTICATION_TYPES}
    values = operand if isinstance(operand, tuple) else (operand,)
    return any(isinstance(value, int) and value not in documented for value in values)


# --- a var that nobody has set ------------------------------------------------------------------------------------


def _guards(condition: Condition | None) -> frozenset[str]:
    """Vars that are set wherever `condition` holds."""
    match condition:
        case Criterion(subject=subject) if subject.startswith("$") and (condition.operator, condition.negated) in (("set", False), ("unset", True)):
            return frozenset({subject[1:]})
        case All(parts):
            return frozenset().union(*map(_guards, parts))
        case _:
            return frozenset()


def _unguarded(condition: Condition | None, guards: frozenset[str], vars_: Mapping[str, Var]) -> Iterator[tuple[Criterion, str]]:
    """Criteria that ask for a var that nobody has set, where nothing has made sure of it."""
    match condition:
        case Criterion():
            subject = [condition.subject[1:]] if condition.subject.startswith("$") and condition.operator not in ("set", "unset") else []
            yield from ((condition, name) for name in sorted({*condition.vars, *subject} - guards) if vars_[name].value is None)
        case All(parts):
            for part in parts:
                yield from _unguarded(part, guards.union(*map(_guards, parts)), vars_)
        case AnyOf(parts):
            for part in parts:  # one part matters only where the others do not hold
                yield from _unguarded(part, guards.union(*(_guards(negated(other)) for other in parts)), vars_)


# --- what nothing reaches -----------------------------------------------------------------------------------------


def _contradiction(condition: Condition | None) -> Criterion | None:
    """The criterion that cannot hold beside another one that must hold with it, if there is one."""
    demanded: list[Criterion] = []
    for criterion in _conjuncts(condition):
        for other in demanded:
            if criterion.subject == other.subject and _exclude(criterion, other):
                return criterion
        demanded.append(criterion)
    return None


def _conjuncts(condition: Condition | None) -> Iterator[Criterion]:
    if isinstance(condition, Criterion):
        yield condition
    elif isinstance(condition, All):
        for part in condition.parts:
            yield from _conjuncts(part)


def _exclude(one: Criterion, other: Criterion) -> bool:
    if _placeless(one) == _placeless(negated(other)):
        return True
    allowed = [_allowed(one), _allowed(other)]
    return all(values is not None for values in allowed) and not frozenset.intersection(*filter(None, allowed))


def _allowed(criterion: Criterion) -> frozenset[object] | None:
    """The values that a criterion leaves, where it lists them."""
    if criterion.negated or criterion.operator not in ("equals", "in") or isinstance(criterion.operand, VarRef):
        return None
    return frozenset(criterion.operand) if isinstance(criterion.operand, tuple) else frozenset({criterion.operand})


def _placeless(condition: Condition) -> Condition:
    """`condition`, wherever it stands."""
    if isinstance(condition, Criterion):
        return replace(condition, at="")
    return replace(condition, parts=tuple(map(_placeless, condition.parts)))
