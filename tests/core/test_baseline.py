"""Approved values: which are in force, what deviates from them, and what a policy can ask about it."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from auditor.core.assess import facts_of
from auditor.core.baseline import Deviation, Stand, approvable, baseline, deviations, facts_of_baseline, is_in_force, known_at, stands, text_fault
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import (
    PROFILE_FIELDS,
    Approval,
    Fact,
    HeaderSeen,
    JsonType,
    ProfileField,
    ReadOutcome,
    Revocation,
    SecretPlace,
    Shape,
    Snapshot,
    State,
)
from tests.factories import AT, KEY, MISSING, NOT_OFFERED, UNSET, observation, snapshot

DAY = timedelta(days=1)
OTHER_KEY = FingerprintKey(b"o" * 32)


def approval(field: str, seen: Snapshot, *, at: datetime = AT, **others: Any) -> Approval:
    """The approval of what `seen` says of `field`."""
    value = approvable(field, seen)
    assert isinstance(value, ProfileField)
    return Approval(**{"target": "prod", "field": field, "value": value, "by": "Ada", "reason": "moved", "approved_at": at} | others)


def differing(seen: Snapshot, *approvals: Approval, at: datetime = AT) -> list[str]:
    return [deviation.field for deviation in deviations(seen, baseline(approvals, at))]


def test_cipp_6187_an_accepted_deviation_is_still_watched_against_the_accepted_value() -> None:
    """https://github.com/KelvinTegelaar/CIPP/issues/6187: accepting one value must not switch the check off."""
    original = approval("Port", snapshot(Port=465), at=AT - DAY)
    assert differing(snapshot(Port=465), original) == []
    assert differing(snapshot(Port=25), original) == ["Port"]
    accepted = approval("Port", snapshot(Port=25), ticket="CHG-7")
    assert differing(snapshot(Port=25), original, accepted) == []
    (moved,) = deviations(snapshot(Port=2525), baseline([original, accepted], AT))
    assert moved == Deviation(approval=accepted, seen="2525")
    assert (moved.field, moved.approved) == ("Port", "25")
    assert differing(snapshot(Port=465), original, accepted) == ["Port"]  # a return to the one before is a deviation, too


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (AT - timedelta(microseconds=1), False),
        (AT, True),
        (datetime(2028, 2, 29, 0, 0, tzinfo=UTC), True),
        (datetime(2028, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), True),
        (datetime(2028, 3, 1, 0, 0, tzinfo=UTC), False),
        (datetime.fromisoformat("2028-03-01T00:59:00+01:00"), True),
        (datetime.fromisoformat("2028-02-29T23:30:00-01:00"), False),
    ],
)
def test_an_approval_holds_from_when_it_was_given_through_its_last_day_in_utc(at: datetime, holds: bool) -> None:
    assert is_in_force(approval("Port", snapshot(), expires=date(2028, 2, 29)), at) is holds


