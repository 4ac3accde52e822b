"""Times, spans, numbers and lists in words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml

from auditor import resources
from auditor.core.model import ReadOutcome
from auditor.report.wording import READ_WORDS, between, count, framework, iso, lasting, listed, moment

_AT = datetime(2026, 11, 17, 9, 15, tzinfo=UTC)


def test_a_moment_is_told_in_utc_and_in_english() -> None:
    assert moment(datetime(2026, 11, 17, 10, 15, tzinfo=timezone(timedelta(hours=1)))) == "Tue 17 Nov 2026 09:15 UTC"


def test_a_moment_for_machines_ends_in_z() -> None:
    assert iso(_AT) == "2026-11-17T09:15:00Z"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (_AT + timedelta(minutes=15), "between Tue 17 Nov 2026 09:15 and 09:30 UTC"),
        (_AT + timedelta(seconds=59), "between Tue 17 Nov 2026 09:15:00 and 09:15:59 UTC"),
        (_AT + timedelta(days=1), "between Tue 17 Nov 2026 09:15 UTC and Wed 18 Nov 2026 09:15 UTC"),
    ],
    ids=["the same day", "the same minute", "another day"],
)
def test_an_interval_names_both_its_ends(end: datetime, words: str) -> None:
    assert between(_AT, end) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (86_399, "23 hours"),
        (2 * 86_400, "2 days"),
    ],
)
def test_a_span_is_told_in_its_largest_whole_unit(seconds: int, words: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == words


def test_numbers_and_lists_read_like_english() -> None:
    assert (count(0, "server"), count(1, "server"), count(2, "server")) == ("0 servers", "1 server", "2 servers")
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_every_end_of_a_read_has_words() -> None:
    assert READ_WORDS.keys() == set(ReadOutcome)


def test_each_framework_of_the_shipped_controls_has_a_label() -> None:
    shipped = yaml.safe_load((resources.folder("policies") / "data" / "controls.yaml").read_text(encoding="utf-8"))

    assert [key for key in shipped["frameworks"] if framework(key) == key] == []
    assert framework("house-rules") == "house-rules"
