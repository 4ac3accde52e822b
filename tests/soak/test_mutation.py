"""Breaks the modules that judge, and those that write formats, in one place at a time, and demands that their tests notice."""

import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.soak.equivalents import EQUIVALENTS
from tests.soak.mutants import Fate, Mutant, UnfitTestsError, fates, mutants, path_of

SPECIMENS = ["tests/report/test_specimens.py"]
TESTS = {
    "auditor.core.operators": ["tests/core/test_operators.py"],
    "auditor.core.criterion": ["tests/core/test_operators.py", "tests/core/test_evaluate.py"],
    "auditor.core.evaluate": ["tests/core/test_evaluate.py"],
    "auditor.core.waiver": ["tests/waivers/test_waiver.py"],
    "auditor.core.formats": ["tests/core/test_formats.py"],
    "auditor.core.baseline": ["tests/core/test_baseline.py"],
    "auditor.report.statuses": ["tests/report/test_statuses.py"],
    "auditor.report.results": [*SPECIMENS, "tests/report/test_results.py"],
    "auditor.report.markdown": [*SPECIMENS, "tests/report/test_markdown.py"],
    "auditor.report.text": [*SPECIMENS, "tests/report/test_report_text.py"],
    "auditor.report.jsondoc": [*SPECIMENS, "tests/report/test_report_json.py"],
    "auditor.report.ndjson": SPECIMENS,
    "auditor.report.csvdoc": [*SPECIMENS, "tests/report/test_csv_results.py"],
    "auditor.report.csvresults": [*SPECIMENS, "tests/report/test_csv_results.py"],
    "auditor.report.sarif": [*SPECIMENS, "tests/report/test_sarif.py"],
    "auditor.report.junit": [*SPECIMENS, "tests/report/test_junit.py"],
    "auditor.report.ocsf": [*SPECIMENS, "tests/report/test_ocsf.py"],
    "auditor.report.oscal": [*SPECIMENS, "tests/report/test_oscal.py"],
    "auditor.report.prometheus": [*SPECIMENS, "tests/report/test_prometheus_text.py"],
}
"""What is broken, and the tests of each: those alone, since a test far away that fails says little about the place."""

TOLERATED = 0.05
"""Of the mutants that ran, fewer than this may survive."""

TIMEOUT_S = 60
"""The tests of one module take a second or two."""


def told_of(module: str) -> list[Mutant]:
    """The mutants of a module, less those known to be no fault."""
    equivalent = {(removed, added) for name, removed, added in EQUIVALENTS if name == module}
    return [mutant for mutant in mutants(path_of(module).read_text(encoding="utf-8")) if (mutant.removed, mutant.added) not in equivalent]


@pytest.mark.soak
@pytest.mark.platform_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are forked")
@pytest.mark.parametrize("module", TESTS)
def test_fewer_than_one_in_twenty_faults_in_what_judges_or_writes_goes_unnoticed(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = path_of(module).read_text(encoding="utf-8")
    unbroken = dict(fates(module, [source], TESTS[module], folder=tmp_path, timeout_s=TIMEOUT_S))
    assert unbroken == {0: Fate.SURVIVED}, f"without a fault:\n{(tmp_path / '0.log').read_text(encoding='utf-8')[-3000:]}"

    broken = told_of(module)
    counts: Counter[Fate] = Counter()
    survivors = []
    for index, fate in fates(module, [mutant.source for mutant in broken], TESTS[module], folder=tmp_path, timeout_s=TIMEOUT_S):
        counts[fate] += 1
        if fate is Fate.SURVIVED:
            survivors.append(broken[index])
    survivors.sort(key=lambda mutant: mutant.line)
    figures = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate)
    with capsys.disabled():
        print(f"\n{module}: {len(broken)} mutants, {figures}", *(mutant.diff(module) for mutant in survivors), sep="\n")

    assert counts.total() == len(broken)
    assert len(survivors) + counts[Fate.TIMEOUT] < TOLERATED * len(broken)  # that a machine was slow says nothing about the tests


