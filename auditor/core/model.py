"""The trade's words as values: what was read, what it says, what was concluded.

Nothing here can hold a secret: a fact of a secret is its state, what identifies it is a keyed fingerprint.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any

from auditor.core.canonical import digest

# --- what was asked of the server, and what a field can be -------------------------------------------------------


class State(StrEnum):
    """Whether a fact has a value, and if not, which kind of absence it is (rule language, section 3)."""

    VALUE = "value"
    UNSET = "unset"
    MISSING = "missing"
    ILL_TYPED = "ill_typed"
    NOT_OFFERED = "not_offered"
    INCONCLUSIVE = "inconclusive"


class JsonType(StrEnum):
    """A JSON type, in the words of the rule language; `NUMBER` is one that is no integer within 2^53."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    OBJECT = "object"
    NULL = "null"


FactValue = bool | int | str | date | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known, or known to be unknown.

    `value` is there for `VALUE`, and for `ILL_TYPED` where a boolean, an integer, a text or a number (as its text) was sent.
    `sent` is the JSON type on the wire, None for what was never on it. `reason` says why an unseen fact was not seen.
    """

    state: State
    value: FactValue | None = None
    sent: JsonType | None = None
    reason: str | None = None


class Shape(StrEnum):
    """Which fields an answer can have: it follows from API version and product version."""

    V1 = "v1"
    V2_PAM = "v2_pam"
    V2_OAUTH = "v2_oauth"


PROFILE_FIELDS = (
    "Host",
    "Id",
    "Port",
    "RelayAuthenticationType",
    "RelayUsername",
    "RelayPassword",
    "SenderAccount",
    "SenderAddress",
    "SenderName",
    "UseSSL",
    "ClientId",
    "ClientSecret",
    "TokenEndpoint",
    "Scope",
    "Audience",
    "RequestHeaders",
)
"""Every field that some version of Command documents for its mail profile, in the order in which a person reads them."""

OAUTH_FIELDS = ("ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders")
SECRET_FIELDS = ("RelayUsername", "RelayPassword", "ClientId", "ClientSecret")


# --- a snapshot: the redacted profile -----------------------------------------------------------------------------


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

    `undisclosed` is a secret that v1 only says to be in PAM.
    """

    provider: int | None = None
    parameters: tuple[tuple[str, Fingerprint], ...] = ()
    undisclosed: bool = False


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

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `document()`."""
        return digest(self.document())

    def document(self) -> dict[str, Any]:
        """The snapshot as JSON: what is stored, exported and digested."""
        return {
            "schema": "smtp-snapshot/1",
            "configured": self.configured,
            "shape": self.shape.value,
            "detectors": self.detectors,
            "facts": {name: _fact_document(fact) for name, fact in self.facts.items()},
            "secrets": {
                name: {
                    "provider": place.provider,
                    "parameters": {key: [mark.key_id, mark.mac] for key, mark in place.parameters},
                    "undisclosed": place.undisclosed,
                }
                for name, place in self.secrets.items()
            },
            "headers": [
                {"name": h.name, "kind": h.kind, "length": h.length, "fingerprint": [h.fingerprint.key_id, h.fingerprint.mac]} for h in self.headers
            ],
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
            secrets={
                name: SecretPlace(
                    provider=value["provider"],
                    parameters=tuple(sorted((key, Fingerprint(*mark)) for key, mark in value["parameters"].items())),
                    undisclosed=value["undisclosed"],
                )
                for name, value in document["secrets"].items()
            },
            headers=tuple(
                HeaderSeen(name=h["name"], kind=h["kind"], length=h["length"], fingerprint=Fingerprint(*h["fingerprint"]))
                for h in document["headers"]
            ),
            unknown=tuple(
                UnknownField(name=u["name"], sent=JsonType(u["sent"]), length=u["length"], fingerprint=Fingerprint(*u["fingerprint"]))
                for u in document["unknown"]
            ),
        )


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
    return Fact(
        State(document["state"]),
        tuple(value) if isinstance(value, list) else value,
        JsonType(document["sent"]) if "sent" in document else None,
        document.get("reason"),
    )


# --- an observation: one attempt to read --------------------------------------------------------------------------


class ReadOutcome(StrEnum):
    """What a read can end in. The first two are observed states; every other one is trouble: the profile was not seen."""

    OBSERVED = "observed"
    NOT_CONFIGURED = "not_configured"
    DNS_FAILED = "dns_failed"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS_FAILED = "tls_failed"
    REDIRECTED = "redirected"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    UNSUPPORTED_VERSION = "unsupported_version"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    CREDENTIAL_MISSING = "credential_missing"
    BACKING_OFF = "backing_off"

    @property
    def is_observed(self) -> bool:
        return self in (ReadOutcome.OBSERVED, ReadOutcome.NOT_CONFIGURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """How an observation came about: what an auditor asks years later. What was never learnt is None.

    `clock_offset_ms` is the server's Date header less our clock; it is good to a second. Texts from the server are bounded printable ASCII.
    """

    method: str = "GET"
    url: str
    api_version: int | None = None
    status: int | None = None
    server_date: datetime | None = None
    clock_offset_ms: int | None = None
    product_version: str | None = None
    supported_versions: str | None = None
    correlation_id: str | None = None
    remote_address: str | None = None
    tls_leaf_sha256: str | None = None
    tls_version: str | None = None
    tls_verified: bool | None = None
    account: str | None = None
    auth_method: str | None = None
    collector_host: str = ""
    collector_version: str = ""
    attempts: int = 0
    body_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One attempt to read the profile of one target, whatever came of it.

    `message` says what happened and `hint` what to do next; both are safe to print. `snapshot` is there where the outcome is an observed state.
    `slot` is the nominal time of the scheduled read that this one serves, None for an unscheduled one.
    """

    target: str
    outcome: ReadOutcome
    started_at: datetime
    ended_at: datetime
    collection: Collection
    snapshot: Snapshot | None = None
    message: str = ""
    hint: str = ""
    slot: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of a target between reads.

    `api_version` is the one that last worked (2 is tried again once `product_version` changes). `denied_at` to `denied_until` is a back-off after
    `denied_as` (401 or 403). `identity` is a digest of whom and what we asked with: when it changes, nothing remembered counts.
    """

    identity: str = ""
    api_version: int | None = None
    product_version: str | None = None
    denied_as: ReadOutcome | None = None
    denied_at: datetime | None = None
    denied_until: datetime | None = None


# --- targets ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be found: `env:NAME` or `file:PATH`. The value is read anew at each attempt and never kept."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class TokenAuthMethod(StrEnum):
    """How a client shows itself to a token endpoint (RFC 6749 section 2.3.1)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """A user of the directory, `DOMAIN\\user` or `user@domain`, over HTTP Basic."""

    username: str
    password: SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """OAuth 2.0 client credentials grant (RFC 6749 section 4.4). The token request goes to `token_url`, always over verified TLS."""

    token_url: str
    client_id: str
    client_secret: SecretRef
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    method: TokenAuthMethod = TokenAuthMethod.BASIC


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticToken:
    """A bearer token obtained elsewhere, sent as it is."""

    token: SecretRef


