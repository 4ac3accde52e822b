"""The list of reports: what a file says of itself, taken with care; and the CSV beside a fleet's page."""

import csv
import html as escaping
import io
import json
from typing import Any

import pytest

from auditor.report.html import render_edition
from auditor.report.index import figures_of_page, render_fleet_csv, render_index
from tests.report.editions import DUE, course, covered, edition
from tests.report.standings import FAILS, standing, unread

FIGURES: dict[str, Any] = {
    "key": "2026-W47",
    "first": "2026-11-16",
    "last": "2026-11-22",
    "period": "week 47",
    "verdict": "Well.",
    "status": "pass",
    "servers": {"fail": 0, "unknown": 1, "waived": 2, "pass": 3},
    "reads": [6, 7],
}


def page(figures: object) -> str:
    return f'<head><meta name="auditor-figures" content="{escaping.escape(json.dumps(figures))}">'


def test_a_report_says_of_itself_what_the_list_needs() -> None:
    made = edition([course(standing("a", FAILS), coverage=covered("a", missed=2)), course(unread("b"))])
    figures = figures_of_page(render_edition(made, due_days=DUE).decode())

    assert figures == {
        "key": "2026-W47",
        "first": "2026-11-16",
        "last": "2026-11-22",
        "period": "week 47 of 2026, 16 to 22 November 2026 (UTC)",
        "verdict": made.verdict,
        "status": "fail",
        "servers": {"fail": 1, "unknown": 1, "waived": 0, "pass": 0},
        "reads": [670, 672],
    }
    assert figures_of_page(page(FIGURES)) == FIGURES


@pytest.mark.parametrize(
    "figures",
    [
        "<script>",
        [],
        {**FIGURES, "key": '"><script>alert(1)</script>'},
        {**FIGURES, "status": "splendid"},
        {**FIGURES, "servers": {"fail": 0}},
        {**FIGURES, "servers": {**FIGURES["servers"], "fail": -1}},
        {**FIGURES, "servers": {**FIGURES["servers"], "fail": "1"}},
        {**FIGURES, "reads": [1]},
        {**FIGURES, "verdict": 7},
    ],
)
def test_a_file_that_says_something_else_is_passed_over(figures: object) -> None:
    assert figures_of_page(page(figures)) is None


def test_a_file_that_nests_without_end_is_passed_over() -> None:
    assert figures_of_page(f'<head><meta name="auditor-figures" content="{"[" * 16_000}">') is None


def test_what_a_file_says_stays_text_in_the_list() -> None:
    made = render_index([{**FIGURES, "verdict": "<script>alert(1)</script>", "period": "<b>", "file": "a.html"}]).decode()

    assert "<script>" not in made
    assert "&lt;script&gt;alert(1)" in made


def test_the_trend_is_that_of_the_newest_reports_alone() -> None:
    made = render_index([{**FIGURES, "key": f"k{number}", "file": f"{number}.html"} for number in range(130)]).decode()

    assert made.count('<rect class="fail"') == 0
    assert made.count('<rect class="unknown"') == 104
    assert made.count("<tr id=") == 130


def test_a_line_of_the_csv_stands_alone_and_runs_nothing() -> None:
    made = edition([course(standing("=cmd()", FAILS), coverage=covered("=cmd()", missed=2)), course(standing("b"))])
    first, second = csv.DictReader(io.StringIO(render_fleet_csv(made).decode()))

    assert first["server"] == "'=cmd()"
    assert (first["period"], first["ledger_head"]) == ("2026-W47", made.over.head if made.over else "")
    assert (first["failing_rules"], first["reads_owed"], first["reads_made"], first["gaps"]) == ("CFG-001", "672", "670", "1")
    assert (second["status"], second["reads_owed"], second["needs_reading"]) == ("pass", "", "false")
