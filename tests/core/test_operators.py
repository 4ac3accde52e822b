"""Each operator against each state, each negation, and the values at its edges."""

from datetime import date
from itertools import product
from typing import Any

import pytest

from auditor.core.catalogue import DATE, FACTS, HOST, INTEGER, TEXT, Kind, Type
from auditor.core.model import Fact, JsonType, Leaf, Level, State
from auditor.core.operators import OPERATORS, PRESENCE, Takes
from auditor.core.policy import VarRef, negated
from tests.core.judging import ABSENT, FALSE, TRUE, UNSEEN, criterion, facts, judged, lacking, level, met, rule, value

OPPOSITE = {TRUE: FALSE, FALSE: TRUE, ABSENT: ABSENT, UNSEEN: UNSEEN}

HOLDING: dict[str, tuple[str, Any, Any, Any]] = {
    # operator: subject, operand, a value for which it holds, one for which it does not
    "equals": ("Port", 587, 587, 25),
    "not_equals": ("Port", 587, 25, 587),
    "in": ("Port", (465, 587), 465, 25),
    "not_in": ("Port", (465, 587), 25, 465),
    "lt": ("Port", 100, 99, 100),
    "lte": ("Port", 100, 100, 101),
    "gt": ("Port", 100, 101, 100),
    "gte": ("Port", 100, 100, 99),
    "matches": ("SenderName", "[A-Z]+", "PKI", "pki"),
    "not_matches": ("SenderName", "[A-Z]+", "pki", "PKI"),
    "starts_with": ("TokenEndpoint", "https://", "https://a.b/", "http://a.b/"),
    "ends_with": ("SenderAccount", "@corp.example", "a@corp.example", "a@evil.example"),
    "contains": ("Host", "smtp", "a.smtp.example", "mail.example"),
    "any_in": ("Scope.tokens", ("a", "b"), ("x", "b"), ("x", "y")),
    "all_in": ("Scope.tokens", ("a", "b"), ("a", "b"), ("a", "x")),
    "none_in": ("Scope.tokens", ("a", "b"), ("x",), ("x", "a")),
    "under": ("Host", ("corp.example",), "smtp.corp.example", "smtp.evilcorp.example"),
    "resembles": ("Host", ("corp.example",), "c0rp.example", "other.test"),
    "format": ("Host", "fqdn", "smtp.corp.example", "smtp"),
    "length": ("SenderName", (("lte", 3),), "PKI", "PKIs"),
    "days_ahead": ("server.cert.valid_through", (("gte", 30),), date(2026, 7, 1), date(2026, 6, 30)),
    "same_as": ("Host", "SenderAccount.domain", "corp.example", "evil.example"),
}
WITHOUT_A_VALUE = {
    State.UNSET: ABSENT,
    State.MISSING: ABSENT,
    State.ILL_TYPED: ABSENT,
    State.NOT_OFFERED: UNSEEN,
    State.INCONCLUSIVE: UNSEEN,
}


def seen(subject: str, fact: Fact) -> dict[str, Fact]:
    return facts(**{subject: fact, "SenderAccount.domain": value("corp.example")})


def test_every_operator_is_tried_here() -> None:
    assert {*HOLDING, *PRESENCE} == set(OPERATORS)


@pytest.mark.parametrize("name", HOLDING)
def test_an_operator_decides_about_a_value(name: str) -> None:
    subject, operand, good, bad = HOLDING[name]
    asked = criterion(subject, name, operand)
    assert [level(asked, seen(subject, value(it))) for it in (good, bad)] == [TRUE, FALSE]