Auth = BasicAuth | ClientCredentials | StaticToken


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate that we show: PEM file paths (chain first), and the key's passphrase by reference."""

    certificate: str
    key: str | None = None
    passphrase: SecretRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One Keyfactor Command server to audit. `url` has scheme, host and port alone; paths are absolute.

    `timeout_s` bounds one whole request, body included; `backoff_s` is how long a 401 or 403 holds further calls back.
    """

    name: str
    url: str
    auth: Auth
    api_path: str = "KeyfactorAPI"
    client_certificate: ClientCertificate | None = None
    ca_file: str | None = None
    insecure_skip_verify: bool = False
    insecure_http: bool = False
    proxy: str | None = None
    timeout_s: float = 30.0
    attempts: int = 3
    max_body_bytes: int = 64 * 1024
    backoff_s: int = 6 * 3600
    labels: tuple[tuple[str, str], ...] = ()
    owner: str | None = None
    policy: str = "recommended"
    schedule: "Schedule | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a target is due: every `every_s` seconds (counted from midnight UTC, 1970), or at the times of a crontab line in `timezone`.

    Exactly one of `every_s` and `cron` is given; weekdays in `cron` are names.
    """

    every_s: int | None = None
    cron: str | None = None
    timezone: str = "UTC"


# --- what was concluded -------------------------------------------------------------------------------------------


class Severity(StrEnum):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return list(Severity).index(self)


class Level(IntEnum):
    """What a condition can come to, from bad to good (rule language, section 4)."""

    FALSE = 0
    ABSENT = 1
    UNSEEN = 2
    TRUE = 3


class RuleOutcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    WAIVED = "waived"
    NOT_EVALUATED = "not_evaluated"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One test of a rule and what it met (rule language, section 9). `expected` and `actual` are plain JSON values, vars and aliases resolved."""

    at: str
    fact: str
    operator: str
    expected: Any
    level: Level
    state: State
    negated: bool = False
    var: str | None = None
    reason: str | None = None
    actual: Any = None
    sent: JsonType | None = None

    def document(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "fact": self.fact,
            "operator": self.operator,
            "negated": self.negated,
            "expected": self.expected,
            "var": self.var,
            "state": self.state.value,
            "reason": self.reason,
            "actual": self.actual,
            "sent": self.sent.value if self.sent else None,
            "level": self.level.name.lower(),
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Leaf":
        return Leaf(
            **{key: document[key] for key in ("at", "fact", "operator", "negated", "expected", "var", "reason", "actual")},
            state=State(document["state"]),
            sent=JsonType(document["sent"]) if document["sent"] else None,
            level=Level[document["level"].upper()],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule came to for one target.

    `severity` is there for fail, waived and not_evaluated. `standing` marks a not_evaluated that rests on a limit of the source alone (what
    this API shape cannot show), not on trouble. `as_of` is the UTC day of the observation. `detail` names the fault of an `error`.
    """

    rule: str
    outcome: RuleOutcome
    as_of: date
    severity: Severity | None = None
    standing: bool = False
    applies: tuple[Leaf, ...] = ()
    because: tuple[Leaf, ...] = ()
    severity_because: tuple[Leaf, ...] = ()
    detail: str = ""

    def document(self) -> dict[str, Any]:
        """The finding as JSON; `as_of` stays outside, with the observation, so that an unchanged judgement is one row."""
        return {
            "rule": self.rule,
            "outcome": self.outcome.value,
            "severity": self.severity.value if self.severity else None,
            "standing": self.standing,
            "applies": [leaf.document() for leaf in self.applies],
            "because": [leaf.document() for leaf in self.because],
            "severity_because": [leaf.document() for leaf in self.severity_because],
            "detail": self.detail,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any], *, as_of: date) -> "Finding":
        return Finding(
            rule=document["rule"],
            outcome=RuleOutcome(document["outcome"]),
            as_of=as_of,
            severity=Severity(document["severity"]) if document["severity"] else None,
            standing=document["standing"],
            applies=tuple(Leaf.from_document(leaf) for leaf in document["applies"]),
            because=tuple(Leaf.from_document(leaf) for leaf in document["because"]),
            severity_because=tuple(Leaf.from_document(leaf) for leaf in document["severity_because"]),
            detail=document["detail"],
        )


