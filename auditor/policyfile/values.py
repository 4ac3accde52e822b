"""Types and literals as a policy file writes them. Nothing is coerced: `"587"` is no integer and `1` is not true."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from auditor.core.canonical import MAX_INTEGER
from auditor.core.catalogue import FACTS, INTEGER, SECRET, Kind, Type
from auditor.core.formats import FORMATS
from auditor.core.model import PROFILE_FIELDS
from auditor.core.policy import Value
from auditor.errors import did_you_mean
from auditor.policyfile.part import MisfitError, shown

MAX_PATTERN_CHARACTERS = 512

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
VAR_KINDS = tuple(kind.value for kind in Kind if kind not in (Kind.WORD, Kind.HEADER))
ONLY_LISTED, NEVER_LISTED = (Kind.FIELD, Kind.FACT), (Kind.PATTERN,)


def var_type(written: Any) -> Type:
    """The type that a var is declared with: `integer`, `[host]`, or the name of an enumerated fact, such as `RelayAuthenticationType`.

    Raises:
        MisfitError: It is none.
    """
    many = isinstance(written, list)
    name = written[0] if isinstance(written, list) and len(written) == 1 else written
    if not isinstance(name, str):
        raise MisfitError(f"a type is a word, or a list of one word, this is {shown(written)}", "such as integer, or [host]")
    if name in FACTS and (FACTS[name].type.names or FACTS[name].type.kind is Kind.WORD):
        kind = FACTS[name].type.one
    elif name in VAR_KINDS:
        kind = SECRET if name == Kind.SECRET else Type(Kind(name))
    else:
        raise MisfitError(f"there is no type {name!r}", did_you_mean(name, VAR_KINDS, else_say=f"there are: {', '.join(VAR_KINDS)}"))
    if kind.kind in (NEVER_LISTED if many else ONLY_LISTED):
        raise MisfitError(f"{name} is {'never' if many else 'only'} listed", f"write {name if many else f'[{name}]'}")
    return kind.listed if many else kind


def literal(written: Any, type_: Type) -> Value:
    """The value that a literal of type `type_` stands for.

    Raises:
        MisfitError: It is of another type or form.
    """
    if type_.many:
        return literals(written, type_)
    if written is None:
        raise MisfitError("null is no value", "to ask whether there is none, write {unset: true}")
    if type_.names and isinstance(written, str):
        return _alias(written, type_)
    if isinstance(written, list | dict) or type(written) is not _CLASSES.get(type_.kind, str):
        raise MisfitError(f"expected {_ARTICLED[type_.kind]}, this is {shown(written)}", _quoted_hint(written, type_))
    return _READ[type_.kind](written, type_)


def literals(written: Any, type_: Type) -> tuple[Any, ...]:
    """The values of a list of literals, each of the member type of `type_`; it may be empty.

    Raises:
        MisfitError: It is no list, or a member is of another type or form.
    """
    if not isinstance(written, list):
        raise MisfitError(f"expected a list of {type_.kind.value} values, this is {shown(written)}", "write [...]")
    return tuple(literal(member, type_.one) for member in written)


def setting(written: Any, type_: Type) -> Value | None:
    """The value that a var of type `type_` is set to; null leaves it to be told, `[]` says that there is none so far.

    Raises:
        MisfitError: It is of another type or form.
    """
    return None if written is None else literal(written, type_)


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Whether a whole text matches `pattern`, in time that grows with the text alone.

    Raises:
        ValueError: It is no pattern of RE2, which has neither look-around nor back-references.
    """
    import re2  # type: ignore[import-untyped]  # only a policy that has a pattern pays for it

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as failure:
        fault = failure.args[0] if failure.args else "not a pattern"
        raise ValueError(fault.decode() if isinstance(fault, bytes) else str(fault)) from None
    return lambda text: compiled.fullmatch(text) is not None


def pattern_text(written: str) -> str:
    """`written`, which compiles.

    Raises:
        MisfitError: It does not, or is too long.
    """
    if len(written) > MAX_PATTERN_CHARACTERS:
        raise MisfitError(f"a pattern has {MAX_PATTERN_CHARACTERS} characters at most, this one {len(written)}")
    try:
        compile_pattern(written)
    except ValueError as failure:
        raise MisfitError(f"the pattern {written!r} does not compile: {failure}", "patterns are RE2's: no look-around, no back-references") from None
    return written


