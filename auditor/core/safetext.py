"""Makes text from elsewhere safe to show: what is invisible, or moves other characters about, is spelt out as `[U+202E]`.

Used by every format and by the command line. Nothing is dropped unseen: whoever reads the report sees that something was there.
"""

import re
import unicodedata
from itertools import accumulate

from auditor.core.characters import has_zero_width

MAX_CHARACTERS = 4000
"""Longer texts are cut, and say so: a page and a terminal line have an end."""

_MAX_COMBINING = 4
"""More marks than this on one letter are no writing: they paint over the lines above and below."""


def safe(text: str, *, limit: int = MAX_CHARACTERS) -> str:
    """`text` on one line, every control, bidi, zero-width, private and unassigned character spelt out, cut to at most `limit` characters.

    What is safe already stays as it is, so calling twice does no harm. What is unassigned follows the Unicode version of this Python.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    pieces, marks, length = [], 0, 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        pieces.append(f"[U+{ord(character):04X}]" if marks > _MAX_COMBINING or is_hidden(character) else character)
        length += len(pieces[-1])
        if length > limit:  # what lies past it cannot be shown anyway
            return _cut(pieces, f"… (cut, {len(text)} characters)", limit)
    return "".join(pieces)


def is_hidden(character: str) -> bool:
    """Whether it shows nothing by itself. `str.isprintable` refuses all of Cc, Cf, Cs, Co, Cn, Zl, Zp and odd spaces; the rest are fillers."""
    return not character.isprintable() or has_zero_width(character) or character == "\u2800"  # the blank Braille cell


def prose(text: str) -> str:
    """A text of ours or of a policy's author on one line: line breaks and tabs are mere layout there, so they turn to spaces."""
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")


def _cut(pieces: list[str], tail: str, limit: int) -> str:
    lengths = accumulate(map(len, pieces), initial=len(tail))
    return "".join(pieces[: sum(length <= limit for length in lengths) - 1]) + tail