@pytest.mark.platform_only
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process can be changed on POSIX alone")
@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-14"])
def test_the_zone_of_the_machine_changes_nothing(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, end = approval("Port", snapshot(), expires=date(2028, 2, 29)), datetime(2028, 3, 1, tzinfo=UTC)
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        holds = [is_in_force(given, at) for at in (end - timedelta(microseconds=1), end)]
    time.tzset()
    assert holds == [True, False]


def test_when_a_passing_approval_ends_or_is_revoked_the_one_before_is_in_force_again() -> None:
    lasting = approval("Port", snapshot(Port=465))
    passing = approval("Port", snapshot(Port=25), at=AT + DAY, expires=(AT + 2 * DAY).date())
    revoked = approval("Port", snapshot(Port=26), at=AT + DAY, revoked=Revocation(by="Eve", reason="wrong", at=AT + 2 * DAY))
    assert [baseline([lasting, passing], AT + n * DAY)["Port"] for n in range(4)] == [lasting, passing, passing, lasting]
    assert [baseline([revoked, lasting], AT + n * DAY)["Port"] for n in range(3)] == [lasting, revoked, lasting]
    assert differing(snapshot(Port=465), passing, lasting, at=AT + 3 * DAY) == []


def test_of_two_approvals_of_one_instant_the_one_recorded_last_counts_and_an_older_one_never_does() -> None:
    one, two, older = (approval("Port", snapshot(Port=port)) for port in (1, 2, 3))
    assert baseline([one, two, replace(older, approved_at=AT - DAY)], AT) == {"Port": two}
    assert baseline([], AT) == {}


def test_the_baseline_is_in_reading_order() -> None:
    given = [approval(name, snapshot()) for name in ("UseSSL", "Port", "Host")]
    assert list(baseline(given, AT)) == ["Host", "Port", "UseSSL"]


@pytest.mark.parametrize(
    ("field", "approved", "seen", "differs"),
    [
        ("Host", "SMTP.corp.example.", "smtp.corp.example", False),
        ("Host", "smtp.corp.example", "smtp.c0rp.example", True),
        ("Scope", "a b", "b a", False),
        ("Scope", "a b", "a", True),
        ("SenderAccount", "PKI@corp.example", "pki@corp.example", False),
        ("SenderName", "PKI", "pki", True),
        ("Audience", UNSET, Fact(State.UNSET, sent=JsonType.TEXT), False),
        ("Audience", UNSET, "x", True),
        ("Audience", "x", UNSET, True),
        ("Port", 587, MISSING, True),
        ("Port", 587, Fact(State.ILL_TYPED, "587", JsonType.TEXT), True),
        ("UseSSL", True, 1, True),
        ("ClientId", "stored", "pam", True),
        ("ClientId", "stored", "exposed", True),
    ],
)
def test_values_are_compared_as_drift_compares_them(field: str, approved: object, seen: object, differs: bool) -> None:
    assert differing(snapshot(**{field: seen}), approval(field, snapshot(**{field: approved}))) == ([field] if differs else [])


def headers(*pairs: tuple[str, str], key: FingerprintKey = KEY) -> Snapshot:
    seen = tuple(HeaderSeen(name=name, kind="plain", length="1-16", fingerprint=key.of("h", value)) for name, value in pairs)
    return snapshot(RequestHeaders=tuple(name for name, _ in pairs), others={"headers": seen})


def test_request_headers_are_approved_without_order_and_with_their_values() -> None:
    given = approval("RequestHeaders", headers(("A", "1"), ("B", "2")))
    assert differing(headers(("b", "2"), ("a", "1")), given) == []
    assert differing(headers(("A", "1"), ("B", "3")), given) == ["RequestHeaders"]
    assert stands(headers(("A", "1"), ("B", "2"), key=OTHER_KEY), baseline([given], AT)) == {"RequestHeaders": Stand.NOT_COMPARABLE}


def kept(provider: int | None = 1, number: str = "2001", key: FingerprintKey = KEY, **others: Any) -> Snapshot:
    place = SecretPlace(provider=provider, parameters=(("SecretId", key.of("ClientSecret.SecretId", number)),), **others)
    return snapshot(ClientSecret="pam", others={"secrets": {"ClientSecret": place}})


@pytest.mark.parametrize(
    ("seen", "stand"),
    [
        (kept(), Stand.HOLDS),
        (kept(provider=2), Stand.DIFFERS),
        (kept(number="2002"), Stand.DIFFERS),
        (kept(number="2002", key=OTHER_KEY), Stand.NOT_COMPARABLE),
        (snapshot(ClientSecret="pam", others={"secrets": {"ClientSecret": SecretPlace(undisclosed=True)}}), Stand.NOT_SHOWN),
        (snapshot(ClientSecret="pam", others={"secrets": {}}), Stand.NOT_SHOWN),
        (snapshot(ClientSecret="stored"), Stand.DIFFERS),
        (snapshot(ClientSecret=NOT_OFFERED), Stand.NOT_SHOWN),
    ],
)
def test_of_a_secret_state_place_and_fingerprints_are_approved(seen: Snapshot, stand: Stand) -> None:
    assert stands(seen, baseline([approval("ClientSecret", kept())], AT)) == {"ClientSecret": stand}


def test_an_identifier_in_clear_is_approved_with_its_text() -> None:
    given = baseline([approval("ClientId", snapshot(**{"ClientId.text": Fact(State.VALUE, "one", JsonType.TEXT)}))], AT)
    assert stands(snapshot(**{"ClientId.text": "one"}), given) == {"ClientId": Stand.HOLDS}
    assert stands(snapshot(**{"ClientId.text": "two"}), given) == {"ClientId": Stand.DIFFERS}
    assert stands(snapshot(), given) == {"ClientId": Stand.NOT_SHOWN}
    assert stands(snapshot(**{"ClientId.text": NOT_OFFERED}), given) == {"ClientId": Stand.NOT_SHOWN}


@pytest.mark.parametrize(("text", "kept_text"), [(Fact(State.VALUE, "one", JsonType.TEXT), Fact(State.VALUE, "one")), (NOT_OFFERED, None)])
def test_the_text_of_an_identifier_is_approved_where_it_was_sent_and_not_how(text: Fact, kept_text: Fact | None) -> None:
    assert approvable("ClientId", snapshot(**{"ClientId.text": text})) == ProfileField(fact=Fact(State.VALUE, "stored"), text=kept_text)


def test_a_deviation_says_both_values_in_the_words_of_the_field() -> None:
    given = approval("RelayAuthenticationType", snapshot(RelayAuthenticationType=3))
    (moved,) = deviations(snapshot(RelayAuthenticationType=2), baseline([given], AT))
    assert (moved.approved, moved.seen) == ("3 (OAuth)", "2 (Basic)")


def test_a_stand_goes_by_these_words() -> None:
    assert [*Stand] == ["holds", "differs", "not_shown", "not_comparable"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (NOT_OFFERED, "API v1 cannot show this"),
        (MISSING, "missing from the answer"),
        (Fact(State.ILL_TYPED, "587", JsonType.TEXT), 'text "587" (ill-typed)'),
    ],
)
def test_what_is_no_value_cannot_be_approved(value: Fact, why: str) -> None:
    assert approvable("Port", snapshot(Port=value)) == why


