"""The mail profile as Command stores it, and what each edition and API version shows of it (command-api sections 1 and 2)."""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from auditor.core.model import OAUTH_FIELDS, SECRET_FIELDS, Shape

MASK = "*" * 20
"""What Command 25.4.1 sent in place of a secret that it keeps itself (recorded)."""

PAM_SENTINEL = "UnsupportedPAMSecret"
"""What v1 says for a relay username that is kept in PAM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An edition of Command: what it calls itself, which API versions `/SMTP` has, and what its v2 looks like.

    `product_version` None is an old server that does not say. `api_versions` stand as `Api-Supported-Versions` shows them. With
    `dotted_query` the parameters of a list's query are called `pq.queryString` and so on.
    """

    product_version: str | None
    api_versions: tuple[str, ...] = ("1.0", "2")
    v2_shape: Shape = Shape.V2_OAUTH
    dotted_query: bool = False


COMMAND_10 = Release(product_version="10.4.5+6d2a9b1c7e3f48a0b5d4c6e7f8091a2b3c4d5e6f", api_versions=("1.0",), dotted_query=True)
COMMAND_24_4 = Release(product_version="24.4.2+3f1c6a0be0f24f0a9d1f0f7c4b1a5e2d88c0a7b1", api_versions=("1.0",))
COMMAND_25_1 = Release(product_version="25.1.1+8be2d1c07f6a4d5c9e3b0a1f2c4d6e8f90a1b2c3", v2_shape=Shape.V2_PAM)
COMMAND_25_4 = Release(product_version="25.4.1+dc0db2c8af1baf68b4c0043ec0f0f41a77aee11e")


class Showing(StrEnum):
    """How a secret that Command keeps itself looks in a v2 answer."""

    MASKED = "masked"
    WITHHELD = "withheld"
    """Its key is not there at all, whatever its state: the vendor's page says *not returned in responses*."""
    CLEAR = "clear"
    """In clear text: a leak for a password, plausible for an identifier."""


def stored(value: str) -> dict[str, Any]:
    """A secret that Command keeps itself; the simulator masks it on the way out."""
    return {"SecretValue": value, "Parameters": {}, "Provider": None}


def in_pam(provider: int, **parameters: str) -> dict[str, Any]:
    """A secret kept by the PAM provider with that id; `parameters` say which one it is over there."""
    return {"SecretValue": None, "Parameters": parameters, "Provider": provider}


def pam_provider(id_: int, name: str, kind: str = "Hashicorp-Vault", **values: str) -> dict[str, Any]:
    """A PAM provider as `/PamProviders` shows it; `values` are its parameters, which can be secret."""
    parameters = [{"Id": id_ * 10 + n, "Name": key, "DisplayName": key, "DataType": 2, "InstanceLevel": False} for n, key in enumerate(values)]
    return {
        "Id": id_,
        "Name": name,
        "ProviderType": {"Id": f"c09bbfa5-a081-4194-9dd2-{id_:012x}", "Name": kind, "ProviderTypeParams": parameters},
        "ProviderTypeParamValues": [
            {"Id": parameter["Id"], "Value": value, "InstanceId": None, "InstanceGuid": None, "ProviderTypeParam": parameter}
            for parameter, value in zip(parameters, values.values(), strict=True)
        ],
        "Remote": False,
    }


V1_OF_A_PROVIDER: Mapping[str, Any] = {"Area": 1, "SecuredAreaId": None}
"""What v1 says of a PAM provider besides (recorded)."""


def good_profile() -> dict[str, Any]:
    """A sound OAuth profile: submission over TLS, its client secret in PAM. A fresh copy each time."""
    return {
        "Host": "smtp.office365.com",
        "Id": 1,
        "Port": 587,
        "RelayAuthenticationType": 3,
        "RelayUsername": None,
        "RelayPassword": None,
        "SenderAccount": "pki-alerts@nordwerk-industrie.eu",
        "SenderName": "Certificate Services",
        "UseSSL": True,
        "ClientId": stored("0f5b6c1e-6d0e-4c3a-9a57-2f1f5f3f7c11"),
        "ClientSecret": in_pam(1, SecretId="2001"),
        "TokenEndpoint": "https://login.microsoftonline.com/7d3e8a52-94c1-4b7f-8a2d-6c0f1e9b5a34/oauth2/v2.0/token",
        "Scope": "https://outlook.office365.com/.default",
        "Audience": None,
        "RequestHeaders": None,
    }


class Profile(MutableMapping[str, Any]):
    """The stored profile, in Command's own shape; each operation is safe while the simulator serves.

    Any key and any value is taken, so that odd answers can be had. What lies *inside* a value is edited under `Simulator.editing()`.
    """

    def __init__(self, fields: Mapping[str, Any], lock: AbstractContextManager[Any]) -> None:
        self._fields = dict(fields)
        self._lock = lock

    def __getitem__(self, name: str) -> Any:
        with self._lock:
            return self._fields[name]

    def __setitem__(self, name: str, value: Any) -> None:
        with self._lock:
            self._fields[name] = value

    def __delitem__(self, name: str) -> None:
        with self._lock:
            del self._fields[name]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(tuple(self._fields))

    def __len__(self) -> int:
        with self._lock:
            return len(self._fields)


def shown(profile: Mapping[str, Any], shape: Shape, showing: Mapping[str, Showing]) -> dict[str, Any]:
    """The body that an answer of that shape has: fields that it does not offer are gone, secrets as `showing` says; unknown keys stay."""
    body = {name: value for name, value in profile.items() if name not in _NOT_OFFERED[shape]}
    if shape is Shape.V1:
        if "RelayUsername" in body:
            body["RelayUsername"] = _username_in_v1(body["RelayUsername"])
        return body
    for name in SECRET_FIELDS:
        if showing[name] is Showing.WITHHELD:
            body.pop(name, None)
        elif showing[name] is Showing.MASKED and isinstance(secret := body.get(name), dict) and secret.get("SecretValue") is not None:
            body[name] = {**secret, "SecretValue": MASK}
    return body


_NOT_OFFERED = {
    Shape.V1: frozenset({"RelayPassword", *OAUTH_FIELDS}),
    Shape.V2_PAM: frozenset({"SenderAddress", *OAUTH_FIELDS}),
    Shape.V2_OAUTH: frozenset({"SenderAddress"}),
}


def _username_in_v1(stored_name: Any) -> Any:
    if not isinstance(stored_name, dict):
        return stored_name
    return stored_name.get("SecretValue") if stored_name.get("Provider") is None else PAM_SENTINEL
