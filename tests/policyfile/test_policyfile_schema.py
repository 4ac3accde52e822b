"""The JSON Schema and the loader agree: policies are made, sound and broken in one place, and both take them or both refuse them.

What rule language, section 10 leaves to the loader alone is told by its message, or by the var that was touched.
"""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor import policyfile, resources, yamlfile
from auditor.core.canonical import MAX_INTEGER
from auditor.core.catalogue import FACTS, Group, Kind, Type
from auditor.core.formats import FORMATS
from auditor.core.model import PROFILE_FIELDS, JsonType
from auditor.core.operators import COMPARISONS, OPERATORS, Takes
from auditor.errors import PolicyError
from auditor.policyfile.conditions import fitting
from auditor.policyfile.schema import json_schema, schema_text
from tests.policyfile.books import CONTROLS, tables

SCHEMA = jsonschema_rs.Draft202012Validator(json_schema(CONTROLS))
SHIPPED = resources.folder("policies")

# --- sound policies -----------------------------------------------------------------------------------------------

VARS: dict[str, tuple[Any, Any]] = {
    "flag": ("boolean", True),
    "port": ("integer", 587),
    "ports": (["integer"], [465, 587]),
    "word": ("text", "a"),
    "words": (["text"], []),
    "host": ("host", None),
    "hosts": (["host"], ["corp.example"]),
    "mail": ("email", "pki@corp.example"),
    "address": ("url", "https://corp.example/t"),
    "day": ("date", "2026-12-31"),
    "shape": ("pattern", "a+"),
    "kind": ("RelayAuthenticationType", "Basic"),
    "kinds": (["RelayAuthenticationType"], [0, "OAuth"]),
    "scope": ("Host.ip_scope", "none"),
    "faults": (["Host.faults"], ["slash"]),
    "secret": ("secret", "pam"),
    "fields": (["field"], ["Port"]),
    "facts": (["fact"], ["Port", "server.probed"]),
}
TYPES = {name: policyfile.values.var_type(written) for name, (written, _) in VARS.items()}  # type: ignore[attr-defined]

LITERALS: dict[Kind, list[Any]] = {
    Kind.BOOLEAN: [True, False],
    Kind.INTEGER: [0, 587, -1, MAX_INTEGER],
    Kind.TEXT: ["", "a b", "$$x", "true", "587", "Ünïcode"],
    Kind.HOST: ["corp.example", "a"],
    Kind.EMAIL: ["pki@corp.example"],
    Kind.URL: ["https://a.example/x"],
    Kind.DATE: ["2026-12-31"],
    Kind.FIELD: list(PROFILE_FIELDS),
    Kind.FACT: list(FACTS),
    Kind.PATTERN: ["a+", "$$"],
}


def literals(type_: Type) -> st.SearchStrategy[Any]:
    values = [*(LITERALS.get(type_.kind) or type_.members), *(name for name, _ in type_.names)]
    return st.sampled_from(values)


def var_refs(type_: Type) -> list[str]:
    return [f"${name}" for name, declared in TYPES.items() if declared.same(type_)]


def operands(name: str, type_: Type) -> st.SearchStrategy[Any]:
    operator = OPERATORS[name]
    integer = literals(Type(Kind.INTEGER)) | st.just("$port")
    match operator.takes:
        case Takes.NUMBERS:
            return integer | st.dictionaries(st.sampled_from(list(COMPARISONS)), integer, min_size=1, max_size=2)
        case Takes.FACT:
            return st.sampled_from([entry.name for entry in FACTS.values() if entry.type.same(type_)] or ["Port"])
        case Takes.FORMAT:
            return st.sampled_from(list(FORMATS))
        case Takes.JSON_TYPE:
            return st.sampled_from([kind.value for kind in JsonType])
        case Takes.TRUE:
            return st.just(True)
        case Takes.FLAG:
            return st.booleans()
    expected = operator.operand_type(type_)
    assert expected is not None
    one = literals(expected.one)
    written = st.lists(one, min_size=1, max_size=3) if operator.takes is Takes.LIST else one
    refs = var_refs(expected)
    return written | st.sampled_from(refs) if refs else written


def asked(subject: str, type_: Type) -> st.SearchStrategy[Any]:
    names = [name for name in fitting(subject, type_) if not (name == "same_as" and subject.startswith("$"))]
    mapped = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: operands(name, type_) for name in chosen})
    )
    short = [operands(name, type_) for name in ("equals", "in") if name in names]
    return st.one_of(mapped, *short)


