"""The worked examples of the rule language load, and each comes out as it says."""

import os
from pathlib import Path

import pytest

from auditor.policyfile import lint, run_examples
from tests.policyfile.books import book

CONTRACTS = Path(os.environ.get("AUDITOR_CONTRACTS") or Path(__file__).parents[2].parent / "shared")


@pytest.fixture
def worked() -> str:
    path = CONTRACTS / "rule-language.md"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path.read_text(encoding="utf-8").partition("## 11. Worked examples\n```yaml\n")[2].partition("```")[0]


def test_the_worked_examples_come_out_as_they_say(tmp_path: Path, worked: str) -> None:
    it = book(tmp_path, worked)
    results = run_examples(it, "worked")
    assert [(result.rule, result.got) for result in results if not result.ok] == []
    assert len(results) > 40
    assert lint(it) == []


def test_the_worked_examples_judge(tmp_path: Path, worked: str) -> None:
    it = book(tmp_path, worked)
    effective = it.effective("worked", target="a", labels={})
    assert len(it.compile(effective).rules) == 12
    assert effective.is_dated
    assert effective.reads == {"ClientSecret.age_days", "collection.profile_age_hours", "server.probed"}
