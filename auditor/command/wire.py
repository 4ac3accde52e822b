"""What the body of an answer says: facts, with their kinds of absence told apart. Secrets end here.

A value that is no mask where a secret stands, or that looks like a live secret in any other place, is dropped at once and its field named in
`response.exposed`. A text field so emptied becomes ill-typed without a value: no rule that needs it can pass, and nothing false is said in its
place. Any documented field that an answer has is read, whatever its shape offers; the shape says what the absence of one means.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from auditor.command import strictjson
from auditor.command.strictjson import Number
from auditor.core import detectors
from auditor.core.model import (
    OAUTH_FIELDS,
    PROFILE_FIELDS,
    SECRET_FIELDS,
    Fact,
    FactValue,
    Fingerprint,
    HeaderSeen,
    JsonType,
    SecretPlace,
    Shape,
    Snapshot,
    State,
    UnknownField,
)

MAX_ENTRIES = 64
"""Headers, PAM parameters or unknown keys; an answer with more is no profile."""
MAX_NAME = 64
MAX_TEXT = 4096
"""Characters of a text field: a longer one is no host, mailbox, scope or address, and is not kept."""
MAX_ILL_TYPED_TEXT = 200
MAX_IDENTIFIER = 1024

TakeFingerprint = Callable[[str, str], Fingerprint]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that is no profile. The reason holds nothing of it."""

    reason: str


def parse(body: bytes, *, api_version: int | None, fingerprint: TakeFingerprint) -> Snapshot | Unreadable:
    """The profile in `body`, answered in `api_version`; None for a body saved by somebody, whose shape is told by its keys.

    `fingerprint` takes a field and a value found there. An empty body and `null` say that no profile is configured.
    """
    if not body.strip():
        return not_configured(api_version)
    try:
        document = strictjson.loads(body)
    except strictjson.StrictJsonError as error:
        return Unreadable(str(error))
    if document is None:
        return not_configured(api_version)
    in_list = isinstance(document, list)
    if in_list and len(document) != 1:
        return Unreadable(f"a list of {len(document)}")
    profile = document[0] if in_list else document
    if not isinstance(profile, dict):
        return Unreadable(f"JSON, but no object: {json_type(profile).value}")
    if not profile.keys() & set(PROFILE_FIELDS):
        return Unreadable("an object without any field of an SMTP profile")
    if len(profile) > len(PROFILE_FIELDS) + MAX_ENTRIES:
        return Unreadable(f"more than {MAX_ENTRIES} unknown keys")
    reading = _Reading(profile, _shape(profile, api_version), fingerprint)
    if in_list:
        reading.ill_typed.append("(list)")
    try:
        return reading.snapshot(api_version)
    except _TooManyError as error:
        return Unreadable(f"more than {MAX_ENTRIES} entries in {error}")


def not_configured(api_version: int | None) -> Snapshot:
    """The observed state that there is no profile: every field is unset."""
    shape = Shape.V1 if api_version == 1 else Shape.V2_OAUTH
    return Snapshot(
        configured=False,
        shape=shape,
        facts={
            **dict.fromkeys((*PROFILE_FIELDS, *(derived for group in _READ_WITH.values() for derived in group)), Fact.of(State.UNSET)),
            **_about(shape, api_version, configured=False),
            **{f"response.{name}": Fact.of(State.VALUE, ()) for name in ("exposed", "unknown_fields", "ill_typed_fields")},
        },
        detectors=detectors.VERSION,
    )


def json_type(value: Any) -> JsonType:
    """The JSON type of a value of `strictjson.loads`."""
    return _JSON_TYPES[type(value)]


_JSON_TYPES: Mapping[type, JsonType] = MappingProxyType(
    {
        bool: JsonType.BOOLEAN,
        int: JsonType.INTEGER,
        Number: JsonType.NUMBER,
        str: JsonType.TEXT,
        list: JsonType.LIST,
        dict: JsonType.OBJECT,
        type(None): JsonType.NULL,
    }
)

_READ_WITH: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "RelayUsername": ("RelayUsername.text",),
        "ClientId": ("ClientId.text",),
        "TokenEndpoint": ("TokenEndpoint.faults",),
        "RequestHeaders": ("RequestHeaders.bytes", "RequestHeaders.faults", "RequestHeaders.secret_forms"),
    }
)
"""Facts that are taken of a field while its value is at hand."""

_TYPES: Mapping[str, JsonType] = MappingProxyType(
    dict.fromkeys(PROFILE_FIELDS, JsonType.TEXT)
    | dict.fromkeys(("Id", "Port", "RelayAuthenticationType"), JsonType.INTEGER)
    | {"UseSSL": JsonType.BOOLEAN, "RequestHeaders": JsonType.LIST}
)
"""What is documented for each field that is no secret."""