@pytest.mark.parametrize(
    ("subject", "operator", "operand", "good", "bad"),
    [
        ("UseSSL", "equals", True, True, False),
        ("UseSSL", "equals", False, False, True),
        ("UseSSL", "not_equals", False, True, False),
        ("server.cert.valid_through", "equals", date(2026, 7, 1), date(2026, 7, 1), date(2026, 7, 2)),
        ("server.cert.valid_through", "in", (date(2026, 7, 1),), date(2026, 7, 1), date(2026, 7, 2)),
    ],
)
def test_booleans_and_days_are_values_like_any_other(subject: str, operator: str, operand: Any, good: Any, bad: Any) -> None:
    asked = criterion(subject, operator, operand)
    assert [level(asked, seen(subject, value(it))) for it in (good, bad)] == [TRUE, FALSE]
    assert [level(negated(asked), seen(subject, value(it))) for it in (good, bad)] == [FALSE, TRUE]


@pytest.mark.parametrize("name", HOLDING)
def test_a_negation_exchanges_true_and_false(name: str) -> None:
    subject, operand, good, bad = HOLDING[name]
    asked = negated(criterion(subject, name, operand))
    assert [level(asked, seen(subject, value(it))) for it in (good, bad)] == [FALSE, TRUE]
    assert negated(asked) == criterion(subject, name, operand)


@pytest.mark.parametrize(("name", "state", "is_negated"), list(product(HOLDING, WITHOUT_A_VALUE, (False, True))))
def test_without_a_value_an_operator_is_absent_or_unseen_negated_or_not(name: str, state: State, is_negated: bool) -> None:
    subject, operand, good, _ = HOLDING[name]
    ill_typed = Fact(state, good if state is State.ILL_TYPED else None)
    assert level(criterion(subject, name, operand, negated=is_negated), seen(subject, ill_typed)) is WITHOUT_A_VALUE[state]


PRESENT: dict[tuple[str, Any], dict[State, Level]] = {
    ("set", True): {
        State.UNSET: FALSE,
        **{state: WITHOUT_A_VALUE[state] for state in WITHOUT_A_VALUE if state is not State.UNSET},
        State.VALUE: TRUE,
    },
    ("unset", True): {
        State.UNSET: TRUE,
        **{state: WITHOUT_A_VALUE[state] for state in WITHOUT_A_VALUE if state is not State.UNSET},
        State.VALUE: FALSE,
    },
    ("offered", True): {**dict.fromkeys(State, TRUE), State.NOT_OFFERED: FALSE, State.INCONCLUSIVE: UNSEEN},
    ("offered", False): {**dict.fromkeys(State, FALSE), State.NOT_OFFERED: TRUE, State.INCONCLUSIVE: UNSEEN},
}


@pytest.mark.parametrize(("asked", "state", "is_negated"), list(product(PRESENT, State, (False, True))))
def test_presence_is_decided_by_the_state(asked: tuple[str, Any], state: State, is_negated: bool) -> None:
    expected = PRESENT[asked][state]
    fact = Fact(state, "x" if state is State.VALUE else None)
    assert level(criterion("SenderName", *asked, negated=is_negated), facts(SenderName=fact)) is (OPPOSITE[expected] if is_negated else expected)


def test_an_empty_list_is_offered_and_not_set() -> None:
    empty = facts(RequestHeaders=())
    assert [level(criterion("RequestHeaders", name, True), empty) for name in ("set", "unset", "offered")] == [FALSE, TRUE, TRUE]


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (value(587, JsonType.INTEGER), TRUE),
        (Fact(State.ILL_TYPED, "587", JsonType.TEXT), FALSE),
        (Fact(State.UNSET, sent=JsonType.NULL), FALSE),
        (value(587), ABSENT),  # worked out from something else
        (Fact(State.UNSET), ABSENT),  # no profile is configured: nothing was sent
        (lacking(State.MISSING), ABSENT),
        (lacking(State.NOT_OFFERED), UNSEEN),
        (lacking(State.INCONCLUSIVE), UNSEEN),
    ],
)
def test_type_decides_on_what_was_sent(fact: Fact, expected: Level) -> None:
    asked = criterion("Port", "type", "integer")
    assert [level(asked, facts(Port=fact)), level(negated(asked), facts(Port=fact))] == [expected, OPPOSITE[expected]]


