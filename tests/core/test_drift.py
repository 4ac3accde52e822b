"""What counts as a change, and which way it goes."""

import pytest

from auditor.core.direction import DOWNGRADES, REDIRECTIONS, named
from auditor.core.drift import changes
from auditor.core.model import Direction, Fact, FieldChange, HeaderSeen, JsonType, SecretPlace, Severity, Shape, Snapshot, State, UnknownField
from tests.factories import KEY, MISSING, NOT_OFFERED, UNSET, snapshot


def org(host: str) -> str | None:
    """The last two labels: enough of a public suffix list for `example` names."""
    labels = host.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


def drift(before: Snapshot, after: Snapshot) -> list[tuple[str, str, str, str]]:
    found = changes(before, after, org_domain=org)
    return [(change.field, change.kind, change.direction.value, change.severity.value) for change in found]


def test_the_same_profile_has_no_changes() -> None:
    assert changes(snapshot(), snapshot(), org_domain=org) == ()


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("Host", "smtp.corp.example", "SMTP.Corp.Example."),
        ("Scope", "a b", "b  a"),
        ("SenderAccount", "pki@corp.example", "PKI@corp.example"),
    ],
)
def test_spelling_that_means_the_same_is_no_change(field: str, before: str, after: str) -> None:
    assert drift(snapshot(**{field: before}), snapshot(**{field: after})) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"UseSSL": True}, {"UseSSL": False}, ("UseSSL", "value", "downgrade", "critical")),
        ({"UseSSL": True}, {"UseSSL": MISSING}, ("UseSSL", "value", "downgrade", "critical")),
        ({"UseSSL": False}, {"UseSSL": True}, ("UseSSL", "value", "upgrade", "info")),
        ({"Port": 465}, {"Port": 587}, ("Port", "value", "neutral", "low")),
        ({"Port": 587}, {"Port": 465}, ("Port", "value", "neutral", "low")),
        ({"Port": 587}, {"Port": 25}, ("Port", "value", "downgrade", "high")),
        ({"Port": 465}, {"Port": 25}, ("Port", "value", "downgrade", "high")),
        ({"Port": 25}, {"Port": 587}, ("Port", "value", "upgrade", "info")),
        ({"Port": 587}, {"Port": Fact(State.ILL_TYPED, "587", JsonType.TEXT)}, ("Port", "value", "neutral", "low")),
        ({"RelayAuthenticationType": 3}, {"RelayAuthenticationType": 2}, ("RelayAuthenticationType", "value", "downgrade", "high")),
        ({"RelayAuthenticationType": 3}, {"RelayAuthenticationType": 0}, ("RelayAuthenticationType", "value", "downgrade", "critical")),
        ({"RelayAuthenticationType": 2}, {"RelayAuthenticationType": 4}, ("RelayAuthenticationType", "value", "downgrade", "critical")),
        ({"RelayAuthenticationType": 2}, {"RelayAuthenticationType": 3}, ("RelayAuthenticationType", "value", "upgrade", "info")),
        ({"Host": "a.corp.example"}, {"Host": "b.corp.example"}, ("Host", "value", "neutral", "low")),
        ({"Host": "a.corp.example"}, {"Host": "a.c0rp.example"}, ("Host", "value", "redirection", "critical")),
        ({"Host": "a.corp.example"}, {"Host": "relay"}, ("Host", "value", "redirection", "critical")),
        ({"Host": UNSET}, {"Host": "a.corp.example"}, ("Host", "set", "neutral", "low")),
        ({"Host": "a.corp.example"}, {"Host": UNSET}, ("Host", "cleared", "neutral", "low")),
        (
            {"TokenEndpoint": "https://a.idp.example/t"},
            {"TokenEndpoint": "http://a.idp.example/t"},
            ("TokenEndpoint", "value", "downgrade", "critical"),
        ),
        (
            {"TokenEndpoint": "https://a.idp.example/t"},
            {"TokenEndpoint": "https://a.1dp.example/t"},
            ("TokenEndpoint", "value", "redirection", "critical"),
        ),
        ({"TokenEndpoint": "https://a.idp.example/t"}, {"TokenEndpoint": "https://[bad"}, ("TokenEndpoint", "value", "redirection", "critical")),
        ({"TokenEndpoint": "https://a.idp.example/t"}, {"TokenEndpoint": "https://a.idp.example/u"}, ("TokenEndpoint", "value", "neutral", "low")),
        ({"SenderAccount": "a@corp.example"}, {"SenderAccount": "a@else.example"}, ("SenderAccount", "value", "neutral", "medium")),
        ({"ClientId": "stored"}, {"ClientId": "exposed"}, ("ClientId", "secret_state", "downgrade", "critical")),
        ({"ClientId": "pam"}, {"ClientId": "stored"}, ("ClientId", "secret_state", "downgrade", "medium")),
        ({"ClientId": "stored"}, {"ClientId": "pam"}, ("ClientId", "secret_state", "upgrade", "info")),
        ({"ClientId": "stored"}, {"ClientId": UNSET}, ("ClientId", "cleared", "neutral", "low")),
        ({"ClientId.text": "one"}, {"ClientId.text": "two"}, ("ClientId", "value", "neutral", "low")),
        ({"Scope": "a"}, {"Scope": NOT_OFFERED}, ("Scope", "api_shape", "neutral", "info")),
        ({"Scope": NOT_OFFERED}, {"Scope": "a"}, ("Scope", "api_shape", "neutral", "info")),
    ],
)
def test_each_change_has_its_kind_direction_and_severity(before: dict[str, object], after: dict[str, object], expected: tuple[str, ...]) -> None:
    assert drift(snapshot(**before), snapshot(**after)) == [expected]


