"""What a rule claims, in words, before any server has answered: `Port is 465 or 587 ($allowed_ports)`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from auditor.core.criterion import resolved
from auditor.core.model import Leaf, Level, State
from auditor.core.policy import All, AnyOf, Condition, Criterion, Value, VarRef, plain
from auditor.core.words import expected_text

Values = Mapping[str, Value | None]
"""Vars in force by name; None is one that nobody has set."""


def claim_text(criterion: Criterion, values: Values) -> str:
    """One claim about one fact or var, with the vars in force put in and named."""
    return f"{criterion.subject} {_predicate(criterion, values)}"


def condition_text(condition: Condition, values: Values) -> str:
    """A condition in one sentence; the subject is not repeated where it stays the same."""
    if isinstance(condition, Criterion):
        return claim_text(condition, values)
    said, before = "", ""
    for part in _parts(condition):
        word = (" and " if isinstance(condition, All) else " or ") if said else ""
        if isinstance(part, Criterion):
            said += word + (_predicate(part, values) if part.subject == before else claim_text(part, values))
            before = part.subject
        else:
            said += f"{word}({condition_text(part, values)})"
            before = ""
    return said


def condition_lines(condition: Condition, values: Values, depth: int = 0) -> Iterator[tuple[int, str]]:
    """A condition as an outline: how deep each line stands, and the line."""
    if isinstance(condition, Criterion):
        yield depth, claim_text(condition, values)
    elif depth and all(isinstance(part, Criterion) for part in condition.parts):
        yield depth, condition_text(condition, values)
    else:
        yield depth, "all of these:" if isinstance(condition, All) else "at least one of these:"
        for part in _parts(condition):
            yield from condition_lines(part, values, depth + 1)


def _parts(condition: All | AnyOf) -> Iterator[Condition]:
    """The parts, those of a part of the same kind among them: `all` of `all` is `all`."""
    for part in condition.parts:
        if isinstance(part, All | AnyOf) and type(part) is type(condition):
            yield from _parts(part)
        else:
            yield part


_MAX_SPELT = 4
"""Values of a list that are spelt out; a longer one goes by the name of its var."""

_HAS = ("set", "unset", "length", "any_in", "all_in", "none_in")
_BEGINNINGS = (
    ("not to be ", "is not "),
    ("to be ", "is "),
    ("one that ", ""),
    ("text that ", ""),
    ("anything but ", "is not "),
    ("a host ", "is "),
    ("a day ", "is "),
    ("not the format ", "does not have the format "),
    ("the format ", "has the format "),
)
"""From what evidence says was expected to what a sentence says."""


def _predicate(criterion: Criterion, values: Values) -> str:
    if criterion.bounds == (("equals", 0),) and criterion.operator == "length":
        return "is not empty" if criterion.negated else "is empty"
    if criterion.bounds == (("lt", 0),) and criterion.operator == "days_ahead":
        return "is not past" if criterion.negated else "is past"
    expected = _expected(_turned(criterion), values)
    begins, becomes = next((pair for pair in _BEGINNINGS if expected.startswith(pair[0])), ("", "has " if criterion.operator in _HAS else "is "))
    said = becomes + expected.removeprefix(begins)
    if not criterion.vars or "$" in said:
        return said
    return f"{said} ({', '.join(f'${name}' for name in criterion.vars)})"


_TURNED = {"lt": "gte", "gte": "lt", "gt": "lte", "lte": "gt"}


def _turned(criterion: Criterion) -> Criterion:
    """`at least 65` rather than `other than at most 64`."""
    if not criterion.negated or len(criterion.bounds) != 1 or criterion.bounds[0][0] not in _TURNED:
        return criterion
    ((name, bound),) = criterion.bounds
    return replace(criterion, operand=((_TURNED[name], bound),), negated=False)


def _expected(criterion: Criterion, values: Values) -> str:
    if criterion.operator == "same_as":
        return f"{'not ' if criterion.negated else ''}the same as {criterion.operand}"
    operand = resolved(criterion, values)
    named = _name(criterion, operand)
    leaf = Leaf(
        at=criterion.at,
        fact=criterion.subject,
        operator=criterion.operator,
        expected=dict(operand) if criterion.bounds else [named] if named else plain(operand),
        level=Level.TRUE,
        state=State.VALUE,
        negated=criterion.negated,
        var=", ".join(criterion.vars) or None,
    )
    text = expected_text(leaf).replace(f'"{named}"', f"{named}{'' if operand else ' (none so far)'}")
    return f"one of {text}" if named and text.startswith("$") else text


def _name(criterion: Criterion, operand: Any) -> str:
    """The name of a var that stands for a list which is empty, or too long to be spelt out."""
    is_list = isinstance(criterion.operand, VarRef) and isinstance(operand, tuple)
    return f"${criterion.vars[0]}" if is_list and not 0 < len(operand) <= _MAX_SPELT else ""
