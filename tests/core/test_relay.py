"""Alerts that go through the relay that is watched."""

import pytest

from auditor.core.model import Fact, JsonType, MailChannel, State
from auditor.core.relay import relay_warning, uses_audited_relay
from tests.factories import UNSET, snapshot


def channel(host: str) -> MailChannel:
    return MailChannel(name="mail", host=host, port=587, sender="a@corp.example", to=("b@corp.example",))


@pytest.mark.parametrize(
    ("ours", "theirs", "is_same"),
    [
        ("smtp.corp.example", "smtp.corp.example", True),
        ("smtp.corp.example", "SMTP.Corp.Example.", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.7", "0xC0000207", True),
        ("2001:db8::7", "[2001:DB8:0::7]", True),
        ("smtp.corp.example", "smtp2.corp.example", False),
        ("smtp.corp.example", UNSET, False),
        ("smtp.corp.example", Fact(State.ILL_TYPED, 7, JsonType.INTEGER), False),
    ],
)
def test_a_channel_uses_a_relay_that_an_audited_profile_names(ours: str, theirs: object, is_same: bool) -> None:
    assert uses_audited_relay(channel(ours), [snapshot(Host="other.example"), snapshot(Host=theirs)]) is is_same


def test_where_nothing_was_read_nothing_is_used() -> None:
    assert not uses_audited_relay(channel("smtp.corp.example"), [])


def test_the_warning_names_channel_and_relay() -> None:
    assert relay_warning(channel("smtp.corp.example")).startswith("the channel mail sends through smtp.corp.example, which an audited profile sends")
