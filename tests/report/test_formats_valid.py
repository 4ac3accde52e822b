"""Every format against the schema that others wrote for it, and ours against our own; and whatever a text holds, it stays a text."""

import base64
import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from prometheus_client.parser import text_string_to_metric_families

from auditor.core.model import Collection, PolicyText, RuleText, Standing
from auditor.report.formats import FORMATS
from auditor.report.safetext import is_hidden
from auditor.report.schema import json_schema, schema_text
from auditor.report.shown import View
from auditor.report.view import view
from tests.report.hostile import VALUES, hostile, hostile_trouble
from tests.report.judges import JUDGES, OWN_JUDGES, SCHEMAS
from tests.report.specimen import VIEWS
from tests.report.standings import FAILS, POLICY, standing

OWN_SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def test_the_schema_that_is_published_is_the_one_in_force() -> None:
    assert OWN_SCHEMA.read_text(encoding="utf-8") == schema_text()
    jsonschema_rs.meta.validate(json_schema())


def test_our_schema_names_every_key_and_misses_each_that_is_taken_away() -> None:
    document = json.loads(FORMATS["json"](VIEWS["report"]()))
    assert set(json_schema()["properties"]) == set(document)
    collected = json_schema()["$defs"]["observation"]["properties"]["collection"]
    assert set(collected["required"]) == set(Collection.__dataclass_fields__)

    for path in _objects(document):
        for key in path(document):
            less = json.loads(json.dumps(document))
            del path(less)[key]
            assert OWN_JUDGES["json"](json.dumps(less).encode()), key


def _objects(document: Any) -> list[Callable[[Any], Any]]:
    """One object of each kind in the report, as a way to it: the keys of each are fixed."""

    def target(name: str) -> Callable[[Any], Any]:
        return lambda d: next(each for each in d["targets"] if each["name"] == name)

    eu, us = target("prod-eu"), target("prod-us")
    return [
        lambda d: d,
        lambda d: d["verdict"],
        lambda d: d["counts"],
        eu,
        lambda d: eu(d)["observation"],
        lambda d: eu(d)["observation"]["collection"],
        lambda d: eu(d)["profile"],
        lambda d: eu(d)["profile"]["snapshot"],
        lambda d: eu(d)["findings"][0],
        lambda d: eu(d)["findings"][0]["because"][0],
        lambda d: eu(d)["findings"][1]["waiver"],
        lambda d: eu(d)["standing_limits"][0],
        lambda d: eu(d)["changes"][0],
        lambda d: us(d)["open_drift"][0],
        lambda d: us(d)["open_drift"][0]["change"],
        lambda d: d["policies"][0],
        lambda d: d["policies"][0]["rules"]["CFG-001"],
        lambda d: d["installation_policy"],
        lambda d: d["waivers"][0],
        lambda d: d["needed_vars"][0],
    ]


# --- hostile texts ------------------------------------------------------------------------------------------------

FIERCE = (
    *VALUES,
    "]]>",
    "-->",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "|",
    "`code` ``more``",
    "[a](https://evil.example)",
    "@everyone",
    "{0}",
    "\\",
    '"',
    "",
)
"""Besides what a page has to fear: what XML, spreadsheets, Markdown, SARIF and JSON make of texts."""


def _planted(value: str) -> View:
    return view([hostile(value), hostile_trouble(value)], engine_version=value or "-", title=value or "-", period=value or "-")


def _unhashed(value: str) -> View:
    """`value` in texts that no digest is made of: only there can half a surrogate pair stand."""
    rules = tuple(RuleText(id=rule.id, title=value, rationale=value, remediation=value, references=(value,)) for rule in POLICY.rules)
    one = standing("prod", FAILS, target={"owner": value, "labels": ((value, value),)}, collection={"account": value, "url": value})
    one = replace(one, target=replace(one.target, url=value))
    return view([replace(one, policy=PolicyText(name=value, title=value, version=1, digest="d" * 64, rules=rules))], engine_version="1", title=value)


@pytest.mark.parametrize("value", FIERCE, ids=ascii)
def test_a_hostile_text_leaves_every_format_well_formed(value: str) -> None:
    _is_sound(_planted(value))


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", "\ufffe\uffff", "\x00\x01\x0b\x7f\x85"], ids=ascii)
def test_what_no_encoding_can_carry_leaves_every_format_well_formed(value: str) -> None:
    _is_sound(_unhashed(value))


def test_a_very_long_text_is_cut_where_people_look_and_whole_where_machines_do() -> None:
    page = _planted("y" * 8_000)

    _is_sound(page)
    assert b"y" * 8_000 in FORMATS["json"](page)
    assert b"y" * 8_000 in FORMATS["ndjson"](page)
    for form in ("csv", "junit", "sarif", "ocsf", "prometheus", "markdown"):
        assert b"y" * 4001 not in FORMATS[form](page), form


_TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("|`[]()<>&{}@#=+-\"'\\\r\n\t\u2028\u202e\u200b\x00\x1b"), max_size=40)


@settings(max_examples=20)
@given(value=_TEXTS)
def test_no_text_breaks_any_format(value: str) -> None:
    _is_sound(_planted(value))