# --- equality -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "expected", "sent", "is_equal"),
    [
        ("Host", "smtp.corp.example", "SMTP.Corp.Example.", True),
        ("Host", "xn--mnchen-3ya.de", "münchen.de", True),
        ("Host", "smtp.corp.example", "smtp.corp.example..", False),
        ("Host", "smtp.corp.example", " smtp.corp.example", False),
        ("SenderAccount", "pki@corp.example", "PKI@Corp.Example", True),
        ("SenderAccount", "pki@corp.example", "PKI <pki@corp.example>", False),
        ("TokenEndpoint", "https://a.example/", "HTTPS://A.example:443", True),
        ("TokenEndpoint", "https://a.example/t", "https://a.example/T", False),
        ("Host", "a b", "a b", True),  # no host name: equal as written, and only then
        ("Host", "a b", "A b", False),
        ("SenderAccount", "pki@xn--mnchen-3ya.de", "PKI@münchen.de", True),
        ("SenderAccount", "pki", "PKI", False),
        ("TokenEndpoint", "/token", "/token", True),
        ("TokenEndpoint", "/token", "/other", False),
        ("SenderName", "PKI", "pki", False),
        ("SenderName", "PKI", "PKI ", False),
    ],
)
def test_two_values_are_equal_as_their_type_says(subject: str, expected: str, sent: str, is_equal: bool) -> None:
    wanted = TRUE if is_equal else FALSE
    assert level(criterion(subject, "equals", expected), facts(**{subject: sent})) is wanted
    assert level(criterion(subject, "in", ("x.test", expected)), facts(**{subject: sent})) is wanted


def test_same_as_compares_in_the_form_of_the_type() -> None:
    asked = criterion("SenderAccount", "same_as", "SenderAddress")
    assert level(asked, facts(SenderAccount="PKI@corp.example", SenderAddress="pki@CORP.example")) is TRUE


@pytest.mark.parametrize(("ours", "theirs"), list(product(WITHOUT_A_VALUE, WITHOUT_A_VALUE)))
def test_same_as_takes_the_lowest_state_of_the_two(ours: State, theirs: State) -> None:
    asked = criterion("SenderAccount", "same_as", "SenderAddress")
    both = [WITHOUT_A_VALUE[ours], WITHOUT_A_VALUE[theirs]]
    assert level(asked, facts(SenderAccount=lacking(ours), SenderAddress=lacking(theirs))) is min(both)
    assert level(asked, facts(SenderAccount="a@b.example", SenderAddress=lacking(theirs))) is both[1]
    assert level(negated(asked), facts(SenderAccount=lacking(ours), SenderAddress="a@b.example")) is both[0]


# --- single operators ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "is_under"),
    [("corp.example", True), ("A.CORP.example.", True), ("evilcorp.example", False), ("corp.example.evil.test", False), ("a_b.corp.example", True)],
)
def test_under_is_a_domain_and_all_below_it(host: str, is_under: bool) -> None:
    assert level(criterion("Host", "under", ("corp.example",)), facts(Host=host)) is (TRUE if is_under else FALSE)


@pytest.mark.parametrize(
    ("host", "looks_alike"),
    [
        ("smtp.corp.example", False),  # it is the approved one
        ("SMTP.corp.example.", False),
        ("relay.corp.example", False),  # below the approved organisation
        ("smtp.c0rp.example", True),
        ("smtp.соrp.example", True),  # Cyrillic s and o
        ("mail.corpp.example", True),  # its organisational domain does
        ("other.test", False),
    ],
)
def test_resembles_finds_look_alikes_and_not_the_approved_ones(host: str, looks_alike: bool) -> None:
    asked = criterion("Host", "resembles", ("smtp.corp.example", "corp.example"))
    assert level(asked, facts(Host=host)) is (TRUE if looks_alike else FALSE)