SUBJECTS = {**{name: entry.type for name, entry in FACTS.items()}, **{f"${name}": type_ for name, type_ in TYPES.items()}}
claims = st.sampled_from(list(SUBJECTS)).flatmap(lambda subject: st.fixed_dictionaries({subject: asked(subject, SUBJECTS[subject])}))
conditions: st.SearchStrategy[dict[str, Any]] = st.recursive(
    claims,
    lambda parts: st.one_of(
        st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(parts, min_size=1, max_size=3)).map(lambda it: {it[0]: it[1]}),
        parts.map(lambda it: {"not": it}),
        st.tuples(parts, claims).map(lambda it: it[0] | it[1]),
    ),
    max_leaves=5,
)
levels = st.sampled_from(["info", "low", "medium", "high", "critical"])
entries = st.fixed_dictionaries({"when": conditions, "is": levels})
severities = levels | st.tuples(st.lists(entries, max_size=2), levels).map(lambda it: [*it[0], it[1]])
lines = st.sampled_from(["A title", "Why: because", "x"])


def sent(name: str) -> st.SearchStrategy[Any]:
    """What an example may give of a fact."""
    entry = FACTS[name]
    none = st.sampled_from([None, "", {"inconclusive": "timeout"}, {"missing": "not there"}])
    headers = st.lists(st.fixed_dictionaries({"Name": st.just("X-A"), "Value": st.just("b")}), max_size=2)
    if entry.type.kind is Kind.HEADER:
        return st.one_of(none, headers, st.sampled_from(["x", 5, True, ["x"], [{}, 5]]))
    value = st.lists(literals(entry.type.one), max_size=2) if entry.type.many else literals(entry.type)
    odd = [True, 5, [1, {"a": 1}], []] + (["text"] if entry.type.kind in (Kind.INTEGER, Kind.BOOLEAN) and not entry.type.names else [])
    return st.one_of(none, value, st.sampled_from(odd)) if entry.group is Group.PROFILE else none | value


seen = st.lists(st.sampled_from(list(FACTS)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: sent(name) for name in names})
)
setting_of = st.sampled_from([{"port": 25}, {"hosts": []}, {"word": None}, {"kind": "OAuth", "flag": False}])
examples = st.one_of(
    st.fixed_dictionaries({"passes": seen, "as_of": st.just("2026-06-01")}, optional={"vars": setting_of}),
    st.fixed_dictionaries({"fails": seen, "as_of": st.just("2026-06-01")}, optional={"severity": levels}),
)
rules = st.fixed_dictionaries(
    {"id": st.sampled_from(["T-1", "CORP-001", "A2"]), "title": lines, "severity": severities, "require": conditions},
    optional={
        "when": conditions,
        "on_missing": st.sampled_from(["fail", "not_evaluated", "not_applicable"]),
        "rationale": lines,
        "remediation": lines,
        "references": st.lists(lines, min_size=1, max_size=2),
        "bundles": st.just(["transit"]),
        "controls": st.sampled_from([{"nist": ["SC-8"]}, {"iso": ["8.24"], "nist": ["SC-13", "IA-5"]}]),
        "examples": st.lists(examples, min_size=1, max_size=2),
        "x-ours": st.sampled_from([None, {"any": "thing"}]),
    },
)
policies = st.fixed_dictionaries(
    {
        "policy": st.just("mine"),
        "title": lines,
        "version": st.integers(1, 9),
        "vars": st.just({name: {"type": type_, "default": default} for name, (type_, default) in VARS.items()}),
        "rules": st.lists(rules, min_size=1, max_size=2, unique_by=lambda rule: rule["id"]),
    },
    optional={
        "when": conditions,
        "x-note": st.just([1]),
        "overrides": st.lists(
            st.fixed_dictionaries({"vars": setting_of, "labels": st.just({"env": "lab"})}, optional={"targets": st.just(["glob:lab-*", "a"])}),
            min_size=1,
            max_size=2,
        ),
    },
)
extended = st.fixed_dictionaries(
    {"extends": st.just(["base"])},
    optional={"include": st.sampled_from([["B-1"], ["glob:B-*"]]), "severities": severities.map(lambda it: {"B-1": it})},
)
documents = policies | st.tuples(policies, extended).map(lambda it: it[0] | it[1])

# --- broken in one place ------------------------------------------------------------------------------------------

ODD = [
    None,
    True,
    False,
    7,
    -1,
    "",
    " ",
    "x",
    "587",
    "true",
    "Basic",
    "host",
    "$port",
    "$nobody",
    [],
    {},
    [1],
    ["x"],
    {"x": 1},
    {"set": True},
    MAX_INTEGER + 1,
]
BREAKS = 4
Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    if at:
        yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in pairs:
        yield from places(part, (*at, key))