def test_port_465_to_587_without_tls_is_a_downgrade() -> None:
    assert drift(snapshot(Port=465, UseSSL=False), snapshot(Port=587, UseSSL=False)) == [("Port", "value", "downgrade", "medium")]


def test_port_25_without_a_login_is_no_downgrade() -> None:
    anonymous = {"RelayAuthenticationType": 0}
    assert drift(snapshot(Port=587, **anonymous), snapshot(Port=25, **anonymous)) == [("Port", "value", "neutral", "medium")]


def test_a_profile_that_vanishes_is_one_downgrade_and_not_a_list_of_cleared_fields() -> None:
    gone = snapshot(configured=False, **dict.fromkeys(("Host", "Port", "UseSSL"), UNSET))
    assert changes(snapshot(), gone, org_domain=org) == (
        FieldChange(
            field="profile.configured",
            kind="cleared",
            direction=Direction.DOWNGRADE,
            severity=Severity.CRITICAL,
            before="configured",
            after="no mail profile",
        ),
    )
    assert [change.kind for change in changes(gone, snapshot(), org_domain=org)] == ["set"]


def place(provider: int | None, number: str = "1", key: str = "SecretId") -> dict[str, object]:
    return {"secrets": {"ClientSecret": SecretPlace(provider=provider, parameters=((key, KEY.of("p", number)),))}}


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (place(1), place(2), "provider"),
        (place(1), place(1, number="2"), "parameter"),
        (place(1), place(1, key="Other"), "parameter"),
        (place(1), {"secrets": {"ClientSecret": SecretPlace(undisclosed=True)}}, "api_shape"),
        (place(1), {"secrets": {}}, None),
    ],
)
def test_a_secret_that_moves_within_pam_shows(before: dict[str, object], after: dict[str, object], kind: str | None) -> None:
    found = changes(snapshot(others=before), snapshot(others=after), org_domain=org)
    assert [change.kind for change in found] == ([kind] if kind else [])


def test_fingerprints_under_another_key_are_not_compared() -> None:
    from auditor.core.fingerprint import FingerprintKey

    rekeyed = SecretPlace(provider=1, parameters=(("SecretId", FingerprintKey(b"o" * 32).of("p", "2")),))
    assert drift(snapshot(others=place(1)), snapshot(others={"secrets": {"ClientSecret": rekeyed}})) == []


def headers(*pairs: tuple[str, str]) -> dict[str, object]:
    return {"headers": tuple(HeaderSeen(name=name, kind="plain", length="1-8", fingerprint=KEY.of("h", value)) for name, value in pairs)}


@pytest.mark.parametrize(
    ("pairs", "moved"),
    [
        ((("X-B", "2"), ("x-a", "1")), False),
        ((("X-A", "1"), ("X-B", "3")), True),
        ((("X-A", "1"),), True),
    ],
)
def test_request_headers_are_a_set_without_order_or_case(pairs: tuple[tuple[str, str], ...], moved: bool) -> None:
    before = snapshot(RequestHeaders=("X-A", "X-B"), others=headers(("X-A", "1"), ("X-B", "2")))
    after = snapshot(RequestHeaders=tuple(name for name, _ in pairs), others=headers(*pairs))
    found = changes(before, after, org_domain=org)
    assert [change.field for change in found] == (["RequestHeaders"] if moved else [])


