"""SARIF: what a reader of code scanning needs beyond what the schema asks for."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from auditor.core.model import Finding, PolicyText, RuleOutcome, RuleText, Severity, Standing
from auditor.report.sarif import render_sarif
from auditor.report.view import view
from tests.report.standings import EARLIER, FAILS, WAIVED, finding, never, standing, unread


def log(*standings: Standing, **others: Any) -> Any:
    return json.loads(render_sarif(view(standings, engine_version="1", **others)))


def run(*standings: Standing, **others: Any) -> Any:
    (only,) = log(*standings, **others)["runs"]
    return only


def worded(rule: RuleText, *instead: Finding) -> Standing:
    policy = PolicyText(name="p", title="P", version=1, digest="d" * 64, rules=(rule,))
    return replace(standing("prod", *instead), policy=policy)


@pytest.mark.parametrize(
    ("references", "uri"),
    [
        ((), None),
        (("RFC 4954",), None),
        (("RFC 4954", "https://a.example/b?c=d#e", "https://other.example"), "https://a.example/b?c=d#e"),
        (("http://a.example:8080/x",), "http://a.example:8080/x"),
        (("https://a.example",), "https://a.example"),
        (("https://a.example/<b>",), None),
        (("see https://a.example/",), None),
        (("https://a.example/ and more",), None),
        (("javascript:alert(1)",), None),
        (("https://ä.example/",), None),
    ],
)
def test_help_is_linked_where_a_reference_is_a_sound_address(references: Sequence[str], uri: str | None) -> None:
    rule = RuleText(id="CFG-001", title="t", references=tuple(references))

    assert run(worded(rule))["tool"]["driver"]["rules"][0].get("helpUri") == uri


def test_a_rule_without_texts_has_its_title_in_their_place() -> None:
    bare, full = (
        run(worded(rule))["tool"]["driver"]["rules"][0]
        for rule in (RuleText(id="CFG-001", title="Title"), RuleText(id="CFG-001", title="Title", rationale="Why\nso", remediation="Do"))
    )

    assert [bare[name]["text"] for name in ("shortDescription", "fullDescription", "help")] == ["Title", "Title", "Title"]
    assert [full[name]["text"] for name in ("shortDescription", "fullDescription", "help")] == ["Title", "Why so", "Do"]


@pytest.mark.parametrize(
    ("severity", "rank", "score"),
    [(None, 0.0, "0.0"), ("info", 10.0, "1.0"), ("low", 30.0, "3.0"), ("medium", 50.0, "5.0"), ("high", 80.0, "8.0"), ("critical", 95.0, "9.5")],
)
def test_severity_is_a_rank_and_a_score(severity: str | None, rank: float, score: str) -> None:
    found = run(standing("prod", finding("CFG-001", RuleOutcome.FAIL, Severity(severity) if severity else None)))

    assert (found["results"][0]["rank"], found["results"][0]["properties"]["severity"]) == (rank, severity or "none")
    assert found["tool"]["driver"]["rules"][0]["properties"]["security-severity"] == score


def test_a_rule_scores_as_its_worst_result() -> None:
    mild, bad = (standing(name, finding("CFG-001", RuleOutcome.FAIL, severity)) for name, severity in (("a", Severity.LOW), ("b", Severity.HIGH)))

    for standings in ((mild, bad), (bad, mild), (bad, replace(mild, target=replace(mild.target, name="z")))):
        assert run(*standings)["tool"]["driver"]["rules"][0]["properties"]["security-severity"] == "8.0"


def test_a_run_is_successful_if_all_was_seen_and_only_then() -> None:
    def successful(*standings: Standing) -> bool:
        (invocation,) = run(*standings)["invocations"]
        return bool(invocation["executionSuccessful"])

    assert successful(standing("prod", FAILS))
    assert not successful(standing("prod"), unread())
    assert not successful(standing("prod"), never())
    assert not successful()


def test_a_run_lasts_from_the_first_read_to_the_last() -> None:
    (invocation,) = run(standing("b"), standing("a", at=EARLIER))["invocations"]
    assert (invocation["startTimeUtc"], invocation["endTimeUtc"]) == ("2026-11-17T09:15:00Z", "2026-11-17T09:30:00.412000Z")

    (invocation,) = run(never())["invocations"]
    assert "startTimeUtc" not in invocation
    assert "endTimeUtc" not in invocation


def test_what_went_wrong_is_told_by_target_and_what_did_not_is_not() -> None:
    (invocation,) = run(unread("b"), standing("c"), never("a"))["invocations"]

    assert [(each["descriptor"]["id"], each["properties"], "timeUtc" in each) for each in invocation["toolExecutionNotifications"]] == [
        ("never_read", {"target": "a"}, False),
        ("forbidden", {"target": "b"}, True),
    ]
    assert run()["invocations"][0]["toolExecutionNotifications"][0]["descriptor"]["id"] == "empty"
    assert run(standing("c"))["invocations"][0]["toolExecutionNotifications"] == []


def test_a_location_is_the_same_in_every_run_whatever_was_seen() -> None:
    urls = {
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for found in (run(standing("prod")), run(unread("prod")), run(standing("prod", collection={"url": "https://elsewhere.example"})))
        for each in found["results"]
    }

    assert urls == {"https://command-prod.example.org/KeyfactorAPI"}


def test_a_location_is_a_sound_address_whatever_the_configuration_says() -> None:
    one = standing("prod")
    odd = replace(one, target=replace(one.target, url="https://a.example/ö x<y>[z]?q=1&r=%2#f"))

    assert run(odd)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (
        "https://a.example/%C3%B6%20x%3Cy%3E%5Bz%5D?q=1&r=%252#f"
    )


def test_a_field_is_a_location_once_however_often_it_was_tested() -> None:
    twice = replace(FAILS, because=(FAILS.because[0], replace(FAILS.because[0], expected=None, var="x")))
    (location,) = run(standing("prod", twice))["results"][0]["locations"]

    assert [each["fullyQualifiedName"] for each in location["logicalLocations"]] == ["prod", "prod/UseSSL"]


def test_what_is_waived_is_suppressed_by_its_waiver_and_nothing_else_is() -> None:
    results = run(standing("prod", WAIVED, FAILS))["results"]

    assert [len(each["suppressions"]) for each in results] == [0, 1, 0, 0, 0, 0]
    (suppression,) = results[1]["suppressions"]
    assert suppression["justification"] == "Their relay moves to 587 in spring."
    assert suppression["properties"] == {
        "waiver": suppression["properties"]["waiver"],
        "owner": "mail team",
        "approvedBy": "ciso@corp.example",
        "holds": "through 2026-12-31 UTC",
    }


def test_a_run_is_of_a_kind_that_names_the_period() -> None:
    assert run(standing("prod"), period="2026-W47")["automationDetails"]["id"] == "auditor/2026-W47"


def test_braces_and_links_are_taken_out_of_messages_alone() -> None:
    one = replace(FAILS, because=(replace(FAILS.because[0], fact="Host", operator="equals", expected="a", actual="{0} [x](1)"),))
    (found, *_) = run(standing("prod", one))["results"]

    assert found["message"]["text"].endswith('observed "{{0}} [x] (1)"')
    assert found["properties"]["evidence"][0]["observed"] == '"{0} [x](1)"'