def part_of(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


@st.composite
def broken(draw: st.DrawFn) -> list[tuple[Any, Place, Any]]:
    """A policy broken in one place, several times over: what it is then, the place, and what stood there. To draw a policy takes longest."""
    document = draw(documents)
    return [_broken(draw, copy.deepcopy(document)) for _ in range(BREAKS)]


def _broken(draw: st.DrawFn, document: Any) -> tuple[Any, Place, Any]:
    found = [place for place in places(document) if place[0] != "vars"] if draw(st.integers(0, 4)) else list(places(document))
    place = draw(st.sampled_from(found))
    around, key = part_of(document, place[:-1]), place[-1]
    before = around[key]
    match draw(st.sampled_from(["replace", "replace", "delete", "rename", "add"])):
        case "replace":
            around[key] = draw(st.sampled_from(ODD))
        case "delete":
            del around[key]
        case "rename" if isinstance(key, str):
            around[draw(st.sampled_from([f"{key}s", key.upper(), f"x-{key}", "equals", "passes"]))] = around.pop(key)
        case _ if isinstance(around[key], dict):
            around[key][draw(st.sampled_from(["unknown", "x-free", "not", "Port", "unset"]))] = draw(st.sampled_from(ODD))
        case _:
            around[key] = draw(st.sampled_from(ODD))
    return document, place, before


LOADER_ALONE = re.compile(
    "no var is called|no base declares it|declared already|never the same|needed is"  # vars
    "|is no (hostname|email|url)|does not compile|there is no day"  # forms
    "|the id stands here twice|has a rule of this id|no policy is called"
    "|names no inherited rule|no inherited rule in force|keeps no rule|has no rule, and"
    "|a severity list ends in one plain level|only the last entry of a severity list"
    "|the rule reads the date"
)


def loader_alone(document: Any, place: Place, before: Any, said: str) -> bool:
    """Whether only the loader can see what was broken: a type that a var has, or one of the things above."""
    after = document
    for key in place:
        after = after.get(key) if isinstance(after, dict) else after[key] if isinstance(after, list) and int(key) < len(after) else None
    touched = [str(part) for part in (*place, before, after) if isinstance(part, str)]
    return "vars" in place or any(word.startswith("$") for word in touched) or LOADER_ALONE.search(said) is not None


BASE = '{"policy": "base", "title": "Base", "version": 1, "rules": [{"id": "B-1", "title": "B", "severity": "low", "require": {"UseSSL": true}}]}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "base.yaml").write_text(BASE, encoding="utf-8")
    return folder


def refusal(folder: Path, document: Any) -> str:
    """What the loader says of the policy; nothing where it takes it."""
    (folder / "mine.yaml").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    try:
        policyfile.load([folder], target_names=None, controls=CONTROLS, tables=tables())
    except PolicyError as refused:
        return str(refused)
    return ""


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(document=documents)
def test_what_is_sound_both_take(folder: Path, document: Any) -> None:
    assert [error.message for error in SCHEMA.iter_errors(document)] == []
    assert refusal(folder, document) == ""


@settings(max_examples=75, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(made=broken())
def test_what_is_broken_in_one_place_both_refuse_or_both_take(folder: Path, made: list[tuple[Any, Place, Any]]) -> None:
    for document, place, before in made:
        said = refusal(folder, document)
        errors = [error.message for error in SCHEMA.iter_errors(document)]
        if said and not errors:
            assert loader_alone(document, place, before, said), said
        assert not errors or said, errors


# --- the shipped schema -------------------------------------------------------------------------------------------


def test_the_schema_is_a_schema() -> None:
    jsonschema_rs.meta.validate(json_schema(CONTROLS))


def test_the_shipped_schema_is_current() -> None:
    table = policyfile.load_controls(SHIPPED / "data" / "controls.yaml")
    shipped = (SHIPPED / "data" / "policy.schema.json").read_text(encoding="utf-8")
    assert shipped == schema_text(table), "run docs/make_rules.py"
    assert json.loads(shipped) == json_schema(table)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_policy_names_its_schema_and_keeps_to_it(path: Path) -> None:
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == (SHIPPED / "data" / "policy.schema.json").resolve()
    schema = jsonschema_rs.Draft202012Validator(json.loads((path.parent / named).read_text(encoding="utf-8")))
    assert [error.message for error in schema.iter_errors(yamlfile.read(path).value)] == []
