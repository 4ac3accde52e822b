"""Each format of one report in which everything occurs, byte by byte as it was looked at; and of reports with nothing in them."""

import pytest

from auditor.report.formats import FORMATS, SUFFIXES
from tests.report.specimen import FOLDER, FORMS, VIEWS, expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VIEWS)
def test_a_format_writes_what_it_wrote_when_it_was_looked_at(name: str, form: str) -> None:
    assert FORMATS[form](VIEWS[name]()) == expected(name, form)


def test_no_specimen_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.{SUFFIXES[form]}" for name in VIEWS for form in FORMS}


def test_every_format_has_a_name_for_its_file_and_no_two_the_same() -> None:
    assert set(SUFFIXES) == set(FORMATS)
    assert len(set(SUFFIXES.values())) == len(SUFFIXES)
