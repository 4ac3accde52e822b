"""Examples are read as a server's answers are, and must come out as they say."""

from pathlib import Path
from typing import Any

import pytest

from auditor.core.model import Fact, JsonType, State
from auditor.policyfile import ExampleResult, run_examples
from tests.policyfile.books import book, policy, rule

VALUE, UNSET, MISSING, ILL_TYPED, NOT_OFFERED, INCONCLUSIVE = State


def seen(folder: Path, example: str) -> Any:
    """The facts of an example."""
    text = policy(rule(f"require: {{UseSSL: true}}\nexamples: [{{fails: {example}}}]"))
    return book(folder, text).policy("mine").written[0].examples[0].facts


@pytest.mark.parametrize(
    ("written", "fact"),
    [
        ("Port: 587", Fact(VALUE, 587, JsonType.INTEGER)),
        ('Port: "587"', Fact(ILL_TYPED, "587", JsonType.TEXT)),
        ("Port: true", Fact(ILL_TYPED, True, JsonType.BOOLEAN)),
        ("Port: [587]", Fact(ILL_TYPED, None, JsonType.LIST)),
        ("Port: null", Fact(UNSET, sent=JsonType.NULL)),
        ("UseSSL: 1", Fact(ILL_TYPED, 1, JsonType.INTEGER)),
        ('Host: ""', Fact(UNSET, sent=JsonType.TEXT)),
        ("Host: Relay corp.", Fact(VALUE, "Relay corp.", JsonType.TEXT)),
        ("Host: 5", Fact(ILL_TYPED, 5, JsonType.INTEGER)),
        ('SenderName: "$$x"', Fact(VALUE, "$x", JsonType.TEXT)),
        ("RelayAuthenticationType: Basic", Fact(VALUE, 2, JsonType.INTEGER)),
        ("RelayAuthenticationType: 7", Fact(VALUE, 7, JsonType.INTEGER)),
        ("RelayAuthenticationType: false", Fact(ILL_TYPED, False, JsonType.BOOLEAN)),
        ("ClientSecret: pam", Fact(VALUE, "pam", JsonType.TEXT)),
        ("ClientSecret: 5", Fact(ILL_TYPED, 5, JsonType.INTEGER)),
        ("Host: {inconclusive: timeout}", Fact(INCONCLUSIVE, reason="timeout")),
        ("Host: {not_offered: older snapshot}", Fact(NOT_OFFERED, reason="older snapshot")),
        ("Host: {ill_typed: an object}", Fact(ILL_TYPED, None, JsonType.OBJECT, "an object")),
        ("RequestHeaders: x", Fact(ILL_TYPED, "x", JsonType.TEXT)),
        ("RequestHeaders: [x]", Fact(ILL_TYPED, None, JsonType.LIST)),
        ("RequestHeaders: []", Fact(VALUE, (), JsonType.LIST)),
        ("RequestHeaders: null", Fact(UNSET, sent=JsonType.NULL)),
        ("baseline.RequestHeaders: [{Name: X-A, Value: b}]", Fact(VALUE, ("X-A",), JsonType.LIST)),
        ("baseline.Port: 25", Fact(VALUE, 25)),
        ("Host.provider: google", Fact(VALUE, "google")),
        ("Scope.tokens: [a, b]", Fact(VALUE, ("a", "b"))),
        ("TokenEndpoint: https://u:p@a.example/t?k=v", Fact(VALUE, "https://***@a.example/t?k=***", JsonType.TEXT)),
        ("collection.outcome: unreachable", Fact(VALUE, "unreachable")),
        ("collection.profile_age_hours: null", Fact(UNSET, sent=JsonType.NULL)),
    ],
)
def test_a_fact_of_an_example_is_what_the_wire_would_make_of_it(tmp_path: Path, written: str, fact: Fact) -> None:
    name = written.partition(":")[0]
    assert seen(tmp_path, f"{{{written}}}")[name] == fact


