"""Programs of others read what we write: a JUnit reader, a model of SARIF, an OSCAL library, the parser of Prometheus, a strict CSV reader."""

import csv
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from auditor.report.formats import FORMATS
from tests.report.specimen import VIEWS

pytestmark = pytest.mark.parametrize("name", VIEWS)


def _needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed; it is among the test requirements")


def _file(folder: Path, name: str, form: str) -> Path:
    path = folder / f"report.{form}"
    path.write_bytes(FORMATS[form](VIEWS[name]()))
    return path


@_needs("junitparser")
def test_junitparser_counts_what_the_file_says(name: str, tmp_path: Path) -> None:
    import junitparser

    read = junitparser.JUnitXml.fromfile(str(_file(tmp_path, name, "junit")))
    kinds = Counter(type(each).__name__ for suite in read for case in suite for each in case.result)
    told = [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in read]
    read.update_statistics()

    assert told == [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in read]
    expected = {"report": (4, 4, 10, 4), "sound": (6, 0, 0, 0), "unseen": (0, 0, 1, 0), "nothing": (0, 0, 1, 0)}[name]
    assert (read.tests - kinds.total(), kinds["Failure"], kinds["Error"], kinds["Skipped"]) == expected


@_needs("sarif_pydantic")
def test_a_model_of_sarif_takes_the_log_and_finds_the_same_results(name: str, tmp_path: Path) -> None:
    from sarif_pydantic import Sarif

    log = Sarif.model_validate_json(_file(tmp_path, name, "sarif").read_bytes())
    (run,) = log.runs
    written = json.loads(FORMATS["sarif"](VIEWS[name]()))["runs"][0]

    assert [(each.rule_id, each.message.text) for each in run.results or []] == [
        (each["ruleId"], each["message"]["text"]) for each in written["results"]
    ]
    assert len(run.tool.driver.rules or []) == len(written["tool"]["driver"]["rules"])
    assert (run.invocations or [])[0].execution_successful is written["invocations"][0]["executionSuccessful"]


_TRESTLE = """
import sys
from trestle.oscal.assessment_results import AssessmentResults
from pathlib import Path
read = AssessmentResults.oscal_read(Path(sys.argv[1]))
(result,) = read.results
print(len(result.observations or []), len(result.findings or []), len(result.risks or []))
"""


@_needs("trestle")
def test_trestle_reads_the_assessment_results(name: str, tmp_path: Path) -> None:
    path = _file(tmp_path, name, "oscal").rename(tmp_path / "report.json")
    # in a process of its own: it sets up logging and warnings for all
    done = subprocess.run([sys.executable, "-c", _TRESTLE, str(path)], capture_output=True, text=True, encoding="utf-8", check=False, timeout=120)
    (result,) = json.loads(FORMATS["oscal"](VIEWS[name]()))["assessment-results"]["results"]

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(result.get(part, ()))) for part in ("observations", "findings", "risks")]


class _Strict(csv.Dialect):
    """RFC 4180, and nothing else."""

    delimiter, quotechar, lineterminator = ",", '"', "\r\n"
    doublequote, skipinitialspace, strict = True, False, True
    quoting = csv.QUOTE_MINIMAL


def test_a_strict_csv_reader_gets_one_row_a_result(name: str, tmp_path: Path) -> None:
    with _file(tmp_path, name, "csv").open(encoding="utf-8", errors="strict", newline="") as stream:
        rows = list(csv.DictReader(stream, dialect=_Strict, restkey="too many", restval="too few"))

    assert len(rows) == {"report": 22, "sound": 6, "unseen": 1, "nothing": 0}[name]
    assert not [row for row in rows if "too many" in row or "too few" in row.values()]
    with (tmp_path / "again.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, dialect=_Strict)
        writer.writerows(csv.reader(FORMATS["csv"](VIEWS[name]()).decode().splitlines(keepends=True), dialect=_Strict))
    assert (tmp_path / "again.csv").read_bytes() == FORMATS["csv"](VIEWS[name]())


def test_prometheus_own_parser_reads_the_figures(name: str) -> None:
    families = {family.name: family for family in text_string_to_metric_families(FORMATS["prometheus"](VIEWS[name]()).decode())}

    read = {sample.labels["target"]: sample.value for sample in families["auditor_target_read"].samples}
    targets = {target.name: target for target in VIEWS[name]().targets}
    assert read == {each: float(bool(targets[each].collected) and targets[each].trouble is None) for each in targets}
    assert all(family.type == "gauge" and family.documentation for family in families.values())


def test_json_lines_are_read_one_by_one(name: str) -> None:
    for form in ("ndjson", "ocsf"):
        content = FORMATS[form](VIEWS[name]())
        assert content == b"".join(line + b"\n" for line in content.split(b"\n")[:-1])
        assert all(isinstance(json.loads(line), dict) for line in content.decode().splitlines())  # splitlines breaks at U+2028, too
