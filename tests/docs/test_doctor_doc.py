"""`docs/doctor.md` names every line that `auditor doctor` prints, and its commands are understood."""

import re

import click
import pytest

from auditor import checkup
from auditor.cli import cli
from auditor.cli.doctor import doctor
from tests.docs.pages import ROOT, blocks, rows, section, text_of

PAGE = "doctor.md"
COMMANDS = [line.removeprefix("$ auditor ") for block in blocks(PAGE) for line in block.text.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_understood(command: str) -> None:
    name, *arguments = command.split()
    assert cli.get_command(click.Context(cli), name) is doctor
    doctor.make_context("doctor", arguments)


def test_every_line_is_described_once_in_order() -> None:
    described = re.findall(r"^\| `([a-z ]+)` \|", text_of(PAGE), re.MULTILINE)
    source = (ROOT / "auditor" / "checkup.py").read_text(encoding="utf-8")
    assert described[: len(checkup.WRITTEN)] == list(checkup.WRITTEN)
    stages = [name for name in described if name in checkup._STAGES]
    assert stages == list(checkup._STAGES)
    for name in described:
        assert f'"{name}"' in source, f"no check is called {name}"
    made = set(re.findall(r'(?:_ok|_fail)\("([a-z ]+)"|name="([a-z ]+)"', source))
    assert {one or other for one, other in made} - {"server"} <= set(described)


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (checkup.LOW_DISK_BYTES / 10**6, "a warning below {:.0f} MB"),
        (checkup.NO_DISK_BYTES / 10**6, "a failure below {:.0f} MB"),
        (checkup.KEEP_AT_LEAST.days, "less than {} days"),
        (checkup.RENEW_WITHIN.days, "a warning below {:.0f}"),
    ],
)
def test_its_figures_are_those_of_the_program(figure: float, said: str) -> None:
    assert said.format(figure) in text_of(PAGE)


def test_every_variable_and_key_of_the_vendors_is_described() -> None:
    from auditor import kfutil

    described = {(row[1].strip("`"), row[0].strip("`")) for row in rows(section("kfutil.md", "One source"))}
    assert described == set(kfutil._VARIABLES.items())