_AUTHENTICATION_TYPES: Mapping[str, int] = MappingProxyType(
    {"anonymous": 0, "basic": 2, "explicitcredentials": 2, "oauth": 3, "oauthclientcredentials": 3, "oauth2clientcredentials": 3}
)
"""Names of RelayAuthenticationType in Command's manuals, without blanks and in lower case."""


def _about(shape: Shape, api_version: int | None, *, configured: bool) -> dict[str, Fact]:
    return {
        "profile.configured": Fact.of(State.VALUE, configured),
        "api.version": Fact.of(State.VALUE, api_version or (1 if shape is Shape.V1 else 2)),
        "api.shape": Fact.of(State.VALUE, shape.value),
    }


def _shape(profile: Mapping[str, Any], api_version: int | None) -> Shape:
    if api_version == 1:
        return Shape.V1
    has_oauth = bool(profile.keys() & set(OAUTH_FIELDS))
    is_v2 = api_version is not None or has_oauth or "RelayPassword" in profile or isinstance(profile.get("RelayUsername"), dict)
    if not is_v2:
        return Shape.V1
    is_for_oauth = _authentication_type(profile.get("RelayAuthenticationType")) == 3
    return Shape.V2_OAUTH if has_oauth or is_for_oauth else Shape.V2_PAM


def _authentication_type(value: Any) -> int | None:
    """The number that `2`, `"2"` or `"Basic"` stands for."""
    if isinstance(value, str):
        if re.fullmatch(r"[0-9]{1,9}", value):
            return int(value)
        return _AUTHENTICATION_TYPES.get(value[:100].replace(" ", "").lower())
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class _TooManyError(Exception):
    """A list or object is longer than any that Command sends; it names the field."""


