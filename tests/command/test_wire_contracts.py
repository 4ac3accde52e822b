"""The vendor's bodies, as the contracts folder has them, read whole."""

import os
from pathlib import Path

import pytest

from auditor.command import words
from auditor.command.wire import Unreadable, parse
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import PROFILE_FIELDS, Fact, FactValue, JsonType, SecretPlace, Shape, Snapshot, State

FIXTURES = Path(os.environ.get("AUDITOR_CONTRACTS", Path(__file__).parents[2].parent / "shared")) / "command-api" / "fixtures"
KEY = FingerprintKey(b"k" * 32)

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the contracts folder is not there (AUDITOR_CONTRACTS)")

V1_CANNOT = Fact(State.NOT_OFFERED, reason="API v1 cannot show this")
PAM_CANNOT = Fact(State.NOT_OFFERED, reason="API v2 of this Command edition (25.1) cannot show this")
NO_SENDER_ADDRESS = Fact(State.NOT_OFFERED, reason="deprecated; offered only where it is sent")
NOT_CLEAR = Fact(State.NOT_OFFERED, reason="not sent in clear")
NULL = Fact(State.UNSET, sent=JsonType.NULL)
NONE = Fact(State.VALUE, ())
ANONYMOUS = {"Host": "smtp.keyexample.com", "Id": 1, "Port": 25, "RelayAuthenticationType": 0, "UseSSL": False}
SENDER = {"SenderAccount": "pki@keyexample.com", "SenderName": "Keyfactor Command"}
BASIC = ANONYMOUS | {"Port": 587, "RelayAuthenticationType": 2, "UseSSL": True}


def value(said: FactValue) -> Fact:
    return Fact(State.VALUE, said, {bool: JsonType.BOOLEAN, int: JsonType.INTEGER, str: JsonType.TEXT, tuple: JsonType.LIST}[type(said)])


def secret(state: str) -> Fact:
    return Fact(State.VALUE, state, JsonType.OBJECT)


def expected(shape: Shape, said: dict[str, FactValue], facts: dict[str, Fact]) -> dict[str, Fact]:
    absent = {
        Shape.V1: dict.fromkeys(PROFILE_FIELDS, V1_CANNOT),
        Shape.V2_PAM: dict.fromkeys(PROFILE_FIELDS, PAM_CANNOT),
        Shape.V2_OAUTH: dict.fromkeys(PROFILE_FIELDS, NULL),
    }[shape] | {"SenderAddress": NO_SENDER_ADDRESS}
    fields = absent | {name: value(one) for name, one in (SENDER | said).items()} | facts
    derived = {
        "RelayUsername.text": "RelayUsername",
        "ClientId.text": "ClientId",
        "TokenEndpoint.faults": "TokenEndpoint",
        "RequestHeaders.bytes": "RequestHeaders",
        "RequestHeaders.faults": "RequestHeaders",
        "RequestHeaders.secret_forms": "RequestHeaders",
    }
    return {
        **{name: Fact(fields[source].state, reason=fields[source].reason) for name, source in derived.items()},
        **fields,
        "profile.configured": Fact(State.VALUE, True),
        "api.version": Fact(State.VALUE, 1 if shape is Shape.V1 else 2),
        "api.shape": Fact(State.VALUE, shape.value),
        "response.exposed": NONE,
        "response.unknown_fields": NONE,
        "response.ill_typed_fields": NONE,
    }


MASKED = {"RelayUsername": secret("stored"), "RelayUsername.text": NOT_CLEAR, "RelayPassword": secret("stored")}
IN_PAM = {"RelayUsername": secret("pam"), "RelayUsername.text": NOT_CLEAR, "RelayPassword": secret("pam")}
CLEAR_NAME = {"RelayUsername": value("stored"), "RelayUsername.text": value("KEYEXAMPLE\\svc-smtp")}
OAUTH = BASIC | {
    "Host": "smtp.office365.com",
    "RelayAuthenticationType": 3,
    "TokenEndpoint": "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/oauth2/v2.0/token",
    "Scope": "https://outlook.office365.com/.default",
    "RequestHeaders": ("X-Tenant",),
}
OAUTH_FACTS = {
    "ClientId": secret("stored"),
    "ClientId.text": NOT_CLEAR,
    "ClientSecret": secret("pam"),
    "TokenEndpoint.faults": NONE,
    "RequestHeaders.bytes": Fact(State.VALUE, 15),
    "RequestHeaders.faults": NONE,
    "RequestHeaders.secret_forms": NONE,
}


