"""`docs/history.md` shows commands that are understood, and the states, kinds and exit codes that there are."""

import re
import shlex

import click
import pytest

from auditor.cli import cli
from auditor.core.model import EventState
from auditor.report.difference import FORMATS
from tests.docs.pages import blocks, named, rows, section, text_of

PAGE = "history.md"
COMMANDS = [line.removeprefix("$ auditor ") for block in blocks(PAGE) if block.language == "console" for line in block.text.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_understood(command: str) -> None:
    name, *arguments = shlex.split(command, comments=True)
    context = click.Context(cli)
    found = cli.get_command(context, name)

    assert found is not None
    found.make_context(name, arguments, parent=context)  # raises where it is not


def test_every_end_of_an_event_is_described() -> None:
    described = rows(section(PAGE, "Change, deviation, event"))

    assert [row[0].strip("`") for row in described] == [state.value for state in EventState if state is not EventState.OPEN]


def test_the_exit_codes_and_formats_are_those_that_the_command_names() -> None:
    found = cli.get_command(click.Context(cli), "diff")
    assert found is not None
    (form,) = [parameter for parameter in found.params if parameter.name == "form"]
    assert isinstance(form.type, click.Choice)

    codes = [row[0] for row in rows(section(PAGE, "Examples")) if row[0].isdigit()]
    assert codes == re.findall(r"\b\d\b(?=: )", found.help or "")
    assert tuple(form.type.choices) == tuple(FORMATS)
    assert "api_shape" in named(text_of(PAGE))
