"""Each format of one report in which everything occurs, byte by byte as it was looked at; and of reports with nothing in them."""

import pytest

from auditor.report.formats import FORMATS, SUFFIXES
from auditor.report.text import render_text
from tests.report.specimen import FOLDER, FORMS, NARROW, VIEWS, expected, marked


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VIEWS)
def test_a_format_writes_what_it_wrote_when_it_was_looked_at(name: str, form: str) -> None:
    assert FORMATS[form](VIEWS[name]()) == expected(name, form)


@pytest.mark.parametrize("name", VIEWS)
def test_a_narrow_coloured_terminal_shows_what_it_showed_when_it_was_looked_at(name: str) -> None:
    assert render_text(VIEWS[name](), width=44, style=marked).encode() == (FOLDER / NARROW.format(name)).read_bytes()


def test_no_specimen_is_left_over() -> None:
    formats = {f"{name}.{SUFFIXES[form]}" for name in VIEWS for form in FORMS}

    assert {path.name for path in FOLDER.iterdir()} == formats | {NARROW.format(name) for name in VIEWS}


def test_every_format_has_a_name_for_its_file_and_no_two_the_same() -> None:
    assert set(SUFFIXES) == set(FORMATS)
    assert len(set(SUFFIXES.values())) == len(SUFFIXES)
