"""A target: one server to audit, how to reach it, as whom, and when."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be found: `env:NAME`, `file:PATH`, `credential:NAME` (systemd's), `keyring:SERVICE/NAME` or `kfutil:PROFILE/KEY[@FILE]`.

    The value is read anew at each attempt and never kept.
    """

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
class Schedule:
    """When a target is due: every `every_s` seconds (counted from midnight UTC, 1970), or at the times of a crontab line in `timezone`.

    Exactly one of `every_s` and `cron` is given; weekdays in `cron` are names.
    """

    every_s: int | None = None
    cron: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One Keyfactor Command server to audit. `url` has scheme, host and port alone; paths are absolute.

    `timeout_s` bounds one whole request, body included; `backoff_s` is how long a 401 or 403 holds further calls back. `volatile` names fields
    (`unknown:NAME` one that no version documents) whose changes are no drift. No read is owed through the day `paused_until`, nor from the day
    `retired_on` on (UTC). `renamed_from` is the name under which its history was recorded. `attribution` and `pam_providers` ask
    Command's audit log and its list of PAM providers, too, each of which needs a permission of its own.
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
    no_proxy: tuple[str, ...] = ()
    timeout_s: float = 30.0
    attempts: int = 3
    max_body_bytes: int = 64 * 1024
    backoff_s: int = 6 * 3600
    labels: tuple[tuple[str, str], ...] = ()
    owner: str | None = None
    policy: str = "recommended"
    attribution: bool = False
    pam_providers: bool = False
    schedule: Schedule | None = None
    volatile: tuple[str, ...] = ()
    paused_until: date | None = None
    paused_reason: str | None = None
    retired_on: date | None = None
    renamed_from: str | None = None

    def is_retired(self, on: date) -> bool:
        """Whether it is no longer audited on the day `on` (UTC)."""
        return self.retired_on is not None and on >= self.retired_on

    def is_paused(self, on: date) -> bool:
        """Whether no read is owed on the day `on` (UTC), for a while."""
        return self.paused_until is not None and on <= self.paused_until