def test_a_secret_that_was_sent_in_clear_cannot_be_approved() -> None:
    assert approvable("ClientSecret", snapshot(ClientSecret="exposed")) == "sent in clear (value dropped)"


def test_what_is_approved_is_the_value_and_not_how_it_was_sent() -> None:
    null, empty = (approval("Scope", snapshot(Scope=Fact(State.UNSET, sent=sent))) for sent in (JsonType.NULL, JsonType.TEXT))
    assert null.digest == empty.digest
    assert null.digest == replace(null, approved_at=AT + DAY, recorded_at=AT, account="ada", host="h").digest
    assert len({null.digest, *(replace(null, **{name: "x"}).digest for name in ("target", "by", "reason", "ticket"))}) == 5
    assert replace(null, expires=date(2026, 12, 31)).digest != null.digest


@pytest.mark.parametrize("seen", [kept(), headers(("A", "1"))])
def test_an_approval_is_what_its_document_says(seen: Snapshot) -> None:
    for name in PROFILE_FIELDS:
        if isinstance(approvable(name, seen), ProfileField):
            given = approval(name, seen, expires=date(2026, 12, 31))
            assert Approval.from_document(given.document(), approved_at=AT) == given
    with pytest.raises(ValueError, match="approval/9"):
        Approval.from_document(given.document() | {"schema": "approval/9"}, approved_at=AT)


def test_a_report_is_as_of_the_last_act_on_record() -> None:
    given = approval("Port", snapshot(), at=AT + DAY, revoked=Revocation(by="Eve", reason="r", at=AT + 2 * DAY))
    assert [known_at([], AT), known_at([given], AT), known_at([given], AT + 3 * DAY)] == [AT, AT + 2 * DAY, AT + 3 * DAY]
    lasting = replace(given, revoked=None)
    assert [known_at([lasting], AT), known_at([lasting], AT + 3 * DAY)] == [AT + DAY, AT + 3 * DAY]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("CHG-1", None),
        (" \t", "is empty"),
        ("x" * 512, None),
        ("x" * 513, "has more than 512 characters"),
        ("a\nb", "has a character that is not seen"),
        ("a\u202eb", "has a character that is not seen"),
        ("a\u200bb", "has a character that is not seen"),
        ("a\ud800b", "has a character that is not seen"),
        ("\udfff", "has a character that is not seen"),
    ],
)
def test_a_name_or_reason_is_short_and_plain(text: str, fault: str | None) -> None:
    assert text_fault(text) == fault


# --- facts --------------------------------------------------------------------------------------------------------


