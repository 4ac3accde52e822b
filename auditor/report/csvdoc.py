"""Rows as CSV that a spreadsheet shows and never runs: RFC 4180 (CRLF, quotes doubled), UTF-8.

A text that a spreadsheet would take for a formula gets an apostrophe before it, and what is hidden is spelt out; JSON has every value whole.
"""

import csv
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

from auditor.report.safetext import safe

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def render_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """A head and one line for each row; of each the `columns` alone, None as an empty cell."""
    drawn = StringIO(newline="")
    writer = csv.writer(drawn, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(row.get(column)) for column in columns] for row in rows)
    return drawn.getvalue().encode()


def cell(value: object) -> str:
    """One value as a cell. Numbers and truth values stay as they are: what we write ourselves is no formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    # full-width signs count as well: a spreadsheet may fold them
    is_formula = isinstance(value, str) and unicodedata.normalize("NFKC", text[:1]).startswith(_FORMULA)
    return f"'{safe(text)}" if is_formula else safe(text)
