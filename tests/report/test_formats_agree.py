"""Every format tells the same results and the same figures as the JSON: nothing is lost on the way, and nothing told twice."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from auditor.core.model import Standing
from auditor.report.formats import FORMATS
from auditor.report.shown import View
from auditor.report.view import view
from tests.report.specimen import VIEWS, specimen
from tests.report.standings import BROKE, FAILS, FAILS_TOO, LIMITED, UNSEEN, WAITS, WAIVED, never, standing, unread

Results = Counter[tuple[str, str, str]]
"""Subject, rule and outcome, as often as they are told."""


def _document(page: View) -> Any:
    return json.loads(FORMATS["json"](page))


def _of_json(page: View, *, limits: str = "not_evaluated", never_read: bool = True) -> Results:
    """By the JSON report; `limits` is what a format calls a standing limit, and `never_read` whether it has a result for a target without any."""
    document = _document(page)
    told = [(target["name"], finding) for target in document["targets"] for finding in target["findings"]]
    told += [("installation", finding) for finding in document["installation"]]
    unread_ones = [(target["name"], "unread", "not_evaluated") for target in document["targets"] if target["verdict"] is None]
    return Counter(
        [(name, finding["rule"], limits if finding["standing"] else finding["outcome"]) for name, finding in told] + unread_ones * never_read
    )


def _of_csv(page: View) -> Results:
    rows = csv.DictReader(io.StringIO(FORMATS["csv"](page).decode(), newline=""), strict=True)
    return Counter((row["target"], row["rule"], row["outcome"]) for row in rows)


def _of_ndjson(page: View) -> Results:
    lines = [json.loads(line) for line in FORMATS["ndjson"](page).splitlines()]
    return Counter((line["target"], line["rule"], line["outcome"]) for line in lines if line["kind"] == "finding")


def _of_ocsf(page: View) -> Results:
    events = [json.loads(line) for line in FORMATS["ocsf"](page).splitlines()]
    return Counter((event["resources"][0]["uid"], event["compliance"]["control"], event["status_code"]) for event in events)


def _of_sarif(page: View) -> Results:
    (run,) = json.loads(FORMATS["sarif"](page))["runs"]
    named = [result["locations"][0]["logicalLocations"][0]["name"] for result in run["results"]]
    return Counter((name, result["ruleId"], result["properties"]["outcome"]) for name, result in zip(named, run["results"], strict=True))


def _of_oscal(page: View) -> Results:
    (result,) = json.loads(FORMATS["oscal"](page))["assessment-results"]["results"]
    props = [{prop["name"]: prop["value"] for prop in observation["props"]} for observation in result.get("observations", ())]
    return Counter((*each["finding-id"].rsplit("/", 1), each["outcome"]) for each in props)  # type: ignore[misc]


def _of_junit(page: View) -> Results:
    """Which case is of which outcome, as far as JUnit tells them apart."""
    return Counter(
        (suite.get("name", ""), case.get("name", "").split(" ")[0], next((_AS_JUNIT[each.tag] for each in case), "pass"))
        for suite in ElementTree.fromstring(FORMATS["junit"](page)).iter("testsuite")
        for case in suite.iter("testcase")
        if suite.get("package") != "auditor"
    )


_AS_JUNIT = {"failure": "fail", "error": "error", "skipped": "skipped"}
_JUNIT = {"waived": "skipped", "standing_limit": "skipped", "not_applicable": "skipped", "not_evaluated": "error"}

READERS: Mapping[str, tuple[Callable[[View], Results], Callable[[View], Results]]] = {
    "csv": (_of_csv, _of_json),
    "ndjson": (_of_ndjson, lambda page: _of_json(page, never_read=False)),
    "ocsf": (_of_ocsf, lambda page: _of_json(page, limits="standing_limit")),
    "sarif": (_of_sarif, lambda page: _of_json(page, limits="standing_limit")),
    "oscal": (_of_oscal, lambda page: _of_json(page, limits="standing_limit")),
    "junit": (_of_junit, lambda page: _as_junit(_of_json(page, limits="standing_limit"))),
}


def _as_junit(found: Results) -> Results:
    return Counter([(name, rule, _JUNIT.get(outcome, outcome)) for name, rule, outcome in found.elements()])


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("name", VIEWS)
def test_a_format_tells_each_result_of_the_json_once(name: str, form: str) -> None:
    told, expected = READERS[form]
    page = VIEWS[name]()

    assert told(page) == expected(page)


_FINDINGS = st.lists(st.sampled_from([FAILS, FAILS_TOO, WAIVED, UNSEEN, WAITS, BROKE, LIMITED]), max_size=7)
_TARGETS = st.dictionaries(st.sampled_from(["a", "b b", "c/d", "é", "=e"]), st.one_of(_FINDINGS, st.just("unread"), st.just("never")), max_size=4)


def _standing(name: str, kind: Any) -> Standing:
    return {"unread": unread, "never": never}[kind](name) if isinstance(kind, str) else standing(name, *kind)


@settings(max_examples=30)
@given(targets=_TARGETS)
def test_whatever_the_targets_come_to_all_formats_agree(targets: dict[str, Any]) -> None:
    page = view([_standing(name, kind) for name, kind in targets.items()], engine_version="1")
    told = {form: Counter(outcome for *_, outcome in read(page).elements()) for form, (read, _) in READERS.items()}

    assert told == {form: Counter(outcome for *_, outcome in expected(page).elements()) for form, (_, expected) in READERS.items()}
    counts = _document(page)["counts"]
    assert _figures_of_markdown(page) == counts
    assert _figures_of_prometheus(page) == {name: number for name, number in counts.items() if name not in ("results", "standing_limits")}
    assert _figures_of_text(page) == (counts["fail"], counts["not_evaluated"] + counts["error"], counts["waived"], counts["pass"])


def test_ndjson_put_together_again_is_the_json() -> None:
    for make in VIEWS.values():
        lines = [json.loads(line) for line in FORMATS["ndjson"](make()).splitlines()]
        (run,) = [line for line in lines if line["kind"] == "run"]
        whole = {name: part for name, part in run.items() if name != "kind"}
        beside = {"subject", "target", "at", "answer", "execution_failure", "policy_digest", "snapshot_digest", "read_outcome", "kind", "run_id"}
        findings = [(line, {name: part for name, part in line.items() if name not in beside}) for line in lines if line["kind"] == "finding"]
        for kind, name in (("policy", "policies"), ("target", "targets")):
            whole[name] = [{k: v for k, v in line.items() if k not in ("kind", "run_id")} for line in lines if line["kind"] == kind]
        for target in whole["targets"]:
            target["findings"] = [found for line, found in findings if line["subject"] == "target" and line["target"] == target["name"]]
        whole["installation"] = [found for line, found in findings if line["subject"] == "installation"]

        assert whole == _document(make())
        assert {line["run_id"] for line in lines} == {run["run_id"]}


@pytest.mark.parametrize("form", ["csv", "junit", "ndjson", "ocsf", "oscal", "sarif", "markdown"])
def test_every_machine_format_names_the_run_and_every_policy_by_its_digest(form: str) -> None:
    content, document = FORMATS[form](specimen()).decode(), _document(specimen())

    assert document["run_id"] in content
    assert all(policy["digest"] in content for policy in (*document["policies"], document["installation_policy"]))


def test_each_row_of_csv_and_each_line_of_a_result_stands_alone() -> None:
    digests = {
        target["name"]: (target["policy_digest"], (target["observation"] or {}).get("snapshot_digest")) for target in _document(specimen())["targets"]
    }
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](specimen()).decode(), newline=""), strict=True))
    lines = [json.loads(line) for line in FORMATS["ndjson"](specimen()).splitlines()]

    assert {row["run_id"] for row in rows} == {_document(specimen())["run_id"]}
    for row in rows:
        if row["subject"] == "target":
            assert (row["policy_sha256"] or None, row["snapshot_sha256"] or None) == digests[row["target"]]
    for line in lines:
        if line["kind"] == "finding" and line["subject"] == "target":
            assert (line["policy_digest"], line["snapshot_digest"]) == digests[line["target"]]


# --- those for people ---------------------------------------------------------------------------------------------


def _figures_of_markdown(page: View) -> dict[str, int]:
    rows = dict(re.findall(r"^\| (?:\S )?(.+?) \| (\d+) \|$", FORMATS["markdown"](page).decode(), re.MULTILINE))
    told = {name: int(number) for name, number in rows.items()}
    return {
        "results": told["together"],
        "fail": told["failing"],
        "waived": told["waived"],
        "not_evaluated": told["not evaluated"] + told["not evaluated, a standing limit"],
        "standing_limits": told["not evaluated, a standing limit"],
        "error": told["not evaluated, an error of the auditor itself"],
        "not_applicable": told["not applicable"],
        "pass": told["passing"],
    }


def _figures_of_text(page: View) -> tuple[int, ...]:
    lines = " ".join(FORMATS["text"](page).decode().split())
    found = re.search(r"✗ (\d+) failing \? (\d+) not evaluated ◐ (\d+) waived ✓ (\d+) passing", lines)
    assert found is not None
    return tuple(map(int, found.groups()))


def _figures_of_prometheus(page: View) -> dict[str, int]:
    told = dict.fromkeys(("fail", "waived", "not_evaluated", "error", "not_applicable", "pass"), 0)
    for family in text_string_to_metric_families(FORMATS["prometheus"](page).decode()):
        for sample in family.samples:
            if sample.name == "auditor_results":
                told[sample.labels["outcome"]] += int(sample.value)
    return told


def test_the_figures_for_people_are_those_of_the_json() -> None:
    counts = _document(specimen())["counts"]

    assert _figures_of_markdown(specimen()) == counts
    assert _figures_of_text(specimen()) == (counts["fail"], counts["not_evaluated"] + counts["error"], counts["waived"], counts["pass"])
    assert _figures_of_prometheus(specimen()) == {name: number for name, number in counts.items() if name not in ("results", "standing_limits")}


@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_whatever_fails_is_waived_or_was_not_seen_is_named_to_people(form: str) -> None:
    content = FORMATS[form](specimen()).decode()
    if form == "html":
        page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(content)
        content = " ".join(" ".join(page.itertext()).split())
    missing = [
        finding["id"]
        for target in _document(specimen())["targets"]
        for finding in target["findings"]
        if finding["outcome"] not in ("pass", "not_applicable") and finding["rule"] not in content
    ]

    assert missing == []
    assert all(target["name"] in content for target in _document(specimen())["targets"])