@pytest.mark.parametrize(
    ("approved", "host", "looks_alike"),
    [
        (("smtp.corp.example",), "smtp.c0rp.example", True),  # itself, and not its organisational domain
        (("corp.example", "c0rp.example"), "corp.example", False),  # approved, though it looks like another that is
        (("localhost",), "mailhub", False),  # has no organisational domain
        (("localhost",), "loca1host", True),
    ],
)
def test_a_host_and_its_organisational_domain_can_each_be_a_look_alike(approved: tuple[str, ...], host: str, looks_alike: bool) -> None:
    assert level(criterion("Host", "resembles", approved), facts(Host=host)) is (TRUE if looks_alike else FALSE)


def test_members_of_a_list_are_equal_as_their_type_says() -> None:
    hosts = {"hosts": (HOST.listed, ("München.de", "a.example"))}
    asked = dict.fromkeys(("any_in", "all_in", "none_in"), ("xn--mnchen-3ya.de",)) | {"contains": "xn--mnchen-3ya.de"}
    assert {name: level(criterion("$hosts", name, operand, type_=HOST.listed), facts(), **hosts) for name, operand in asked.items()} == {
        "any_in": TRUE,
        "all_in": FALSE,
        "none_in": FALSE,
        "contains": TRUE,
    }


def test_nothing_but_of_an_empty_list_is_absent_since_nothing_was_shown() -> None:
    empty = facts(**{"Scope.tokens": ()})
    assert {name: level(criterion("Scope.tokens", name, ("a",)), empty) for name in ("any_in", "all_in", "none_in")} == {
        "any_in": FALSE,
        "all_in": ABSENT,
        "none_in": TRUE,
    }
    assert level(criterion("Scope.tokens", "all_in", ("a",), negated=True), empty) is ABSENT


def test_a_list_contains_its_members_and_not_their_parts() -> None:
    seen_ = facts(**{"target.labels": ("env=prod", "site=a")})
    assert [level(criterion("target.labels", "contains", it), seen_) for it in ("env=prod", "env")] == [TRUE, FALSE]


@pytest.mark.parametrize(("length", "expected"), [(1024, TRUE), (1025, ABSENT)])
def test_a_pattern_is_tried_on_1024_characters_at_most(length: int, expected: Level) -> None:
    long = facts(SenderName="a" * length)
    assert level(criterion("SenderName", "matches", "a+"), long) is expected
    assert level(criterion("SenderName", "not_matches", "b+"), long) is expected


def test_a_pattern_matches_the_whole_text() -> None:
    assert level(criterion("SenderName", "matches", "PKI"), facts(SenderName="PKI!")) is FALSE


@pytest.mark.parametrize(
    ("bounds", "length", "holds"),
    [
        ((("equals", 2),), 2, True),
        ((("equals", 2),), 3, False),
        ((("gte", 1), ("lt", 3)), 2, True),
        ((("gte", 1), ("lt", 3)), 3, False),
        ((("gt", 2),), 2, False),
    ],
)
def test_a_number_test_holds_where_every_bound_does(bounds: tuple[tuple[str, int], ...], length: int, holds: bool) -> None:
    wanted = TRUE if holds else FALSE
    assert level(criterion("SenderName", "length", bounds), facts(SenderName="ä" * length)) is wanted
    assert level(criterion("Scope.tokens", "length", bounds), facts(**{"Scope.tokens": ("ab",) * length})) is wanted


@pytest.mark.parametrize(("day", "holds"), [(date(2026, 5, 31), True), (date(2026, 6, 1), False), (date(2026, 6, 2), False)])
def test_days_ahead_counts_from_the_day_of_the_observation_and_the_past_is_negative(day: date, holds: bool) -> None:
    asked = criterion("Host.basic_ends_on", "days_ahead", (("lt", 0),))
    assert level(asked, facts(**{"Host.basic_ends_on": day}), as_of=date(2026, 6, 1)) is (TRUE if holds else FALSE)


