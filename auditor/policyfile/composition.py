"""Reads policy files and puts them together: each policy after its bases, with the rules, vars and overrides that this leaves in force."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auditor import resources, yamlfile
from auditor.core.catalogue import Type
from auditor.core.derived import Tables
from auditor.core.policy import Condition, Rating, Rule, Var
from auditor.errors import PolicyError, did_you_mean
from auditor.policyfile.book import Override, Policy, PolicyBook, picks
from auditor.policyfile.conditions import VAR, condition
from auditor.policyfile.controls import ControlTable
from auditor.policyfile.part import Part
from auditor.policyfile.rules import WrittenRule, ratings, rule, settings
from auditor.policyfile.values import integer, setting, var_type

NAME = re.compile(r"[a-z][a-z0-9-]*")
DATA_FOLDER = "data"
"""Tables stand in a folder of this name; no policy is looked for in it."""

_TOP = ""
"""The key of a whole file among its entries."""


def load(
    folders: Sequence[Path], *, target_names: Collection[str] | None, controls: ControlTable, tables: Tables, draft: Path | None = None
) -> PolicyBook:
    """Read every policy (`*.yaml`) in `folders` and below, `data` left out. Without `target_names`, targets in overrides are not checked.

    Policies of `draft`, a file or a folder, stand in the place of those in `folders` that have their names.

    Raises:
        PolicyError: One of them is wrong; none is used then.
    """
    reader = _Reader(controls, target_names)
    for path in _files(draft) if draft else ():
        reader.add(yamlfile.read(path, error=PolicyError))
    drafted = frozenset(reader.contents)
    for path in dict.fromkeys(path for folder in folders for path in _files(folder)):
        reader.add(yamlfile.read(path, error=PolicyError), but_not=drafted)
    return reader.book(tables)


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise PolicyError(f"{folder}: no such folder", hint="`policies` lists folders with policy files")
    passed_over = DATA_FOLDER if folder == resources.folder("policies") else "."
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_refuse_unreadable):  # rglob would pass over what it may not read
        # a mounted ConfigMap has its files twice, once under ..data
        folders[:] = [name for name in folders if not name.startswith(".") and name != passed_over]
        if link := next((path for name in folders if (path := Path(parent, name)).is_symlink()), None):
            raise PolicyError(f"{link}: a link to a folder is not followed", hint=f"name {link.resolve()} under `policies`")
        found += [Path(parent, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in (".yaml", ".yml")]
    for path in sorted(found):
        if path.suffix != ".yaml":
            raise PolicyError(
                f"{path}: a policy file ends in .yaml", hint="rename it, or move it elsewhere: what is not read must not look as if it were"
            )
    return sorted(found)


def _refuse_unreadable(failure: OSError) -> None:
    hint = "policies that are not read must not look as if they were"
    raise PolicyError(f"{failure.filename}: cannot be read: {failure.strerror}", hint=hint) from failure


class _Reader:
    """Puts policies together, each after its bases."""

    def __init__(self, controls: ControlTable, target_names: Collection[str] | None) -> None:
        self.controls, self.target_names = controls, target_names
        self.contents: dict[str, dict[str, Part]] = {}
        self.policies: dict[str, Policy] = {}

    def add(self, file: yamlfile.YamlFile, *, but_not: Collection[str] = ()) -> None:
        top = Part(file, (), file.value)
        optional = ("extends", "include", "exclude", "severities", "vars", "overrides", "when", "rules")
        content = top.mapping("a policy", required=("policy", "title", "version"), optional=optional, extra=True)
        name = content["policy"].text("policy name", NAME)
        if name in but_not:
            return
        if name in self.contents:
            raise content["policy"].refuse(f"there is another policy {name!r}, in {self.contents[name]['policy'].file.path}", "rename one of the two")
        self.contents[name] = {**content, _TOP: top}

    def book(self, tables: Tables) -> PolicyBook:
        for name in self.contents:
            self.resolve(name, ())
        extended = {base for policy in self.policies.values() for base in policy.part.value.get("extends", ())}
        for name, policy in self.policies.items():
            if not policy.rules and name not in extended:
                raise policy.part.refuse(f"policy {name} has no rule, and no policy extends it", "write `rules`, or name bases under `extends`")
        return PolicyBook({name: self.policies[name] for name in self.contents}, tables, self.controls)

    def resolve(self, name: str, under: tuple[str, ...]) -> Policy:
        if name in self.policies:
            return self.policies[name]
        content = self.contents[name]
        bases = self.bases(content, (*under, name))
        vars_ = self.vars(name, content, bases)
        types = {var.name: var.type for var in vars_.values()}
        guard = condition(content["when"], "policy/when", types) if "when" in content else None
        inherited, homes = self.inherited(name, content, bases, types)
        written = self.written(name, content, guard, types, homes)
        policy = self.policies[name] = Policy(
            name=name,
            title=content["title"].text("a title"),
            version=content["version"].fit(integer),
            part=content[_TOP],
            rules=(*inherited, *(own.rule for own in written)),
            vars=vars_,
            overrides=(*_each_once(override for base in bases for override in base.overrides), *self.overrides(name, content, types)),
            written=written,
            homes={**{rule_.id: homes[rule_.id] for rule_ in inherited}, **{own.rule.id: name for own in written}},
        )
        return policy

    def bases(self, content: Mapping[str, Part], under: tuple[str, ...]) -> list[Policy]:
        found = []
        for item in content["extends"].items("extends") if "extends" in content else ():
            base = item.text("a policy name")
            if base not in self.contents:
                raise item.refuse(
                    f"no policy is called {base!r}", did_you_mean(base, self.contents, else_say=f"there are: {', '.join(self.contents)}")
                )
            if base in under:
                raise item.refuse(f"{' extends '.join((*under[under.index(base) :], base))}: a circle has no base")
            found.append(self.resolve(base, under))
        return found

    # --- vars ---------------------------------------------------------------------------------------------------------

    def vars(self, name: str, content: Mapping[str, Part], bases: Sequence[Policy]) -> dict[str, Var]:
        entries = dict(content["vars"].entries("vars")) if "vars" in content else {}
        found: dict[str, Var] = {}
        for base in bases:
            for var in base.vars.values():
                other = found.setdefault(var.name, var)
                if other.type != var.type or (other.value != var.value and var.name not in entries):
                    raise content["extends"].refuse(
                        f"its bases disagree on ${var.name}: {other.origin} and {var.origin}", f"set {var.name} under `vars` of {name}"
                    )
        for key, part in entries.items():
            about = part.of(f"${key}: ")
            if isinstance(part.value, dict):
                if key in found:
                    raise about.refuse(f"declared already, by {found[key].origin}", "to set it, write the value alone")
                found[key] = self.declared(key, about, name)
            elif key not in found:
                hint = did_you_mean(key, found, else_say="to declare it, write {type: ..., default: ...}")
                raise about.refuse("no base declares it", hint)
            else:
                found[key] = replace(found[key], value=about.fit(setting, found[key].type), origin=f"policy {name}")
        return found

    def declared(self, key: str, part: Part, name: str) -> Var:
        Part(part.file, part.place, key, part.about).text("var name", VAR)
        content = part.mapping("a declaration", required=("type", "default"), optional=("about",))
        type_ = content["type"].fit(var_type)
        about = content["about"].text("about") if "about" in content else ""
        return Var(name=key, type=type_, value=content["default"].fit(setting, type_), origin=f"policy {name}", about=about)

    # --- rules --------------------------------------------------------------------------------------------------------

    def inherited(
        self, name: str, content: Mapping[str, Part], bases: Sequence[Policy], types: Mapping[str, Type]
    ) -> tuple[list[Rule], dict[str, str]]:
        """The bases' rules that stay, and the homes of all of them."""
        homes = {rule_id: home for base in bases for rule_id, home in base.homes.items()}
        found: dict[str, list[tuple[str, Rule]]] = {}
        for base in bases:
            for inherited in base.rules:
                found.setdefault(inherited.id, []).append((base.homes[inherited.id], inherited))
        include, exclude = (_picked(content[key], key, found) if key in content else None for key in ("include", "exclude"))
        kept = [rule_id for rule_id in found if (include is None or rule_id in include) and rule_id not in (exclude or ())]
        rated = self.rated(content, kept, types)
        for rule_id in kept:
            first, *others = found[rule_id]
            settled = rule_id in rated and all(home == first[0] for home, _ in others)
            if any(other != first for other in others) and not settled:
                raise content["extends"].refuse(f"its bases disagree on rule {rule_id}", f"`exclude` it, or rate it under `severities` of {name}")
        if found and not kept and not content.get("rules"):
            raise content[_TOP].refuse(f"policy {name} keeps no rule of its bases and has none of its own", "look at `include` and `exclude`")
        rules = [found[rule_id][0][1] for rule_id in kept]
        return [replace(inherited, ratings=rated.get(inherited.id, inherited.ratings)) for inherited in rules], homes

    def rated(self, content: Mapping[str, Part], kept: Sequence[str], types: Mapping[str, Type]) -> dict[str, tuple[Rating, ...]]:
        found = {}
        for rule_id, part in content["severities"].entries("severities") if "severities" in content else ():
            if rule_id not in kept:
                raise part.refuse(f"no inherited rule in force is called {rule_id!r}", did_you_mean(rule_id, kept))
            found[rule_id] = ratings(part, types)
        return found

    def written(
        self, name: str, content: Mapping[str, Part], guard: Condition | None, types: Mapping[str, Type], homes: Mapping[str, str]
    ) -> tuple[WrittenRule, ...]:
        found: dict[str, WrittenRule] = {}
        for part in content["rules"].items("rules") if "rules" in content else ():
            own = rule(part, guard, types, self.controls)
            if own.rule.id in homes:
                raise own.part["id"].refuse(
                    f"policy {homes[own.rule.id]} has a rule of this id, which {name} inherits",
                    "a rule's text is never overridden: exclude it and write another id",
                )
            if own.rule.id in found:
                raise own.part["id"].refuse(
                    f"the id stands here twice, first in line {found[own.rule.id].part.line}", "give one of the two another id"
                )
            found[own.rule.id] = own
        return tuple(found.values())

    # --- overrides ----------------------------------------------------------------------------------------------------

    def overrides(self, name: str, content: Mapping[str, Part], types: Mapping[str, Type]) -> list[Override]:
        return [self.override(name, part, types) for part in (content["overrides"].items("overrides") if "overrides" in content else ())]

    def override(self, name: str, part: Part, types: Mapping[str, Type]) -> Override:
        content = part.mapping("an override", required=("vars",), optional=("labels", "targets"))
        if len(content) == 1:
            raise part.refuse("an override needs `labels`, `targets` or both", "what holds for every target is set under `vars`")
        targets = content["targets"].items("targets") if "targets" in content else []
        for item in targets:
            pick = item.text("a target")
            if self.target_names is not None and not any(picks(pick, target) for target in self.target_names):
                raise item.refuse(f"no target is called {pick!r}", did_you_mean(pick, self.target_names))
        return Override(
            labels=tuple((key, label.text("a label")) for key, label in content["labels"].entries("labels")) if "labels" in content else (),
            targets=tuple(item.value for item in targets),
            vars=settings(content["vars"], types),
            origin=f"policy {name}, override in line {part.line}",
        )


def _each_once(overrides: Iterable[Override]) -> list[Override]:
    found: list[Override] = []
    for override in overrides:
        if override not in found:  # it may come along two paths
            found.append(override)
    return found


def _picked(part: Part, what: str, known: Collection[str]) -> set[str]:
    """The rules that the picks in `part` name."""
    found: set[str] = set()
    for item in part.items(what):
        pick = item.text("a rule id")
        named = {rule_id for rule_id in known if picks(pick, rule_id)}
        if not named:
            raise item.refuse(f"{pick!r} names no inherited rule", did_you_mean(pick, known, else_say=f"inherited are: {', '.join(known) or 'none'}"))
        found |= named
    return found
