"""Every format that a report comes in."""

from collections.abc import Callable, Mapping

from auditor.report.csvresults import render_results
from auditor.report.html import render_html
from auditor.report.jsondoc import render_json
from auditor.report.junit import render_junit
from auditor.report.markdown import render_markdown
from auditor.report.ndjson import render_ndjson
from auditor.report.ocsf import render_ocsf
from auditor.report.oscal import render_oscal
from auditor.report.prometheus import render_prometheus
from auditor.report.sarif import render_sarif
from auditor.report.shown import View
from auditor.report.text import render_text


def _text(view: View) -> bytes:
    return render_text(view).encode()


FORMATS: Mapping[str, Callable[[View], bytes]] = {
    "text": _text,
    "html": render_html,
    "markdown": render_markdown,
    "json": render_json,
    "ndjson": render_ndjson,
    "csv": render_results,
    "sarif": render_sarif,
    "junit": render_junit,
    "ocsf": render_ocsf,
    "oscal": render_oscal,
    "prometheus": render_prometheus,
}
"""Same view, same bytes (UTF-8), on every machine."""

SUFFIXES: Mapping[str, str] = {
    "text": "txt",
    "html": "html",
    "markdown": "md",
    "json": "json",
    "ndjson": "ndjson",
    "csv": "csv",
    "sarif": "sarif",
    "junit": "junit.xml",
    "ocsf": "ocsf.ndjson",
    "oscal": "oscal.json",
    "prometheus": "prom",
}
"""How the file of each format is called, after the dot."""
