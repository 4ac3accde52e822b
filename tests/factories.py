"""Arranges what tests need, so that the only value written out in a test is the one that matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import (
    PROFILE_FIELDS,
    Collection,
    Fact,
    JsonType,
    Observation,
    ReadOutcome,
    SecretPlace,
    Shape,
    Snapshot,
    State,
)

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
KEY = FingerprintKey(b"k" * 32)

UNSET = Fact(State.UNSET, sent=JsonType.NULL)
MISSING = Fact(State.MISSING)
NOT_OFFERED = Fact(State.NOT_OFFERED, reason="API v1 cannot show this")

_GOOD: dict[str, Any] = {
    "Host": "smtp.office365.com",
    "Id": 1,
    "Port": 587,
    "RelayAuthenticationType": 3,
    "RelayUsername": UNSET,
    "RelayPassword": UNSET,
    "SenderAccount": "pki@corp.example",
    "SenderAddress": NOT_OFFERED,
    "SenderName": "Certificate Services",
    "UseSSL": True,
    "ClientId": "stored",
    "ClientSecret": "pam",
    "TokenEndpoint": "https://login.microsoftonline.com/tenant/oauth2/v2.0/token",
    "Scope": "https://outlook.office365.com/.default",
    "Audience": UNSET,
    "RequestHeaders": UNSET,
}


def fact(value: object) -> Fact:
    """A fact with a value, unless it is a fact already."""
    return value if isinstance(value, Fact) else Fact(State.VALUE, value)  # type: ignore[arg-type]


def snapshot(*, configured: bool = True, shape: Shape = Shape.V2_OAUTH, others: dict[str, Any] | None = None, **fields: object) -> Snapshot:
    """A good OAuth profile, less what is given otherwise: `fields` of the profile, and `others` of the snapshot (secrets, headers, unknown)."""
    values = _GOOD | fields
    return Snapshot(
        configured=configured,
        shape=shape,
        facts={name: fact(values[name]) for name in PROFILE_FIELDS} | {name: fact(value) for name, value in values.items() if "." in name},
        **(
            {"secrets": {"ClientSecret": SecretPlace(provider=1, parameters=(("SecretId", KEY.of("ClientSecret.SecretId", "2001")),))}}
            | (others or {})
        ),
    )


def observation(
    seen: Snapshot | None = None, *, outcome: ReadOutcome = ReadOutcome.OBSERVED, target: str = "prod", at: datetime = AT, **others: Any
) -> Observation:
    """An observation of `seen`, or trouble."""
    return Observation(
        target=target,
        outcome=outcome,
        started_at=at,
        ended_at=at + timedelta(milliseconds=40),
        snapshot=seen,
        collection=Collection(url="https://command.example.org/KeyfactorAPI/SMTP", api_version=2, status=200, collector_host="audit01"),
        **others,
    )


def body(**fields: object) -> dict[str, object]:
    """What v2 with OAuth answers for a good profile, less what is given otherwise."""
    secret = {"SecretValue": None, "Parameters": {"SecretId": "2001"}, "Provider": 1}
    return {
        "Host": "smtp.office365.com",
        "Id": 1,
        "Port": 587,
        "RelayAuthenticationType": 3,
        "RelayUsername": None,
        "RelayPassword": None,
        "SenderAccount": "pki@nordwerk-industrie.eu",
        "SenderName": "Certificate Services",
        "UseSSL": True,
        "ClientId": {"SecretValue": "*" * 20, "Parameters": {}, "Provider": None},
        "ClientSecret": secret,
        "TokenEndpoint": "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/oauth2/v2.0/token",
        "Scope": "https://outlook.office365.com/.default",
        "Audience": None,
        "RequestHeaders": None,
    } | fields
