"""An observation: one attempt to read a profile, what it ended in, and how it came about."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auditor.core.model.snapshot import Snapshot


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
    `denied_as` (401 or 403), `pam_denied_until` the end of one for the list of PAM providers alone. `identity` is a digest of whom and what we asked
    with: when it changes, nothing remembered counts.
    """

    identity: str = ""
    api_version: int | None = None
    product_version: str | None = None
    denied_as: ReadOutcome | None = None
    denied_at: datetime | None = None
    denied_until: datetime | None = None
    pam_denied_until: datetime | None = None