@pytest.mark.parametrize(
    ("subject", "wrong"), [("Port", "587"), ("Port", True), ("UseSSL", 1), ("Host", 5), ("Scope.tokens", "openid"), ("Scope.tokens", ["a"])]
)
def test_a_value_of_another_type_is_a_fault_of_ours_and_no_answer(subject: str, wrong: Any) -> None:
    operator, operand = ("length", (("gte", 0),)) if FACTS[subject].type.many else ("equals", FACTS[subject].example)
    finding = judged(rule(criterion(subject, operator, operand)), facts(**{subject: wrong}))
    assert (finding.outcome.value, finding.detail) == ("error", "TypeError")


# --- vars ---------------------------------------------------------------------------------------------------------


def test_a_var_stands_for_its_value() -> None:
    asked = criterion("Port", "in", VarRef("ports"))
    leaf = met(asked, facts(Port=25), ports=(INTEGER.listed, (465, 587)))
    assert (leaf.level, leaf.var, leaf.expected) == (FALSE, "ports", [465, 587])


def test_a_list_that_is_empty_so_far_allows_nothing_and_is_not_set() -> None:
    nothing = {"hosts": (HOST.listed, ())}
    assert level(criterion("Host", "in", VarRef("hosts")), facts(Host="a.example"), **nothing) is FALSE
    assert level(criterion("$hosts", "set", True, type_=HOST.listed), facts(), **nothing) is FALSE


@pytest.mark.parametrize(
    ("fact", "expected"),
    [(value("x"), UNSEEN), (lacking(State.MISSING), ABSENT), (lacking(State.UNSET), ABSENT), (lacking(State.INCONCLUSIVE), UNSEEN)],
)
def test_beside_an_operand_that_nobody_has_set_a_fact_is_unseen_at_best(fact: Fact, expected: Level) -> None:
    asked = criterion("SenderName", "equals", VarRef("name"))
    assert [level(it, facts(SenderName=fact), name=(TEXT, None)) for it in (asked, negated(asked))] == [expected, expected]


def test_a_number_test_with_a_bound_that_nobody_has_set_is_unseen() -> None:
    asked = criterion("SenderName", "length", (("gte", 1), ("lte", VarRef("most"))))
    leaf = met(asked, facts(SenderName="PKI"), most=(INTEGER, None))
    assert (leaf.level, leaf.expected, leaf.var, leaf.reason) == (UNSEEN, {"gte": 1, "lte": None}, "most", "nobody has set $most")


def test_a_leaf_names_every_var_beside_it_and_the_first_that_nobody_has_set() -> None:
    asked = criterion("SenderName", "length", (("gte", VarRef("least")), ("lt", VarRef("most")), ("lte", VarRef("limit"))))
    leaf = met(asked, facts(SenderName="PKI"), least=(INTEGER, 1), most=(INTEGER, None), limit=(INTEGER, None))
    assert (leaf.var, leaf.expected, leaf.reason) == ("least, most, limit", {"gte": 1, "lt": None, "lte": None}, "nobody has set $most")


def test_a_leaf_about_a_var_that_nobody_has_set_says_so() -> None:
    leaf = met(criterion("$name", "equals", "x", type_=TEXT), facts(), name=(TEXT, None))
    assert (leaf.fact, leaf.state, leaf.actual, leaf.reason) == ("$name", State.UNSET, None, "nobody has set $name")


@pytest.mark.parametrize(("operator", "expected"), [("set", FALSE), ("unset", TRUE), ("equals", UNSEEN)])
def test_a_var_that_nobody_has_set_is_unset_to_who_asks_and_unseen_to_any_other_operator(operator: str, expected: Level) -> None:
    operand = True if operator != "equals" else "x"
    assert level(criterion("$name", operator, operand, type_=TEXT), facts(), name=(TEXT, None)) is expected