def facts(seen: Snapshot | None, *approvals: Approval) -> dict[str, Fact]:
    return facts_of_baseline(seen, baseline(approvals, AT))


def test_without_an_approval_there_is_no_baseline_and_nothing_is_unapproved_by_default() -> None:
    assert facts(snapshot()) == {
        "baseline.exists": Fact(State.VALUE, value=False),
        "drift.unapproved": Fact(State.NOT_OFFERED, reason="nothing is approved"),
    }


def test_a_policy_sees_approved_values_and_what_differs_from_them() -> None:
    given = approval("Host", snapshot(Host="a.example")), approval("Port", snapshot(Port=25))
    assert facts(snapshot(Host="b.example", Port=25), *given) == {
        "baseline.exists": Fact(State.VALUE, value=True),
        "baseline.Host": Fact(State.VALUE, "a.example"),
        "baseline.Port": Fact(State.VALUE, 25),
        "drift.unapproved": Fact(State.VALUE, ("Host",)),
    }
    assert facts(snapshot(Host="a.example", Port=25), *given)["drift.unapproved"] == Fact(State.VALUE, ())
    assert "drift.unapproved" not in facts(None, *given)


def test_what_could_not_be_compared_is_no_agreement_and_hides_no_difference() -> None:
    hidden, rekeyed, port = approval("Scope", snapshot()), approval("ClientSecret", kept(key=OTHER_KEY)), approval("Port", snapshot())
    v1 = snapshot(Scope=NOT_OFFERED, shape=Shape.V1)
    assert facts(v1, hidden)["drift.unapproved"] == Fact(State.NOT_OFFERED, reason="Scope: approved, but not shown by this source")
    expected = Fact(State.INCONCLUSIVE, reason="ClientSecret: approved under another fingerprint key")
    assert facts(v1, hidden, rekeyed)["drift.unapproved"] == expected
    unseen = snapshot(Scope=NOT_OFFERED, Audience=NOT_OFFERED, shape=Shape.V1)
    assert (
        facts(unseen, hidden, approval("Audience", snapshot()))["drift.unapproved"].reason
        == "Scope, Audience: approved, but not shown by this source"
    )
    both = kept(key=OTHER_KEY).secrets["ClientSecret"], kept().secrets["ClientSecret"]
    known, now = (
        snapshot(RelayPassword="pam", ClientSecret="pam", others={"secrets": dict.fromkeys(("RelayPassword", "ClientSecret"), it)}) for it in both
    )
    named = [approval(name, known) for name in ("RelayPassword", "ClientSecret")]
    assert facts(now, *named)["drift.unapproved"].reason == "RelayPassword, ClientSecret: approved under another fingerprint key"
    moved = snapshot(Scope=NOT_OFFERED, Port=25)
    assert facts(moved, hidden, rekeyed, port)["drift.unapproved"] == Fact(State.VALUE, ("Port",))


def test_an_approved_move_is_no_redirection_and_any_other_is() -> None:
    before, after = snapshot(Host="smtp.corp.example"), snapshot(Host="smtp.else.example", UseSSL=False)

    def drift(*approvals: Approval) -> tuple[object, object]:
        found = facts_of(observation(after), labels=(), previous=(AT, before), org_domain=lambda host: host, approvals=approvals)
        return found["drift.redirections"].value, found["drift.downgrades"].value

    assert drift() == (("host", "credential"), ("tls_off",))
    assert drift(approval("Host", after)) == ((), ("tls_off",))
    assert drift(approval("Host", before)) == (("host", "credential"), ("tls_off",))


def test_after_a_failed_read_approved_values_are_known_and_what_differs_is_not() -> None:
    failed = observation(outcome=ReadOutcome.TIMEOUT)
    found = facts_of(failed, labels=(), previous=None, org_domain=lambda host: host, approvals=[approval("Port", snapshot(Port=25))])
    assert (found["baseline.exists"].value, found["baseline.Port"].value) == (True, 25)
    assert found["drift.unapproved"] == Fact(State.INCONCLUSIVE, reason="timeout")


def test_an_approval_counts_only_in_the_audits_that_begin_after_it() -> None:
    later = approval("Port", snapshot(), at=AT + DAY)
    found = facts_of(observation(snapshot()), labels=(), previous=None, org_domain=lambda host: host, approvals=[later])
    assert found["baseline.exists"].value is False
