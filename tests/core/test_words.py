"""Evidence in words."""

from typing import Any

import pytest

from auditor.core.catalogue import DATE, FACTS, INTEGER, TEXT
from auditor.core.model import Fact, JsonType, State
from auditor.core.operators import OPERATORS
from auditor.core.policy import VarRef
from auditor.core.words import leaf_text, literal_text
from tests.core.judging import criterion, facts, lacking, met, value

WORDS: list[tuple[str, str, Any, Fact, str, str]] = [
    ("Port", "equals", 587, value(25), "587, got 25", "anything but 587, got 25"),
    ("Port", "not_equals", 25, value(25), "anything but 25, got 25", "25, got 25"),
    ("Port", "in", (25, 465, 587), value(2525), "25, 465 or 587, got 2525", "none of 25, 465 or 587, got 2525"),
    ("Port", "not_in", (25,), value(25), "none of 25, got 25", "25, got 25"),
    ("Port", "lt", 9, value(9), "less than 9, got 9", "at least 9, got 9"),
    ("Port", "lte", 9, value(10), "at most 9, got 10", "more than 9, got 10"),
    ("Port", "gt", 9, value(9), "more than 9, got 9", "at most 9, got 9"),
    ("Port", "gte", 9, value(8), "at least 9, got 8", "less than 9, got 8"),
    ("Host", "matches", "a+", value("b"), 'text that matches a+, got "b"', 'text that does not match a+, got "b"'),
    ("Host", "not_matches", "a+", value("a"), 'text that does not match a+, got "a"', 'text that matches a+, got "a"'),
    (
        "TokenEndpoint",
        "starts_with",
        "https://",
        value("http://a"),
        'text that starts with "https://", got "http://a"',
        'text that does not start with "https://", got "http://a"',
    ),
    ("SenderName", "ends_with", "I", value("pki"), 'text that ends with "I", got "pki"', 'text that does not end with "I", got "pki"'),
    ("SenderName", "contains", "I", value("pki"), 'one that contains "I", got "pki"', 'one that does not contain "I", got "pki"'),
    ("Scope.tokens", "any_in", ("a", "b"), value(("c",)), 'at least one of "a" or "b", got ["c"]', 'none of "a" or "b", got ["c"]'),
    ("Scope.tokens", "all_in", ("a",), value(("c",)), 'nothing but "a", got ["c"]', 'something other than "a", got ["c"]'),
    ("Host.faults", "none_in", ("port",), value(("port",)), "none of port, got [port]", "at least one of port, got [port]"),
    ("Host", "under", ("a.b",), value("c"), 'a host under "a.b", got "c"', 'a host not under "a.b", got "c"'),
    ("Host", "resembles", ("a.b",), value("c"), 'a look-alike of "a.b", got "c"', 'no look-alike of "a.b", got "c"'),
    ("Host", "format", "fqdn", value("relay"), 'the format fqdn, got "relay"', 'not the format fqdn, got "relay"'),
    (
        "SenderName",
        "length",
        (("gte", 1), ("lte", 2)),
        value("PKI"),
        'a length of at least 1 and at most 2, got "PKI"',
        'a length other than at least 1 and at most 2, got "PKI"',
    ),
    (
        "Host.basic_off_on",
        "days_ahead",
        (("gt", 90),),
        lacking(State.UNSET),
        "a day more than 90 days ahead, got nothing (unset)",
        "a day other than more than 90 days ahead, got nothing (unset)",
    ),
    (
        "Host",
        "same_as",
        "SenderAccount.domain",
        value("a.b"),
        'the same as SenderAccount.domain (not offered), got "a.b"',
        'not the same as SenderAccount.domain (not offered), got "a.b"',
    ),
    ("Host", "set", True, lacking(State.UNSET), "a value, got nothing (unset)", "no value, got nothing (unset)"),
    ("Host", "unset", True, value("a"), 'no value, got "a"', 'a value, got "a"'),
    (
        "Host",
        "offered",
        True,
        lacking(State.NOT_OFFERED),
        "to be offered, got not offered by this source",
        "not to be offered, got not offered by this source",
    ),
    (
        "Host",
        "type",
        "text",
        Fact(State.ILL_TYPED, 5, JsonType.INTEGER),
        "to be sent as text, got integer 5",
        "not to be sent as text, got integer 5",
    ),
]


