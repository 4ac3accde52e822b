"""Reads JSON so that no two readers could take it differently, or not at all.

Refused: duplicate keys, NaN and Infinity, lone surrogates, nesting past `MAX_DEPTH`, anything that is not UTF-8. A byte order mark is passed over.
"""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from auditor.core.canonical import MAX_INTEGER

MAX_DEPTH = 8
"""Lists and objects within each other; a profile has 3."""


class StrictJsonError(ValueError):
    """The text is no JSON that is taken here. The message holds nothing of the text."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is no integer within 2^53, as it was written."""

    text: str


def loads(body: bytes) -> Any:
    """The JSON value in `body`, of dict, list, str, bool, None, int (within 2^53; `587.0` is 587) and `Number`.

    Raises:
        StrictJsonError: It is not JSON, or not strictly.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StrictJsonError("not UTF-8") from None
    if _depth(text) > MAX_DEPTH:
        raise StrictJsonError(f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"not JSON from line {error.lineno} column {error.colno}") from None
    _refuse_surrogates(value)
    return value


def dumps(value: Any) -> str:
    """One text for one value of `loads`, in ASCII: what a fingerprint is taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=lambda number: {"number": number.text})


def _number(text: str) -> int | Number:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent past 10^18
        return Number(text)
    # The size is asked first: 1e999999999 is an integer, too, of a gigabyte.
    if number.adjusted() <= 16 and number == number.to_integral_value() and abs(number) <= MAX_INTEGER:
        return int(number)
    return Number(text)


def _refuse_constant(_: str) -> NoReturn:
    raise StrictJsonError("NaN and Infinity are not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictJsonError("a key stands twice in one object")
    return found


def _depth(text: str) -> int:
    """How deep brackets are nested, outside strings; measured first, since the parser itself recurses."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _refuse_surrogates(value: Any) -> None:
    match value:
        case str() if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise StrictJsonError("half a surrogate pair") from None
        case list():
            for item in value:
                _refuse_surrogates(item)
        case dict():
            for key, item in value.items():
                _refuse_surrogates(key)
                _refuse_surrogates(item)
        case _:
            pass
