"""What a rule claims, in words."""

from typing import Any

import pytest

from auditor.core.claims import claim_text, condition_lines, condition_text
from auditor.core.operators import OPERATORS
from auditor.core.policy import All, AnyOf, VarRef, negated
from tests.core.judging import criterion

VALUES: dict[str, Any] = {"ports": (465, 587), "none": (), "told": None, "days": 90, "many": ("a", "b", "c", "d", "e")}

CLAIMS: list[tuple[str, str, Any, str, str]] = [
    ("Port", "equals", 587, "Port is 587", "Port is not 587"),
    ("Port", "in", (465, 587), "Port is 465 or 587", "Port is none of 465 or 587"),
    ("Port", "in", VarRef("ports"), "Port is 465 or 587 ($ports)", "Port is none of 465 or 587 ($ports)"),
    ("Port", "in", VarRef("none"), "Port is one of $none (none so far)", "Port is none of $none (none so far)"),
    ("Port", "in", VarRef("told"), "Port is the value of $told", "Port is the value of $told"),
    ("Port", "gte", 25, "Port is at least 25", "Port is less than 25"),
    ("RelayAuthenticationType", "equals", 2, "RelayAuthenticationType is 2 (Basic)", "RelayAuthenticationType is not 2 (Basic)"),
    ("Host", "under", ("a.example",), 'Host is under "a.example"', 'Host is not under "a.example"'),
    ("Host", "under", VarRef("many"), "Host is under $many", "Host is not under $many"),
    ("Host", "format", "fqdn", "Host has the format fqdn", "Host does not have the format fqdn"),
    ("Host", "matches", "a+", "Host matches a+", "Host does not match a+"),
    ("Host", "contains", "a", 'Host contains "a"', 'Host does not contain "a"'),
    ("Host", "set", True, "Host has a value", "Host has no value"),
    ("Host", "unset", True, "Host has no value", "Host has a value"),
    ("Host", "offered", True, "Host is offered", "Host is not offered"),
    ("Port", "type", "integer", "Port is sent as integer", "Port is not sent as integer"),
    ("SenderName", "length", (("lte", 64),), "SenderName has a length of at most 64", "SenderName has a length of more than 64"),
    ("Scope.tokens", "length", (("equals", 0),), "Scope.tokens is empty", "Scope.tokens is not empty"),
    ("Scope.tokens", "all_in", ("a",), 'Scope.tokens has nothing but "a"', 'Scope.tokens has something other than "a"'),
    ("Host.basic_ends_on", "days_ahead", (("lt", 0),), "Host.basic_ends_on is past", "Host.basic_ends_on is not past"),
    (
        "Host.basic_ends_on",
        "days_ahead",
        (("lte", VarRef("days")),),
        "Host.basic_ends_on is at most 90 days ahead ($days)",
        "Host.basic_ends_on is more than 90 days ahead ($days)",
    ),
    (
        "SenderAccount.org_domain",
        "same_as",
        "Host.org_domain",
        "SenderAccount.org_domain is the same as Host.org_domain",
        "SenderAccount.org_domain is not the same as Host.org_domain",
    ),
]


@pytest.mark.parametrize(("subject", "operator", "operand", "said", "denied"), CLAIMS)
def test_a_claim_and_its_negation_are_said_in_words(subject: str, operator: str, operand: Any, said: str, denied: str) -> None:
    assert claim_text(criterion(subject, operator, operand), VALUES) == said
    assert claim_text(criterion(subject, operator, operand, negated=True), VALUES) == denied


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_has_words(operator: str) -> None:
    operand: Any = {"length": (("lt", 2),), "days_ahead": (("lt", 2),), "offered": False, "same_as": "Id"}.get(operator, ("a",))
    assert claim_text(criterion("Port", operator, operand), VALUES).startswith("Port ")


PORT, TLS, NO_PORT = criterion("Port", "equals", 25), criterion("UseSSL", "equals", True), criterion("Port", "unset", True)


def test_a_condition_is_one_sentence_that_does_not_repeat_itself() -> None:
    assert condition_text(All((PORT, TLS)), VALUES) == "Port is 25 and UseSSL is true"
    assert condition_text(AnyOf((PORT, NO_PORT)), VALUES) == "Port is 25 or has no value"
    assert condition_text(All((TLS, AnyOf((PORT, NO_PORT)), PORT)), VALUES) == "UseSSL is true and (Port is 25 or has no value) and Port is 25"
    assert condition_text(All((TLS, All((PORT, NO_PORT)))), VALUES) == "UseSSL is true and Port is 25 and has no value"
    assert condition_text(negated(All((PORT, TLS))), VALUES) == "Port is not 25 or UseSSL is not true"


def test_a_condition_is_an_outline() -> None:
    assert list(condition_lines(PORT, VALUES)) == [(0, "Port is 25")]
    assert list(condition_lines(AnyOf((All((PORT, TLS)), NO_PORT, All((TLS, AnyOf((PORT, NO_PORT)))))), VALUES)) == [
        (0, "at least one of these:"),
        (1, "Port is 25 and UseSSL is true"),
        (1, "Port has no value"),
        (1, "all of these:"),
        (2, "UseSSL is true"),
        (2, "Port is 25 or has no value"),
    ]