@pytest.mark.xdist_group("mutants")
@pytest.mark.soak
@pytest.mark.parametrize(("module", "removed", "added"), EQUIVALENTS)
def test_what_is_called_no_fault_is_still_a_mutant(module: str, removed: str, added: str) -> None:
    pairs = _pairs_of(module)
    assert pairs.count((removed, added)) == 1
    assert EQUIVALENTS[module, removed, added].strip()


@cache
def _pairs_of(module: str) -> list[tuple[str, str]]:
    """To break a module in every place takes seconds."""
    return [(mutant.removed, mutant.added) for mutant in mutants(path_of(module).read_text(encoding="utf-8"))]


# --- the tool itself ----------------------------------------------------------------------------------------------

SOURCE = '''
"""A module."""
from typing import Any
TABLE = {"a": 1, "b": LATER}

class Word(Enum):
    ONE = "prose"

def asked(it: Any, limit: int) -> bool | None:
    """Whether it is so."""
    if it is None:
        return None
    act(it)
    return not it.startswith("x") and it[0] <= limit
'''


DECISION = "not it.startswith('x') and it[0] <= limit"
BROKEN_TABLES = [
    "'XXa': 1, 'b': LATER",
    "'a': 1, 'XXb': LATER",
    "'a': 2, 'b': LATER",
    "'a': 0, 'b': LATER",
    "'b': LATER",
    "'a': 1",
    "'a': LATER, 'b': LATER",
]
BROKEN_DECISIONS = [
    "not it.startswith('x') or it[0] <= limit",
    "it.startswith('x') and it[0] <= limit",
    "not it.endswith('x') and it[0] <= limit",
    "not it.startswith('XXx') and it[0] <= limit",
    "not it.startswith('x') and it[1] <= limit",
    "not it.startswith('x') and it[-1] <= limit",
    "not it.startswith('x') and it[0] < limit",
    "not it.startswith('x') and it[0] > limit",
    "it[0] <= limit",
    "not it.startswith('x')",
]


def test_a_module_is_broken_where_it_decides_and_not_where_it_is_described() -> None:
    assert [(mutant.line, mutant.removed, mutant.added) for mutant in mutants(SOURCE)] == [
        *((4, "TABLE = {'a': 1, 'b': LATER}", f"TABLE = {{{broken}}}") for broken in BROKEN_TABLES),
        (11, "if it is None:", "if it is not None:"),
        (12, "return None", "pass"),
        (13, "act(it)", "pass"),
        (13, "act(it)", "act(None)"),
        (14, f"return {DECISION}", "return None"),
        *((14, f"return {DECISION}", f"return {broken}") for broken in BROKEN_DECISIONS),
    ]


@pytest.mark.platform_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are forked")
def test_a_fault_is_killed_its_absence_survives_and_a_loop_is_stopped(tmp_path: Path) -> None:
    module, test = "auditor.core.canonical", tmp_path / "test_it.py"
    test.write_text("def test_it():\n    from auditor.core.canonical import digest\n    assert digest(5)[:2] == 'ef'\n", encoding="utf-8")
    source = path_of(module).read_text(encoding="utf-8")
    texts = [source, f"{source}\ndigest = str\n", "1 / 0", "while True: pass"]
    told = fates(module, texts, [str(test)], folder=tmp_path, timeout_s=3)
    assert dict(told) == dict(enumerate([Fate.SURVIVED, Fate.KILLED, Fate.KILLED, Fate.TIMEOUT]))


@pytest.mark.platform_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are forked")
def test_where_no_test_is_found_nothing_is_called_killed(tmp_path: Path) -> None:
    test = tmp_path / "test_none.py"
    test.write_text("", encoding="utf-8")
    with pytest.raises(UnfitTestsError, match="ended with 105"):
        list(fates("auditor.core.canonical", [""], [str(test)], folder=tmp_path, timeout_s=30))
