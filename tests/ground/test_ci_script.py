"""`.ci/run` gives back what `make test` gave, and its last line is always one that tells which tests ran."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
_INSTALLED = ["chromium", "pdftotext", "systemd-analyze", "promtool"]

pytestmark = [pytest.mark.platform_only, pytest.mark.skipif(sys.platform == "win32", reason="CI is a Debian machine")]


def _run(folder: Path, make: str) -> tuple[int, str, str]:
    """Exit code, last line and output of the script in a checkout at `folder`, where `make` is these lines of shell."""
    programs = folder / "bin"
    (folder / ".ci").mkdir()
    programs.mkdir()
    shutil.copy(_SCRIPT, folder / ".ci" / "run")
    for name, body in [("make", make), *((name, "exit 0") for name in _INSTALLED)]:
        (programs / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHON": sys.executable}
    run = subprocess.run(
        ["bash", ".ci/run"],
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    return run.returncode, run.stdout.splitlines()[-1], run.stdout


@pytest.mark.parametrize(
    ("make", "code", "last"),
    [
        ("echo '=== 7 passed, 1 skipped in 3.21s ==='", 0, "=== 7 passed, 1 skipped in 3.21s ==="),
        (
            "echo '=== 1 failed, 6 passed in 83.21s (0:01:23) ==='; echo 'make: *** [test] Error 1' >&2; exit 2",
            2,
            "=== 1 failed, 6 passed in 83.21s (0:01:23) ===",
        ),
        ("echo '7 passed in 3.21s'; echo 'make: *** [test] Error 1' >&2; exit 2", 2, "7 passed in 3.21s"),
        ("echo 'E501 line too long'; exit 2", 2, "0 passed, 1 failed, 0 skipped (before any test ran: see above)"),
    ],
    ids=["passed", "failed", "passed, but too little covered", "stopped by a linter"],
)
def test_it_ends_with_the_line_that_tells_which_tests_ran(tmp_path: Path, make: str, code: int, last: str) -> None:
    assert _run(tmp_path, make)[:2] == (code, last)


def test_it_lets_no_test_be_skipped_and_says_where_the_contracts_are(tmp_path: Path) -> None:
    *_, output = _run(tmp_path, 'echo "$1 $AUDITOR_MUST_NOT_SKIP $AUDITOR_CONTRACTS"')

    assert output == f"test 1 {tmp_path.parent / 'shared'}\n"