def test_a_var_as_subject_takes_the_operators_of_its_type() -> None:
    asked = criterion("$until", "days_ahead", (("gt", 30),), type_=DATE)
    assert [level(asked, facts(), as_of=date(2026, 6, 1), until=(DATE, day)) for day in (date(2026, 7, 1), date(2026, 7, 2))] == [FALSE, TRUE]
    same = criterion("$relay", "same_as", "Host", type_=HOST)
    assert level(same, facts(Host="SMTP.corp.example"), relay=(HOST, "smtp.corp.example")) is TRUE
    assert level(same, facts(Host="SMTP.corp.example"), relay=(HOST, None)) is UNSEEN


# --- evidence -----------------------------------------------------------------------------------------------------


def test_a_leaf_says_what_was_expected_and_what_was_found() -> None:
    assert met(
        criterion("Port", "in", VarRef("ports")), facts(Port=Fact(State.ILL_TYPED, "587", JsonType.TEXT)), ports=(INTEGER.listed, (465, 587))
    ) == Leaf(
        at="require/Port/in",
        fact="Port",
        operator="in",
        expected=[465, 587],
        level=ABSENT,
        state=State.ILL_TYPED,
        var="ports",
        actual="587",
        sent=JsonType.TEXT,
    )


def test_beside_another_fact_the_leaf_shows_that_fact() -> None:
    leaf = met(criterion("Host", "same_as", "SenderAccount.domain"), facts(Host="a.example", SenderAccount__domain=lacking(State.UNSET)))
    assert leaf.expected == {"fact": "SenderAccount.domain", "state": "unset", "value": None}


@pytest.mark.parametrize(
    ("subject", "fact", "shown"),
    [
        ("SenderName", value("x" * 300), "x" * 200),
        ("Scope.tokens", value(("a", "x" * 300)), ["a", "x" * 200]),
        ("server.cert.valid_through", value(date(2026, 1, 2)), "2026-01-02"),
        ("ClientSecret", value("pam"), "pam"),
        ("SenderAccount", Fact(State.ILL_TYPED, None, JsonType.LIST), "list"),
        ("SenderAccount", Fact(State.ILL_TYPED, None, JsonType.OBJECT), "object"),
        ("ClientSecret", Fact(State.UNSET, sent=JsonType.OBJECT), None),
        ("Port", Fact(State.ILL_TYPED, "587.5", JsonType.NUMBER), "587.5"),
        ("Host", Fact(State.ILL_TYPED, None, JsonType.TEXT, "withheld"), None),
        ("Host", lacking(State.MISSING), None),
    ],
)
def test_what_was_found_is_shown_as_json_and_cut(subject: str, fact: Fact, shown: Any) -> None:
    assert met(criterion(subject, "set", True), facts(**{subject: fact})).actual == shown


def test_a_leaf_is_json_and_comes_back_the_same() -> None:
    leaf = met(criterion("server.cert.valid_through", "days_ahead", (("gt", 3),)), facts(server__cert__valid_through=date(2026, 6, 2)))
    assert Leaf.from_document(leaf.document()) == leaf
    assert leaf.document()["expected"] == {"gt": 3}


# --- what fits what -----------------------------------------------------------------------------------------------

FITTING = {
    "boolean": {"equals", "not_equals", "same_as"},
    "integer": {"equals", "not_equals", "same_as", "in", "not_in", "lt", "lte", "gt", "gte"},
    "text": {"equals", "not_equals", "same_as", "in", "not_in", "matches", "not_matches", "starts_with", "ends_with", "contains", "format", "length"},
    "host": {"equals", "not_equals", "same_as", "in", "not_in", "matches", "not_matches", "contains", "format", "under", "resembles"},
    "email": {"equals", "not_equals", "same_as", "in", "not_in", "matches", "not_matches", "starts_with", "ends_with", "contains", "format"},
    "url": {"equals", "not_equals", "same_as", "in", "not_in", "matches", "not_matches", "starts_with", "ends_with", "contains", "format"},
    "date": {"equals", "not_equals", "same_as", "in", "not_in", "days_ahead"},
    "word": {"equals", "not_equals", "same_as", "in", "not_in"},
    "secret": {"equals", "not_equals", "same_as", "in", "not_in"},
    "pattern": set(),
}