@pytest.mark.parametrize(("subject", "operator", "operand", "fact", "plain", "negated"), WORDS)
def test_a_leaf_reads_as_a_sentence_negated_or_not(subject: str, operator: str, operand: Any, fact: Fact, plain: str, negated: str) -> None:
    seen = facts(**{subject: fact})
    assert leaf_text(met(criterion(subject, operator, operand), seen)) == f"{subject}: expected {plain}"
    assert leaf_text(met(criterion(subject, operator, operand, negated=True), seen)) == f"{subject}: expected {negated}"


def test_every_operator_has_words() -> None:
    assert {operator for _, operator, *_ in WORDS} == set(OPERATORS)


def test_the_type_is_named_where_another_one_was_sent() -> None:
    leaf = met(criterion("Port", "in", (465, 587)), facts(Port=Fact(State.ILL_TYPED, "587", JsonType.TEXT)))
    assert leaf_text(leaf) == 'Port: expected integer 465 or 587, got text "587"'


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (Fact(State.ILL_TYPED, None, JsonType.LIST), "a list"),
        (Fact(State.ILL_TYPED, None, JsonType.OBJECT), "an object"),
        (Fact(State.ILL_TYPED, True, JsonType.BOOLEAN), "boolean true"),
        (Fact(State.ILL_TYPED, "587.5", JsonType.NUMBER), "number 587.5"),
        (Fact(State.ILL_TYPED, None, JsonType.TEXT, "withheld: it looks like a secret"), "text (withheld: it looks like a secret)"),
        (lacking(State.MISSING), "no such field in the answer"),
        (lacking(State.NOT_OFFERED, "API v1 cannot show this"), "not offered by this source (API v1 cannot show this)"),
        (lacking(State.INCONCLUSIVE, "timeout"), "not learnt (timeout)"),
        (lacking(State.UNSET), "nothing (unset)"),
    ],
)
def test_what_is_absent_is_told_apart_in_words(fact: Fact, words: str) -> None:
    leaf = met(criterion("Port", "equals", 587), facts(Port=fact))
    assert leaf_text(leaf).partition(", got ")[2] == words


def test_an_authentication_type_is_printed_with_its_name() -> None:
    leaf = met(criterion("RelayAuthenticationType", "in", (2, 3)), facts(RelayAuthenticationType=1))
    assert leaf_text(leaf) == "RelayAuthenticationType: expected 2 (Basic) or 3 (OAuth), got 1"


@pytest.mark.parametrize(("subject", "shown"), [("ClientSecret", "pam"), ("Host.provider", "google"), ("response.exposed", ["Host"])])
def test_words_of_an_enumeration_stand_without_quotes(subject: str, shown: Any) -> None:
    assert literal_text(shown, FACTS[subject].type) == (shown if isinstance(shown, str) else "[Host]")


@pytest.mark.parametrize(("it", "words"), [(None, "null"), (True, "true"), (False, "false"), (0, "0"), ("", '""'), ([], "[]")])
def test_plain_values_read_as_json(it: Any, words: str) -> None:
    assert literal_text(it) == words


def test_a_var_that_nobody_has_set_is_named() -> None:
    leaf = met(criterion("SenderName", "equals", VarRef("name")), facts(SenderName="PKI"), name=(TEXT, None))
    assert leaf_text(leaf) == 'SenderName: expected the value of $name, got "PKI" (nobody has set $name)'
    number = met(criterion("SenderName", "length", (("lte", VarRef("most")),)), facts(SenderName="PKI"), most=(INTEGER, None))
    assert leaf_text(number) == 'SenderName: expected a length of at most $most, got "PKI" (nobody has set $most)'


def test_a_var_as_subject_reads_like_a_fact() -> None:
    leaf = met(criterion("$until", "days_ahead", (("gt", 30),), type_=DATE), facts(), until=(DATE, None))
    assert leaf_text(leaf) == "$until: expected a day more than 30 days ahead, got nothing (nobody has set $until)"
