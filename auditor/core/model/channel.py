"""A channel: where people, or their machines, are told; and what it wants to be told of."""

from dataclasses import dataclass
from enum import StrEnum

from auditor.core.model.finding import Severity
from auditor.core.model.target import ClientCertificate, SecretRef


class MailTls(StrEnum):
    """How mail is handed over: TLS from the first byte (port 465), after STARTTLS, or not at all (to this machine alone)."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


class ReportMail(StrEnum):
    """Whether a mail channel gets the report: as a file, as an address where it can be fetched, or not at all."""

    ATTACHED = "attached"
    LINKED = "linked"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """What every channel has: a name, which notices it takes (`core.notices.Route` has the words), and how long one message may take to send.

    `attempts`, where it is given, is after how many a message is given up on this channel.
    """

    name: str
    minimum: Severity = Severity.LOW
    labels: tuple[tuple[str, str], ...] = ()
    owners: tuple[str, ...] = ()
    timeout_s: float = 30.0
    attempts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailChannel(ChannelConfig):
    """Mail, handed to a relay. The certificate of `host` is verified; `ca_file` is trusted besides the operating system's roots.

    `report` is whether it gets the report, `report_link` the address below which reports can be fetched by their names, with a `/` at its end.
    """

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    tls: MailTls = MailTls.STARTTLS
    username: str | None = None
    password: SecretRef | None = None
    ca_file: str | None = None
    report: ReportMail = ReportMail.NONE
    report_link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseChannel(ChannelConfig):
    """One service of those that the package `apprise` knows. Its URL holds the credential, so it is a secret."""

    url: SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel(ChannelConfig):
    """A POST of JSON, signed with `secret`. The URL itself may be a secret. `insecure_http` lets http be used to this machine."""

    url: str | SecretRef
    secret: SecretRef
    proxy: str | None = None
    ca_file: str | None = None
    insecure_http: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogChannel(ChannelConfig):
    """Syslog over TLS (RFC 5425). `facility` is a number of RFC 5424, `enterprise` the one under which our fields are named.

    `client_certificate` is for a collector that asks who we are.
    """

    host: str
    port: int = 6514
    facility: int = 13
    enterprise: int = 32473
    ca_file: str | None = None
    client_certificate: ClientCertificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """An address that is asked after each complete sweep: whoever waits there notices when that stops."""

    url: str | SecretRef
    proxy: str | None = None
    ca_file: str | None = None
    insecure_http: bool = False
    timeout_s: float = 10.0
