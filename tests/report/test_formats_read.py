"""Programs of others read what we write: a JUnit reader, a model of SARIF, an OSCAL library, the parser of Prometheus, a strict CSV reader.

They take the specimens, and the files that the demo's record gives.
"""

import csv
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from auditor import cli
from auditor.report.formats import FORMATS, SUFFIXES
from tests.report.specimen import VIEWS

Files = Mapping[str, Path]

pytestmark = pytest.mark.xdist_group("formats_read")  # one worker tells the story of the demo, once


@pytest.fixture(scope="module", params=[*VIEWS, "demo"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A file of each format."""
    folder = tmp_path_factory.mktemp("files")
    if request.param == "demo":
        return _of_the_demo(folder)
    for form, suffix in SUFFIXES.items():
        (folder / f"r.{suffix}").write_bytes(FORMATS[form](VIEWS[request.param]()))
    return {form: folder / f"r.{suffix}" for form, suffix in SUFFIXES.items()}


def _of_the_demo(folder: Path) -> Files:
    assert cli.run(["demo", "-o", str(folder / "demo")]) == 0
    every = [f"--format={form}" for form in SUFFIXES]
    assert cli.run(["--config", str(folder / "demo" / "auditor.yaml"), "report", *every, "-o", str(folder / "reports")]) == 0
    written = sorted(path for path in (folder / "reports").iterdir() if path.name != "index.html")
    found = {form: path for form, suffix in SUFFIXES.items() for path in written if path.name.partition(".")[2] == suffix}
    assert len(found) == len(written) == len(SUFFIXES)
    return found


def _results(files: Files) -> Iterator[tuple[str, str, str]]:
    """Subject, rule and outcome of each result, by the JSON; a standing limit is an outcome of its own, and a target never read has one result."""
    document = json.loads(files["json"].read_bytes())
    for target in document["targets"]:
        if target["verdict"] is None:
            yield target["name"], "unread", "not_evaluated"
        for finding in target["findings"]:
            yield target["name"], finding["rule"], "standing_limit" if finding["standing"] else finding["outcome"]
    for finding in document["installation"]:
        yield "installation", finding["rule"], finding["outcome"]


def _needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed; it is among the test requirements")


_JUNIT = {
    "fail": "Failure",
    "error": "Error",
    "not_evaluated": "Error",
    "waived": "Skipped",
    "standing_limit": "Skipped",
    "not_applicable": "Skipped",
}


@_needs("junitparser")
def test_junitparser_counts_what_the_file_says(files: Files) -> None:
    import junitparser

    read = junitparser.JUnitXml.fromfile(str(files["junit"]))
    kinds = Counter(type(each).__name__ for suite in read for case in suite for each in case.result)
    told = [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in read]
    read.update_statistics()  # counts the cases itself

    assert told == [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in read]
    outcomes = [outcome for _, _, outcome in _results(files)]
    expected = Counter(_JUNIT[outcome] for outcome in outcomes if outcome != "pass")
    assert (kinds, read.tests) == ((expected, len(outcomes)) if outcomes else (Counter(["Error"]), 1))


@_needs("sarif_pydantic")
def test_a_model_of_sarif_takes_the_log_and_finds_the_same_results(files: Files) -> None:
    from sarif_pydantic import Sarif

    (run,) = Sarif.model_validate_json(files["sarif"].read_bytes()).runs
    told = list(_results(files))

    assert [each.rule_id for each in run.results or []] == [rule for _, rule, _ in told]
    assert [bool(each.suppressions) for each in run.results or []] == [outcome == "waived" for _, _, outcome in told]
    assert {rule.id for rule in run.tool.driver.rules or []} == {rule for _, rule, _ in told}
    gap = not told or any(outcome in ("not_evaluated", "error") for _, _, outcome in told)
    assert (run.invocations or [])[0].execution_successful is not gap


_TRESTLE = """
import sys
from pathlib import Path
from trestle.oscal.assessment_results import AssessmentResults

(result,) = AssessmentResults.oscal_read(Path(sys.argv[1])).results
print(len(result.observations or []), len(result.findings or []), len(result.risks or []))
"""


@_needs("trestle")
def test_trestle_reads_the_assessment_results(files: Files) -> None:
    # in a process of its own: it sets up logging and warnings for all
    command = [sys.executable, "-c", _TRESTLE, str(files["oscal"])]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=120)
    outcomes = [outcome for _, _, outcome in _results(files)]

    assert done.returncode == 0, done.stderr
    assert [int(number) for number in done.stdout.split()] == [
        len(outcomes),
        len(outcomes) - outcomes.count("not_applicable"),
        outcomes.count("waived"),
    ]


class _Strict(csv.Dialect):
    """RFC 4180, and nothing else."""

    delimiter, quotechar, lineterminator = ",", '"', "\r\n"
    doublequote, skipinitialspace, strict = True, False, True
    quoting = csv.QUOTE_MINIMAL


def test_a_strict_csv_reader_gets_one_row_a_result_and_writes_the_same_file(files: Files, tmp_path: Path) -> None:
    with files["csv"].open(encoding="utf-8", errors="strict", newline="") as stream:
        rows: list[dict[str, Any]] = list(csv.DictReader(stream, dialect=_Strict, restkey="too many", restval="too few"))
        stream.seek(0)
        with (tmp_path / "again.csv").open("w", encoding="utf-8", newline="") as again:
            csv.writer(again, dialect=_Strict).writerows(csv.reader(stream, dialect=_Strict))

    assert not [row for row in rows if "too many" in row or "too few" in row.values()]
    assert [(row["target"], row["rule"]) for row in rows] == [(name, rule) for name, rule, _ in _results(files)]
    assert (tmp_path / "again.csv").read_bytes() == files["csv"].read_bytes()


def test_the_parser_of_prometheus_reads_the_figures(files: Files) -> None:
    families = {family.name: family for family in text_string_to_metric_families(files["prometheus"].read_text(encoding="utf-8"))}
    read = {sample.labels["target"]: sample.value for sample in families["auditor_target_read"].samples}
    targets = json.loads(files["json"].read_bytes())["targets"]

    assert read == {each["name"]: float((each["observation"] or {}).get("snapshot_digest") is not None) for each in targets}
    assert all(family.type == "gauge" and family.documentation for family in families.values())


@pytest.mark.parametrize("form", ["ndjson", "ocsf"])
def test_json_lines_are_read_one_by_one(files: Files, form: str) -> None:
    content = files[form].read_bytes()

    assert content == b"".join(line + b"\n" for line in content.split(b"\n")[:-1])
    assert all(isinstance(json.loads(line), dict) for line in content.decode().splitlines())  # this breaks at U+2028, too
