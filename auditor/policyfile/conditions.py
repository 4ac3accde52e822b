"""Reads conditions: from what a file says to criteria in which every name is resolved and every negation carried down."""

import re
from collections.abc import Mapping
from typing import Any

from auditor.core.catalogue import FACTS, Group, Kind, Type
from auditor.core.formats import FORMATS
from auditor.core.model import JsonType
from auditor.core.operators import COMPARISONS, OPERATORS, Operator, Takes
from auditor.core.policy import All, AnyOf, Condition, Criterion, VarRef, negated
from auditor.errors import did_you_mean
from auditor.policyfile.part import MisfitError, Part, shown
from auditor.policyfile.values import fact_name, literal, literals

MAX_DEPTH = 8
"""Levels of a condition."""

VAR = re.compile(r"[a-z][a-z0-9_]*")

_GROUPS = ("all", "any", "none")
_WORDS = (*_GROUPS, "not")

Types = Mapping[str, Type]
"""The types of all vars that are declared, by name."""


def condition(part: Part, at: str, types: Types, depth: int = 1) -> Condition:
    """The condition in `part`; `at` is its place in the rule, as evidence names it.

    Raises:
        PolicyError: It says something that nobody understands.
    """
    if depth > MAX_DEPTH:
        raise part.refuse(f"a condition has {MAX_DEPTH} levels at most", "split the rule")
    return _all([_entry(key, entry, f"{at}/{key}", types, depth) for key, entry in part.entries("a condition")])


def _all(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _entry(key: str, part: Part, at: str, types: Types, depth: int) -> Condition:
    if key == "not":
        return negated(condition(part, at, types, depth + 1))
    if key in _GROUPS:
        parts = [condition(item, f"{at}/{index}", types, depth + 1) for index, item in enumerate(part.items(f"`{key}`"))]
        if key == "all":
            return _all(parts)
        any_of = parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
        return any_of if key == "any" else negated(any_of)
    return _tested(key, _subject_type(key, part, types), part, at, types)


def _subject_type(subject: str, part: Part, types: Types) -> Type:
    if subject.startswith("$"):
        return types[Part(part.file, part.place, subject, part.about).fit(_var, types)]
    if subject in FACTS:
        return FACTS[subject].type
    near = did_you_mean(subject, (*FACTS, *_WORDS), else_say="`auditor policy fields` lists them all")
    raise part.refuse(f"no fact is called {subject!r}", near)


def _tested(subject: str, type_: Type, part: Part, at: str, types: Types) -> Condition:
    """Every test of one subject; a plain value stands for `equals`, a list for `in`."""
    written = part.value
    if isinstance(written, dict):
        return _all([_criterion(subject, type_, name, test, f"{at}/{name}", types) for name, test in part.entries("a test")])
    is_list = isinstance(written, list) or (_names_var(written) and written[1:] in types and types[written[1:]].many)
    operator = "in" if is_list else "equals"
    if type_.many or not OPERATORS[operator].fits(type_):
        raise part.refuse(f"{subject} is of type {type_} and takes no plain value", f"operators that fit: {', '.join(fitting(subject, type_))}")
    return _criterion(subject, type_, operator, part, f"{at}/{operator}", types)


def _criterion(subject: str, type_: Type, name: str, part: Part, at: str, types: Types) -> Criterion:
    if name not in OPERATORS:
        near = did_you_mean(name, fitting(subject, type_)) or did_you_mean(name, OPERATORS)
        raise part.refuse(f"no operator is called {name!r}", near or f"operators that fit {subject}: {', '.join(fitting(subject, type_))}")
    if name not in fitting(subject, type_):
        raise part.refuse(f"`{name}` does not fit {subject}, which is of type {type_}", f"operators that fit: {', '.join(fitting(subject, type_))}")
    operand = part.fit(_operand, subject, type_, name, types)
    return Criterion(at=at, subject=subject, type=type_, operator=name, operand=operand)


def fitting(subject: str, type_: Type) -> list[str]:
    """The operators that a subject of the type takes."""
    of_facts = not subject.startswith("$")
    of_profile = of_facts and FACTS[subject].group is Group.PROFILE
    allowed = {"offered": of_facts, "type": of_profile}
    return [name for name, operator in OPERATORS.items() if operator.fits(type_) and allowed.get(name, True)]


# --- operands -----------------------------------------------------------------------------------------------------


def _operand(written: Any, subject: str, type_: Type, name: str, types: Types) -> Any:
    operator = OPERATORS[name]
    match operator.takes:
        case Takes.NUMBERS:
            return _bounds(written, types)
        case Takes.FACT:
            return _same_typed(written, subject, type_)
        case Takes.FORMAT:
            return _word(written, "format", FORMATS)
        case Takes.JSON_TYPE:
            return _word(written, "JSON type", [kind.value for kind in JsonType])
        case Takes.TRUE:
            if written is not True:
                raise MisfitError(
                    f"`{name}` takes true alone, this is {shown(written)}", f"write {{{'unset' if name == 'set' else 'set'}: true}} for the opposite"
                )
            return True
        case Takes.FLAG:
            if not isinstance(written, bool):
                raise MisfitError(f"`{name}` takes true or false, this is {shown(written)}")
            return written
        case _:
            return _literal_or_var(written, operator, type_, types)


def _literal_or_var(written: Any, operator: Operator, type_: Type, types: Types) -> Any:
    expected = operator.operand_type(type_)
    assert expected is not None
    if _names_var(written):
        return _var_ref(written, expected, types)
    if operator.takes is not Takes.LIST:
        return literal(written, expected)
    if written == []:
        raise MisfitError("an empty list allows nothing", "list one value at least, or name a var")
    return literals(written, expected)


def _bounds(written: Any, types: Types) -> tuple[tuple[str, Any], ...]:
    """A number test: an integer stands for `equals`."""
    if not isinstance(written, dict):
        return (("equals", _number(written, types)),)
    if not written:
        raise MisfitError("an empty mapping tests nothing")
    for name in written:
        if name not in COMPARISONS:
            raise MisfitError(f"a number test has no {name!r}", did_you_mean(name, COMPARISONS, else_say=f"it has: {', '.join(COMPARISONS)}"))
    return tuple((name, _number(bound, types)) for name, bound in written.items())


def _number(written: Any, types: Types) -> Any:
    integer = Type(Kind.INTEGER)
    return _var_ref(written, integer, types) if _names_var(written) else literal(written, integer)


def _same_typed(written: Any, subject: str, type_: Type) -> str:
    name = fact_name(written)
    if not FACTS[name].type.same(type_):
        raise MisfitError(f"{name} is of type {FACTS[name].type}, {subject} of type {type_}: they are never the same")
    return name


def _word(written: Any, what: str, choices: Any) -> str:
    if not isinstance(written, str) or written not in choices:
        raise MisfitError(f"a {what} is one of {', '.join(choices)}, this is {shown(written)}", did_you_mean(str(written), choices))
    return written


def _names_var(written: Any) -> bool:
    return isinstance(written, str) and written.startswith("$") and not written.startswith("$$")


def _var_ref(written: str, expected: Type, types: Types) -> VarRef:
    name = _var(written, types)
    if not types[name].same(expected):
        raise MisfitError(f"${name} is of type {types[name]}, needed is {expected}")
    return VarRef(name)


def _var(written: str, types: Types) -> str:
    name = written[1:]
    if name not in types:
        hint = did_you_mean(name, types, else_say=f"declared are: {', '.join(types)}" if types else "no var is declared; declare it under `vars`")
        raise MisfitError(f"no var is called {written!r}", hint)
    return name
