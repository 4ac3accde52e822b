"""Every format that a report comes in."""

from collections.abc import Callable, Mapping
from importlib import import_module

from auditor.report.shown import View


def _writer(module: str, name: str) -> Callable[[View], bytes]:
    """The writer called `name`, loaded when it first writes: nobody waits for the import of formats that he does not ask for."""

    def write(view: View) -> bytes:
        written = getattr(import_module(f"auditor.report.{module}"), name)(view)
        return written.encode() if isinstance(written, str) else bytes(written)

    return write


FORMATS: Mapping[str, Callable[[View], bytes]] = {
    "text": _writer("text", "render_text"),
    "html": _writer("html", "render_html"),
    "markdown": _writer("markdown", "render_markdown"),
    "json": _writer("jsondoc", "render_json"),
    "ndjson": _writer("ndjson", "render_ndjson"),
    "csv": _writer("csvresults", "render_results"),
    "sarif": _writer("sarif", "render_sarif"),
    "junit": _writer("junit", "render_junit"),
    "ocsf": _writer("ocsf", "render_ocsf"),
    "oscal": _writer("oscal", "render_oscal"),
    "prometheus": _writer("prometheus", "render_prometheus"),
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
