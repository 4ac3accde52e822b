"""CSV: each row stands alone, and a spreadsheet runs none of it."""

import csv
import io
from dataclasses import replace

import pytest

from auditor.core.model import Standing
from auditor.report.csvdoc import cell, render_csv
from auditor.report.csvresults import COLUMNS, render_results
from auditor.report.view import view
from tests.report.specimen import specimen
from tests.report.standings import FAILS, standing


def rows(*standings: Standing) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_results(view(standings, engine_version="1")).decode(), newline=""), strict=True))


def test_a_row_has_all_that_is_known_of_a_waived_failure_and_its_read() -> None:
    told = csv.DictReader(io.StringIO(render_results(specimen()).decode(), newline=""), strict=True)
    (row,) = [row for row in told if row["finding_id"] == "prod-eu/CFG-006"]
    run, waiver, snapshot = row.pop("run_id"), row.pop("waiver"), row.pop("snapshot_sha256")

    assert (len(run), len(waiver), len(snapshot)) == (36, 12, 64)
    assert row == {
        "subject": "target",
        "target": "prod-eu",
        "rule": "CFG-006",
        "outcome": "waived",
        "standing_limit": "false",
        "execution_failure": "false",
        "severity": "low",
        "title": "Port is a submission port",
        "reason": "Port: expected 465 or 587, observed 25",
        "finding_id": "prod-eu/CFG-006",
        "policy": "recommended",
        "policy_version": "1",
        "policy_sha256": "9c41e0" + "0" * 58,
        "judgement_key": "k" * 64,
        "read_outcome": "observed",
        "read_started_at": "2026-11-17T09:30:00Z",
        "read_ended_at": "2026-11-17T09:30:00.412000Z",
        "slot": "2026-11-17T09:29:51Z",
        "url": "https://command-prod-eu.example.org/KeyfactorAPI/SMTP",
        "api_version": "2",
        "account": "svc-audit",
        "owner": "PKI",
        "labels": "env=prod, tier=1",
        "target_verdict": "non_compliant",
        "waiver_holds": "through 2026-12-31 UTC",
        "waiver_reason": "Their relay moves to 587 in spring.",
        "waiver_owner": "mail team",
        "waiver_approved_by": "ciso@corp.example",
        "controls": "",
        "remediation": "Use 465 or 587.",
        "engine_version": "1.2.3",
    }


def test_a_row_of_the_installation_says_when_and_by_which_policy() -> None:
    told = csv.DictReader(io.StringIO(render_results(specimen()).decode(), newline=""), strict=True)
    own = [row for row in told if row["subject"] == "installation"]

    assert [(row["target"], row["rule"], row["outcome"], row["execution_failure"]) for row in own] == [
        ("installation", "DRF-004", "fail", "false"),
        ("installation", "DRF-007", "pass", "false"),
        ("installation", "DRF-008", "error", "true"),
    ]
    assert {(row["policy"], row["policy_sha256"], row["read_ended_at"], row["url"]) for row in own} == {
        ("installation", "0fa1" + "0" * 60, "2026-11-17T09:32:00.412000Z", "")
    }


def test_controls_stand_by_framework() -> None:
    assert rows(standing("prod"))[0]["controls"] == "iso-27001-2022: 8.24; nist-800-53r5: SC-8, IA-5(1)(c)"


def test_a_target_without_policy_text_has_rows_without_one() -> None:
    (row, *_) = rows(replace(standing("prod", FAILS), policy=None))

    assert (row["policy"], row["policy_version"], row["policy_sha256"], row["outcome"]) == ("", "", "", "fail")


def test_a_name_that_a_spreadsheet_would_run_is_a_text() -> None:
    (row, *_) = rows(standing("=HYPERLINK(1)", target={"owner": "+1", "labels": (("@a", "b"),)}))

    assert (row["target"], row["finding_id"], row["owner"], row["labels"]) == (
        "'=HYPERLINK(1)",
        "'=HYPERLINK(1)/CFG-001",
        "'+1",
        "'@a=b",
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0d"])
def test_a_text_is_no_formula_whatever_it_begins_with(start: str) -> None:
    assert cell(f"{start}1").startswith("'")
    assert not cell(f"1{start}").startswith("'")


def test_only_what_a_text_begins_with_counts_and_a_mark_on_it_hides_nothing() -> None:
    assert cell("=\u0338A1") == "'=\u0338A1"  # put together they are another sign
    assert cell("\u2a74A1") == "\u2a74A1"  # one sign that stands for `::=`


@pytest.mark.parametrize(("value", "text"), [(None, ""), (True, "true"), (False, "false"), (-1, "-1"), (0, "0"), (1.5, "1.5"), ("", ""), ("a", "a")])
def test_what_we_write_ourselves_stays_as_it_is(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_cell_that_has_to_be_quoted_is_and_an_empty_row_is_not_lost() -> None:
    rendered = render_csv(("a", "b"), [{"a": 'x, "y"', "c": 1}, {}])

    assert rendered == b'a,b\r\n"x, ""y""",\r\n,\r\n'


def test_the_columns_are_named_once() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS) == 34
