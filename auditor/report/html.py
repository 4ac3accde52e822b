"""The report as one self-contained HTML file: no outside request, readable without script or style sheet, printable."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from auditor import resources
from auditor.core.model import Severity
from auditor.core.words import literal_text
from auditor.report import wording
from auditor.report.edition import Edition, Section
from auditor.report.gather import edition_of
from auditor.report.safetext import prose, safe
from auditor.report.shown import Status, View

if TYPE_CHECKING:
    import jinja2

VALUE_LIMIT = 400
"""Characters of one value that a page shows; JSON has the whole."""

OPEN_FINDINGS = 8
"""Up to so many failures on a page are shown open; more would bury the overview, so they start closed (and print open)."""


MAX_BYTES = 1_500_000
"""A fleet's page takes no further section past this: it opens at once, whatever its servers have to tell. Each has a page of its own beside it."""


def render_html(view: View) -> bytes:
    """The report on where servers stand as an HTML document in UTF-8."""
    return render_edition(edition_of(view))


def render_edition(edition: Edition, *, due_days: Mapping[Severity, int] | None = None) -> bytes:
    """A report as an HTML document in UTF-8. Sections that would make it too large are left out, and counted on it."""
    return render_fitted(edition, due_days=due_days)[0]


def render_fitted(edition: Edition, *, due_days: Mapping[Severity, int] | None = None) -> tuple[bytes, Edition]:
    """The same, and the report with the sections alone that are in it."""
    opened = edition.counts.fail <= OPEN_FINDINGS
    fleet = fleet_rows(edition) if edition.is_fleet else ""
    room = MAX_BYTES - len(fleet.encode())
    sections: list[str] = []
    for section in edition.sections:
        text = section_html(section, is_alone=len(edition.rows) < 2, opened=opened, compact=edition.is_lean)
        room -= len(text.encode())
        if room < 0 and sections and edition.is_fleet:
            break
        sections.append(text)
    edition = replace(edition, sections=edition.sections[: len(sections)])
    has_script = len(edition.rows) > 1
    due = [(severity.value, days) for severity, days in sorted((due_days or {}).items(), key=lambda item: -item[0].rank)]
    page = filled(
        "report.html.j2",
        has_script=has_script,
        page=edition,
        over=edition.over,
        tiles=_tiles(edition),
        words=_WORDS,
        fleet=_trusted(fleet),
        sections=[_trusted(text) for text in sections],
        left_out=edition.left_out,
        due=due,
        figures=figures_of(edition),
    )
    return page, edition


def section_html(section: Section, *, is_alone: bool, opened: bool, compact: bool = False) -> str:
    """One server in full. `compact`: what its rules say stands elsewhere on the page."""
    glyphs = {status: status.glyph for status in Status}
    return compiled_page("report_section.html.j2").render(glyphs=glyphs, section=section, is_alone=is_alone, opened=opened, compact=compact)


def render_target(section: Section, *, title: str, period: str, back: str) -> bytes:
    """The page of one server of a fleet; `back` leads to the report."""
    text = section_html(section, is_alone=False, opened=len(section.target.failing) <= OPEN_FINDINGS)
    return filled("report_target.html.j2", section=_trusted(text), target=section.target, title=title, period=period, back=back)


def fleet_rows(edition: Edition) -> str:
    """All servers as rows of text, a name and a glyph for each subject; in groups, so that a browser lays out what is in sight alone."""
    from markupsafe import escape

    rows = [
        f'<li data-row class="is-{row.status.value}"><b>{row.status.glyph}</b> '
        + (f'<a href="{escape(row.href)}">{escape(safe(row.name))}</a> ' if row.href else f"{escape(safe(row.name))} ")
        + "".join(cell.status.glyph if cell else "·" for cell in row.cells)
        for row in edition.rows
    ]
    groups = (rows[start : start + _GROUP] for start in range(0, len(rows), _GROUP))
    return "\n".join("\n".join(["<ul data-group>", *group, "</ul>"]) for group in groups)


_GROUP = 100
_WORDS = {Status.FAIL: "fails", Status.UNKNOWN: "not known", Status.WAIVED: "waived", Status.PASS: "passes", Status.NEUTRAL: "does not apply"}


def figures_of(edition: Edition) -> str:
    """The figures that the list of reports is made of, as JSON; empty for a report that is on no period."""
    if edition.over is None:
        return ""
    over, counts, statuses = edition.over, edition.counts, [row.status.value for row in edition.rows]
    total = over.coverage.total
    return json.dumps(
        {
            "key": over.period.key,
            "first": over.period.first.isoformat(),
            "last": over.period.last.isoformat(),
            "zone": over.period.zone,
            "period": edition.period,
            "verdict": edition.verdict,
            "status": edition.status.value,
            "servers": {name: statuses.count(name) for name in ("fail", "unknown", "waived", "pass")},
            "results": {
                "fail": counts.fail,
                "unknown": counts.unknown,
                "waived": counts.waived,
                "pass": counts.passed,
            },
            "reads": [total.read, total.expected],
        },
        sort_keys=True,
    )