def test_what_an_example_leaves_out_has_a_meaning(tmp_path: Path) -> None:
    left_out = seen(tmp_path, "{}")
    assert {name: left_out[name].state for name in ("Host", "RelayPassword", "TokenEndpoint", "SenderAddress")} == dict.fromkeys(
        ("Host", "RelayPassword", "TokenEndpoint", "SenderAddress"), MISSING
    )
    assert {name: fact.value for name, fact in left_out.items() if fact.state is VALUE} == {
        "profile.configured": True,
        "api.shape": "v2_oauth",
        "server.probed": False,
        "domain.probed": False,
        "token_endpoint.probed": False,
        "baseline.exists": False,
        "drift.previous": False,
        "target.labels": (),
        "waivers.count": 0,
        "collection.outcome": "observed",
    }
    assert "TokenEndpoint.faults" not in left_out


@pytest.mark.parametrize(
    ("shape", "not_offered"),
    [
        ("v1", {"RelayPassword", "ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders"}),
        ("v2_pam", {"ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders"}),
        ("v2_oauth", set()),
    ],
)
def test_a_shape_does_not_offer_what_it_cannot_show(tmp_path: Path, shape: str, not_offered: set[str]) -> None:
    facts = seen(tmp_path, f"{{api.shape: {shape}, ClientId: stored}}")
    assert {name for name, fact in facts.items() if fact.state is NOT_OFFERED} == not_offered - {"ClientId"}


def test_without_a_profile_its_fields_are_unset(tmp_path: Path) -> None:
    facts = seen(tmp_path, "{profile.configured: false, Port: 25}")
    assert (facts["Host"].state, facts["Port"].value) == (UNSET, 25)


def test_headers_and_token_endpoint_are_looked_through_by_the_code_that_reads_them(tmp_path: Path) -> None:
    facts = seen(tmp_path, '{RequestHeaders: [{Name: X-A, Value: Bearer abc}, {Name: x-a, Value: b}], TokenEndpoint: "http://u@a.example/#f"}')
    assert facts["RequestHeaders"].value == ("X-A", "x-a")
    assert facts["RequestHeaders.faults"].value == ("duplicate",)
    assert facts["RequestHeaders.secret_forms"].value == ("authorization",)
    assert {"userinfo", "fragment"} <= set(facts["TokenEndpoint.faults"].value)


def test_what_was_looked_through_is_absent_with_its_field(tmp_path: Path) -> None:
    facts = seen(tmp_path, "{RequestHeaders: x, TokenEndpoint: null}")
    assert (facts["RequestHeaders.secret_forms"].state, facts["TokenEndpoint.faults"].state) == (ILL_TYPED, UNSET)


def test_what_an_example_names_itself_stays_so(tmp_path: Path) -> None:
    facts = seen(tmp_path, "{RequestHeaders: [], RequestHeaders.bytes: 9000, TokenEndpoint: https://a.example/, TokenEndpoint.faults: [relative]}")
    assert facts["RequestHeaders.bytes"].value == 9000
    assert facts["TokenEndpoint.faults"].value == ("relative",)


# --- running them -------------------------------------------------------------------------------------------------


def results(folder: Path, text: str) -> list[ExampleResult]:
    return run_examples(book(folder, text), "mine")


def test_an_example_that_comes_out_as_it_says_is_good(tmp_path: Path) -> None:
    text = policy(rule("require: {UseSSL: true}\nexamples:\n- passes: {UseSSL: true}\n- {fails: {}, severity: high}"))
    path = str(tmp_path / "p0.yaml")
    assert results(tmp_path, text) == [
        ExampleResult(rule="T-1", index=0, expected="pass", got="pass", file=path, line=8, ok=True),
        ExampleResult(rule="T-1", index=1, expected="fail (high)", got="fail (high)", file=path, line=9, ok=True),
    ]


