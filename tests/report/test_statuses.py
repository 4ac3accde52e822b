"""The one table: every outcome in every format, cell by cell, as it reaches the file."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families

from auditor.core.model import Finding, RuleOutcome, Standing
from auditor.report.formats import FORMATS
from auditor.report.shown import Status
from auditor.report.statuses import OCSF_COMPLIANCE, OCSF_STATUS, STATUSES, Answer, answer_of
from auditor.report.view import view
from tests.report.standings import BROKE, FAILS_TOO, LIMITED, UNSEEN, WAITS, WAIVED, finding, standing

FINDINGS: Mapping[Answer, Finding] = {
    Answer.PASS: finding("CFG-001"),
    Answer.FAIL: FAILS_TOO,
    Answer.WAIVED: WAIVED,
    Answer.NOT_EVALUATED: UNSEEN,
    Answer.STANDING_LIMIT: LIMITED,
    Answer.NOT_APPLICABLE: WAITS,
    Answer.ERROR: BROKE,
}

OSCAL_FAILS, OSCAL_OTHER = ("not-satisfied", "fail"), ("not-satisfied", "other")
CELLS: Mapping[str, Mapping[Answer, Any]] = {
    "status": dict(zip(Answer, ("pass", "fail", "waived", "unknown", "unknown", "neutral", "unknown"), strict=True)),
    "oscal": dict(zip(Answer, (("satisfied", "pass"), OSCAL_FAILS, OSCAL_FAILS, OSCAL_OTHER, OSCAL_OTHER, None, OSCAL_OTHER), strict=True)),
    "oscal result": dict(zip(Answer, ("pass", "fail", "waived", "unknown", "unknown", "not_applicable", "unknown"), strict=True)),
    "oscal risk": dict(zip(Answer, (None, None, "deviation-approved", None, None, None, None), strict=True)),
    "oscal fault": dict(zip(Answer, (0, 0, 0, 0, 0, 0, 1), strict=True)),
    "sarif": dict(
        zip(
            Answer,
            (("pass", "none"), ("fail", "error"), ("fail", "error"), ("open", "none"), ("open", "none"), ("notApplicable", "none"), ("open", "none")),
            strict=True,
        )
    ),
    "sarif suppressions": dict(zip(Answer, ([], [], [("external", "accepted")], [], [], [], []), strict=True)),
    "sarif successful": dict(zip(Answer, (True, True, True, False, True, True, False), strict=True)),
    "sarif notifications": dict(zip(Answer, ([], [], [], [], [], [], ["error"]), strict=True)),
    "junit": dict(zip(Answer, (None, "failure", "skipped", "error", "skipped", "skipped", "error"), strict=True)),
    "junit type": dict(zip(Answer, (None, "low", None, "not_evaluated", None, None, "error"), strict=True)),
    "ocsf": dict(zip(Answer, ((1, 4), (3, 1), (3, 3), (2, 1), (2, 1), (99, 99), (2, 1)), strict=True)),
    "ocsf words": dict(
        zip(
            Answer,
            (
                ("Pass", "Resolved"),
                ("Fail", "New"),
                ("Fail", "Suppressed"),
                ("Warning", "New"),
                ("Warning", "New"),
                ("Other", "Other"),
                ("Warning", "New"),
            ),
            strict=True,
        )
    ),
    "ocsf code": {answer: answer.value for answer in Answer},
    "ocsf fault": {answer: answer is Answer.ERROR for answer in Answer},
    "csv": dict(
        zip(
            Answer,
            (
                ("pass", "false", "false"),
                ("fail", "false", "false"),
                ("waived", "false", "false"),
                ("not_evaluated", "false", "false"),
                ("not_evaluated", "true", "false"),
                ("not_applicable", "false", "false"),
                ("error", "false", "true"),
            ),
            strict=True,
        )
    ),
    "ndjson": {answer: (answer.value, answer is Answer.ERROR) for answer in Answer},
    "prometheus": dict(zip(Answer, ("pass", "fail", "waived", "not_evaluated", "not_evaluated", "not_applicable", "error"), strict=True)),
    "markdown": dict(
        zip(
            Answer,
            (
                "✓ passing",
                "✗ failing",
                "◐ waived",
                "? not evaluated",
                "? not evaluated, a standing limit",
                "– not applicable",
                "? not evaluated, an error of the auditor itself",
            ),
            strict=True,
        )
    ),
    "text": dict(zip(Answer, ("✓ 1", "✗ 1", "◐ 1", "? 1", "? 1", "– 1", "? 1"), strict=True)),
}
"""What a format says, one value for each answer in the order of `Answer`."""


def _written(answer: Answer, form: str) -> str:
    """The report on one target with one result."""
    return FORMATS[form](view([_alone(standing("prod", FINDINGS[answer]), answer)], engine_version="1")).decode()


def _alone(one: Standing, answer: Answer) -> Standing:
    assert one.assessment is not None
    judged = tuple(each for each in one.assessment.judgement.findings if each.rule == FINDINGS[answer].rule)
    return replace(one, assessment=replace(one.assessment, judgement=replace(one.assessment.judgement, findings=judged)))


def _oscal(answer: Answer) -> Any:
    (result,) = json.loads(_written(answer, "oscal"))["assessment-results"]["results"]
    return result


def _oscal_target(answer: Answer) -> Any:
    found = [(each["target"]["status"]["state"], each["target"]["status"]["reason"]) for each in _oscal(answer).get("findings", ())]
    return found[0] if found else None


def _oscal_result(answer: Answer) -> Any:
    (observation,) = _oscal(answer)["observations"]
    return next(prop["value"] for prop in observation["props"] if prop["name"] == "result")


def _oscal_risk(answer: Answer) -> Any:
    return next((risk["status"] for risk in _oscal(answer).get("risks", ())), None)


def _oscal_fault(answer: Answer) -> Any:
    return sum("Execution failure" in entry["title"] for entry in _oscal(answer)["assessment-log"]["entries"])


def _sarif(answer: Answer) -> Any:
    (run,) = json.loads(_written(answer, "sarif"))["runs"]
    (result,) = run["results"]
    return result, run["invocations"][0]


def _case(answer: Answer) -> ElementTree.Element:
    (case,) = ElementTree.fromstring(_written(answer, "junit")).iter("testcase")
    return case


def _ocsf(answer: Answer) -> Any:
    return json.loads(_written(answer, "ocsf"))


def _row(answer: Answer) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(_written(answer, "csv"), newline=""), strict=True)
    return row


def _line(answer: Answer) -> Any:
    return next(line for line in map(json.loads, _written(answer, "ndjson").splitlines()) if line["kind"] == "finding")


def _counted(answer: Answer) -> Any:
    families = text_string_to_metric_families(_written(answer, "prometheus"))
    samples = [sample for family in families for sample in family.samples if sample.name == "auditor_results" and sample.value]
    (sample,) = samples
    return sample.labels["outcome"]


def _figures(answer: Answer) -> Any:
    rows = [line.strip("|").split("|") for line in _written(answer, "markdown").splitlines() if line.startswith("| ")]
    (words,) = [name.strip() for name, number in rows if number.strip() == "1" and name.strip() != "together"]
    return words


def _glyph(answer: Answer) -> Any:
    lines = _written(answer, "text").splitlines()
    glyph = STATUSES[answer].status.glyph
    return f"{glyph} 1" if any(line.startswith((f"{glyph} 1 ", f"{glyph} low CFG-006")) for line in lines) else lines


SAID: Mapping[str, Callable[[Answer], Any]] = {
    "status": lambda answer: STATUSES[answer].status.value,
    "oscal": _oscal_target,
    "oscal result": _oscal_result,
    "oscal risk": _oscal_risk,
    "oscal fault": _oscal_fault,
    "sarif": lambda answer: (_sarif(answer)[0]["kind"], _sarif(answer)[0]["level"]),
    "sarif suppressions": lambda answer: [(each["kind"], each["status"]) for each in _sarif(answer)[0]["suppressions"]],
    "sarif successful": lambda answer: _sarif(answer)[1]["executionSuccessful"],
    "sarif notifications": lambda answer: [each["descriptor"]["id"] for each in _sarif(answer)[1]["toolExecutionNotifications"]],
    "junit": lambda answer: next((child.tag for child in _case(answer)), None),
    "junit type": lambda answer: next((child.get("type") for child in _case(answer)), None),
    "ocsf": lambda answer: (_ocsf(answer)["compliance"]["status_id"], _ocsf(answer)["status_id"]),
    "ocsf words": lambda answer: (_ocsf(answer)["compliance"]["status"], _ocsf(answer)["status"]),
    "ocsf code": lambda answer: _ocsf(answer)["status_code"],
    "ocsf fault": lambda answer: _ocsf(answer)["unmapped"]["execution_failure"],
    "csv": lambda answer: tuple(_row(answer)[name] for name in ("outcome", "standing_limit", "execution_failure")),
    "ndjson": lambda answer: (_line(answer)["answer"], _line(answer)["execution_failure"]),
    "prometheus": _counted,
    "markdown": _figures,
    "text": _glyph,
}


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("cell", CELLS)
def test_each_cell_of_the_table_reaches_the_file(cell: str, answer: Answer) -> None:
    assert SAID[cell](answer) == CELLS[cell][answer]


@pytest.mark.parametrize("answer", Answer)
def test_people_are_shown_the_status_of_the_table(answer: Answer) -> None:
    (target,) = view([_alone(standing("prod", FINDINGS[answer]), answer)], engine_version="1").targets

    assert [shown.status for shown in target.findings] == [STATUSES[answer].status]
    assert FINDINGS[answer].rule in _written(answer, "html")


def test_every_outcome_has_one_row_and_limits_of_the_source_one_of_their_own() -> None:
    assert {answer_of(found): answer for answer, found in FINDINGS.items()} == {answer: answer for answer in Answer}
    assert set(STATUSES) == set(Answer)
    assert {outcome.value for outcome in RuleOutcome} == {answer.value for answer in Answer} - {"standing_limit"}
    # a limit makes not_evaluated another answer, and nothing else
    assert answer_of(finding("CFG-001", RuleOutcome.FAIL, standing=True)) is Answer.FAIL


def test_nothing_but_a_pass_is_told_as_one() -> None:
    for answer, told in STATUSES.items():
        is_pass = answer is Answer.PASS
        assert (told.status is Status.PASS) is is_pass
        assert (told.oscal == ("satisfied", "pass")) is is_pass
        assert (told.sarif[0] == "pass") is is_pass
        assert (told.junit is None) is is_pass
        assert (told.ocsf[0] == 1) is is_pass


def test_the_numbers_of_ocsf_have_the_captions_of_its_schema() -> None:
    assert OCSF_COMPLIANCE == {1: "Pass", 2: "Warning", 3: "Fail", 99: "Other"}
    assert OCSF_STATUS == {1: "New", 3: "Suppressed", 4: "Resolved", 99: "Other"}
    assert {told.ocsf[0] for told in STATUSES.values()} == set(OCSF_COMPLIANCE)
    assert {told.ocsf[1] for told in STATUSES.values()} == set(OCSF_STATUS)