def filled(template: str, *, has_script: bool = False, **values: object) -> bytes:
    """A page of ours in UTF-8: one of `templates/` with its style sheet within, and a policy by which nothing else loads or runs.

    With `has_script` it has the one that searches and sorts.
    """
    css, js = (_ours(name) for name in ("report.css", "report.js"))
    glyphs = {status: status.glyph for status in Status}
    policy = _policy(css, js if has_script else None)
    page = compiled_page(template).render(glyphs=glyphs, css=_trusted(css), js=_trusted(js), has_script=has_script, csp=policy, **values)
    return page.encode()


def _ours(name: str) -> str:
    return (resources.folder("templates") / name).read_text(encoding="utf-8")


@cache
def compiled_page(template: str = "report.html.j2") -> "jinja2.Template":
    """The compiled template. That takes longer than to fill it in, so whoever has to wait anyway can call this before."""
    return _environment(str(resources.folder("templates"))).get_template(template)


def _tiles(edition: Edition) -> list[tuple[Status, int, str, str]]:
    """Status, number, word, and the id of the first place that shows such results (empty where there is none)."""
    targets = [section.target for section in edition.sections]
    several = "servers" if len(edition.rows) > 1 else ""
    failing = "work" if several else next((target.part("failing") for target in targets if target.failing), "")
    unknown = next((target.part("unknown1") for target in targets if target.unknown), several)
    waived = next((target.part("waived") for target in targets if target.waived), several)
    passing = next((target.part("passing") for target in targets if target.passing), several)
    return [
        (Status.FAIL, edition.counts.fail, "failing", failing),
        (Status.UNKNOWN, edition.counts.unknown, "not evaluated", unknown),
        (Status.WAIVED, edition.counts.waived, "waived", waived),
        (Status.PASS, edition.counts.passed, "passing", passing),
    ]


def _policy(css: str, js: str | None) -> str:
    """A content security policy under which nothing loads or runs but this style sheet and this script (by their hashes)."""
    scripts = f"; script-src '{_hash(js)}'" if js is not None else ""
    return f"default-src 'none'; style-src '{_hash(css)}'{scripts}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _environment(folder: str) -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown_at_the_edge,
        trim_blocks=True,
        lstrip_blocks=True,
        newline_sequence="\n",
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "value": _value,
        "fact": _fact,
        "prose": prose,
        "advice": _advice,
        "moment": wording.moment,
        "short": wording.short,
        "iso": wording.iso,
        "counted": wording.count,
        "listed": wording.listed,
        "framework": wording.framework,
        "setting": _setting,
        "number": _number,
        "drawn": _trusted,
    }
    environment.tests |= {"link": _is_link, "week": _is_week}
    return environment


def _shown_at_the_edge(value: object) -> object:
    """Everything that a template puts out passes here: text is made safe, and an absence must have been dealt with."""
    if value is None:
        raise ValueError("a template was about to show an absent value")
    return safe(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _value(text: str) -> Any:
    """A value from elsewhere, bounded; what was hidden in it stands out."""
    from markupsafe import Markup, escape

    return Markup(_MARK.sub(r'<b class="hidden-mark">\g<0></b>', str(escape(safe(text, limit=VALUE_LIMIT)))))  # noqa: S704 - escaped just here


def _fact(name: str) -> Any:
    """A name like RelayAuthenticationType, which may break where a part of it begins."""
    from markupsafe import Markup

    return Markup(_PART.sub("<wbr>", str(_value(name))))  # noqa: S704 - escaped just before


def _advice(text: str) -> Any:
    """A message or hint of ours, in which backticks mark what is to be typed."""
    from markupsafe import Markup, escape

    return Markup(_TYPED.sub(r"<code>\1</code>", str(escape(prose(safe(text))))))  # noqa: S704 - escaped just here


def _setting(value: Any) -> str:
    return "not set" if value is None else literal_text(value)


def _trusted(css: str) -> Any:
    from markupsafe import Markup

    return Markup(css)  # noqa: S704 - our own file or drawing; escaping would break its hash


def _number(number: int) -> str:
    return f"{number:,}"


def _is_week(key: str) -> bool:
    return _WEEK.fullmatch(key) is not None


def _is_link(reference: str) -> bool:
    return _LINK.fullmatch(reference) is not None


_TYPED = re.compile("`([^`]+)`")
_MARK = re.compile(r"\[U\+[0-9A-F]{4,6}\]")
_PART = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[.])(?=[a-z])")
_WEEK = re.compile(r"[0-9]{4}-W[0-9]{2}")
_LINK = re.compile(r"https?://[\x21-\x7e]+")
