"""Canonical JSON (RFC 8785) and its SHA-256: one text for one value, so that a digest can be checked by anybody.

Numbers are integers within 2^53 and keys are ASCII, which is where sorted `json.dumps` and RFC 8785 agree; anything else is refused.
"""

import hashlib
import json
from typing import Any

MAX_INTEGER = 2**53 - 1
"""The largest magnitude that every JSON reader keeps exactly (RFC 8259 section 6)."""


def canonical(value: Any) -> str:
    """The one JSON text of `value`, made of dict, list, tuple, str, int, bool and None.

    Raises:
        ValueError: It holds a float, a number past 2^53, a key that is not ASCII text, or a lone surrogate.
    """
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate has no canonical form") from None
    return text


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, in lower-case hexadecimal."""
    return digest_text(canonical(value))


def digest_text(text: str) -> str:
    """SHA-256 of `text` in UTF-8, in lower-case hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


_PLAIN = (str, bool, type(None))


def _check(value: Any) -> None:
    # A policy has thousands of nodes and each audit digests some: the leaves that nearly all of them are cost no call of their own.
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise ValueError(f"a key must be ASCII text, got {key!r}")
            if not isinstance(item, _PLAIN):
                _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if not isinstance(item, _PLAIN):
                _check(item)
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValueError("a number past 2^53 has no canonical form")
    elif not isinstance(value, _PLAIN):
        raise ValueError(f"{type(value).__name__} has no canonical form")  # noqa: TRY004 - as for every other value that has none
