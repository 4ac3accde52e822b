"""The control table: which frameworks there are, their control ids, and bundles of ids that rules share. Ids only, never wording."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auditor import yamlfile
from auditor.errors import PolicyError, did_you_mean
from auditor.policyfile.part import Part

Controls = tuple[tuple[str, tuple[str, ...]], ...]
"""Control ids by the key of their framework."""


@dataclass(frozen=True, slots=True)
class ControlTable:
    """What a rule can cite: `frameworks` maps a key to the ids it knows, `bundles` a name to ids by framework. `titles` name the frameworks."""

    frameworks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bundles: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)


def load_controls(path: Path) -> ControlTable:
    """Read the control table at `path`.

    Raises:
        PolicyError: It cannot be read, or a bundle names what no framework has.
    """
    file = yamlfile.read(path, error=PolicyError)
    content = Part(file, (), file.value).mapping("the control table", required=("frameworks", "bundles"), extra=True)
    frameworks, titles = {}, {}
    for key, part in content["frameworks"].entries("frameworks"):
        entry = part.mapping("a framework", required=("title", "ids"))
        titles[key] = entry["title"].text("a title")
        frameworks[key] = frozenset(entry["ids"].texts("control ids"))
    table = ControlTable(frameworks, {}, titles)
    bundles = {name: dict(cited(part, table)) for name, part in content["bundles"].entries("bundles")}
    return ControlTable(frameworks, bundles, titles)


def cited(part: Part, table: ControlTable) -> Controls:
    """The control ids in `part`, by framework.

    Raises:
        PolicyError: The table does not know a framework or an id.
    """
    found = []
    for framework, ids in part.entries("controls"):
        known = table.frameworks.get(framework)
        if known is None:
            hint = did_you_mean(framework, table.frameworks, else_say=f"there are: {', '.join(table.frameworks)}")
            raise ids.refuse(f"no framework is called {framework!r}", hint)
        for item in ids.items("a list of control ids"):
            control = item.text("a control id")
            if control not in known:
                raise item.refuse(f"{framework} has no control {control!r}", did_you_mean(control, known))
        found.append((framework, ids.texts("control ids")))
    return tuple(found)


def merged(parts: "list[Mapping[str, tuple[str, ...]]]") -> Controls:
    """All control ids of `parts` by framework, sorted, each once."""
    frameworks = sorted({framework for part in parts for framework in part})
    return tuple((name, tuple(sorted({control for part in parts for control in part.get(name, ())}))) for name in frameworks)


def counted(control: str) -> list[tuple[int, str]]:
    """A key to sort control ids by as people count: 5.9 before 5.14."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", control) if part]
