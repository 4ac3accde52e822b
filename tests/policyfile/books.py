"""Short ways to write policy files and to load them."""

from collections.abc import Collection
from functools import cache
from pathlib import Path
from textwrap import dedent, indent

import pytest

from auditor import datatables
from auditor.core.derived import Tables
from auditor.errors import PolicyError
from auditor.policyfile import ControlTable, PolicyBook, load

CONTROLS = ControlTable(
    frameworks={"nist": frozenset({"SC-8", "SC-13", "IA-5"}), "iso": frozenset({"8.24"})},
    bundles={"transit": {"nist": ("SC-8", "SC-13"), "iso": ("8.24",)}},
    titles={"nist": "NIST", "iso": "ISO"},
)


@cache
def tables() -> Tables:
    return datatables.load()


def book(folder: Path, *texts: str, targets: Collection[str] | None = None) -> PolicyBook:
    """The policies of files `p0.yaml`, `p1.yaml`, ... with these texts."""
    for number, text in enumerate(texts):
        (folder / f"p{number}.yaml").write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return load([folder], target_names=targets, controls=CONTROLS, tables=tables())


def policy(rules: str = "", *, head: str = "", name: str = "mine") -> str:
    """A policy file: its head in lines 1 to 3, `head` after it, then `rules`, items of a list."""
    begin = f"policy: {name}\ntitle: Mine\nversion: 1\n" + dedent(head).lstrip("\n")
    return begin + ("rules:\n" + dedent(rules).lstrip("\n") if rules else "")


def rule(body: str, *, id_: str = "T-1") -> str:
    """A rule with `body`, lines that begin in the second line of the rule; title and severity come last."""
    return f"- id: {id_}\n" + indent(dedent(body).strip("\n"), "  ") + "\n  title: A title\n  severity: high\n"


def refused(folder: Path, *texts: str, targets: Collection[str] | None = None) -> tuple[str, str]:
    """What the loader says: the message with the file's name alone, and the hint."""
    with pytest.raises(PolicyError) as refusal:
        book(folder, *texts, targets=targets)
    return str(refusal.value).removeprefix(f"{folder}").lstrip("/\\"), refusal.value.hint