def unknown(sent: JsonType, value: str) -> dict[str, object]:
    return {"unknown": (UnknownField(name="Beta", sent=sent, length="1-8", fingerprint=KEY.of("u", value)),)}


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ({}, unknown(JsonType.TEXT, "x"), 1),
        (unknown(JsonType.TEXT, "x"), {}, 1),
        (unknown(JsonType.TEXT, "x"), unknown(JsonType.TEXT, "y"), 1),
        (unknown(JsonType.TEXT, "x"), unknown(JsonType.INTEGER, "x"), 1),
        (unknown(JsonType.TEXT, "x"), unknown(JsonType.TEXT, "x"), 0),
    ],
)
def test_a_field_that_no_version_documents_is_watched_too(before: dict[str, object], after: dict[str, object], count: int) -> None:
    found = changes(snapshot(others=before), snapshot(others=after), org_domain=org)
    assert [change.kind for change in found] == ["unknown_field"] * count
    assert all(change.before != change.after for change in found)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (UNSET, "not set"),
        (MISSING, "missing from the answer"),
        (Fact(State.ILL_TYPED, "587", JsonType.TEXT), 'text "587" (ill-typed)'),
        (Fact(State.ILL_TYPED, sent=JsonType.LIST), "a list (ill-typed)"),
        (Fact(State.ILL_TYPED, value=True, sent=JsonType.BOOLEAN), "boolean true (ill-typed)"),
        (Fact(State.INCONCLUSIVE), "not known"),
        (25, "25"),
    ],
)
def test_a_value_is_told_in_words(value: object, text: str) -> None:
    (change,) = changes(snapshot(Port=2525), snapshot(Port=value), org_domain=org)
    assert (change.before, change.after) == ("2525", text)


@pytest.mark.parametrize(
    ("fields", "others", "text"),
    [
        ({"ClientSecret": "stored"}, {"secrets": {}}, "set, kept by Command"),
        ({"ClientSecret": "exposed"}, {"secrets": {}}, "sent in clear (value dropped)"),
        ({"ClientSecret": "pam"}, {"secrets": {"ClientSecret": SecretPlace(undisclosed=True)}}, "kept in PAM (provider not disclosed)"),
        ({"ClientSecret": "pam"}, {"secrets": {"ClientSecret": SecretPlace(provider=7)}}, "kept in PAM (provider 7)"),
    ],
)
def test_a_secret_is_told_by_its_place_alone(fields: dict[str, object], others: dict[str, object], text: str) -> None:
    (change,) = changes(snapshot(ClientSecret=UNSET), snapshot(**fields, others=others), org_domain=org)
    assert change.after == text


def test_an_identifier_in_clear_is_told_as_it_is() -> None:
    (change,) = changes(snapshot(ClientId=UNSET), snapshot(ClientId="stored", **{"ClientId.text": "my-app"}), org_domain=org)
    assert change.after == "my-app"


@pytest.mark.parametrize(("number", "text"), [(0, "0 (Anonymous)"), (2, "2 (Basic)"), (1, "1 (not documented)")])
def test_an_authentication_type_is_told_with_its_name(number: int, text: str) -> None:
    (change,) = changes(snapshot(), snapshot(RelayAuthenticationType=number), org_domain=org)
    assert (change.before, change.after) == ("3 (OAuth)", text)


def test_the_facts_about_drift_name_what_happened_whatever_it_is_rated() -> None:
    before, after = snapshot(Port=465), snapshot(Port=587, UseSSL=False, RelayAuthenticationType=2, Host="smtp.else.example")
    assert named(before, after, DOWNGRADES, org_domain=org) == ("tls_off", "weaker_authentication", "port_465_to_587")
    assert named(before, after, REDIRECTIONS, org_domain=org) == ("host", "credential")
    assert named(after, after, DOWNGRADES, org_domain=org) == ()


def test_v1_shows_less_and_that_is_no_drift() -> None:
    v1 = snapshot(shape=Shape.V1, **dict.fromkeys(("ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders"), NOT_OFFERED))
    assert {kind for _, kind, _, _ in drift(snapshot(), v1)} == {"api_shape"}
