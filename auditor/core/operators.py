"""The operators of the rule language, one dict: what each fits, what it is given, and how it decides about a value.

Typed and without coercion: a value of another type is a fault of ours and raises, it is never compared. How a fact without a value is judged
is the business of `evaluate`.
"""

import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from auditor.core.catalogue import INTEGER, TEXT, Kind, Type
from auditor.core.formats import FORMATS, look_alike, normal_email, normal_host, normal_url

MAX_MATCHED_CHARACTERS = 1024
"""A pattern is tried on no longer text: past this the answer will not do."""

Decides = Callable[[Any], bool | None]
"""Decides about a value; None where the value will not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """What the operators need from outside the standard library, as plain functions.

    `to_ascii` is IDNA, raising ValueError for what is no name. `compile_pattern` gives a function that says whether a whole text matches.
    """

    to_ascii: Callable[[str], str]
    org_domain: Callable[[str], str | None]
    compile_pattern: Callable[[str], Callable[[str], bool]]


class Takes(Enum):
    """What an operator is given: a literal or var of the subject's type, a list of them, or something of its own."""

    VALUE = "a value of its type"
    LIST = "a list of values"
    MEMBER = "text, or for a list one member"
    INTEGER = "an integer"
    TEXT = "text"
    PATTERN = "a pattern"
    FORMAT = "a format"
    NUMBERS = "an integer, or a map of equals, lt, lte, gt, gte to integers"
    FACT = "a fact of the same type"
    JSON_TYPE = "a JSON type"
    TRUE = "true"
    FLAG = "true or false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator. `decides` builds what it asks of a value, from its operand and the subject's type.

    It is None for those that ask something else of a fact: whether it is there, what it is beside another, how far away its day is.
    """

    takes: Takes
    fits: Callable[[Type], bool]
    decides: Callable[[Any, Type, Lookups], Decides] | None = None
    negates: str | None = None

    def operand_type(self, subject: Type) -> Type | None:
        """The type of its operand beside a subject of type `subject`; None where that is no type of the language."""
        match self.takes:
            case Takes.VALUE:
                return subject
            case Takes.MEMBER:
                return subject.one if subject.many else TEXT
            case Takes.LIST:
                return subject.one.listed
            case Takes.INTEGER | Takes.NUMBERS:
                return INTEGER
            case Takes.TEXT:
                return TEXT
            case Takes.PATTERN:
                return Type(Kind.PATTERN)
            case _:
                return None


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
"""The comparisons of integers, alone and inside a number test."""

PRESENCE = ("set", "unset", "offered", "type")
"""The operators that ask whether and how a fact is there, not what it says."""


def same_form(subject: Type, lookups: Lookups) -> Callable[[Any], Any]:
    """The form in which two values of the type are equal (rule language, section 2)."""
    match subject.kind:
        case Kind.HOST:
            return lambda text: normal_host(text, lookups.to_ascii) or text
        case Kind.EMAIL:
            return lambda text: normal_email(text, lookups.to_ascii) or text
        case Kind.URL:
            return lambda text: normal_url(text) or text
        case _:
            return lambda value: value


def number_test(bounds: Collection[tuple[str, int]]) -> Callable[[int], bool]:
    """Whether a number meets every one of `bounds`, such as `("lte", 64)`."""
    compared = [(COMPARISONS[name], bound) for name, bound in bounds]
    return lambda number: all(compare(number, bound) for compare, bound in compared)


def _equals(expected: Any, subject: Type, lookups: Lookups) -> Decides:
    if subject.kind not in _FOLDED:
        return lambda value: bool(value == expected)
    form = same_form(subject, lookups)
    target = form(expected)
    return lambda value: value == expected or form(value) == target


def _in(expected: Any, subject: Type, lookups: Lookups) -> Decides:
    if subject.kind not in _FOLDED:
        members = frozenset(expected)
        return lambda value: value in members
    form = same_form(subject, lookups)
    forms = frozenset(map(form, expected))
    return lambda value: form(value) in forms


def _contains(expected: Any, subject: Type, lookups: Lookups) -> Decides:
    if not subject.many:
        return lambda value: expected in value
    form = same_form(subject, lookups)
    target = form(expected)
    return lambda value: any(form(member) == target for member in value)


def _among(quantified: Callable[[Any], bool], *, of_none: bool | None) -> Callable[[Any, Type, Lookups], Decides]:
    def build(expected: Any, subject: Type, lookups: Lookups) -> Decides:
        is_in = _in(expected, subject.one, lookups)
        return lambda value: quantified(is_in(member) for member in value) if value else of_none

    return build


def _compare(name: str) -> Callable[[Any, Type, Lookups], Decides]:
    compare = COMPARISONS[name]
    return lambda expected, _subject, _lookups: lambda value: compare(value, expected)


def _matches(pattern: str, _subject: Type, lookups: Lookups) -> Decides:
    matched = lookups.compile_pattern(pattern)
    return lambda value: matched(value) if len(value) <= MAX_MATCHED_CHARACTERS else None


def _under(domains: Any, subject: Type, lookups: Lookups) -> Decides:
    form = same_form(subject, lookups)
    forms = tuple(map(form, domains))
    equal, below = frozenset(forms), tuple(f".{domain}" for domain in forms)

    def decides(value: str) -> bool:
        host: str = form(value)
        return host in equal or host.endswith(below)

    return decides


def _resembles(hosts: Any, subject: Type, lookups: Lookups) -> Decides:
    form = same_form(subject, lookups)
    forms = tuple(map(form, hosts))

    def decides(value: str) -> bool:
        host: str = form(value)
        seen = {host, lookups.org_domain(host) or host}
        return host not in forms and any(look_alike(name, other) for name in seen for other in forms if name != other)

    return decides


def _length(bounds: Any, _subject: Type, _lookups: Lookups) -> Decides:
    meets = number_test(bounds)
    return lambda value: meets(len(value))


_FOLDED = (Kind.HOST, Kind.EMAIL, Kind.URL)
"""Kinds of which equal values can be written differently."""


def _kinds(*kinds: Kind) -> Callable[[Type], bool]:
    return lambda subject: not subject.many and subject.kind in kinds


def _single(subject: Type) -> bool:
    return not subject.many and subject.kind is not Kind.PATTERN


def _list(subject: Type) -> bool:
    return subject.many and subject.kind is not Kind.HEADER


_TEXTUAL = _kinds(Kind.TEXT, Kind.HOST, Kind.EMAIL, Kind.URL)
_WRITTEN = _kinds(Kind.TEXT, Kind.EMAIL, Kind.URL)

OPERATORS: dict[str, Operator] = {
    "equals": Operator(takes=Takes.VALUE, fits=_single, decides=_equals),
    "not_equals": Operator(takes=Takes.VALUE, fits=_single, negates="equals"),
    "in": Operator(takes=Takes.LIST, fits=lambda subject: _single(subject) and subject.kind is not Kind.BOOLEAN, decides=_in),
    "not_in": Operator(takes=Takes.LIST, fits=lambda subject: _single(subject) and subject.kind is not Kind.BOOLEAN, negates="in"),
    **{name: Operator(takes=Takes.INTEGER, fits=_kinds(Kind.INTEGER), decides=_compare(name)) for name in ("lt", "lte", "gt", "gte")},
    "matches": Operator(takes=Takes.PATTERN, fits=_TEXTUAL, decides=_matches),
    "not_matches": Operator(takes=Takes.PATTERN, fits=_TEXTUAL, negates="matches"),
    "starts_with": Operator(takes=Takes.TEXT, fits=_WRITTEN, decides=lambda expected, _subject, _lookups: lambda value: value.startswith(expected)),
    "ends_with": Operator(takes=Takes.TEXT, fits=_WRITTEN, decides=lambda expected, _subject, _lookups: lambda value: value.endswith(expected)),
    "contains": Operator(takes=Takes.MEMBER, fits=lambda subject: _TEXTUAL(subject) or _list(subject), decides=_contains),
    "any_in": Operator(takes=Takes.LIST, fits=_list, decides=_among(any, of_none=False)),
    "all_in": Operator(takes=Takes.LIST, fits=_list, decides=_among(all, of_none=None)),
    "none_in": Operator(takes=Takes.LIST, fits=_list, negates="any_in"),
    "under": Operator(takes=Takes.LIST, fits=_kinds(Kind.HOST), decides=_under),
    "resembles": Operator(takes=Takes.LIST, fits=_kinds(Kind.HOST), decides=_resembles),
    "format": Operator(takes=Takes.FORMAT, fits=_TEXTUAL, decides=lambda name, _subject, _lookups: FORMATS[name]),
    "length": Operator(takes=Takes.NUMBERS, fits=lambda subject: subject.many or subject.kind is Kind.TEXT, decides=_length),
    "days_ahead": Operator(takes=Takes.NUMBERS, fits=_kinds(Kind.DATE)),
    "same_as": Operator(takes=Takes.FACT, fits=_single),
    "set": Operator(takes=Takes.TRUE, fits=lambda _: True),
    "unset": Operator(takes=Takes.TRUE, fits=lambda _: True, negates="set"),
    "offered": Operator(takes=Takes.FLAG, fits=lambda _: True),
    "type": Operator(takes=Takes.JSON_TYPE, fits=lambda _: True),
}
"""Every operator by its name. `not_x` is `x` with true and false exchanged."""

VALUE_CLASSES: dict[Kind, type] = {Kind.BOOLEAN: bool, Kind.INTEGER: int, Kind.DATE: date}
"""What a value of a kind is in Python; text for every other kind."""


def value_class(subject: Type) -> type:
    """What a value of the type is in Python; a list is a tuple."""
    return tuple if subject.many else VALUE_CLASSES.get(subject.kind, str)
