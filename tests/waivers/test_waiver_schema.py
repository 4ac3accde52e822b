"""The JSON Schema of waivers and their loader agree: files are made, sound and broken in one place, and both take them or both refuse them."""

import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor import resources, waiverfile, yamlfile
from auditor.app.judging import policy_book
from auditor.errors import ConfigError

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
RULES = ("CFG-001", "CFG-003", "OUR-1")
TARGETS = ("prod", "lab")
SCHEMA = jsonschema_rs.Draft202012Validator(waiverfile.json_schema(["CFG-001"]))  # OUR-1 is one that it does not know

# --- sound and broken ---------------------------------------------------------------------------------------------

names = st.sampled_from(["Ann", "Bob", "Cy", "mail-team@example.org", "Zoë"])
waivers = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(RULES),
        "reason": st.sampled_from(["spring", "Two lines:\nthe relay speaks no TLS.", "x" * 2000]),
        "owner": names,
        "approved_by": st.just("Ada Lovelace"),
        "expires": st.sampled_from(["2026-12-31", "2026-12-31Z", "2026-12-31+02:00", "2026-12-31T18:00Z", "2026-12-31T18:00:30-05:30"]),
    },
    optional={
        "targets": st.sampled_from([["prod"], ["lab", "prod"], ["glob:lab-*"], ["prod", "glob:*"]]),
        "labels": st.sampled_from([{"env": "lab"}, {"env": "", "Größe": "XL"}]),
        "requested_by": names,
        "approved_on": st.just("2026-06-01"),
        "ticket": st.just("SEC-1"),
        "risk": st.just("others can read it"),
    },
)
documents = st.fixed_dictionaries(
    {"waivers": st.lists(waivers, max_size=2, unique_by=lambda waiver: waiver["rule"])},
    optional={"four_eyes": st.booleans(), "max_days": st.sampled_from([365, 3660])},
)

ODD = [
    *(None, True, False, 7, 0, -1, 3661, "", " ", "x", "true", "2026-12-31", "20261231", "2026-12-31T18:00", "glob:"),
    *([], {}, [1], ["prod", "prod"], {"x": 1}),
]
Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    if at:
        yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in pairs:
        yield from places(part, (*at, key))


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """A file of waivers with one place in it replaced, left out, renamed or added to."""
    document = copy.deepcopy(draw(documents))
    place = draw(st.sampled_from(list(places(document))))
    around: Any = document
    for key in place[:-1]:
        around = around[key]
    match draw(st.sampled_from(["replace", "replace", "delete", "rename", "add"])):
        case "delete":
            del around[place[-1]]
        case "rename" if isinstance(place[-1], str):
            around[draw(st.sampled_from([f"{place[-1]}s", place[-1].upper(), "expire", "until", "x-note"]))] = around.pop(place[-1])
        case "add" if isinstance(around, dict):
            around[draw(st.sampled_from(["x-note", "four_eyes", "rule", "until"]))] = draw(st.sampled_from(ODD))
        case _:
            around[place[-1]] = draw(st.sampled_from(ODD))
    return document


LOADER_ALONE = re.compile(
    "no rule is called|no target is called|that exists|it is longer than|it expires before"
    "|approved_by is the same as|a second one with the same targets|a character that is not seen"
)


def refusal(folder: Path, document: Any) -> str:
    """What the loader says of the file; nothing where it takes it."""
    path = folder / "waivers.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        waiverfile.load(path, rules=RULES, targets=TARGETS, at=AT)
    except ConfigError as refused:
        return str(refused)
    return ""


def errors(document: Any) -> list[str]:
    return [error.message for error in SCHEMA.iter_errors(document)]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents)
def test_what_is_sound_both_take(tmp_path: Path, document: Any) -> None:
    assert (refusal(tmp_path, document), errors(document)) == ("", [])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=broken())
def test_what_is_broken_in_one_place_both_refuse_or_both_take(tmp_path: Path, document: Any) -> None:
    said, found = refusal(tmp_path, document), errors(document)
    if said and not found:
        assert LOADER_ALONE.search(said), said
    assert not found or said, found


@pytest.mark.parametrize(
    ("changes", "is_seen"),
    [
        ({}, False),
        ({"expire": "2026-12-31"}, True),
        ({"expires": "31.12.2026"}, True),
        ({"expires": "2026-12-31T18:00"}, True),
        ({"expires": "2026-12-31T24:00Z"}, True),
        ({"expires": "2026-12-31\n"}, True),
        ({"expires": 20261231}, True),
        ({"approved_on": "2026-12-31Z"}, True),
        ({"targets": "prod"}, True),
        ({"targets": ["glob:"]}, True),
        ({"targets": ["prod", "prod"]}, True),
        ({"labels": {}}, True),
        ({"reason": " \n"}, True),
        ({"reason": "x" * 2001}, True),
        ({"owner": None}, True),
    ],
)
def test_an_editor_sees_what_is_wrong_in_form(tmp_path: Path, changes: dict[str, Any], is_seen: bool) -> None:
    waiver = {"rule": "CFG-001", "reason": "r", "owner": "ann", "approved_by": "bob", "expires": "2026-12-31"} | changes
    document = {"waivers": [waiver]}
    assert (bool(errors(document)), bool(refusal(tmp_path, document))) == (is_seen, is_seen)


# --- the shipped schema -------------------------------------------------------------------------------------------


def test_the_schema_is_a_schema() -> None:
    jsonschema_rs.meta.validate(waiverfile.json_schema(RULES))


def test_the_shipped_schema_is_current() -> None:
    rules = {rule.id for policy in policy_book(None).policies.values() for rule in policy.rules}
    shipped = (resources.folder("policies") / "data" / waiverfile.SCHEMA_NAME).read_text(encoding="utf-8")
    assert shipped == waiverfile.schema_text(rules), "run docs/make_rules.py"


def test_the_waivers_of_the_readme_keep_to_the_schema() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(waivers:\n.*?)```", readme, re.DOTALL)
    assert errors(yamlfile.parse(text, path="README.md").value) == []
