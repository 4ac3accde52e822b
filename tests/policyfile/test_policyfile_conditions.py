"""From what a file says to criteria: shorthand, names, negations, places."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from auditor.core.catalogue import FACTS
from auditor.core.model import RuleOutcome, Severity
from auditor.core.policy import All, AnyOf, Condition, Criterion, Rating, Rule, VarRef
from auditor.policyfile.values import compile_pattern
from tests.policyfile.books import book, policy, rule

VARS = """
vars:
  ports: {type: [integer], default: [465, 587], about: Where mail may be submitted}
  port: {type: integer, default: 587}
  until: {type: date, default: null}
  shape: {type: pattern, default: "[a-z]+"}
  kinds: {type: [RelayAuthenticationType], default: [Basic, OAuth]}
  provider: {type: Host.provider, default: google}
  state: {type: secret, default: pam}
  fields: {type: [field], default: [Port]}
  name: {type: text, default: "$$cash"}
"""


def read(folder: Path, body: str) -> Rule:
    return book(folder, policy(rule(body), head=VARS)).policy("mine").rules[0]


def c(subject: str, operator: str, operand: Any, at: str, *, negated: bool = False) -> Criterion:
    return Criterion(at=at, subject=subject, type=FACTS[subject].type, operator=operator, operand=operand, negated=negated)


@pytest.mark.parametrize(
    ("test", "operator", "operand"),
    [
        ("Port: 587", "equals", 587),
        ("Port: [465, 587]", "in", (465, 587)),
        ("Port: $port", "equals", VarRef("port")),
        ("Port: $ports", "in", VarRef("ports")),
        ("Port: {not_in: $ports}", "not_in", VarRef("ports")),
        ("RelayAuthenticationType: OAuth", "equals", 3),
        ("RelayAuthenticationType: [Anonymous, 1]", "in", (0, 1)),
        ("RelayAuthenticationType: $kinds", "in", VarRef("kinds")),
        ("Host.provider: $provider", "equals", VarRef("provider")),
        ("ClientSecret: $state", "equals", VarRef("state")),
        ('SenderName: "$$x"', "equals", "$x"),
        ('SenderName: "$$$x"', "equals", "$$x"),
        ('SenderName: "587"', "equals", "587"),
        ("Scope.tokens: {any_in: [a]}", "any_in", ("a",)),
        ("response.exposed: {any_in: $fields}", "any_in", VarRef("fields")),
        ("SenderName: {matches: $shape}", "matches", VarRef("shape")),
        ("SenderName: {contains: $name}", "contains", VarRef("name")),
        ("Host: {contains: mail}", "contains", "mail"),
        ("Scope.tokens: {contains: openid}", "contains", "openid"),
        ("drift.unapproved: {contains: Host.provider}", "contains", "Host.provider"),
        ("server.cert.valid_from: 2026-02-28", "equals", date(2026, 2, 28)),
        ("SenderName: {length: 3}", "length", (("equals", 3),)),
        ("SenderName: {length: $port}", "length", (("equals", VarRef("port")),)),
        ("SenderName: {length: {gte: 1, lte: $port}}", "length", (("gte", 1), ("lte", VarRef("port")))),
        ("Port: {type: number}", "type", "number"),
        ("Host: {same_as: SenderAccount.domain}", "same_as", "SenderAccount.domain"),
        ("Host: {offered: false}", "offered", False),
        ("ClientId: {unset: true}", "unset", True),
    ],
)
def test_a_test_is_read_with_names_resolved(tmp_path: Path, test: str, operator: str, operand: Any) -> None:
    subject = test.partition(":")[0]
    assert read(tmp_path, f"require:\n  {test}").require == c(subject, operator, operand, f"require/{subject}/{operator}")


A = c("UseSSL", "equals", True, "require/UseSSL/equals")


@pytest.mark.parametrize(
    ("require", "read_as"),
    [
        ("{UseSSL: true, Port: 587}", All((A, c("Port", "equals", 587, "require/Port/equals")))),
        ("{Port: {gte: 1, lte: 9}}", All((c("Port", "gte", 1, "require/Port/gte"), c("Port", "lte", 9, "require/Port/lte")))),
        (
            "{any: [{Port: 465}, {Port: 587, UseSSL: true}]}",
            AnyOf(
                (
                    c("Port", "equals", 465, "require/any/0/Port/equals"),
                    All((c("Port", "equals", 587, "require/any/1/Port/equals"), c("UseSSL", "equals", True, "require/any/1/UseSSL/equals"))),
                )
            ),
        ),
        ("{not: {Port: 25}}", c("Port", "equals", 25, "require/not/Port/equals", negated=True)),
        (
            "{not: {Port: 25, UseSSL: false}}",  # not both
            AnyOf(
                (
                    c("Port", "equals", 25, "require/not/Port/equals", negated=True),
                    c("UseSSL", "equals", False, "require/not/UseSSL/equals", negated=True),
                )
            ),
        ),
        (
            "{none: [{Port: 25}, {UseSSL: false}]}",  # neither
            All(
                (
                    c("Port", "equals", 25, "require/none/0/Port/equals", negated=True),
                    c("UseSSL", "equals", False, "require/none/1/UseSSL/equals", negated=True),
                )
            ),
        ),
        ("{not: {not: {Port: 25}}}", c("Port", "equals", 25, "require/not/not/Port/equals")),
        ("{all: [{UseSSL: true}]}", c("UseSSL", "equals", True, "require/all/0/UseSSL/equals")),
        ("{any: [{UseSSL: true}]}", c("UseSSL", "equals", True, "require/any/0/UseSSL/equals")),
        ("{none: [{UseSSL: true}]}", c("UseSSL", "equals", True, "require/none/0/UseSSL/equals", negated=True)),
        (
            "{none: [{any: [{Port: 1}, {Port: 2}]}]}",
            All(
                (
                    c("Port", "equals", 1, "require/none/0/any/0/Port/equals", negated=True),
                    c("Port", "equals", 2, "require/none/0/any/1/Port/equals", negated=True),
                )
            ),
        ),
    ],
)
def test_groups_and_negations_are_carried_down_to_the_criteria(tmp_path: Path, require: str, read_as: Condition) -> None:
    assert read(tmp_path, f"require: {require}").require == read_as


def test_a_condition_may_have_eight_levels(tmp_path: Path) -> None:
    deep = "{not: " * 7 + "{UseSSL: true}" + "}" * 7
    assert isinstance(read(tmp_path, f"require: {deep}").require, Criterion)


def test_a_rule_is_read_whole(tmp_path: Path) -> None:
    text = """
    policy: mine
    title: Mine
    version: 3
    when: {profile.configured: true}
    rules:
    - id: CFG-001
      title: Basic runs over TLS
      severity: [{when: {Port: 25}, is: critical}, {when: {not: {Port: 465}}, is: high}, medium]
      when: {RelayAuthenticationType: Basic}
      require: {UseSSL: true}
      on_missing: not_evaluated
      rationale: Because.
      remediation: Do it.
      references: [RFC 4954, RFC 8314]
      bundles: [transit]
      controls: {nist: [IA-5, SC-8]}
      x-owner: me
    """
    mine = book(tmp_path, text).policy("mine")
    assert (mine.name, mine.title, mine.version) == ("mine", "Mine", 3)
    assert mine.rules == (
        Rule(
            id="CFG-001",
            title="Basic runs over TLS",
            ratings=(
                Rating(Severity.CRITICAL, c("Port", "equals", 25, "severity/0/when/Port/equals")),
                Rating(Severity.HIGH, c("Port", "equals", 465, "severity/1/when/not/Port/equals", negated=True)),
                Rating(Severity.MEDIUM),
            ),
            require=c("UseSSL", "equals", True, "require/UseSSL/equals"),
            when=c("RelayAuthenticationType", "equals", 2, "when/RelayAuthenticationType/equals"),
            guard=c("profile.configured", "equals", True, "policy/when/profile.configured/equals"),
            on_missing=RuleOutcome.NOT_EVALUATED,
            rationale="Because.",
            remediation="Do it.",
            references=("RFC 4954", "RFC 8314"),
            controls=(("iso", ("8.24",)), ("nist", ("IA-5", "SC-13", "SC-8"))),
        ),
    )
    assert mine.rules[0].severity_text == "critical or high or medium"


def test_a_rule_that_says_little_has_defaults(tmp_path: Path) -> None:
    it = read(tmp_path, "require: {UseSSL: true}")
    assert it == Rule(id="T-1", title="A title", ratings=(Rating(Severity.HIGH),), require=A)
    assert (it.on_missing, it.severity_text, it.applies, it.is_dated) == (RuleOutcome.FAIL, "high", None, False)


# --- patterns -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [("a+", "aaa", True), ("a+", "aab", False), ("a|ab", "ab", True), ("(?i)pki", "PKI", True), (".", "\n", False), ("ä", "ä", True)],
)
def test_a_pattern_is_matched_against_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    assert compile_pattern(pattern)(text) is matches


def test_a_pattern_takes_time_that_grows_with_the_text_alone() -> None:
    assert compile_pattern("(a+)+b")("a" * 1024) is False


@pytest.mark.parametrize("pattern", ["(", "(?=a)", "(a)\\1", "a{2000}"])
def test_what_is_no_pattern_of_re2_is_refused_and_says_nothing_on_stderr(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_pattern(pattern)
    assert capfd.readouterr() == ("", "")
