"""Builds what is published, installs it, and runs it from an empty folder: from a wheel, from the sdist's wheel, and editable."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from auditor import __version__
from auditor.resources import folder

pytestmark = pytest.mark.xdist_group("packaging")  # one worker builds, once

_ROOT = Path(__file__).parents[2]
_BUNDLED = ("migrations", "policies", "templates")
_RESIDUE = {"__pycache__", ".git", ".venv", ".env", ".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_STATE = {
    name: value for name, value in os.environ.items() if not name.startswith(("AUDITOR_", "COV", "PIP_", "PYTHON", "PYTEST_", "XDG_", "VIRTUAL_ENV"))
}
"""The environment, without what would lead an installed command back to this checkout, or count its lines as covered here."""


def _do(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    """Run `command` and return its standard output; a failure shows all it said."""
    environment = _STATE if home is None else _STATE | {"HOME": str(home), "USERPROFILE": str(home), "APPDATA": str(home), "LOCALAPPDATA": str(home)}
    run = subprocess.run([*map(str, command)], check=False, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=180)
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def _build(kind: str, *, source: Path, into: Path) -> Path:
    _do(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", into, source, cwd=into)
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("wheel", source=_ROOT, into=tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("sdist", source=_ROOT, into=tmp_path_factory.mktemp("sdist"))


def _shipped() -> set[str]:
    """What of the checkout belongs in a wheel, by its path there."""
    here = {path.relative_to(_ROOT).as_posix() for folder in ("auditor", *_BUNDLED) for path in (_ROOT / folder).rglob("*") if path.is_file()}
    return {name if name.startswith("auditor/") else f"auditor/_bundled/{name}" for name in here if _RESIDUE.isdisjoint(name.split("/"))}


def test_a_wheel_holds_the_package_and_its_folders_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == _shipped()
    assert {f"auditor/_bundled/{folder}" for folder in _BUNDLED} <= {"/".join(name.split("/")[:3]) for name in names}


def test_a_wheel_says_what_it_is(wheel: Path) -> None:
    information = f"smtp_auditor-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"{information}/METADATA").decode())
        commands = archive.read(f"{information}/entry_points.txt").decode()

    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("smtp-auditor", __version__, ">=3.11")
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])
    assert commands == "[console_scripts]\nauditor = auditor.__main__:main\n"


def test_the_sdist_builds_the_very_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    unpacked, again = tmp_path / "unpacked", tmp_path / "again"
    again.mkdir()
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on; Debian 12 has 3.11.2
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(unpacked)

    rebuilt = _build("wheel", source=unpacked / sdist.name.removesuffix(".tar.gz"), into=again)

    assert (rebuilt.name, rebuilt.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_the_sdist_holds_what_a_packager_needs_and_no_residue(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}

    assert {
        "LICENSE",
        "Makefile",
        "README.md",
        "pyproject.toml",
        "requirements/dev.txt",
        "tests/conftest.py",
        "deploy/systemd/auditor.service",
    } <= names
    assert {name for name in names if not _RESIDUE.isdisjoint(name.split("/"))} == set()


def _environment(place: Path, *install: str | Path) -> tuple[Path, Path]:
    """A fresh environment with the auditor installed from `install`; its python and its auditor. Dependencies are lent by this one."""
    venv.create(place, with_pip=False)
    paths = sysconfig.get_paths("venv", vars={"base": str(place), "platbase": str(place)})
    python = Path(paths["scripts"]) / ("python.exe" if sys.platform == "win32" else "python")
    lent = Path(paths["purelib"]) / "lent.pth"
    if "--editable" in install:  # its build backend runs there
        lent.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    options = ("-q", "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    _do(sys.executable, "-m", "pip", "--python", python, "install", *options, *install, cwd=place)
    lent.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python, Path(paths["scripts"]) / "auditor"


_WHERE = "import auditor, auditor.resources as r; print(auditor.__file__, *(r.folder(n) for n in ('migrations', 'policies', 'templates')), sep='\\n')"


def test_the_installed_command_runs_from_an_empty_folder_with_an_empty_home(wheel: Path, tmp_path: Path) -> None:
    empty, home = tmp_path / "empty", tmp_path / "home"
    empty.mkdir()
    home.mkdir()

    python, auditor = _environment(tmp_path / "venv", wheel)
    places = [Path(line) for line in _do(python, "-c", _WHERE, cwd=empty, home=home).splitlines()]

    assert _do(auditor, "--version", cwd=empty, home=home) == f"auditor {__version__}\n"
    assert "recommended" in _do(auditor, "policy", "list", cwd=empty, home=home)
    assert all(place.is_relative_to((tmp_path / "venv").resolve()) for place in places)
    assert [*empty.iterdir(), *home.iterdir()] == []


def test_an_editable_install_reads_the_checkout_itself(tmp_path: Path) -> None:
    python, auditor = _environment(tmp_path / "venv", "--editable", _ROOT)

    assert _do(python, "-c", _WHERE, cwd=tmp_path).splitlines() == [str(_ROOT / "auditor" / "__init__.py"), *(str(_ROOT / name) for name in _BUNDLED)]
    assert _do(auditor, "--version", cwd=tmp_path) == f"auditor {__version__}\n"
    assert [*_ROOT.glob("*.egg-info"), *_ROOT.glob("build"), *_ROOT.glob("dist")] == []


def test_a_folder_that_was_not_shipped_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="the shipped folder 'tempaltes' is missing"):
        folder("tempaltes")
