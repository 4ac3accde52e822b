"""The requirements files pin all that is installed, by hash, and name no place to fetch it from."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

_ROOT = Path(__file__).parents[2]
_SETTINGS: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_LOCKS = sorted((_ROOT / "requirements").glob("*.txt"))
_PINNED = re.compile(r"([a-z0-9][a-z0-9-]*)(?:\[[a-z0-9,-]+\])?==([0-9][0-9a-z.]*)( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+")


def _requirements(lock: Path) -> list[str]:
    return lock.read_text(encoding="utf-8").replace(" \\\n   ", "").splitlines()


def _pins(name: str) -> dict[str, tuple[Version, str]]:
    """Version and marker by package."""
    matches = [_PINNED.fullmatch(line) for line in _requirements(_ROOT / "requirements" / name)]
    return {match[1]: (Version(match[2]), match[3] or "") for match in matches if match}


def _group(name: str) -> list[Requirement]:
    wanted: list[Requirement] = []
    for entry in _SETTINGS["dependency-groups"][name]:
        wanted += _group(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return wanted


_RUNTIME = [Requirement(line) for line in _SETTINGS["project"]["dependencies"]]
_BUILD = [Requirement(line) for line in _SETTINGS["build-system"]["requires"]]


def test_there_is_a_lock_to_run_one_to_build_and_one_to_develop() -> None:
    assert [lock.name for lock in _LOCKS] == ["build.txt", "dev.txt", "runtime.txt"]


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: lock.name)
def test_each_line_of_a_lock_is_one_version_known_by_its_hashes(lock: Path) -> None:
    assert [line for line in _requirements(lock) if not _PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_address(lock: Path) -> None:
    assert "://" not in lock.read_text(encoding="utf-8")


def test_an_extra_is_pinned_as_such() -> None:
    """pip looks `coverage[toml]` up apart from a pinned `coverage`, finds a newer release, and refuses it for having no hash."""
    assert any(line.startswith("coverage[toml]==") for line in _requirements(_ROOT / "requirements" / "dev.txt"))


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [("runtime.txt", _RUNTIME), ("build.txt", _BUILD), ("build.txt", _group("build")), ("dev.txt", _RUNTIME + _BUILD + _group("dev"))],
    ids=["runtime", "build system", "build group", "dev"],
)
def test_a_lock_has_a_fitting_version_of_all_that_is_asked_for(lock: str, wanted: list[Requirement]) -> None:
    pins = _pins(lock)
    names = [canonicalize_name(each.name) for each in wanted]

    assert [name for name in names if name not in pins] == []
    assert [str(each) for each, name in zip(wanted, names, strict=True) if not each.specifier.contains(pins[name][0])] == []


@pytest.mark.parametrize("lock", ["runtime.txt", "build.txt"])
def test_what_is_developed_with_is_what_is_run(lock: str) -> None:
    """dev.txt may ask for a package on more platforms, never for another version of it."""
    developed = _pins("dev.txt")

    assert {name: version for name, (version, _) in _pins(lock).items()} == {name: developed[name][0] for name in _pins(lock)}
