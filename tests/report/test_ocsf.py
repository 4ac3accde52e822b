"""OCSF: what a SIEM sorts and joins by."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.core.model import RuleOutcome, Severity, Standing
from auditor.report.ocsf import render_ocsf
from auditor.report.view import view
from tests.report.specimen import specimen
from tests.report.standings import AT, EARLIER, FAILS, WAIVED, finding, never, standing, unread


def events(*standings: Standing) -> list[Any]:
    return [json.loads(line) for line in render_ocsf(view(standings, engine_version="1")).splitlines()]


@pytest.mark.parametrize(
    ("severity", "number", "caption"),
    [
        (None, 1, "Informational"),
        (Severity.INFO, 1, "Informational"),
        (Severity.LOW, 2, "Low"),
        (Severity.MEDIUM, 3, "Medium"),
        (Severity.HIGH, 4, "High"),
        (Severity.CRITICAL, 5, "Critical"),
    ],
)
def test_severity_has_the_number_and_caption_of_the_schema(severity: Severity | None, number: int, caption: str) -> None:
    event = events(standing("prod", finding("CFG-001", RuleOutcome.FAIL, severity)))[0]

    assert (event["severity_id"], event["severity"]) == (number, caption)


@pytest.mark.parametrize(
    ("ended", "milliseconds"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 2, 0, 0, 1, 999, tzinfo=UTC), 86_401_000),
        (datetime(2026, 11, 17, 9, 30, 0, 412_999, tzinfo=UTC), 1_794_907_800_412),
        (datetime(2300, 1, 1, 0, 0, 0, 1000, tzinfo=UTC), 10_413_792_000_001),
    ],
)
def test_time_is_whole_milliseconds_since_1970(ended: datetime, milliseconds: int) -> None:
    one = standing("prod")
    assert one.assessment is not None
    observation = replace(one.assessment.observation, ended_at=ended)

    assert events(replace(one, assessment=replace(one.assessment, observation=observation)))[0]["time"] == milliseconds


def test_a_finding_keeps_its_id_and_each_event_has_its_own() -> None:
    before, after = events(standing("prod", at=EARLIER))[0], events(standing("prod", FAILS, at=AT))[0]

    assert before["finding_info"]["uid"] == after["finding_info"]["uid"] == "prod/CFG-001"
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert before["metadata"]["correlation_uid"] != after["metadata"]["correlation_uid"]


def test_a_pass_meets_the_criteria_and_nothing_else_does() -> None:
    told = [
        (event["status_code"], event["compliance"]["assessments"][0]["meets_criteria"]) for event in events(standing("p", FAILS, WAIVED), unread())
    ]

    assert set(told) == {("pass", True), ("fail", False), ("waived", False), ("not_evaluated", False)}


def test_what_is_not_known_is_left_out() -> None:
    bare = events(standing("prod"))[2]
    assert {"desc"} & set(bare["finding_info"]) == set()
    assert {"remediation", "evidences", "status_detail"} & set(bare) == set()
    assert {"standards", "requirements", "status_detail"} & set(bare["compliance"]) == set()
    assert {"labels", "owner"} & set(bare["resources"][0]) == set()

    (unread_one,) = events(never("new"))
    assert "policy" not in unread_one["compliance"]["assessments"][0]
    assert unread_one["unmapped"] == {"outcome": "not_evaluated", "execution_failure": False}


def test_what_is_known_is_told() -> None:
    told = {event["finding_info"]["uid"]: event for event in map(json.loads, render_ocsf(specimen()).splitlines())}
    one, other, own = told["prod-eu/CFG-001"], told["prod-us/CFG-013"], told["installation/DRF-004"]

    assert one["compliance"]["standards"] == ["ISO 27001:2022", "NIST 800-53 r5"]
    assert one["compliance"]["requirements"] == ["ISO 27001:2022 8.24", "NIST 800-53 r5 SC-8", "NIST 800-53 r5 IA-5(1)(c)"]
    assert one["resources"] == [
        {
            "uid": "prod-eu",
            "name": "prod-eu",
            "type": "Keyfactor Command",
            "data": {"url": "https://command-prod-eu.example.org/KeyfactorAPI"},
            "labels": ["env=prod", "tier=1"],
            "owner": {"name": "PKI"},
            "version": "25.5.1",
        }
    ]
    assert one["remediation"]["references"] == ["RFC 4954 section 4", "https://www.rfc-editor.org/rfc/rfc8314"]
    assert [each["data"]["fact"] for each in other["evidences"]] == ["Host", "Port"]
    assert own["resources"] == [{"uid": "installation", "name": "installation", "type": "The auditor's own record"}]
    assert told["prod-us/CFG-009"]["unmapped"]["waiver"]["holds"] == "until 2026-12-01 17:00:00 UTC"
    assert told["lab/CFG-001"]["unmapped"]["read_outcome"] == "forbidden"


def test_a_resource_has_an_id_even_where_its_name_is_nothing() -> None:
    assert events(standing(""))[0]["resources"][0]["uid"] == "-"