@pytest.mark.parametrize("kind", FITTING)
def test_each_operator_fits_the_types_that_the_language_names(kind: str) -> None:
    fitting = {name for name, operator in OPERATORS.items() if operator.fits(Type(Kind(kind)))}
    assert fitting - set(PRESENCE) == FITTING[kind]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.PATTERN, Kind.HEADER)])
def test_lists_have_operators_of_their_own(kind: Kind) -> None:
    fitting = {name for name, operator in OPERATORS.items() if operator.fits(Type(kind, many=True))}
    assert fitting - set(PRESENCE) == {"contains", "any_in", "all_in", "none_in", "length"}


def test_a_list_of_headers_takes_length_and_presence_alone() -> None:
    fitting = {name for name, operator in OPERATORS.items() if operator.fits(FACTS["RequestHeaders"].type)}
    assert fitting == {"length", *PRESENCE}


OPERAND_TYPES: dict[str, tuple[Type, Type | None]] = {
    # operator: type of the subject, type of the operand, None where that is no type of the language
    **dict.fromkeys(("equals", "not_equals"), (HOST, HOST)),
    **dict.fromkeys(("in", "not_in", "under", "resembles"), (HOST, HOST.listed)),
    **dict.fromkeys(("any_in", "all_in", "none_in"), (HOST.listed, HOST.listed)),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), (INTEGER, INTEGER)),
    **dict.fromkeys(("matches", "not_matches"), (HOST, Type(Kind.PATTERN))),
    **dict.fromkeys(("starts_with", "ends_with"), (FACTS["TokenEndpoint"].type, TEXT)),
    "contains": (HOST, TEXT),
    "length": (TEXT, INTEGER),
    "days_ahead": (DATE, INTEGER),
    **dict.fromkeys(("format", "same_as", *PRESENCE), (HOST, None)),
}


def test_an_operand_has_the_type_that_goes_with_the_subject() -> None:
    assert {name: (subject, OPERATORS[name].operand_type(subject)) for name, (subject, _) in OPERAND_TYPES.items()} == OPERAND_TYPES
    assert set(OPERAND_TYPES) == set(OPERATORS)
    assert OPERATORS["contains"].operand_type(HOST.listed) == HOST


TAKEN = {
    Takes.VALUE: {"equals", "not_equals"},
    Takes.LIST: {"in", "not_in", "any_in", "all_in", "none_in", "under", "resembles"},
    Takes.MEMBER: {"contains"},
    Takes.INTEGER: {"lt", "lte", "gt", "gte"},
    Takes.TEXT: {"starts_with", "ends_with"},
    Takes.PATTERN: {"matches", "not_matches"},
    Takes.FORMAT: {"format"},
    Takes.NUMBERS: {"length", "days_ahead"},
    Takes.FACT: {"same_as"},
    Takes.JSON_TYPE: {"type"},
    Takes.TRUE: {"set", "unset"},
    Takes.FLAG: {"offered"},
}


def test_each_operator_takes_what_the_language_says() -> None:
    assert {takes: {name for name, operator in OPERATORS.items() if operator.takes is takes} for takes in Takes} == TAKEN


def test_what_decides_on_a_value_says_how() -> None:
    special = {Takes.TRUE, Takes.FLAG, Takes.FACT, Takes.JSON_TYPE}
    without = {name for name, operator in OPERATORS.items() if operator.decides is None and operator.negates is None}
    assert without == {name for name, operator in OPERATORS.items() if operator.takes in special and operator.negates is None} | {"days_ahead"}
