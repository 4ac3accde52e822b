"""Where AUDITOR_MUST_NOT_SKIP is set, a test that did not run is a failure: the hooks of tests/conftest.py, run on a suite of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CONFTEST = Path(__file__).parents[1] / "conftest.py"
_SUITE = """
    import pytest

    def test_that_runs(): pass
    @pytest.mark.skipif(True, reason="no browser here")
    def test_that_lacks_its_browser(): pass
    def test_that_skips_itself(): pytest.skip("no browser here")
    @pytest.fixture
    def browser(): pytest.skip("no browser here")
    def test_whose_fixture_skips(browser): pass
    @pytest.mark.platform_only
    @pytest.mark.skipif(True, reason="Windows only")
    def test_of_another_platform(): pass
    @pytest.mark.xfail
    def test_that_is_known_to_fail(): assert False
"""
_IMPORTING = """
    import pytest
    pytest.importorskip("no_such_module")
    def test_never_collected(): pass
"""


def _outcomes(folder: Path, source: str, *, must_not_skip: bool, workers: int) -> tuple[int, dict[str, int], str]:
    shutil.copy(_CONFTEST, folder / "conftest.py")
    (folder / "test_sample.py").write_text("\n".join(line[4:] for line in source.splitlines()), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = platform_only\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AUDITOR_", "COV", "PYTEST_"))}
    if must_not_skip:
        environment["AUDITOR_MUST_NOT_SKIP"] = "1"
    command = [sys.executable, "-m", "pytest", "-n", str(workers), "-p", "no:cacheprovider", str(folder)]
    run = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=60)
    closing = run.stdout.splitlines()[-1]
    return run.returncode, {what.removesuffix("s"): int(count) for count, what in re.findall(r"(\d+) ([a-z]+)", closing.split(" in ")[0])}, run.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_a_skip_fails_the_suite_where_nothing_may_be_skipped_unless_it_is_another_platforms(tmp_path: Path, workers: int) -> None:
    code, outcomes, output = _outcomes(tmp_path, _SUITE, must_not_skip=True, workers=workers)

    assert (code, outcomes) == (1, {"passed": 1, "failed": 1, "error": 2, "skipped": 1, "xfailed": 1})
    assert "test_that_skips_itself: AUDITOR_MUST_NOT_SKIP is set, but this was skipped (no browser here)" in output


def test_elsewhere_a_skip_is_a_skip(tmp_path: Path) -> None:
    code, outcomes, _ = _outcomes(tmp_path, _SUITE, must_not_skip=False, workers=0)

    assert (code, outcomes) == (0, {"passed": 1, "skipped": 4, "xfailed": 1})


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_skips_itself_whole_fails_the_suite_too(tmp_path: Path, workers: int) -> None:
    code, outcomes, output = _outcomes(tmp_path, _IMPORTING, must_not_skip=True, workers=workers)

    assert (code != 0, outcomes) == (True, {"error": 1})
    assert "no_such_module" in output
