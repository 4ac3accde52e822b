"""The fact catalogue is whole, and each fact has an example of its type."""

import pytest

from auditor.core.assess import READING_FACTS
from auditor.core.catalogue import FACTS, INTEGER, SECRET_STATES, TEXT, Entry, Group, Kind, Type
from auditor.core.derived import DERIVED
from auditor.core.direction import DOWNGRADES, REDIRECTIONS
from auditor.core.formats import FORMATS
from auditor.core.model import PROFILE_FIELDS, Shape


def named(group: Group) -> list[str]:
    return [entry.name for entry in FACTS.values() if entry.group is group]


def test_every_profile_field_is_a_fact_in_the_order_in_which_people_read_them() -> None:
    assert tuple(named(Group.PROFILE)) == PROFILE_FIELDS


def test_every_fact_that_is_fixed_while_reading_is_in_the_catalogue() -> None:
    assert set(named(Group.READING)) == set(READING_FACTS)


def test_the_derived_facts_are_those_that_are_derived() -> None:
    assert set(named(Group.DERIVED)) == set(DERIVED)


def test_each_profile_field_has_an_approved_value_of_the_same_type() -> None:
    assert all(FACTS[f"baseline.{name}"].type == FACTS[name].type for name in PROFILE_FIELDS)


def test_the_words_of_drift_are_those_that_drift_finds() -> None:
    assert set(DOWNGRADES) <= set(FACTS["drift.downgrades"].type.members)
    assert set(REDIRECTIONS) == set(FACTS["drift.redirections"].type.members)


def test_the_shapes_are_those_of_the_api() -> None:
    assert FACTS["api.shape"].type.members == tuple(Shape)


def test_authentication_types_go_by_name() -> None:
    assert FACTS["RelayAuthenticationType"].type_text == "integer (Anonymous 0, Basic 2, OAuth 3)"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Port", "integer"),
        ("Scope.tokens", "[text]"),
        ("RelayPassword.vault", "external | command"),
        ("domain.dnssec.bogus", "[host | sender | token_endpoint]"),
    ],
)
def test_a_type_is_written_as_the_documentation_writes_it(name: str, text: str) -> None:
    assert FACTS[name].type_text == text


@pytest.mark.parametrize("entry", list(FACTS.values()), ids=lambda entry: entry.name)
def test_each_fact_says_what_it_is_and_has_an_example_of_its_type(entry: Entry) -> None:
    assert entry.about
    assert not entry.about.endswith(".")
    examples = entry.example if entry.type.many else [entry.example]
    assert isinstance(examples, list)
    for example in examples:
        assert is_of(entry.type.one, example), example


def is_of(type_: Type, example: object) -> bool:
    match type_.kind:
        case Kind.BOOLEAN:
            return isinstance(example, bool)
        case Kind.INTEGER:
            return example in dict(type_.names) if type_.names else type(example) is int
        case Kind.WORD:
            return example in type_.members
        case Kind.SECRET:
            return example in SECRET_STATES
        case Kind.HOST:
            return isinstance(example, str) and FORMATS["hostname"](example)
        case Kind.EMAIL | Kind.URL as kind:
            return isinstance(example, str) and FORMATS[kind.value](example)
        case Kind.FIELD | Kind.FACT:
            return example in FACTS
        case _:
            return isinstance(example, str)


def test_an_alias_makes_no_type_of_its_own() -> None:
    assert FACTS["RelayAuthenticationType"].type.same(INTEGER)
    assert not INTEGER.same(TEXT)
    assert not INTEGER.same(INTEGER.listed)
    assert not FACTS["Host.provider"].type.same(FACTS["TokenEndpoint.idp"].type)