@pytest.mark.parametrize(
    ("fixture", "version", "shape", "facts"),
    [
        ("synthetic-smtp-v1-anonymous", 1, Shape.V1, expected(Shape.V1, ANONYMOUS, {"RelayUsername": NULL})),
        ("synthetic-smtp-v1-basic", 1, Shape.V1, expected(Shape.V1, BASIC, CLEAR_NAME)),
        (
            "synthetic-smtp-v1-basic-with-deprecated-senderaddress",
            1,
            Shape.V1,
            expected(Shape.V1, BASIC | {"SenderAddress": "pki@keyexample.com"}, CLEAR_NAME),
        ),
        ("synthetic-smtp-v2-25.1-basic-pam", 2, Shape.V2_PAM, expected(Shape.V2_PAM, BASIC, IN_PAM)),
        ("synthetic-smtp-v2-anonymous", 2, Shape.V2_OAUTH, expected(Shape.V2_OAUTH, ANONYMOUS, {})),
        ("synthetic-smtp-v2-basic-local-secret", 2, Shape.V2_OAUTH, expected(Shape.V2_OAUTH, BASIC, MASKED)),
        ("synthetic-smtp-v2-oauth-pam", 2, Shape.V2_OAUTH, expected(Shape.V2_OAUTH, OAUTH, OAUTH_FACTS)),
    ],
)
def test_each_profile_of_the_contract_is_read_whole(fixture: str, version: int, shape: Shape, facts: dict[str, Fact]) -> None:
    body = (FIXTURES / f"{fixture}.json").read_bytes()
    snapshot = parse(body, api_version=version, fingerprint=KEY.of)
    assert isinstance(snapshot, Snapshot)
    assert dict(snapshot.facts) == facts
    assert (snapshot.configured, snapshot.shape, snapshot.unknown) == (True, shape, ())
    assert parse(body, api_version=None, fingerprint=KEY.of) == snapshot
    assert Snapshot.from_document(snapshot.document()) == snapshot


def test_where_the_vault_entry_is_kept_is_known_by_its_fingerprint() -> None:
    snapshot = parse((FIXTURES / "synthetic-smtp-v2-25.1-basic-pam.json").read_bytes(), api_version=2, fingerprint=KEY.of)
    assert isinstance(snapshot, Snapshot)
    assert snapshot.secrets == {
        "RelayUsername": SecretPlace(provider=1, parameters=(("SecretId", KEY.of("RelayUsername.SecretId", "1042")),)),
        "RelayPassword": SecretPlace(provider=1, parameters=(("SecretId", KEY.of("RelayPassword.SecretId", "1043")),)),
    }


@pytest.mark.parametrize("fixture", ["documented-error-403", "recorded-error-400", "inferred-error-unsupported-version-errorobject"])
def test_an_error_body_is_no_profile(fixture: str) -> None:
    found = parse((FIXTURES / f"{fixture}.json").read_bytes(), api_version=2, fingerprint=KEY.of)
    assert found == Unreadable("an object without any field of an SMTP profile")


def test_a_list_of_something_else_is_no_profile() -> None:
    found = parse((FIXTURES / "recorded-pamproviders-v1-list.json").read_bytes(), api_version=1, fingerprint=KEY.of)
    assert found == Unreadable("a list of 2")


def test_the_likely_shapes_of_an_unsupported_version_are_understood() -> None:
    named = {path.name: words.names_version(path.read_bytes()) for path in FIXTURES.glob("*error*.json")}
    assert {name for name, said in named.items() if said} == {
        "inferred-error-unsupported-version-errorobject.json",
        "inferred-error-unsupported-version-problemdetails.json",
    }