def day(written: Any) -> date:
    """The day written as 2026-12-31.

    Raises:
        MisfitError: It is none.
    """
    if not isinstance(written, str) or not _DAY.fullmatch(written):
        raise MisfitError(f"expected a day, this is {shown(written)}", "write it as 2026-12-31")
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise MisfitError(f"there is no day {written}") from None


def integer(written: Any) -> int:
    """An integer.

    Raises:
        MisfitError: It is none, or past what JSON keeps exactly.
    """
    if isinstance(written, bool) or not isinstance(written, int):
        raise MisfitError(f"expected an integer, this is {shown(written)}", _quoted_hint(written, INTEGER))
    if abs(written) > MAX_INTEGER:
        raise MisfitError(f"{written} is past 2^53")
    return written


def fact_name(written: Any) -> str:
    """The name of a fact of the catalogue.

    Raises:
        MisfitError: No fact is called so.
    """
    if not isinstance(written, str) or written not in FACTS:
        raise MisfitError(
            f"no fact is called {written!r}" if isinstance(written, str) else f"expected a fact, this is {shown(written)}",
            did_you_mean(str(written), FACTS, else_say="`auditor policy fields` lists them all"),
        )
    return written


_ARTICLED = {
    Kind.BOOLEAN: "a boolean",
    Kind.INTEGER: "an integer",
    Kind.TEXT: "text",
    Kind.HOST: "a host",
    Kind.EMAIL: "an email",
    Kind.URL: "a url",
    Kind.DATE: "a day",
    Kind.WORD: "a word",
    Kind.SECRET: "the state of a secret",
    Kind.HEADER: "a header",
    Kind.FIELD: "a field of the profile",
    Kind.FACT: "a fact",
    Kind.PATTERN: "a pattern",
}
_CLASSES: dict[Kind, type] = {Kind.BOOLEAN: bool, Kind.INTEGER: int}


def _quoted_hint(written: Any, type_: Type) -> str:
    if type_.kind is Kind.INTEGER and isinstance(written, str) and re.fullmatch(r"-?[0-9]+", written):
        return f"write {written} without quotes"
    if type_.kind is Kind.BOOLEAN and written in ("true", "false"):
        return f"write {written} without quotes"
    if isinstance(written, bool | int) and type_.kind in (Kind.TEXT, Kind.PATTERN):
        return f'write "{str(written).lower() if isinstance(written, bool) else written}" for the text'
    return ""


def _text(written: str, _: Type) -> str:
    if written.startswith("$$"):
        return written[1:]
    if written.startswith("$"):
        raise MisfitError(f"a var cannot stand here: {written!r}", "for a text that begins with a dollar sign, write it twice")
    return written


def _formatted(name: str) -> Callable[[str, Type], str]:
    def read(written: str, type_: Type) -> str:
        text = _text(written, type_)
        if not FORMATS[name](text):
            hint = "a domain stands for all hosts under it: write it without the `*.`" if text.startswith("*.") else ""
            raise MisfitError(f"{text!r} is no {name}", hint)
        return text

    return read


def _alias(written: str, type_: Type) -> int:
    aliases = dict(type_.names)
    if written not in aliases:
        hint = did_you_mean(written, aliases, else_say=_quoted_hint(written, type_) or f"its names are {', '.join(aliases)}")
        raise MisfitError(f"{written!r} is no name that it knows", hint)
    return aliases[written]


def _member(written: str, type_: Type) -> str:
    if written not in type_.members:
        raise MisfitError(f"{written!r} is not one of {', '.join(type_.members)}", did_you_mean(written, type_.members))
    return written


def _field(written: str, _: Type) -> str:
    if written not in PROFILE_FIELDS:
        raise MisfitError(f"the profile has no field {written!r}", did_you_mean(written, PROFILE_FIELDS))
    return written


_READ: dict[Kind, Callable[[Any, Type], Value]] = {
    Kind.BOOLEAN: lambda written, _: bool(written),
    Kind.INTEGER: lambda written, _: integer(written),
    Kind.TEXT: _text,
    Kind.HOST: _formatted("hostname"),
    Kind.EMAIL: _formatted("email"),
    Kind.URL: _formatted("url"),
    Kind.DATE: lambda written, _: day(written),
    Kind.WORD: _member,
    Kind.SECRET: _member,
    Kind.FIELD: _field,
    Kind.FACT: lambda written, _: fact_name(written),
    Kind.PATTERN: lambda written, type_: pattern_text(_text(written, type_)),
}