def _is_sound(page: View) -> None:
    written = {form: write(page) for form, write in FORMATS.items()}
    assert {form: write(page) for form, write in FORMATS.items()} == written
    if SCHEMAS.is_dir():
        assert {form: judge(written[form]) for form, judge in JUDGES.items()} == {form: [] for form in JUDGES}
    if not any("\ud800" <= character <= "\udfff" for character in json.dumps(json.loads(written["json"]), ensure_ascii=False)):
        assert {form: judge(written[form]) for form, judge in OWN_JUDGES.items()} == {form: [] for form in OWN_JUDGES}
    for form, content in written.items():
        text = content.decode("utf-8")
        assert [c for c in sorted(set(text)) if is_hidden(c) and c != "\n" and not (form == "csv" and c == "\r")] == [], form
    _check_csv(written["csv"].decode())
    _check_xml(written["junit"])
    list(text_string_to_metric_families(written["prometheus"].decode()))
    assert len(written["markdown"]) < 4 * 65_536
    assert len(written["markdown"].decode()) < 65_536


def _check_csv(text: str) -> None:
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert {len(row) for row in rows} == {len(head)}
    assert text.count("\r\n") == text.count("\n") == text.count("\r") == len(rows) + 1
    for row in rows:
        for cell in row:
            assert not unicodedata.normalize("NFKC", cell[:1]).startswith(("=", "+", "-", "@", "\t", "\r")), cell


def _check_xml(content: bytes) -> None:
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, huge_tree=True))
    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped", "system-out", "system-err")
    }


# --- what a schema cannot say -------------------------------------------------------------------------------------


def _uuids(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name in keys:
                yield part
            else:
                yield from _uuids(part, keys)
    elif isinstance(value, list):
        for part in value:
            yield from _uuids(part, keys)


@pytest.mark.parametrize("name", VIEWS)
def test_oscal_refers_to_nothing_that_is_not_there_and_names_nothing_twice(name: str) -> None:
    document = json.loads(FORMATS["oscal"](VIEWS[name]()))
    named = list(_uuids(document, ("uuid",)))
    referred = set(_uuids(document, ("observation-uuid", "risk-uuid", "subject-uuid", "actor-uuid", "component-uuid")))

    assert len(set(named)) == len(named)
    assert referred <= set(named)
    plan = document["assessment-results"]["import-ap"]["href"].removeprefix("#")
    (resource,) = document["assessment-results"]["back-matter"]["resources"]
    assert resource["uuid"] == plan
    content = base64.b64decode(resource["base64"]["value"])
    props = {prop["name"]: prop["value"] for prop in resource["props"]}
    assert props["content-sha256"] == hashlib.sha256(content).hexdigest()
    assert [each["digest"] for each in json.loads(content)] == [link["hashes"][0]["value"] for link in resource.get("rlinks", ())]


@pytest.mark.parametrize("name", VIEWS)
def test_sarif_refers_to_rules_and_notifications_that_are_there(name: str) -> None:
    (run,) = json.loads(FORMATS["sarif"](VIEWS[name]()))["runs"]
    driver = run["tool"]["driver"]

    assert [driver["rules"][result["ruleIndex"]]["id"] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    for notice in run["invocations"][0]["toolExecutionNotifications"]:
        assert driver["notifications"][notice["descriptor"]["index"]]["id"] == notice["descriptor"]["id"]
        if "associatedRule" in notice:
            assert driver["rules"][notice["associatedRule"]["index"]]["id"] == notice["associatedRule"]["id"]
    prints = [result["partialFingerprints"]["finding/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints) == len({result["guid"] for result in run["results"]})


def test_what_must_stay_from_run_to_run_stays_and_the_run_does_not() -> None:
    def named(standings: list[Standing]) -> tuple[Any, Any, Any]:
        shown = view(standings, engine_version="1")
        (result,) = json.loads(FORMATS["oscal"](shown))["assessment-results"]["results"]
        (run,) = json.loads(FORMATS["sarif"](shown))["runs"]
        return (
            [[each["uuid"] for each in result[part]] for part in ("observations", "findings")],
            [each["partialFingerprints"] for each in run["results"]],
            result["uuid"],
        )

    before, after = named([standing("prod")]), named([standing("prod", FAILS)])
    assert before[:2] == after[:2]
    assert before[2] != after[2]


def test_each_suite_of_junit_counts_its_cases() -> None:
    for make in VIEWS.values():
        for suite in etree.fromstring(FORMATS["junit"](make())).iter("testsuite"):
            cases = list(suite.iter("testcase"))
            assert int(suite.get("tests")) == len(cases)
            for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert int(suite.get(name)) == sum(case.find(tag) is not None for case in cases)


def test_no_two_events_and_no_two_results_are_called_the_same() -> None:
    events = [json.loads(line) for line in FORMATS["ocsf"](VIEWS["report"]()).splitlines()]

    assert len({event["metadata"]["uid"] for event in events}) == len({event["finding_info"]["uid"] for event in events}) == len(events)
    assert len({event["metadata"]["correlation_uid"] for event in events}) == 1


def test_a_single_brace_of_sarif_would_be_a_placeholder_and_a_bracketed_text_a_link() -> None:
    page = _planted("{0} [click](1)")
    texts = list(_uuids(json.loads(FORMATS["sarif"](page)), ("text",)))

    assert any("{{0}}" in text for text in texts)
    assert not [text for text in texts if re.search(r"(?<!\{)\{(?!\{)|\]\(", text)]
