"""Every kind of absence, every form of a secret, every odd form of a field; and that no secret gets past."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditor.command.wire import Unreadable, not_configured, parse
from auditor.core.canonical import canonical
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import OAUTH_FIELDS, PROFILE_FIELDS, Fact, FactValue, HeaderSeen, JsonType, SecretPlace, Shape, Snapshot, State, UnknownField

KEY = FingerprintKey(b"k" * 32)
MASK = "*" * 20
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhdWRpdG9yIn0.c2ln"
LIVE = f"Bearer {JWT}"


def read(profile: dict[str, Any] | bytes, version: int | None = 2) -> Snapshot:
    body = profile if isinstance(profile, bytes) else json.dumps({"Host": "smtp.corp.example"} | profile).encode()
    found = parse(body, api_version=version, fingerprint=KEY.of)
    assert isinstance(found, Snapshot)
    assert Snapshot.from_document(found.document()) == found
    assert set(found.facts) == FACTS
    return found


FACTS = {
    *PROFILE_FIELDS,
    *("profile.configured", "api.version", "api.shape", "RelayUsername.text", "ClientId.text", "TokenEndpoint.faults"),
    *("RequestHeaders.bytes", "RequestHeaders.faults", "RequestHeaders.secret_forms"),
    *("response.exposed", "response.unknown_fields", "response.ill_typed_fields"),
}


def listed(snapshot: Snapshot, name: str) -> FactValue | None:
    return snapshot.facts[f"response.{name}"].value


# --- absence and types --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "sent", "fact", "is_odd"),
    [
        ("Host", "smtp.corp.example", Fact(State.VALUE, "smtp.corp.example", JsonType.TEXT), False),
        ("Host", " ", Fact(State.VALUE, " ", JsonType.TEXT), False),
        ("Host", "", Fact(State.UNSET, sent=JsonType.TEXT), False),
        ("Host", None, Fact(State.UNSET, sent=JsonType.NULL), False),
        ("Host", 5, Fact(State.ILL_TYPED, 5, JsonType.INTEGER), True),
        ("Host", ["smtp.corp.example"], Fact(State.ILL_TYPED, sent=JsonType.LIST), True),
        ("Host", {"Name": "smtp"}, Fact(State.ILL_TYPED, sent=JsonType.OBJECT), True),
        ("Host", "a\u202eb\u0000", Fact(State.VALUE, "a\u202eb\u0000", JsonType.TEXT), False),
        ("Port", 587, Fact(State.VALUE, 587, JsonType.INTEGER), False),
        ("Port", 587.0, Fact(State.VALUE, 587, JsonType.INTEGER), False),
        ("Port", 587.5, Fact(State.ILL_TYPED, "587.5", JsonType.NUMBER), True),
        ("Port", 2**53, Fact(State.ILL_TYPED, "9007199254740992", JsonType.NUMBER), True),
        ("Port", 2**53 - 1, Fact(State.VALUE, 2**53 - 1, JsonType.INTEGER), False),
        ("Port", "587", Fact(State.ILL_TYPED, "587", JsonType.TEXT), True),
        ("Port", "x " * 150, Fact(State.ILL_TYPED, "x " * 100, JsonType.TEXT), True),
        ("Port", True, Fact(State.ILL_TYPED, True, JsonType.BOOLEAN), True),
        ("Port", "", Fact(State.UNSET, sent=JsonType.TEXT), True),
        ("UseSSL", False, Fact(State.VALUE, False, JsonType.BOOLEAN), False),
        ("UseSSL", 1, Fact(State.ILL_TYPED, 1, JsonType.INTEGER), True),
        ("UseSSL", "true", Fact(State.ILL_TYPED, "true", JsonType.TEXT), True),
        ("RelayAuthenticationType", 2, Fact(State.VALUE, 2, JsonType.INTEGER), False),
        ("RelayAuthenticationType", 2.0, Fact(State.VALUE, 2, JsonType.INTEGER), False),
        ("RelayAuthenticationType", 7, Fact(State.VALUE, 7, JsonType.INTEGER), False),
        ("RelayAuthenticationType", "2", Fact(State.VALUE, 2, JsonType.TEXT), True),
        ("RelayAuthenticationType", "Anonymous", Fact(State.VALUE, 0, JsonType.TEXT), True),
        ("RelayAuthenticationType", "Explicit Credentials", Fact(State.VALUE, 2, JsonType.TEXT), True),
        ("RelayAuthenticationType", "OAuth", Fact(State.VALUE, 3, JsonType.TEXT), True),
        ("RelayAuthenticationType", "OAuth Client Credentials", Fact(State.VALUE, 3, JsonType.TEXT), True),
        ("RelayAuthenticationType", "Kerberos", Fact(State.ILL_TYPED, "Kerberos", JsonType.TEXT), True),
        ("RelayAuthenticationType", "\u0662", Fact(State.ILL_TYPED, "\u0662", JsonType.TEXT), True),
        ("RelayAuthenticationType", 2.5, Fact(State.ILL_TYPED, "2.5", JsonType.NUMBER), True),
        ("RelayAuthenticationType", True, Fact(State.ILL_TYPED, True, JsonType.BOOLEAN), True),
        ("RelayAuthenticationType", None, Fact(State.UNSET, sent=JsonType.NULL), False),
        ("TokenEndpoint", 3, Fact(State.ILL_TYPED, 3, JsonType.INTEGER), True),
        ("RequestHeaders", "", Fact(State.UNSET, sent=JsonType.TEXT), True),
    ],
)
def test_a_field_is_what_was_sent_or_the_kind_of_absence(field: str, sent: Any, fact: Fact, is_odd: bool) -> None:
    snapshot = read({field: sent, "Audience": None})
    assert snapshot.facts[field] == fact
    assert listed(snapshot, "ill_typed_fields") == ((field,) if is_odd else ())


@pytest.mark.parametrize(
    ("profile", "version", "shape", "states"),
    [
        ({}, 1, Shape.V1, {"Port": "missing", "RelayUsername": "missing", "RelayPassword": "not_offered", "ClientId": "not_offered"}),
        ({}, 2, Shape.V2_PAM, {"Port": "missing", "RelayUsername": "missing", "RelayPassword": "not_offered", "Scope": "not_offered"}),
        (
            {"Scope": None},
            2,
            Shape.V2_OAUTH,
            {"Scope": "unset", "ClientSecret": "missing", "RelayPassword": "not_offered", "RequestHeaders": "missing"},
        ),
        ({"RelayAuthenticationType": 3}, 2, Shape.V2_OAUTH, {"ClientId": "missing", "TokenEndpoint": "missing"}),
        ({"RelayAuthenticationType": "OAuth"}, 2, Shape.V2_OAUTH, {"ClientId": "missing"}),
        ({"RelayAuthenticationType": 3}, 1, Shape.V1, {"ClientId": "not_offered"}),
        ({"RelayAuthenticationType": 3}, None, Shape.V1, {"ClientId": "not_offered"}),
        ({"RelayUsername": {}}, None, Shape.V2_PAM, {"ClientId": "not_offered"}),
        ({"RelayPassword": None}, None, Shape.V2_PAM, {"RelayPassword": "unset", "ClientId": "not_offered"}),
        ({"RelayPassword": None, "RelayAuthenticationType": 3}, None, Shape.V2_OAUTH, {"ClientId": "missing"}),
        ({"Audience": None}, None, Shape.V2_OAUTH, {"ClientId": "missing"}),
        ({"SenderAddress": None}, 1, Shape.V1, {"SenderAddress": "unset"}),
    ],
)
def test_the_shape_says_what_an_absent_key_means(profile: dict[str, Any], version: int | None, shape: Shape, states: dict[str, str]) -> None:
    snapshot = read(profile, version)
    assert snapshot.shape is shape
    assert snapshot.facts["api.shape"] == Fact(State.VALUE, shape.value)
    assert snapshot.facts["api.version"] == Fact(State.VALUE, 1 if shape is Shape.V1 else 2)
    assert {name: snapshot.facts[name].state.value for name in states} == states


def test_each_reason_for_not_being_offered_is_in_words() -> None:
    assert read({}, 1).facts["RelayPassword"].reason == "API v1 cannot show this"
    assert read({}, 2).facts["Scope"].reason == "API v2 of this Command edition (25.1) cannot show this"
    assert (read({"Scope": None}).facts["RelayPassword"].reason or "").startswith("withheld")
    assert read({}).facts["SenderAddress"].reason == "deprecated; offered only where it is sent"


def test_a_fact_read_with_a_field_shares_its_absence() -> None:
    for profile, state in (({"ClientId": None}, State.MISSING), ({"RequestHeaders": None}, State.UNSET), ({"RequestHeaders": 5}, State.ILL_TYPED)):
        facts = read(profile).facts
        assert facts["RequestHeaders"].state is state
        assert [facts[f"RequestHeaders.{name}"].state for name in ("bytes", "faults", "secret_forms")] == [state] * 3


@pytest.mark.parametrize("version", [1, 2, None])
@pytest.mark.parametrize("body", [b"", b" \r\n", b"null", b" null "])
def test_nothing_and_null_say_that_no_profile_is_configured(body: bytes, version: int | None) -> None:
    snapshot = read(body, version)
    assert snapshot == not_configured(version)
    assert not snapshot.configured
    assert snapshot.facts["profile.configured"] == Fact(State.VALUE, False)
    assert {snapshot.facts[name] for name in PROFILE_FIELDS} == {Fact(State.UNSET)}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "a list of 0"),
        (b"[null]", "JSON, but no object: null"),
        (b"5", "JSON, but no object: integer"),
        (b'"Host"', "JSON, but no object: text"),
        (b"{}", "an object without any field of an SMTP profile"),
        (b'{"host": "a"}', "an object without any field of an SMTP profile"),
        (b'{"Host": 1, "Host": 2}', "a key stands twice in one object"),
        (b"planted-secret", "not JSON from line 1 column 1"),
        (json.dumps({"Host": "a"} | {f"k{n}": n for n in range(65)}).encode(), "more than 64 entries in unknown keys"),
        (json.dumps({"Host": "a"} | {f"k{n}": n for n in range(200)}).encode(), "more than 64 unknown keys"),
        (json.dumps({"RequestHeaders": [{"Name": "a", "Value": "b"}] * 65}).encode(), "more than 64 entries in RequestHeaders"),
        (
            json.dumps({"ClientId": {"Provider": 1, "Parameters": {f"k{n}": "v" for n in range(65)}}}).encode(),
            "more than 64 entries in ClientId",
        ),
    ],
)
def test_what_is_no_profile_is_unreadable_for_a_reason_that_quotes_nothing(body: bytes, reason: str) -> None:
    assert parse(body, api_version=2, fingerprint=KEY.of) == Unreadable(reason)


def test_a_list_of_one_profile_is_observed_and_reported() -> None:
    snapshot = read(b'[{"Host": "smtp.corp.example", "Port": "587"}]')
    assert snapshot.facts["Host"].value == "smtp.corp.example"
    assert listed(snapshot, "ill_typed_fields") == ("(list)", "Port")


def test_an_answer_that_says_the_same_has_the_same_digest_whatever_the_order_of_its_keys() -> None:
    one = read(b'{"Host": "a", "Zeta": 1, "Alpha": {"b": 1, "a": 2}, "Port": 25}')
    other = read(b'{"Port": 25.0, "Alpha": {"a": 2, "b": 1}, "Zeta": 1, "Host": "a"}')
    assert one.digest == other.digest


# --- secrets ------------------------------------------------------------------------------------------------------


def secret(value: Any = None, parameters: Any = None, provider: Any = None) -> dict[str, Any]:
    return {"SecretValue": value, "Parameters": parameters, "Provider": provider}


STORED, PAM, EXPOSED = ("stored", False, False), ("pam", False, False), ("exposed", False, True)
ILL = (State.ILL_TYPED, True, False)
UNSET = (State.UNSET, False, False)


@pytest.mark.parametrize(
    ("sent", "becomes"),
    [
        (None, UNSET),
        ("", UNSET),
        (secret(), UNSET),
        (secret("", {}), UNSET),
        ({"SecretValue": None}, UNSET),
        (secret(MASK, {}), STORED),
        (secret("●●●"), STORED),
        ({"SecretValue": MASK}, STORED),
        (secret(None, {"SecretId": "1042"}, 1), PAM),
        (secret(None, None, 17), PAM),
        (secret("", {}, 17.0), PAM),
        (secret("hunter2"), EXPOSED),
        (secret("**"), EXPOSED),
        (secret("hunter2", {"a": "b"}, 1), ("exposed", True, True)),
        (secret(12345), ("exposed", True, True)),
        (secret(["hunter2"]), ("exposed", True, True)),
        (secret(MASK, {}, 1), ("stored", True, False)),
        (MASK, ("stored", True, False)),
        ("hunter2", ("exposed", True, True)),
        (12345, ("exposed", True, True)),
        (1.5, ("exposed", True, True)),
        ("UnsupportedPAMSecret", ("pam", True, False)),
        ({}, ILL),
        ({"secretValue": "hunter2"}, ILL),
        (secret(None, {"SecretId": "1042"}), ILL),
        (secret(None, {}, "1"), ILL),
        (secret(None, {}, True), ILL),
        (secret(None, {}, 0), ILL),
        (secret(None, {}, 1.5), ILL),
        (secret(None, ["a"], 1), ILL),
        (True, ILL),
        ([], ILL),
        (["hunter2"], ILL),
    ],
)
@pytest.mark.parametrize("field", ["RelayPassword", "ClientSecret"])
def test_a_secret_is_told_by_its_state_and_its_value_is_dropped(field: str, sent: Any, becomes: tuple[str | State, bool, bool]) -> None:
    state, is_odd, is_exposed = becomes
    snapshot = read({field: sent})
    fact = snapshot.facts[field]
    assert (fact.value or fact.state) == state
    assert listed(snapshot, "ill_typed_fields") == ((field,) if is_odd else ())
    assert listed(snapshot, "exposed") == ((field,) if is_exposed else ())
    assert "hunter2" not in canonical(snapshot.document())
    assert "12345" not in canonical(snapshot.document())
    assert (field in snapshot.secrets) is (state == "pam")


@pytest.mark.parametrize(
    ("version", "sent", "state", "text", "is_odd"),
    [
        (1, "CORP\\svc", "stored", "CORP\\svc", False),
        (1, "s" * 1100, "stored", "s" * 1024, False),
        (1, "****", "stored", None, False),
        (1, "UnsupportedPAMSecret", "pam", None, False),
        (1, LIVE, "exposed", None, False),
        (1, "https://u:p4ssw0rd@vault.corp.example/x", "stored", "https://***@vault.corp.example/x", False),
        (1, secret(MASK), "stored", None, True),
        (2, secret("CORP\\svc"), "stored", "CORP\\svc", False),
        (2, secret(LIVE), "exposed", None, False),
        (2, "CORP\\svc", "stored", "CORP\\svc", True),
        (2, secret(MASK), "stored", None, False),
        (2, secret(5), State.ILL_TYPED, None, True),
        (2, 5, State.ILL_TYPED, None, True),
        (2, [LIVE], State.ILL_TYPED, None, True),
    ],
)
def test_an_identifier_in_clear_is_kept_and_is_no_leak(version: int, sent: Any, state: str | State, text: str | None, is_odd: bool) -> None:
    snapshot = read({"RelayUsername": sent}, version)
    fact = snapshot.facts["RelayUsername"]
    assert (fact.value or fact.state) == state
    assert snapshot.facts["RelayUsername.text"].value == text
    assert listed(snapshot, "ill_typed_fields") == (("RelayUsername",) if is_odd else ())
    assert ("RelayUsername" in str(listed(snapshot, "exposed"))) is (LIVE in str(sent) or "p4ssw0rd" in str(sent))
    assert JWT not in canonical(snapshot.document())
    assert snapshot.secrets == ({"RelayUsername": SecretPlace(undisclosed=True)} if state == "pam" else {})


def test_another_vault_entry_shows_though_its_name_is_not_kept() -> None:
    one, other = (read({"ClientSecret": secret(None, {"Path": path, "Id": None, "N": 5}, 3)}) for path in ("kv/smtp-a", "kv/smtp-b"))
    assert one.secrets["ClientSecret"] == SecretPlace(
        provider=3,
        parameters=(
            ("Id", KEY.of("ClientSecret.Id", "null")),
            ("N", KEY.of("ClientSecret.N", "5")),
            ("Path", KEY.of("ClientSecret.Path", "kv/smtp-a")),
        ),
    )
    assert one.digest != other.digest
    assert "kv/smtp" not in canonical(one.document())


def test_what_v1_should_not_show_is_read_all_the_same() -> None:
    snapshot = read({"RelayPassword": "hunter2", "Scope": "mail"}, 1)
    assert (snapshot.shape, snapshot.facts["RelayPassword"].value, snapshot.facts["Scope"].value) == (Shape.V1, "exposed", "mail")
    assert snapshot.facts["ClientId"].state is State.NOT_OFFERED


# --- texts that hold what they should not -------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["Host", "SenderAccount", "SenderName", "Scope", "Audience", "SenderAddress"])
def test_a_text_that_looks_like_a_secret_is_dropped_and_passes_no_rule(field: str) -> None:
    snapshot = read({field: LIVE})
    assert snapshot.facts[field] == Fact(State.ILL_TYPED, sent=JsonType.TEXT, reason="withheld: it looks like a secret")
    assert listed(snapshot, "exposed") == (field,)
    assert JWT not in canonical(snapshot.document())


@pytest.mark.parametrize("sent", [LIVE, [LIVE], {"a": [{LIVE: 1}]}])
def test_a_secret_in_an_ill_typed_field_is_dropped_and_reported(sent: Any) -> None:
    snapshot = read({"Port": sent})
    assert snapshot.facts["Port"].value is None
    assert (listed(snapshot, "exposed"), listed(snapshot, "ill_typed_fields")) == (("Port",), ("Port",))
    assert JWT not in canonical(snapshot.document())


@pytest.mark.parametrize(
    ("sent", "kept", "is_exposed"),
    [
        ("https://login.corp.example/token", "https://login.corp.example/token", False),
        ("https://u:hunter2x@login.corp.example/token", "https://***@login.corp.example/token", True),
        ("https://login.corp.example/token?client_secret=hunter2x&v=1", "https://login.corp.example/token?client_secret=***&v=***", True),
        ("login.corp.example/token?v=1", "login.corp.example/token?v=***", False),
    ],
)
def test_of_a_url_user_information_and_query_values_are_cut(sent: str, kept: str, is_exposed: bool) -> None:
    for field in ("TokenEndpoint", "Audience") if "://" in sent else ("TokenEndpoint",):
        snapshot = read({field: sent})
        assert snapshot.facts[field] == Fact(State.VALUE, kept, JsonType.TEXT)
        assert listed(snapshot, "exposed") == ((field,) if is_exposed else ())


def test_the_faults_of_a_token_endpoint_are_those_of_the_url_as_sent() -> None:
    facts = read({"TokenEndpoint": "https://u:hunter2x@login/token"}).facts
    assert facts["TokenEndpoint.faults"] == Fact(State.VALUE, ("userinfo", "not_fqdn"))


def test_scopes_that_are_urls_stay_as_they_are() -> None:
    scope = "https://outlook.office365.com/.default offline_access"
    assert read({"Scope": scope}).facts["Scope"].value == scope


# --- headers and unknown keys -------------------------------------------------------------------------------------


def test_of_a_request_header_name_class_length_and_fingerprint_are_kept() -> None:
    headers = [{"Name": "X-Tenant", "Value": "pki"}, {"Name": "Authorization", "Value": LIVE, "Id": 7}, {"Name": None, "Value": None}]
    snapshot = read({"RequestHeaders": headers})
    assert snapshot.facts["RequestHeaders"] == Fact(State.VALUE, ("X-Tenant", "Authorization", ""), JsonType.LIST)
    assert snapshot.headers == (
        HeaderSeen(name="X-Tenant", kind="plain", length="1-8", fingerprint=KEY.of("RequestHeaders.x-tenant", "pki")),
        HeaderSeen(name="Authorization", kind="jwt", length="33-64", fingerprint=KEY.of("RequestHeaders.authorization", LIVE)),
        HeaderSeen(name="", kind="empty", length="0", fingerprint=KEY.of("RequestHeaders.", "")),
    )
    assert snapshot.facts["RequestHeaders.secret_forms"].value == ("authorization", "jwt", "high_entropy")
    assert snapshot.facts["RequestHeaders.faults"].value == ("bad_name",)
    assert (listed(snapshot, "exposed"), listed(snapshot, "unknown_fields")) == (("RequestHeaders",), ("RequestHeaders.Id",))
    assert JWT not in canonical(snapshot.document())


def test_no_headers_is_a_value() -> None:
    facts = read({"RequestHeaders": []}).facts
    assert facts["RequestHeaders"] == Fact(State.VALUE, (), JsonType.LIST)
    assert facts["RequestHeaders.bytes"] == Fact(State.VALUE, 0)


@pytest.mark.parametrize(
    "entry", ["X-Tenant: pki", {"Name": "X-Tenant"}, {"Value": "pki"}, {"Name": 5, "Value": "pki"}, {"Name": "X", "Value": ["pki"]}]
)
def test_one_ill_typed_header_makes_the_list_ill_typed(entry: Any) -> None:
    snapshot = read({"RequestHeaders": [{"Name": "X-Tenant", "Value": "pki"}, entry]})
    assert snapshot.facts["RequestHeaders"] == Fact(State.ILL_TYPED, sent=JsonType.LIST)
    assert (snapshot.headers, listed(snapshot, "ill_typed_fields")) == ((), ("RequestHeaders",))


def test_of_an_unknown_key_name_type_length_and_fingerprint_are_kept() -> None:
    snapshot = read({"Timeout": 30, "Nested": {"b": "planted", "a": 1.5}, "ClientId": secret(MASK) | {"Extra": "planted"}})
    assert snapshot.unknown == (
        UnknownField(name="ClientId.Extra", sent=JsonType.TEXT, length="1-8", fingerprint=KEY.of("ClientId.Extra", "planted")),
        UnknownField(name="Nested", sent=JsonType.OBJECT, length="33-64", fingerprint=KEY.of("Nested", '{"a":{"number":"1.5"},"b":"planted"}')),
        UnknownField(name="Timeout", sent=JsonType.INTEGER, length="1-8", fingerprint=KEY.of("Timeout", "30")),
    )
    assert listed(snapshot, "unknown_fields") == ("ClientId.Extra", "Nested", "Timeout")
    assert "planted" not in canonical(snapshot.document())


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Timeout \u00e9", "Timeout \\xe9"),
        ("a\\xe9", "a\\\\xe9"),
        ("a\u202eb\n\x7f", "a\\u202eb\\x0a\\x7f"),
        ("\U0001f600", "\\U0001f600"),
        ("k" * 64, "k" * 64),
        ("k" * 65, "k" * 55 + "~" + KEY.of("name", "k" * 65).mac[:8]),
        (JWT, "withheld~" + KEY.of("name", JWT).mac[:8]),
    ],
)
def test_a_name_is_shown_in_printable_ascii_and_stays_its_own(key: str, name: str) -> None:
    assert listed(read({key: 1}), "unknown_fields") == (name,)
    assert read({"ClientId": secret(None, {key: "v"}, 1)}).secrets["ClientId"].parameters[0][0] == name


def test_a_live_secret_under_an_unknown_key_is_reported() -> None:
    snapshot = read({"Debug": [{"header": LIVE}]})
    assert listed(snapshot, "exposed") == ("Debug",)


# --- whatever comes -----------------------------------------------------------------------------------------------

PLANTED = "pl4nted-S3cret-v4lue"
SECRET_PLACES = st.sampled_from(
    [
        lambda inner: {"RelayPassword": PLANTED, **inner},
        lambda inner: {"ClientSecret": {"SecretValue": PLANTED, "Parameters": inner, "Provider": 1}},
        lambda inner: {"RelayPassword": {"SecretValue": None, "Parameters": {"a": PLANTED, "b": [inner, PLANTED]}, "Provider": 2}},
        lambda inner: {"RequestHeaders": [{"Name": "X", "Value": PLANTED, "Z": inner}]},
        lambda inner: {"RequestHeaders": [{"Name": "X", "Value": [PLANTED, inner]}]},
        lambda inner: {"Unknown": [PLANTED, inner], "Host": {"a": PLANTED}},
        lambda inner: {"TokenEndpoint": f"https://u:{PLANTED}@h.example/t?k={PLANTED}#{PLANTED}", "X": inner},
        lambda inner: {"RelayPassword": {"Value": PLANTED, "b": inner}, "ClientId": [PLANTED], "UseSSL": [PLANTED]},
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just(PLANTED),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.sampled_from(PROFILE_FIELDS), inner, max_size=5),
    max_leaves=15,
)
PARTS = st.sampled_from(("SecretValue", "Parameters", "Provider", "Name", "Value"))


@given(
    place=SECRET_PLACES,
    inner=st.dictionaries(st.text(max_size=8), JSON.filter(lambda value: PLANTED not in str(value)), max_size=4),
    version=st.sampled_from((1, 2, None)),
)
def test_no_planted_secret_gets_into_a_snapshot(place: Any, inner: dict[str, Any], version: int | None) -> None:
    found = parse(json.dumps({"Id": 1} | place(inner)).encode(), api_version=version, fingerprint=KEY.of)
    assert PLANTED not in (canonical(found.document()) if isinstance(found, Snapshot) else found.reason)


@given(
    profile=JSON
    | st.dictionaries(st.sampled_from(PROFILE_FIELDS), JSON | st.dictionaries(PARTS, JSON) | st.lists(st.dictionaries(PARTS, JSON)), min_size=1),
    version=st.sampled_from((1, 2, None)),
)
@example(profile={name: {"SecretValue": 10**400} for name in OAUTH_FIELDS}, version=None)
@example(profile={name: [float("inf")] for name in PROFILE_FIELDS}, version=2)
def test_whatever_json_comes_it_is_a_snapshot_or_unreadable(profile: Any, version: int | None) -> None:
    found = parse(json.dumps(profile).encode(), api_version=version, fingerprint=KEY.of)
    if isinstance(found, Snapshot):
        assert set(found.facts) == FACTS
        assert Snapshot.from_document(json.loads(canonical(found.document()))) == found
    else:
        assert len(found.reason) < 80


@given(st.binary(), st.sampled_from((1, 2, None)))
def test_whatever_bytes_come_they_are_a_snapshot_or_unreadable(body: bytes, version: int | None) -> None:
    assert isinstance(parse(body, api_version=version, fingerprint=KEY.of), Snapshot | Unreadable)


@pytest.mark.parametrize("field", ["Host", "SenderName", "SenderAccount", "Scope", "Audience"])
@pytest.mark.parametrize("text", ["a" * 63_000, ":" * 63_000, "a://" * 15_000, "\u0301" * 20_000])
def test_a_text_of_absurd_length_is_not_kept_and_passes_no_rule(field: str, text: str) -> None:
    seen = read({**dict.fromkeys(("Host", "SenderName"), "x"), field: text}, 2)
    assert seen.facts[field] == Fact(State.ILL_TYPED, sent=JsonType.TEXT, reason="longer than 4096 characters")
    assert field in (listed(seen, "ill_typed_fields") or ())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("Audience", "https://user:first planted@idp.example.org/x"),
        ("Scope", "https://idp.example.org/?client=abc&x=one planted"),
        ("Scope", "read https://idp.example.org/?a=planted https://b.example.org/?b=planted"),
        ("Host", "user:planted@smtp.corp.com"),
        ("Host", "planted@smtp.corp.com"),
    ],
)
def test_a_blank_or_a_missing_scheme_does_not_let_a_password_through(field: str, sent: str) -> None:
    assert "planted" not in canonical(read({"Host": "x", field: sent}, 2).document())
