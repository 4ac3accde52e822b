"""The report as one self-contained HTML file: no outside request, no script, readable without its style sheet, printable."""

import base64
import hashlib
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from auditor import resources
from auditor.core.words import literal_text
from auditor.report import wording
from auditor.report.safetext import prose, safe
from auditor.report.shown import Status, View

if TYPE_CHECKING:
    import jinja2

VALUE_LIMIT = 400
"""Characters of one value that a page shows; JSON has the whole."""

OPEN_FINDINGS = 8
"""Up to so many failures on a page are shown open; more would bury the overview, so they start closed (and print open)."""


def render_html(view: View) -> bytes:
    """The report as an HTML document in UTF-8."""
    return filled("report.html.j2", view=view, tiles=_tiles(view), open_failing=view.counts.fail <= OPEN_FINDINGS)


def filled(template: str, **values: object) -> bytes:
    """A page of ours in UTF-8: one of `templates/` with its style sheet within, and a policy by which nothing else loads or runs."""
    css = (resources.folder("templates") / "report.css").read_text(encoding="utf-8")
    glyphs = {status: status.glyph for status in Status}
    return compiled_page(template).render(glyphs=glyphs, css=_trusted(css), csp=_policy(css), **values).encode()


@cache
def compiled_page(template: str = "report.html.j2") -> "jinja2.Template":
    """The compiled template. That takes longer than to fill it in, so whoever has to wait anyway can call this before."""
    return _environment(str(resources.folder("templates"))).get_template(template)


def _tiles(view: View) -> list[tuple[Status, int, str, str]]:
    """Status, number, word, and the id of the first place that shows such results (empty where there is none)."""
    failing = ["work"] if len(view.targets) > 1 else [target.part("failing") for target in view.targets]
    unknown = [target.part("unknown1") for target in view.targets if target.unknown]
    waived = [target.part("waived") for target in view.targets if target.waived]
    passing = [target.part("passing") for target in view.targets if target.passing]
    return [
        (Status.FAIL, view.counts.fail, "failing", next(iter(failing), "")),
        (Status.UNKNOWN, view.counts.unknown, "not evaluated", next(iter(unknown), "")),
        (Status.WAIVED, view.counts.waived, "waived", next(iter(waived), "")),
        (Status.PASS, view.counts.passed, "passing", next(iter(passing), "")),
    ]


def _policy(css: str) -> str:
    """A content security policy under which nothing loads or runs but this style sheet (by its hash)."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


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
        "iso": wording.iso,
        "counted": wording.count,
        "listed": wording.listed,
        "framework": wording.framework,
        "setting": _setting,
    }
    environment.tests["link"] = _is_link
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

    return Markup(css)  # noqa: S704 - our own file; escaping would break its hash


def _is_link(reference: str) -> bool:
    return _LINK.fullmatch(reference) is not None


_TYPED = re.compile("`([^`]+)`")
_MARK = re.compile(r"\[U\+[0-9A-F]{4,6}\]")
_PART = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[.])(?=[a-z])")
_LINK = re.compile(r"https?://[\x21-\x7e]+")
