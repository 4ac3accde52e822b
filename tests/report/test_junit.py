"""JUnit XML: a gate that opens for what was seen to be good, and tells a developer what to do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from auditor.core.model import Finding, PolicyText, RuleOutcome, RuleText, Severity, Standing
from auditor.report.junit import render_junit
from auditor.report.view import view
from tests.report.specimen import specimen
from tests.report.standings import AT, FAILS, LIMITED, UNSEEN, WAITS, WAIVED, finding, never, standing, unread


def suites(*standings: Standing) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(render_junit(view(standings, engine_version="1"))))


def case(*instead: Finding, rule: str) -> ElementTree.Element:
    (suite,) = suites(standing("prod", *instead))
    return next(each for each in suite.iter("testcase") if each.get("name", "").startswith(rule))


def test_a_suite_is_a_target_and_its_figures_add_up() -> None:
    *_, one = suites(standing("prod", FAILS, UNSEEN, WAITS, WAIVED, LIMITED), unread("lab"), never("new"))

    assert {name: one.get(name) for name in ("name", "package", "id", "hostname", "timestamp", "time")} == {
        "name": "prod",
        "package": "target",
        "id": "2",
        "hostname": "audit01",
        "timestamp": "2026-11-17T09:30:00",
        "time": "0.412",
    }
    assert [one.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "1", "1", "3"]
    assert [each.get("id") for each in suites(standing("b"), standing("a"))] == ["0", "1"]


def test_a_target_that_was_never_read_is_an_error_and_so_is_a_run_of_nothing() -> None:
    (new,), (empty,) = suites(never("new")), suites()

    assert (new.get("errors"), new.get("tests"), new.get("hostname"), new.get("time")) == ("1", "1", "localhost", "0.000")
    assert (empty.get("errors"), empty.get("tests")) == ("1", "1")


@pytest.mark.parametrize(
    ("took", "said"),
    [(timedelta(0), "0.000"), (timedelta(milliseconds=1), "0.001"), (timedelta(seconds=61), "61.000"), (timedelta(seconds=-5), "0.000")],
)
def test_a_suite_takes_as_long_as_its_read_and_never_less_than_nothing(took: timedelta, said: str) -> None:
    one = standing("prod")
    assert one.assessment is not None
    observation = replace(one.assessment.observation, ended_at=AT + took)
    (suite,) = suites(replace(one, assessment=replace(one.assessment, observation=observation)))

    assert suite.get("time") == said


@pytest.mark.parametrize(("severity", "kind"), [(Severity.CRITICAL, "critical"), (Severity.INFO, "info"), (None, "fail")])
def test_a_failure_is_of_the_kind_of_its_severity(severity: Severity | None, kind: str) -> None:
    failure = case(finding("CFG-001", RuleOutcome.FAIL, severity, because=FAILS.because), rule="CFG-001").find("failure")

    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == (kind, "failing: UseSSL: expected true, observed false")


def test_an_error_is_of_the_kind_of_its_outcome_whatever_its_severity() -> None:
    error = case(UNSEEN, rule="CFG-009").find("error")

    assert error is not None
    assert (error.get("type"), error.get("message")) == ("not_evaluated", "not evaluated: Host not learnt (SERVFAIL)")


def test_a_skipped_case_says_why_and_has_no_type() -> None:
    waived, limited, waiting = (
        case(found, rule=rule).find("skipped") for found, rule in ((WAIVED, "CFG-006"), (LIMITED, "OAU-003"), (WAITS, "CFG-013"))
    )

    assert waived is not None
    assert limited is not None
    assert waiting is not None
    assert waived.get("message", "").startswith("waived: ")
    assert waived.get("message", "").endswith(", through 2026-12-31 UTC: Port: expected 465 or 587, observed 25")
    assert limited.get("message") == "not evaluated, a standing limit: API v1 cannot show this"
    assert waiting.get("message") == "not applicable: your var approved_hosts is not set"
    assert [each.get("type") for each in (waived, limited, waiting)] == [None, None, None]


def test_what_passes_holds_nothing() -> None:
    passed = case(rule="CFG-001")

    assert (list(passed), passed.text) == ([], None)
    assert passed.attrib == {"name": "CFG-001 Basic authentication runs over TLS", "classname": "prod", "time": "0.000"}


def test_a_failure_tells_what_to_do_line_by_line() -> None:
    failure = case(FAILS, rule="CFG-001").find("failure")
    waived = case(WAIVED, rule="CFG-006").find("skipped")

    assert failure is not None
    assert (failure.text or "").splitlines() == [
        "prod/CFG-001 (critical)",
        "UseSSL: expected true, observed false",
        "Why: The relay password crosses the network as base64. Whoever listens can use it.",
        "Fix: Turn on Use SSL in System Settings, SMTP Configuration, then change the relay password.",
        "See: RFC 4954 section 4; https://www.rfc-editor.org/rfc/rfc8314",
    ]
    assert waived is not None
    assert (waived.text or "").splitlines()[2] == ("Waived: Their relay moves to 587 in spring. (owner mail team, approved by ciso@corp.example)")


def test_a_rule_without_texts_tells_none() -> None:
    bare = PolicyText(name="p", title="p", version=1, digest="d" * 64, rules=(RuleText(id="CFG-001", title="T"),))
    failing = finding("CFG-001", RuleOutcome.FAIL, None, because=FAILS.because)
    (suite,) = suites(replace(standing("prod", failing), policy=bare))
    failure = suite.find("testcase/failure")

    assert failure is not None
    assert (failure.text or "").splitlines() == ["prod/CFG-001 (no severity)", "UseSSL: expected true, observed false"]


def test_a_suite_says_what_was_asked_and_what_went_wrong() -> None:
    said: dict[str, Any] = {
        suite.get("name", ""): (suite.findtext("system-out"), suite.findtext("system-err"))
        for suite in ElementTree.fromstring(render_junit(specimen()))
    }

    assert said["lab"] == (
        "GET https://command.example.org/KeyfactorAPI/SMTP, snapshot SHA-256 none",
        "command answered 403: our account may not read the SMTP profile; next: give the account's role the permission `/system_settings/read/`",
    )
    assert said["new"] == ("https://command-new.example.org/KeyfactorAPI", "")
    assert said["installation"] == ("the auditor's own record", "")
    assert said["prod-eu"][1] == ""


def test_where_the_schema_demands_a_text_and_there_is_none_there_is_one() -> None:
    one = standing("", collection={"collector_host": "  "})
    (suite,) = suites(one)

    assert (suite.get("name"), suite.get("hostname")) == ("-", "localhost")
    assert suite.find("testcase").get("classname") == ""  # type: ignore[union-attr]


def test_what_xml_would_read_as_its_own_is_read_back_as_text() -> None:
    text = """<b a='1'> & "q" ]]> &lt; a+b XX<>"""
    one = replace(FAILS, because=(replace(FAILS.because[0], fact="Host", expected=None, var="x", actual=text),))
    (suite,) = suites(standing(text, one))
    failure = suite.find("testcase/failure")

    assert suite.get("name") == text
    assert failure is not None
    assert failure.get("message", "").endswith(f'observed "{text}"')
    assert (failure.text or "").splitlines()[1].endswith(f'observed "{text}"')


def test_a_suite_is_of_its_own_target_however_many_rules_it_has() -> None:
    later = standing("b", at=AT + timedelta(hours=1))

    assert [suite.get("timestamp") for suite in suites(standing("a"), later)] == ["2026-11-17T09:30:00", "2026-11-17T10:30:00"]


def test_a_target_called_installation_is_not_the_installation() -> None:
    found = view([standing("installation")], engine_version="1")
    both = replace(found, installation=specimen().installation)
    root = ElementTree.fromstring(render_junit(both))

    assert [(each.get("package"), each.get("name")) for each in root] == [("target", "installation"), ("installation", "installation")]
