"""Every format that a report comes in."""

from collections.abc import Callable, Mapping

from auditor.report.html import render_html
from auditor.report.jsondoc import render_json
from auditor.report.shown import View
from auditor.report.text import render_text


def _text(view: View) -> bytes:
    return render_text(view).encode()


FORMATS: Mapping[str, Callable[[View], bytes]] = {"text": _text, "json": render_json, "html": render_html}
"""Same view, same bytes (UTF-8), on every machine."""
