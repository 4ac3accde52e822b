"""Evidence in words: `Port: expected integer 465 or 587, got text "587"`.

Texts of the server stand in them as sent: whoever prints them makes them safe.
"""

from collections.abc import Callable
from typing import Any

from auditor.core.catalogue import FACTS, Kind, Type
from auditor.core.model import JsonType, Leaf, State


def leaf_text(leaf: Leaf) -> str:
    """What was expected of a fact or var, and what was found."""
    return f"{leaf.fact}: expected {expected_text(leaf)}, got {actual_text(leaf)}"


def expected_text(leaf: Leaf) -> str:
    """What was expected, such as `integer 465 or 587`; the type is named where another one was sent."""
    expected = leaf.expected
    if expected is None:
        return f"the value of ${leaf.var}"
    if isinstance(expected, dict) and leaf.operator != "same_as":
        expected = {name: f"${leaf.var}" if bound is None else bound for name, bound in expected.items()}
    positive, negative = _EXPECTED[leaf.operator]
    said = negative if leaf.negated else positive
    kind = _type_word(leaf) if leaf.state is State.ILL_TYPED and said in (_value, _one_of) else ""
    return kind + said(expected, leaf.fact)


def actual_text(leaf: Leaf) -> str:
    """What was found, such as `text "587"`, `nothing (unset)` or `not learnt (timeout)`."""
    why = f" ({leaf.reason})" if leaf.reason else ""
    match leaf.state:
        case State.VALUE:
            return _value(leaf.actual, leaf.fact) + why
        case State.UNSET:
            return f"nothing{why or ' (unset)'}"
        case State.MISSING:
            return f"no such field in the answer{why}"
        case State.ILL_TYPED:
            return _ill_typed(leaf) + why
        case State.NOT_OFFERED:
            return f"not offered by this source{why}"
        case State.INCONCLUSIVE:
            return f"not learnt{why}"


def literal_text(value: Any, type_: Type | None = None) -> str:
    """A value as evidence prints it: text in quotes, an integer with the name it goes by."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        name = next((name for name, number in type_.names if number == value), None) if type_ else None
        return f"{value} ({name})" if name else str(value)
    if isinstance(value, str):
        return value if type_ and type_.kind in (Kind.WORD, Kind.SECRET, Kind.DATE, Kind.FIELD, Kind.FACT) else f'"{value}"'
    return f"[{', '.join(literal_text(item, type_) for item in value)}]"


Say = Callable[[Any, str], str]


def _type_of(subject: str) -> Type | None:
    return FACTS[subject].type if subject in FACTS else None


def _type_word(leaf: Leaf) -> str:
    type_ = _type_of(leaf.fact)
    return f"{type_.kind.value} " if type_ and type_.kind in (Kind.INTEGER, Kind.BOOLEAN, Kind.TEXT, Kind.HOST, Kind.EMAIL, Kind.URL) else ""


def _ill_typed(leaf: Leaf) -> str:
    sent = leaf.sent or "a value of another type"
    if leaf.sent in (JsonType.LIST, JsonType.OBJECT):
        return f"{'an' if leaf.sent is JsonType.OBJECT else 'a'} {sent}"
    if leaf.actual is None:
        return sent
    return f"{sent} {leaf.actual if leaf.sent is JsonType.NUMBER else literal_text(leaf.actual)}"


def _value(value: Any, subject: str) -> str:
    return literal_text(value, _type_of(subject))


def _members(values: Any, subject: str, last: str) -> str:
    texts = [_value(value, subject) for value in values]
    return f"{', '.join(texts[:-1])} {last} {texts[-1]}" if len(texts) > 1 else "".join(texts) or "nothing"


def _one_of(values: Any, subject: str) -> str:
    return _members(values, subject, "or")


def _lead(words: str, say: Say = _value) -> Say:
    return lambda value, subject: f"{words} {say(value, subject)}"


def _numbers(words: str, unit: str = "") -> Say:
    def say(bounds: Any, _: str) -> str:
        return words + " and ".join(f"{_BOUNDS[name]} {bound}" for name, bound in bounds.items()) + unit

    return say


def _same_as(other: Any, subject: str) -> str:
    found = _value(other["value"], subject) if other["state"] == State.VALUE else other["state"].replace("_", " ")
    return f"the same as {other['fact']} ({found})"


def _const(words: str) -> Say:
    return lambda _value, _subject: words


def _choice(if_true: str, if_false: str) -> Say:
    return lambda value, _: if_true if value else if_false


_BOUNDS = {"equals": "exactly", "lt": "less than", "lte": "at most", "gt": "more than", "gte": "at least"}
_ANYTHING_BUT, _NONE_OF = _lead("anything but"), _lead("none of", _one_of)
_MATCHES, _MATCHES_NOT = (lambda pattern, _: f"text that matches {pattern}"), (lambda pattern, _: f"text that does not match {pattern}")

_EXPECTED: dict[str, tuple[Say, Say]] = {
    "equals": (_value, _ANYTHING_BUT),
    "not_equals": (_ANYTHING_BUT, _value),
    "in": (_one_of, _NONE_OF),
    "not_in": (_NONE_OF, _one_of),
    "lt": (_lead("less than"), _lead("at least")),
    "lte": (_lead("at most"), _lead("more than")),
    "gt": (_lead("more than"), _lead("at most")),
    "gte": (_lead("at least"), _lead("less than")),
    "matches": (_MATCHES, _MATCHES_NOT),
    "not_matches": (_MATCHES_NOT, _MATCHES),
    "starts_with": (_lead("text that starts with"), _lead("text that does not start with")),
    "ends_with": (_lead("text that ends with"), _lead("text that does not end with")),
    "contains": (_lead("one that contains"), _lead("one that does not contain")),
    "any_in": (_lead("at least one of", _one_of), _lead("none of", _one_of)),
    "all_in": (_lead("nothing but", _one_of), _lead("something other than", _one_of)),
    "none_in": (_lead("none of", _one_of), _lead("at least one of", _one_of)),
    "under": (_lead("a host under", _one_of), _lead("a host not under", _one_of)),
    "resembles": (_lead("a look-alike of", _one_of), _lead("no look-alike of", _one_of)),
    "format": (lambda name, _: f"the format {name}", lambda name, _: f"not the format {name}"),
    "length": (_numbers("a length of "), _numbers("a length other than ")),
    "days_ahead": (_numbers("a day ", " days ahead"), _numbers("a day other than ", " days ahead")),
    "same_as": (_same_as, lambda other, subject: f"not {_same_as(other, subject)}"),
    "set": (_const("a value"), _const("no value")),
    "unset": (_const("no value"), _const("a value")),
    "offered": (_choice("to be offered", "not to be offered"), _choice("not to be offered", "to be offered")),
    "type": (lambda name, _: f"to be sent as {name}", lambda name, _: f"not to be sent as {name}"),
}
