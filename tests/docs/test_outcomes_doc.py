"""`docs/outcomes.md` describes every outcome in the words of the report, and its exit codes are those that come out."""

import re
from datetime import date

import pytest

from auditor.cli import EXIT_CODES
from auditor.core.assess import exit_code
from auditor.core.model import Assessment, Finding, Judgement, ReadOutcome, RuleOutcome, Severity, Verdict
from auditor.report.wording import READ_WORDS
from tests.docs.pages import named, rows, section
from tests.factories import observation

PAGE = "outcomes.md"


def test_every_outcome_of_a_read_is_described_once_in_the_words_of_the_report() -> None:
    seen, unseen = (rows(section(PAGE, f"The profile was {word}")) for word in ("seen", "not seen"))

    assert {(row[0].strip("`"), row[1]) for row in (*seen, *unseen)} == {(outcome.value, READ_WORDS[outcome]) for outcome in ReadOutcome}
    assert len(seen) + len(unseen) == len(ReadOutcome)
    assert {row[0].strip("`") for row in seen} == {outcome.value for outcome in ReadOutcome if outcome.is_observed}
    assert all(row[2] and row[3] for row in (*seen, *unseen))


def test_every_outcome_of_a_rule_is_described() -> None:
    described = rows(section(PAGE, "What a rule can come to"))

    assert [row[0].strip("`") for row in described] == [outcome.value for outcome in RuleOutcome]
    assert all(row[1] for row in described)


def test_every_verdict_is_described() -> None:
    assert {row[0].strip("`") for row in rows(section(PAGE, "The verdict on a target"))} == {verdict.value for verdict in Verdict}


def assessed(results: list[str]) -> Assessment:
    return Assessment(
        observation=observation(),
        judgement=Judgement(key="", policy_digest="", findings=tuple(finding(number, text) for number, text in enumerate(results))),
        verdict=Verdict.INDETERMINATE,
    )


def finding(number: int, text: str) -> Finding:
    """What `fail (low)` or `not_evaluated (limit)` stands for."""
    outcome, _, aside = text.partition(" ")
    severity = Severity(aside.strip("()")) if aside not in ("", "(limit)") else None
    return Finding(rule=f"R-{number}", outcome=RuleOutcome(outcome), as_of=date(2026, 11, 23), severity=severity, standing=aside == "(limit)")


@pytest.mark.parametrize(("one", "another", "options", "code"), rows(section(PAGE, "The exit code of `auditor check`")))
def test_an_exit_code_follows_as_the_page_shows(one: str, another: str, options: str, code: str) -> None:
    fail_on = re.search(r"--fail-on (\w+)", options)

    found = exit_code(
        [assessed(named(cell)) for cell in (one, another) if cell],
        fail_on=Severity(fail_on[1] if fail_on else "low"),
        count_limits="--count-limits" in options,
    )

    assert found == int(code)


def test_the_page_has_the_exit_codes_that_the_command_line_prints() -> None:
    printed = re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)

    assert [code for row in rows(section(PAGE, "Exit codes of every command")) for code in row[0].split()] == printed