class Verdict(StrEnum):
    COMPLIANT = "compliant"
    COMPLIANT_WITH_WAIVERS = "compliant_with_waivers"
    NON_COMPLIANT = "non_compliant"
    INDETERMINATE = "indeterminate"


class Direction(StrEnum):
    """Which way a change goes for the safety of the mail."""

    DOWNGRADE = "downgrade"
    REDIRECTION = "redirection"
    UPGRADE = "upgrade"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs between two snapshots. `kind` is value, set, cleared, secret_state, provider, parameter, api_shape or unknown_field.

    `before` and `after` are display texts with no secret in them. `severity` is how bad the change is by itself.
    """

    field: str
    kind: str
    direction: Direction
    before: str
    after: str
    severity: Severity = Severity.INFO

    def document(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "kind": self.kind,
            "direction": self.direction.value,
            "before": self.before,
            "after": self.after,
            "severity": self.severity.value,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "FieldChange":
        return FieldChange(
            **{key: document[key] for key in ("field", "kind", "before", "after")},
            direction=Direction(document["direction"]),
            severity=Severity(document["severity"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All findings of one policy for one snapshot (or one trouble), in rule order, under the key that makes it reusable."""

    key: str
    policy_digest: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All that one run concludes about one target. `previous` is the last observed state before this one, None where there is none.

    `changes` lie between the snapshot of `previous` and this one; `previous_at` is when that snapshot was last seen.
    """

    observation: Observation
    judgement: Judgement
    verdict: Verdict
    changes: tuple[FieldChange, ...] = ()
    previous_digest: str | None = None
    previous_at: datetime | None = None


# --- what a report is made of -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """What a rule says to a reader. `controls` maps a framework's key to the control ids that the rule supports."""

    id: str
    title: str
    rationale: str = ""
    remediation: str = ""
    references: tuple[str, ...] = ()
    controls: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """A policy as it read when it judged: effective rules and vars of one target, under the digest that findings carry."""

    name: str
    title: str
    version: int
    digest: str
    rules: tuple[RuleText, ...]
    vars: tuple[tuple[str, Any], ...] = ()

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "PolicyText":
        """The policy out of its canonical document (`core.policy.EffectivePolicy.document`)."""
        return PolicyText(
            name=document["name"],
            title=document["title"],
            version=document["version"],
            digest=digest(document),
            vars=tuple(sorted(document["vars"].items())),
            rules=tuple(
                RuleText(
                    id=rule["id"],
                    title=rule["title"],
                    rationale=rule["rationale"],
                    remediation=rule["remediation"],
                    references=tuple(rule["references"]),
                    controls=tuple((framework, tuple(ids)) for framework, ids in sorted(rule["controls"].items())),
                )
                for rule in document["rules"]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetText:
    """What a reader is told of a target: no credential, no reference to one."""

    name: str
    url: str
    labels: tuple[tuple[str, str], ...] = ()
    owner: str | None = None
    insecure_skip_verify: bool = False
    insecure_http: bool = False


MAX_MOVED = 20
"""So many changes of one target stand in a Standing; the store keeps them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A recorded change: after `not_before`, the last read that showed the old state, and by `not_after`, the first that showed the new one."""

    not_before: datetime | None
    not_after: datetime
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one target stands at the time of a report.

    `assessment` is the newest one, None for a target that was never read. `last_seen` and `last_snapshot` are the newest observed state: those of
    `assessment` itself unless that one was trouble. `policy` is the policy that judged, None where nothing was judged. `moved` are the recorded
    changes, the newest first, at most `MAX_MOVED`.
    """

    target: TargetText
    assessment: Assessment | None = None
    policy: PolicyText | None = None
    last_seen: datetime | None = None
    last_snapshot: Snapshot | None = None
    moved: tuple[Moved, ...] = ()
