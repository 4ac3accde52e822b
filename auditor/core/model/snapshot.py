"""A snapshot: the redacted profile of one server, as it is stored, compared and exported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from auditor.core.canonical import digest
from auditor.core.model.fact import Fact, JsonType, Shape, State


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """HMAC-SHA-256 of a value under the installation's key: equal values can be told from different ones, the value cannot be had.

    Fingerprints under different keys are not comparable.
    """

    key_id: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """Where a secret that Command does not show is kept: the PAM provider's id and the fingerprints of its parameters, by name.

    `undisclosed` is a secret that v1 only says to be in PAM. `name` is what Command calls the provider, where we may read that; it is for people: a
    place is told by its id, so a renamed provider is no other one.
    """

    provider: int | None = None
    parameters: tuple[tuple[str, Fingerprint], ...] = ()
    undisclosed: bool = False
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSeen:
    """One request header of the profile: its name in clear, of its value only class, length bucket and fingerprint."""

    name: str
    kind: str
    length: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownField:
    """A key that no version documents: name, JSON type, length bucket and fingerprint, never the value."""

    name: str
    sent: JsonType
    length: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileField:
    """All that a snapshot says of one profile field: the fact; of a secret its identifier in clear and its place; each of the request headers."""

    fact: Fact
    text: Fact | None = None
    place: SecretPlace | None = None
    headers: tuple[HeaderSeen, ...] = ()

    def document(self) -> dict[str, Any]:
        """The field as JSON; what it does not have is left out, and so is a PAM provider's name: what is approved is the place."""
        return {
            "fact": _fact_document(self.fact),
            **({"text": _fact_document(self.text)} if self.text else {}),
            **({"place": _place_document(self.place)} if self.place else {}),
            **({"headers": [_header_document(header) for header in self.headers]} if self.headers else {}),
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "ProfileField":
        """The field that `document()` wrote.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        return ProfileField(
            fact=_fact_from(document["fact"]),
            text=_fact_from(document["text"]) if "text" in document else None,
            place=_place_from(document["place"]) if "place" in document else None,
            headers=tuple(_header_from(header) for header in document.get("headers", ())),
        )


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What a server says of its mail profile, redacted. Two answers that say the same have the same digest.

    `facts` holds every profile field and every fact fixed while reading (`api.version`, `RequestHeaders.faults`, ...).
    """

    configured: bool
    shape: Shape
    facts: Mapping[str, Fact]
    secrets: Mapping[str, SecretPlace] = field(default_factory=dict)
    headers: tuple[HeaderSeen, ...] = ()
    unknown: tuple[UnknownField, ...] = ()
    detectors: int = 1

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `document()`. Asked for several times a read, and of one that stays, at each."""
        return digest(self.document())

    def field(self, name: str) -> ProfileField:
        """All that is said of the profile field called `name`; one that an older snapshot does not have was not offered."""
        return ProfileField(
            fact=self.facts.get(name, _NOT_OFFERED),
            text=self.facts.get(f"{name}.text"),
            place=self.secrets.get(name),
            headers=self.headers if name == "RequestHeaders" else (),
        )

    def document(self) -> dict[str, Any]:
        """The snapshot as JSON: what is stored, exported and digested."""
        return {
            "schema": "smtp-snapshot/1",
            "configured": self.configured,
            "shape": self.shape.value,
            "detectors": self.detectors,
            "facts": {name: _fact_document(fact) for name, fact in self.facts.items()},
            "secrets": {name: _place_document(place) | ({"name": place.name} if place.name else {}) for name, place in self.secrets.items()},
            "headers": [_header_document(header) for header in self.headers],
            "unknown": [
                {"name": u.name, "sent": u.sent.value, "length": u.length, "fingerprint": [u.fingerprint.key_id, u.fingerprint.mac]}
                for u in self.unknown
            ],
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Snapshot":
        """The snapshot that `document()` wrote.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        if document["schema"] != "smtp-snapshot/1":
            raise ValueError(f"unknown snapshot schema {document['schema']!r}")
        return Snapshot(
            configured=document["configured"],
            shape=Shape(document["shape"]),
            detectors=document["detectors"],
            facts={name: _fact_from(value) for name, value in document["facts"].items()},
            secrets={name: _place_from(place) for name, place in document["secrets"].items()},
            headers=tuple(_header_from(header) for header in document["headers"]),
            unknown=tuple(
                UnknownField(name=u["name"], sent=JsonType(u["sent"]), length=u["length"], fingerprint=Fingerprint(*u["fingerprint"]))
                for u in document["unknown"]
            ),
        )


_NOT_OFFERED = Fact.of(State.NOT_OFFERED)


def _place_document(place: SecretPlace) -> dict[str, Any]:
    return {
        "provider": place.provider,
        "parameters": {key: [mark.key_id, mark.mac] for key, mark in place.parameters},
        "undisclosed": place.undisclosed,
    }


def _place_from(document: Mapping[str, Any]) -> SecretPlace:
    return SecretPlace(
        provider=document["provider"],
        parameters=tuple(sorted((key, Fingerprint(*mark)) for key, mark in document["parameters"].items())),
        undisclosed=document["undisclosed"],
        name=document.get("name"),
    )


def _header_document(header: HeaderSeen) -> dict[str, Any]:
    mark = header.fingerprint
    return {"name": header.name, "kind": header.kind, "length": header.length, "fingerprint": [mark.key_id, mark.mac]}


def _header_from(document: Mapping[str, Any]) -> HeaderSeen:
    return HeaderSeen(name=document["name"], kind=document["kind"], length=document["length"], fingerprint=Fingerprint(*document["fingerprint"]))


def _fact_document(fact: Fact) -> dict[str, Any]:
    document: dict[str, Any] = {"state": fact.state.value}
    if fact.value is not None:
        document["value"] = list(fact.value) if isinstance(fact.value, tuple) else fact.value
    if fact.sent is not None:
        document["sent"] = fact.sent.value
    if fact.reason is not None:
        document["reason"] = fact.reason
    return document


def _fact_from(document: Mapping[str, Any]) -> Fact:
    value = document.get("value")
    return Fact.of(
        State(document["state"]),
        tuple(value) if isinstance(value, list) else value,
        JsonType(document["sent"]) if "sent" in document else None,
        document.get("reason"),
    )
