"""The house's law: which module may import which, who may read the clock, and that the tools which watch over it really refuse."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SETTINGS = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_CORE = sorted((_ROOT / "auditor" / "core").rglob("*.py"))
_IMPURE = {"asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "ssl", "subprocess", "tempfile", "threading", "time"}
"""Of the standard library: what reads disk, network, clock or chance. `datetime` stays, as a type: nobody asks it for the time (below)."""


def _imports(path: Path) -> set[str]:
    """Every module named by an import anywhere in the file, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", _CORE, ids=lambda path: path.stem)
def test_a_core_module_imports_the_standard_librarys_pure_part_and_the_core_alone(path: Path) -> None:
    foreign = {
        name
        for name in _imports(path)
        if name.split(".")[0] in _IMPURE or (name.split(".")[0] not in sys.stdlib_module_names and not (name + ".").startswith("auditor.core."))
    }

    assert foreign == set()


@pytest.mark.parametrize("path", _CORE, ids=lambda path: path.stem)
def test_a_core_module_opens_nothing_and_prints_nothing(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert calls.isdisjoint({"open", "print", "input", "eval", "exec", "compile", "__import__"})


def _refusals(source: str, *, path: str) -> set[str]:
    """The rules of ruff that `source` breaks when it stands at `path`."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "--stdin-filename", path, "-"]
    run = subprocess.run(command, check=False, input=source, cwd=_ROOT, capture_output=True, text=True, encoding="utf-8", timeout=60)
    return {line.split(": ")[1].split(" ")[0] for line in run.stdout.splitlines() if line.startswith(path)}


_CLOCKS = [
    "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n",
    "import datetime as calendar\n\nNOW = calendar.datetime.now(calendar.UTC)\n",
    "import time\n\nNOW = time.time()\n",
    "from time import time as seconds\n\nNOW = seconds()\n",
]


@pytest.mark.parametrize("source", _CLOCKS)
@pytest.mark.parametrize("path", ["auditor/store/probe.py", "auditor/approvals.py", "auditor/cli/probe.py"])
def test_reading_the_clock_is_refused(source: str, path: str) -> None:
    assert "TID251" in _refusals(source, path=path)


@pytest.mark.parametrize("source", _CLOCKS)
@pytest.mark.parametrize("path", ["auditor/app.py", "auditor/app/wiring.py"])
def test_the_app_may_read_the_clock(source: str, path: str) -> None:
    assert _refusals(source, path=path) == set()


def test_measuring_a_duration_is_not_reading_the_clock() -> None:
    assert _refusals("import time\n\nSTART = time.monotonic()\n", path="auditor/command/probe.py") == set()


def test_the_core_may_import_no_dependency_of_the_project() -> None:
    """The contract has to list them by the name they are imported by: one that is missing there would be allowed."""
    imported_as = {
        "apscheduler": "apscheduler",
        "google-re2": "re2",
        "prometheus-client": "prometheus_client",
        "python-json-logger": "pythonjsonlogger",
        "pyyaml": "yaml",
    }
    dependencies = {line.split(";")[0].split(">")[0].split("=")[0].strip() for line in _SETTINGS["project"]["dependencies"]}
    (contract,) = (each for each in _SETTINGS["tool"]["importlinter"]["contracts"] if each["id"] == "pure-core")

    assert {imported_as.get(name, name) for name in dependencies} <= set(contract["forbidden_modules"])


@pytest.mark.parametrize(
    ("path", "source", "contract"),
    [
        ("auditor/store/upward.py", "import auditor.app", "floors"),
        ("auditor/store/sideways.py", "from auditor.command import client", "floors"),
        ("auditor/publish/late.py", "def late():\n    import auditor.audit", "floors"),
        ("auditor/lobby.py", "", "floors"),
        ("auditor/core/hint.py", "from auditor.errors import did_you_mean", "pure-core"),
        ("auditor/core/guard.py", "def late():\n    import pydantic", "pure-core"),
        ("auditor/errors/__init__.py", "import rich", "quick-start"),
    ],
    ids=["up", "sideways", "sideways, inside a function", "without a floor", "core to errors", "core to a library", "heavy"],
)
def test_a_module_that_breaks_the_law_is_refused(tmp_path: Path, path: str, source: str, contract: str) -> None:
    """In a house whose rooms are empty, so that the one line written is the one that matters."""
    (floors,) = (each["layers"] for each in _SETTINGS["tool"]["importlinter"]["contracts"] if each["id"] == "floors")
    for module in ["", "command/client", *re.findall(r"\w+", " ".join(floors))]:
        folder = tmp_path / "auditor" / module
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    shutil.copy(_ROOT / "pyproject.toml", tmp_path)
    (tmp_path / path).write_text(source, encoding="utf-8")

    assert _broken_contracts(tmp_path) == {contract}


def _broken_contracts(checkout: Path) -> set[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = os.environ | {"COLUMNS": "300", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    run = subprocess.run(command, check=False, cwd=checkout, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=60)
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)$", run.stdout, re.MULTILINE))
    ids = {contract["name"]: contract["id"] for contract in _SETTINGS["tool"]["importlinter"]["contracts"]}
    assert verdicts.keys() == ids.keys(), run.stdout + run.stderr
    return {ids[name] for name, verdict in verdicts.items() if verdict == "BROKEN"}
