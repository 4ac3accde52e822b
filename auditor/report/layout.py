"""Lays out text for a terminal or a mail: lines within a width, broken at blanks, safe to print."""

import re
import unicodedata
from collections.abc import Callable, Iterator

from auditor.report.safetext import prose, safe
from auditor.report.shown import Status

Style = Callable[..., str]
"""Colours a piece of text; called as `click.style` is: `style(text, fg="red", bold=True)`."""

COLOURS = {Status.FAIL: "red", Status.UNKNOWN: "yellow", Status.WAIVED: "magenta", Status.PASS: "green", Status.NEUTRAL: None}

_ATOM = re.compile(r"\[U\+[0-9A-F]{4,6}\]|.")


def plain(text: str, **_: object) -> str:
    """The style that colours nothing."""
    return text


class Lines:
    """Lays out text within a width (30 terminal cells at the least). Whatever reaches `wrapped` leaves it safe for a terminal."""

    def __init__(self, width: int, style: Style = plain) -> None:
        self.width, self.style = max(width, 30), style

    def wrapped(self, text: str, *, indent: str = "", first: str | None = None, style: dict[str, object] | None = None) -> Iterator[str]:
        """`text` made safe and broken at blanks, or within a word that is wider than a line."""
        lead, line, used = indent if first is None else first, "", 0
        for word in _words(safe(prose(text)), self.width - cells(indent) - 1):
            size = cells(word)
            if line and cells(lead) + used + 1 + size > self.width:
                yield lead + (self.style(line, **style) if style else line)
                lead, line, used = indent, "", 0
            line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
        yield lead + (self.style(line, **style) if style and line else line)

    def labelled(self, label: str, text: str, *, column: int, indent: str = "    ") -> Iterator[str]:
        first = f"{indent}{safe(label)}"
        gap = column - cells(first)
        if gap < 1:
            yield from self.wrapped(label, indent=indent)
            first, gap = "", column
        yield from self.wrapped(text, indent=" " * column, first=first + " " * gap)

    def coloured(self, status: Status) -> dict[str, object]:
        """The style of a line with this status."""
        return {"fg": COLOURS[status], "bold": True}


def cells(text: str) -> int:
    """How many columns of a terminal the text takes: two for wide East Asian characters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _words(text: str, room: int) -> Iterator[str]:
    """The words of `text`, those wider than `room` in pieces."""
    for word in text.split(" "):
        piece, used = "", 0
        for atom in _ATOM.findall(word):
            size = cells(atom)
            if used + size > room:
                yield piece
                piece, used = "", 0
            piece, used = piece + atom, used + size
        yield piece
