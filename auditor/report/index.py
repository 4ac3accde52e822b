"""The list of all reports of a folder with their trend, and the CSV beside a fleet's report."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from auditor.core.period import parse_period
from auditor.report.csvdoc import render_csv
from auditor.report.edition import Edition
from auditor.report.formats import SUFFIXES
from auditor.report.html import filled
from auditor.report.shown import Status
from auditor.report.wording import iso

INDEX = "index.html"
"""The name of the list's file."""

MAX_COLUMNS = 104
"""So many of the newest reports are drawn: two years of weeks."""

_WORD = {"fail": "failing", "unknown": "not known", "waived": "with waivers", "pass": "passing", "neutral": "neutral"}
_KINDS = ("fail", "unknown", "waived", "pass")


def is_on_all(name: str) -> bool:
    """Whether the report in a file called so is on all servers: those on a part are in no list."""
    return "-part-" not in name


def last_day(name: str) -> date | None:
    """The last day that the report in a file called so is on; None for a file that is not named as ours are."""
    named = _DATED.fullmatch(name)
    try:
        return parse_period(named[1].replace("_", ".."), today=date.min).last if named else None
    except ValueError:  # 2026-02-30: no report of ours
        return None


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_PART = "-part-[0-9a-f]{8}"
_ENDINGS = "|".join(map(re.escape, SUFFIXES.values()))
_DATED = re.compile(rf"smtp-report-({_DAY}(?:_{_DAY})?|[0-9]{{4}}-W[0-9]{{2}}|[0-9]{{4}}-[0-9]{{2}})(?:{_PART})?\.(?:{_ENDINGS})")

SERVERS = "-servers.csv"
"""What the name of a fleet's table of servers ends in, which lies beside its report."""


def figures_of_page(head: str) -> dict[str, Any] | None:
    """What a report says of itself in its head; None where it says nothing that is understood."""
    found = _FIGURES.search(head)
    if found is None:
        return None
    try:
        figures = json.loads(html.unescape(found[1]))
        texts = all(isinstance(figures[name], str) for name in ("key", "first", "last", "period", "verdict"))
        numbers = [*(figures["servers"][kind] for kind in _KINDS), *figures["reads"]]
        is_whole = len(figures["reads"]) == 2 and all(isinstance(number, int) and number >= 0 for number in numbers)
        is_ours = texts and is_whole and _KEY.fullmatch(figures["key"]) and figures["status"] in set(Status)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return {name: figures[name] for name in ("key", "first", "last", "period", "verdict", "status", "servers", "reads")} if is_ours else None


_FIGURES = re.compile(r'<meta name="auditor-figures" content="([^"]*)">')
_KEY = re.compile(r"[0-9A-Za-z_-]{1,40}")


def render_index(figures: Sequence[Mapping[str, Any]]) -> bytes:
    """The list of reports, `figures` of which are given the oldest first, as an HTML page in UTF-8."""
    shown = [{**one, "word": _WORD[one["status"]]} for one in reversed(figures)]
    seen: set[str] = set()
    for one in shown:  # two files can be on one period: the first of them has the id
        one["key"] = one["key"] if one["key"] not in seen else f"{one['key']}-{len(seen)}"
        seen.add(one["key"])
    return filled("report_index.html.j2", reports=shown, trend=_drawn(figures[-MAX_COLUMNS:]) if len(figures) > 1 else "")


def render_fleet_csv(edition: Edition) -> bytes:
    """Every server of a report as a line of CSV, the worst first; each line stands alone."""
    over = edition.over
    period = {"period": over.period.key if over else "", "ledger_head": over.head if over else ""}
    inside = {section.target.name for section in edition.sections}
    return render_csv(
        _COLUMNS,
        (
            {
                **period,
                "server": row.name,
                "url": row.url,
                "owner": row.owner,
                "status": row.status.value,
                "says": row.word,
                "failing": row.counts.fail,
                "not_evaluated": row.counts.unknown,
                "waived": row.counts.waived,
                "passing": row.counts.passed,
                "not_applicable": row.counts.not_applicable,
                "failing_rules": " ".join(row.failing),
                "last_seen": iso(row.last_seen) if row.last_seen else None,
                "reads_owed": row.reads.expected if row.reads else None,
                "reads_made": row.reads.read if row.reads else None,
                "gaps": row.gaps,
                "changed": row.has_moved,
                "needs_reading": row.needs_reading,
                "in_the_report": row.name in inside,
                **{
                    f"subject_{subject.value}": cell.status.value if cell else None for subject, cell in zip(edition.subjects, row.cells, strict=True)
                },
            }
            for row in edition.rows
        ),
    )


_COLUMNS = (
    *("period", "ledger_head", "server", "url", "owner", "status", "says", "failing", "not_evaluated", "waived", "passing", "not_applicable"),
    *("failing_rules", "last_seen", "reads_owed", "reads_made", "gaps", "changed", "needs_reading", "in_the_report"),
)


def _drawn(figures: Sequence[Mapping[str, Any]]) -> str:
    """A column for each report, of the servers by what they came to. Numbers and classes alone go in."""
    width, height, left = 880, 150, 40
    most = max(1, *(sum(one["servers"][kind] for kind in _KINDS) for one in figures))
    pitch = min(64.0, (width - left) / len(figures))
    parts = [f'<svg class="lines trend" viewBox="0 0 {width} {height + 30}" role="img" aria-label="{_label(figures)}">']
    parts += [
        f'<path class="tick" d="M{left} {height + 4.5}H{width}"/>',
        f'<text x="0" y="14">{most}</text>',
        f'<text x="0" y="{height + 4}">0</text>',
    ]
    for place, one in enumerate(figures):
        x, y = left + place * pitch, height + 4.0
        for kind in reversed(_KINDS):
            tall = one["servers"][kind] / most * height
            y -= tall
            if tall:
                parts.append(f'<rect class="{kind}" x="{x + 2:.1f}" y="{y:.1f}" width="{pitch - 4:.1f}" height="{tall:.1f}"/>')
        if place % max(1, round(60 / pitch)) == 0:
            parts.append(f'<text class="day" x="{x + 2:.1f}" y="{height + 22}">{one["key"]}</text>')
    return "".join([*parts, "</svg>"])


def _label(figures: Sequence[Mapping[str, Any]]) -> str:
    first, last = figures[0], figures[-1]
    return f"{len(figures)} reports: {first['servers']['fail']} servers failing in the first, {last['servers']['fail']} in the newest"
