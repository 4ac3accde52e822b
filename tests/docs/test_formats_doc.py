"""`docs/formats.md` names every format, shows commands that are understood, and tells the one table of statuses as it is."""

import shlex

import click
import pytest

from auditor.cli import cli
from auditor.report.formats import FORMATS, SUFFIXES
from auditor.report.statuses import OCSF_COMPLIANCE, OCSF_STATUS, STATUSES, Answer, Told
from tests.docs.pages import blocks, rows, section, text_of

PAGE = "formats.md"
COMMANDS = [line.removeprefix("$ auditor ") for block in blocks(PAGE) if block.language == "console" for line in block.text.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_understood(command: str) -> None:
    name, *arguments = shlex.split(command, comments=True)
    context = click.Context(cli)
    found = cli.get_command(context, name)

    assert found is not None
    found.make_context(name, arguments, parent=context)  # raises where it is not


def test_every_format_is_named_with_the_ending_of_its_file() -> None:
    named = [(row[0].strip("`"), row[2].strip("`").removeprefix(".")) for row in rows(section(PAGE, "Formats"))]

    assert named == list(SUFFIXES.items())
    assert [name for name, _ in named] == list(FORMATS)


def _row(answer: Answer, told: Told) -> list[str]:
    compliance, finding = told.ocsf
    return [
        f"`{answer.value}`",
        f"{told.status.glyph} {told.words}",
        " / ".join(told.oscal) if told.oscal else "an observation alone",
        ", ".join(told.sarif),
        f"`{told.junit}`" if told.junit else "a case",
        f"{compliance} {OCSF_COMPLIANCE[compliance]} / {finding} {OCSF_STATUS[finding]}",
    ]


def test_the_table_of_statuses_is_the_one_in_force() -> None:
    assert rows(section(PAGE, "How a result is told")) == [_row(answer, told) for answer, told in STATUSES.items()]


def test_every_format_that_machines_read_is_explained() -> None:
    names = {"json": "JSON", "ndjson": "NDJSON", "csv": "CSV", "sarif": "SARIF", "junit": "JUnit", "ocsf": "OCSF", "oscal": "OSCAL"}

    assert all(f"**{name}.**" in text_of(PAGE) for name in (*names.values(), "Markdown", "Prometheus"))