class _Reading:
    """One profile being read. Each field goes through the reader of its kind, which notes what it finds beside the fact."""

    def __init__(self, profile: Mapping[str, Any], shape: Shape, fingerprint: TakeFingerprint) -> None:
        self.profile, self.shape, self.fingerprint = profile, shape, fingerprint
        self.facts: dict[str, Fact] = {}
        self.secrets: dict[str, SecretPlace] = {}
        self.headers: tuple[HeaderSeen, ...] = ()
        self.unknown: list[UnknownField] = []
        self.exposed: list[str] = []
        self.ill_typed: list[str] = []

    def snapshot(self, api_version: int | None) -> Snapshot:
        """Raises _TooManyError."""
        for name in PROFILE_FIELDS:
            fact = self.read(name, self.profile[name]) if name in self.profile else self.absent(name)
            self.facts[name] = fact
            for derived in _READ_WITH.get(name, ()):
                self.facts.setdefault(derived, _NO_CLEAR_TEXT if fact.state is State.VALUE else Fact.of(fact.state, reason=fact.reason))
        for key in sorted(self.profile.keys() - set(PROFILE_FIELDS)):
            self.note_unknown(key, self.profile[key])
        noted = {"exposed": self.exposed, "unknown_fields": sorted(field.name for field in self.unknown), "ill_typed_fields": self.ill_typed}
        return Snapshot(
            configured=True,
            shape=self.shape,
            facts={
                **self.facts,
                **_about(self.shape, api_version, configured=True),
                **{f"response.{name}": Fact.of(State.VALUE, tuple(dict.fromkeys(fields))) for name, fields in noted.items()},
            },
            secrets=self.secrets,
            headers=self.headers,
            unknown=tuple(self.unknown),
            detectors=detectors.VERSION,
        )

    def absent(self, name: str) -> Fact:
        """The key is not there: what that means, the shape says."""
        if name == "SenderAddress":
            return Fact.of(State.NOT_OFFERED, reason="deprecated; offered only where it is sent")
        if self.shape is Shape.V1 and name in (*OAUTH_FIELDS, "RelayPassword"):
            return Fact.of(State.NOT_OFFERED, reason="API v1 cannot show this")
        if self.shape is Shape.V2_PAM and name in OAUTH_FIELDS:
            return Fact.of(State.NOT_OFFERED, reason="API v2 of this Command edition (25.1) cannot show this")
        if name == "RelayPassword":
            return Fact.of(State.NOT_OFFERED, reason="withheld: Command does not return it in responses")
        return Fact.of(State.MISSING)

    def read(self, name: str, value: Any) -> Fact:
        if name in SECRET_FIELDS:
            return self.secret(name, value)
        if value is None or value == "":
            if value == "" and _TYPES[name] is not JsonType.TEXT:
                self.ill_typed.append(name)
            return Fact.of(State.UNSET, sent=json_type(value))
        match name:
            case "RequestHeaders":
                return self.request_headers(value)
            case "RelayAuthenticationType":
                decoded = _authentication_type(value)
                if decoded is None:
                    return self.ill(name, value)
                if not isinstance(value, int):
                    self.ill_typed.append(name)
                return Fact.of(State.VALUE, decoded, json_type(value))
            case "TokenEndpoint" if isinstance(value, str):
                self.facts["TokenEndpoint.faults"] = Fact.of(State.VALUE, detectors.token_endpoint_faults(value))
                return self.text(name, value)
            case _ if json_type(value) is not _TYPES[name]:
                return self.ill(name, value)
            case _:
                return self.text(name, value) if isinstance(value, str) else Fact.of(State.VALUE, value, json_type(value))

    # --- texts and what is ill-typed ------------------------------------------------------------------------------

    def text(self, name: str, value: str) -> Fact:
        if len(value) > MAX_TEXT:
            self.ill_typed.append(name)
            return Fact.of(State.ILL_TYPED, sent=JsonType.TEXT, reason=f"longer than {MAX_TEXT} characters")
        kept = self.kept(name, value)
        if kept is None:
            return Fact.of(State.ILL_TYPED, sent=JsonType.TEXT, reason="withheld: it looks like a secret")
        return Fact.of(State.VALUE, kept, JsonType.TEXT)

    def ill(self, name: str, value: Any) -> Fact:
        """Observed, never converted; of a list or object, and of what looks like a secret, only the type is kept."""
        self.ill_typed.append(name)
        kept: FactValue | None = None
        match value:
            case str() if len(value) <= MAX_TEXT:
                kept = self.kept(name, value)
            case bool() | int():
                kept = value
            case Number(text):
                kept = text
            case _:
                self.look_through(name, value)
        return Fact.of(State.ILL_TYPED, kept[:MAX_ILL_TYPED_TEXT] if isinstance(kept, str) else kept, json_type(value))

    def kept(self, name: str, value: str) -> str | None:
        """What may be kept of a text: URLs in it lose user information and query values; None where it looks like a secret."""
        masked = detectors.masked_url(value) if name == "TokenEndpoint" else _masked_within(value)
        if name == "Host" and "@" in masked:
            masked = f"{detectors.CUT}@{masked.rpartition('@')[2]}"
        if detectors.looks_like_secret(value):
            self.exposed.append(name)
        return None if detectors.looks_like_secret(masked) else masked

    def look_through(self, name: str, value: Any) -> None:
        """Note `name` as exposed if any text within `value` looks like a secret."""
        if any(detectors.looks_like_secret(text) for text in _texts(value)):
            self.exposed.append(name)

    # --- secrets --------------------------------------------------------------------------------------------------

    def secret(self, name: str, value: Any) -> Fact:
        is_identifier = f"{name}.text" in _READ_WITH.get(name, ())
        match value:
            case None | "":
                return Fact.of(State.UNSET, sent=json_type(value))
            case dict():
                return self.secret_object(name, value, is_identifier=is_identifier)
            case str():
                if not (self.shape is Shape.V1 and name == "RelayUsername"):
                    self.ill_typed.append(name)
                return self.secret_value(name, value, is_identifier=is_identifier)
            case int() | Number() if not is_identifier and not isinstance(value, bool):
                self.ill_typed.append(name)
                return self.leak(name, json_type(value))
            case _:
                self.ill_typed.append(name)
                self.look_through(name, value)
                return Fact.of(State.ILL_TYPED, sent=json_type(value))

    def secret_object(self, name: str, secret: dict[str, Any], *, is_identifier: bool) -> Fact:
        value, parameters, provider = (secret.get(key) for key in ("SecretValue", "Parameters", "Provider"))
        for key in sorted(secret.keys() - {"SecretValue", "Parameters", "Provider"}):
            self.note_unknown(key, secret[key], inside=name)
        if value is not None and not isinstance(value, str) and not is_identifier:
            self.ill_typed.append(name)
            return self.leak(name, JsonType.OBJECT)
        documented = (
            bool(secret.keys() & {"SecretValue", "Parameters", "Provider"})
            and isinstance(value, str | None)
            and isinstance(parameters, dict | None)
            and (provider is None or (json_type(provider) is JsonType.INTEGER and provider > 0))
            and not (parameters and provider is None and not value)
        )
        if self.shape is Shape.V1 or not documented or (value and provider is not None):
            self.ill_typed.append(name)
        if value:
            return self.secret_value(name, value, is_identifier=is_identifier) if isinstance(value, str) else self.ill_object(name, secret)
        if not documented:
            return self.ill_object(name, secret)
        if provider is None:
            return Fact.of(State.UNSET, sent=JsonType.OBJECT)
        self.secrets[name] = SecretPlace(provider=provider, parameters=self.parameters(name, parameters or {}))
        return Fact.of(State.VALUE, "pam", JsonType.OBJECT)

    def ill_object(self, name: str, secret: dict[str, Any]) -> Fact:
        self.look_through(name, secret)
        return Fact.of(State.ILL_TYPED, sent=JsonType.OBJECT)

    def secret_value(self, name: str, value: str, *, is_identifier: bool) -> Fact:
        """A text in a secret's place: a mask, the sentinel, an identifier in clear, or a leak."""
        sent = json_type(self.profile[name])
        if value in detectors.SENTINELS:
            self.secrets[name] = SecretPlace(undisclosed=True)
            return Fact.of(State.VALUE, "pam", sent)
        if detectors.is_mask(value):
            return Fact.of(State.VALUE, "stored", sent)
        if not is_identifier:
            return self.leak(name, sent)
        kept = value if _ACCESS_KEY_ID.fullmatch(value) else self.kept(name, value)
        if kept is None:
            return Fact.of(State.VALUE, "exposed", sent)
        self.facts[f"{name}.text"] = Fact.of(State.VALUE, kept[:MAX_IDENTIFIER], JsonType.TEXT)
        return Fact.of(State.VALUE, "stored", sent)

    def leak(self, name: str, sent: JsonType) -> Fact:
        self.exposed.append(name)
        return Fact.of(State.VALUE, "exposed", sent)

    def parameters(self, name: str, parameters: dict[str, Any]) -> tuple[tuple[str, Fingerprint], ...]:
        if len(parameters) > MAX_ENTRIES:
            raise _TooManyError(name)
        return tuple(sorted((self.name(key), self.fingerprint(f"{name}.{key}", _as_text(value))) for key, value in parameters.items()))

    # --- headers and unknown keys ---------------------------------------------------------------------------------

    def request_headers(self, value: Any) -> Fact:
        if not isinstance(value, list):
            return self.ill("RequestHeaders", value)
        if len(value) > MAX_ENTRIES:
            raise _TooManyError("RequestHeaders")
        if not all(_is_header(entry) for entry in value):
            return self.ill("RequestHeaders", value)
        headers = [(entry["Name"] or "", entry["Value"] or "") for entry in value]
        self.headers = tuple(
            HeaderSeen(
                name=detectors.shown_header_name(name),
                kind=detectors.header_kind(text),
                length=detectors.length_bucket(len(text)),
                fingerprint=self.fingerprint(f"RequestHeaders.{name.lower()}", text),
            )
            for name, text in headers
        )
        facts = detectors.header_facts(headers)
        self.facts |= facts
        self.look_through("RequestHeaders", value)
        extra = sorted({key for entry in value for key in entry} - {"Name", "Value"})
        for key in extra:
            self.note_unknown(key, [entry.get(key) for entry in value], inside="RequestHeaders")
        return facts["RequestHeaders"]

    def note_unknown(self, key: str, value: Any, *, inside: str | None = None) -> None:
        if len(self.unknown) == MAX_ENTRIES:
            raise _TooManyError("unknown keys")
        place = f"{inside}.{self.name(key)}" if inside else self.name(key)
        text = _as_text(value)
        mark = self.fingerprint(f"{inside}.{key}" if inside else key, text)
        self.unknown.append(UnknownField(name=place, sent=json_type(value), length=detectors.length_bucket(len(text)), fingerprint=mark))
        self.look_through(place, value)

    def name(self, key: str) -> str:
        """A name as it may be shown: printable ASCII, others as escapes, at most `MAX_NAME`; two different names stay different."""
        shown = key.replace("\\", "\\\\").encode("ascii", "backslashreplace").decode("ascii")
        shown = re.sub(r"[^ -~]", lambda control: f"\\x{ord(control[0]):02x}", shown)
        is_secret = detectors.looks_like_secret(key)
        if len(shown) <= MAX_NAME and not is_secret:
            return shown
        return f"{'withheld' if is_secret else shown[: MAX_NAME - 9]}~{self.fingerprint('name', key).mac[:8]}"


_NO_CLEAR_TEXT = Fact.of(State.NOT_OFFERED, reason="not sent in clear")


def _is_header(entry: Any) -> bool:
    return isinstance(entry, dict) and all(key in entry and isinstance(entry[key], str | None) for key in ("Name", "Value"))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else strictjson.dumps(value)


_ACCESS_KEY_ID = re.compile(r"A[KS]IA[A-Z0-9]{16}")
"""The user name of Amazon's mail service: it names the key; the secret half is another text."""


def _masked_within(text: str) -> str:
    """`text` with what may be secret in a URL cut out: all from the first URL on is taken for one, since blanks do not end a password."""
    head, scheme, _ = text.partition("://")
    if not scheme:
        return text
    begin = len(head) - len(head.split()[-1]) if head and not head[-1].isspace() else len(head)
    return text[:begin] + detectors.masked_url(text[begin:])


def _texts(value: Any) -> list[str]:
    """Every text within `value`, keys too."""
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in _texts(item)]
        case dict():
            return [text for key, item in value.items() for text in (key, *_texts(item))]
        case _:
            return []
