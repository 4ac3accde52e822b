"""Whether the tests notice when operators, evaluation or waivers are wrong in one place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


@pytest.mark.soak
@pytest.mark.platform_only
@pytest.mark.skipif(sys.platform == "win32", reason="a version is tried in a forked process")
def test_fewer_than_5_percent_of_the_wrong_versions_are_not_noticed() -> None:
    done = subprocess.run([sys.executable, "tests/core/mutants.py"], cwd=TOP, capture_output=True, text=True, check=False)
    told = re.search(r"(\d+) of (\d+) not noticed\n\Z", done.stdout)
    assert told, done.stderr
    survivors, total = map(int, told.groups())
    assert total > 150
    assert survivors < total * 0.05, done.stdout