@pytest.mark.parametrize(
    ("example", "expected", "got"),
    [
        ("{passes: {UseSSL: false}}", "pass", "fail: UseSSL: expected true, got false"),
        ("{fails: {UseSSL: false}, severity: low}", "fail (low)", "fail (high): UseSSL: expected true, got false"),
        ("{not_evaluated: {Port: 25, UseSSL: false}}", "not_evaluated", "not_applicable: Port: expected anything but 25, got 25"),
        ("{fails: {UseSSL: true}, severity: high}", "fail (high)", "pass: UseSSL: expected true, got true"),
    ],
)
def test_an_example_that_comes_out_otherwise_says_why(tmp_path: Path, example: str, expected: str, got: str) -> None:
    text = policy(
        rule(f"when: {{Port: {{not_equals: 25}}}}\nrequire: {{UseSSL: true}}\nexamples: [{example}]")
        .replace("fails: {", "fails: {Port: 1, ")
        .replace("passes: {", "passes: {Port: 1, ")
    )
    (result,) = results(tmp_path, text)
    assert (result.ok, result.expected, result.got) == (False, expected, got)


def test_examples_take_the_when_of_the_policy_as_true_and_the_vars_of_their_file(tmp_path: Path) -> None:
    text = policy(
        rule("""
        require: {Port: $port}
        examples:
        - passes: {Port: 25, profile.configured: false}
        - {fails: {Port: 25}, vars: {port: 587}}
        - {not_evaluated: {Port: 25}, vars: {port: null}}
        """),
        head='when: {profile.configured: true}\nvars:\n  port: {type: integer, default: 25}\noverrides:\n- {targets: ["glob:*"], vars: {port: 1}}\n',
    )
    assert [result.ok for result in results(tmp_path, text)] == [True, True, True]


def test_examples_of_bases_run_with_what_is_in_force_where_they_are_written(tmp_path: Path) -> None:
    base = policy(
        rule("require: {Port: $port}\nexamples: [{passes: {Port: 25}}]", id_="B-1"), head="vars:\n  port: {type: integer, default: 25}\n", name="base"
    )
    both = book(tmp_path, policy(head="extends: [base]\nvars: {port: 587}\n"), base)
    assert [result.ok for result in run_examples(both, "base")] == [True]
    assert run_examples(both, "mine") == run_examples(both, "base")


def test_a_dated_example_is_judged_as_of_its_day(tmp_path: Path) -> None:
    dated = rule("""
    require: {server.cert.renew_by: {days_ahead: {gt: 0}}}
    examples:
    - {passes: {server.cert.renew_by: 2026-06-02}, as_of: 2026-06-01}
    - {fails: {server.cert.renew_by: 2026-06-02}, as_of: 2026-06-02}
    """)
    assert [result.ok for result in results(tmp_path, policy(dated))] == [True, True]


# --- one document, one rule that must not pass (the matrix of the comparison with other tools) --------------------

FAIL_OPEN = {
    "UseSSL missing": ("{UseSSL: true}", "{Port: 587}", "no such field in the answer"),
    "UseSSL a text": ("{UseSSL: true}", '{UseSSL: "true"}', 'text "true"'),
    "UseSSL an integer": ("{UseSSL: true}", "{UseSSL: 1}", "integer 1"),
    "Port a text": ("{Port: [465, 587]}", '{Port: "587"}', 'text "587"'),
    "Host null": ("{Host: {not_equals: localhost}}", "{Host: null}", "nothing (unset)"),
    "a number missing that is to be small": ("{Id: {lte: 120}}", "{UseSSL: true}", "no such field in the answer"),
    "SenderAccount a list": ("{SenderAccount: {ends_with: '@corp.example'}}", "{SenderAccount: [pki@corp.example]}", "a list"),
    "authentication type missing": ("{RelayAuthenticationType: {not_equals: Anonymous}}", "{UseSSL: true}", "no such field in the answer"),
}


@pytest.mark.parametrize("case", FAIL_OPEN)
def test_no_document_passes_by_what_it_lacks(tmp_path: Path, case: str) -> None:
    require, document, found = FAIL_OPEN[case]
    (result,) = results(tmp_path, policy(rule(f"require: {require}\nexamples: [{{passes: {document}}}]")))
    assert result.got.startswith("fail: ")
    assert result.got.endswith(f", got {found}")
