"""`alerts` and `heartbeat` in `auditor.yaml`: who is told of what, by which channels, and when not to disturb."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, assert_never, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from auditor.config.values import (
    CertificateForm,
    Duration,
    HostName,
    Label,
    MailAddress,
    Name,
    Port,
    Secret,
    SeverityWord,
    Strict,
    Text,
    TimeOfDay,
    UrlOrSecret,
    anchored,
    beside,
    certificate_of,
    known_zone,
)
from auditor.core import model
from auditor.core.addresses import is_loopback, proxy_fault, url_fault
from auditor.core.model import ChannelConfig, Heartbeat, MailTls, ReportMail, SecretRef, Severity
from auditor.core.notices import QuietHours, Route
from auditor.errors import ConfigError
from auditor.yamlfile import YamlFile

Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip
"""The facilities of RFC 5424 section 6.2.1, in the order of their numbers."""

_PORTS = {MailTls.IMPLICIT: 465, MailTls.STARTTLS: 587, MailTls.NONE: 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Who is told, and when: `quiet` delays, `remind_after` is when what stays open is called to mind, `attempts` when a message is given up.

    `coverage_below` is in percent: a target of whose owed reads in a week fewer came to something is told of; None for never.
    """

    channels: tuple[ChannelConfig, ...] = ()
    quiet: QuietHours | None = None
    remind_after: timedelta | None = None
    attempts: int = 10
    coverage_below: int | None = None

    @property
    def routes(self) -> tuple[Route, ...]:
        """What each channel takes, in the order of the file."""
        return tuple(Route(channel=c.name, minimum=c.minimum, labels=c.labels, owners=c.owners) for c in self.channels)

    def attempts_of(self, channel: str) -> int:
        """After how many attempts a message is given up on the channel of that name."""
        return next((c.attempts for c in self.channels if c.name == channel and c.attempts is not None), self.attempts)


# --- the form of the file -----------------------------------------------------------------------------------------


class ChannelForm(Strict):
    name: Name
    minimum: SeverityWord | None = None
    labels: dict[Label, Label] = {}
    owners: list[Text] = []
    timeout: Annotated[Duration, Field(le=120)] = 30
    attempts: Annotated[int, Field(ge=1, le=1000)] | None = None


class MailForm(ChannelForm):
    type: Literal["mail"]
    host: HostName
    port: Port | None = None
    tls: Literal["implicit", "starttls", "none"] = "starttls"
    username: Text | None = None
    password: Secret | None = None
    sender: Annotated[MailAddress, Field(alias="from")]
    to: Annotated[list[MailAddress], Field(min_length=1, max_length=100)]
    ca_file: Text | None = None
    report: Literal["attached", "linked", "none"] = "none"
    report_link: Text | None = None


class AppriseForm(ChannelForm):
    type: Literal["apprise"]
    url: Secret


class WebhookForm(ChannelForm):
    type: Literal["webhook"]
    url: UrlOrSecret
    secret: Secret
    proxy: Text | None = None
    ca_file: Text | None = None
    insecure_http: bool = False


class SyslogForm(ChannelForm):
    type: Literal["syslog"]
    host: HostName
    port: Port = 6514
    facility: Facility = "audit"
    enterprise: Annotated[int, Field(ge=1, le=2**32 - 1)] = 32473
    ca_file: Text | None = None
    client_certificate: CertificateForm | None = None


class QuietHoursForm(Strict):
    begin: Annotated[TimeOfDay, Field(alias="from")]
    end: Annotated[TimeOfDay, Field(alias="to")]
    timezone: Annotated[str, AfterValidator(known_zone)] = "UTC"


class AlertsForm(Strict):
    channels: Annotated[list[Annotated[MailForm | AppriseForm | WebhookForm | SyslogForm, Field(discriminator="type")]], Field(min_length=1)]
    minimum: SeverityWord = Severity.LOW
    reminder: Duration | None = None
    quiet_hours: QuietHoursForm | None = None
    attempts: Annotated[int, Field(ge=1, le=1000)] = 10
    coverage_below: Annotated[int, Field(ge=1, le=100)] | None = None


class HeartbeatForm(Strict):
    url: UrlOrSecret
    proxy: Text | None = None
    ca_file: Text | None = None
    insecure_http: bool = False
    timeout: Annotated[Duration, Field(le=120)] = 10


def _as_mapping(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


HeartbeatOrUrl = Annotated[HeartbeatForm, BeforeValidator(_as_mapping, json_schema_input_type=UrlOrSecret | HeartbeatForm)]
"""An address alone, or with what it takes to get there."""


# --- from the file to channels ------------------------------------------------------------------------------------

FORMS: Mapping[str, type[ChannelForm]] = {"mail": MailForm, "apprise": AppriseForm, "webhook": WebhookForm, "syslog": SyslogForm}
"""The form of a channel by its `type`."""


def alerts_of(source: YamlFile, form: AlertsForm, folder: Path) -> Alerts:
    """What `form` says.

    Raises:
        ConfigError: Something in it does not go together.
    """
    seen: dict[str, int] = {}
    for index, entry in enumerate(form.channels):
        if (first := seen.setdefault(entry.name.casefold(), index)) != index:
            where, line = source.where("alerts", "channels", index, "name"), source.line("alerts", "channels", first)
            raise ConfigError(f"{where}: a second channel {entry.name!r}; the first is in line {line}")
    quiet = form.quiet_hours
    if quiet is not None and quiet.begin == quiet.end:
        hint = "leave `quiet_hours` out, or give them an end"
        raise ConfigError(f"{source.where('alerts', 'quiet_hours')}: quiet hours that begin when they end", hint=hint)
    return Alerts(
        channels=tuple(_channel(source, form, index, folder) for index in range(len(form.channels))),
        quiet=QuietHours(begin=quiet.begin, end=quiet.end, timezone=quiet.timezone) if quiet else None,
        remind_after=timedelta(seconds=form.reminder) if form.reminder else None,
        attempts=form.attempts,
        coverage_below=form.coverage_below,
    )


def heartbeat_of(source: YamlFile, form: HeartbeatForm, folder: Path) -> Heartbeat:
    """What `form` says.

    Raises:
        ConfigError: Nothing may be sent to that address.
    """
    place: tuple[str | int, ...] = ("heartbeat",)

    def refuse(key: str, message: str, hint: str = "") -> ConfigError:
        at = (*place, key) if isinstance(source.value["heartbeat"], dict) and key in source.value["heartbeat"] else place
        return ConfigError(f"{source.where(*at)}: heartbeat: {message}", hint=hint)

    return Heartbeat(**_address(form, folder, refuse), timeout_s=form.timeout)


class _Refuse(Protocol):
    """Makes an error about the key at hand."""

    def __call__(self, key: str, message: str, hint: str = "") -> ConfigError: ...


def _channel(source: YamlFile, form: AlertsForm, index: int, folder: Path) -> ChannelConfig:
    entry = form.channels[index]

    def refuse(key: str, message: str, hint: str = "") -> ConfigError:
        known = entry.model_fields_set | {"from"}
        place = ("alerts", "channels", index, key) if key in known else ("alerts", "channels", index)
        return ConfigError(f"{source.where(*place)}: channel {entry.name}: {message}", hint=hint)

    common: dict[str, Any] = {
        "name": entry.name,
        "minimum": entry.minimum or form.minimum,
        "labels": tuple(sorted(entry.labels.items())),
        "owners": tuple(entry.owners),
        "timeout_s": entry.timeout,
        "attempts": entry.attempts,
    }
    match entry:
        case MailForm():
            tls = MailTls(entry.tls)
            if tls is MailTls.NONE and not is_loopback(entry.host):
                raise refuse("tls", "mail in clear goes to this machine alone", "use starttls (port 587) or implicit (port 465)")
            if (entry.username is None) != (entry.password is None):
                raise refuse("username", "`username` and `password` go together", "password: env:NAME or file:PATH")
            if tls is MailTls.NONE and entry.password is not None:
                raise refuse("password", "a password is not sent in clear", "use starttls or implicit")
            report = ReportMail(entry.report)
            if report is ReportMail.LINKED and entry.report_link is None:
                raise refuse("report", "nothing says where a report can be fetched", "report_link: https://reports.example.org/smtp/")
            if report is ReportMail.NONE and entry.report_link is not None:
                raise refuse(
                    "report_link", "`report_link` goes with `report`", "report: linked, or attached, where it stands for a file that is too large"
                )
            if entry.report_link is not None and (fault := _link_fault(entry.report_link)):
                raise refuse("report_link", f"report_link {fault}", "https://reports.example.org/smtp/")
            return model.MailChannel(
                **common,
                report=report,
                report_link=f"{entry.report_link.rstrip('/')}/" if entry.report_link else None,
                host=entry.host,
                port=entry.port or _PORTS[tls],
                tls=tls,
                username=entry.username,
                password=anchored(entry.password, folder) if entry.password else None,
                sender=entry.sender,
                to=tuple(entry.to),
                ca_file=_path(entry.ca_file, folder),
            )
        case AppriseForm():
            return model.AppriseChannel(**common, url=anchored(entry.url, folder))
        case WebhookForm():
            return model.WebhookChannel(**common, **_address(entry, folder, refuse), secret=anchored(entry.secret, folder))
        case SyslogForm():
            facility = get_args(Facility).index(entry.facility)
            return model.SyslogChannel(
                **common,
                host=entry.host,
                port=entry.port,
                facility=facility,
                enterprise=entry.enterprise,
                ca_file=_path(entry.ca_file, folder),
                client_certificate=certificate_of(entry.client_certificate, folder) if entry.client_certificate else None,
            )
        case _:
            assert_never(entry)


def _address(form: WebhookForm | HeartbeatForm, folder: Path, refuse: _Refuse) -> dict[str, Any]:
    if isinstance(form.url, str) and (fault := url_fault(form.url, insecure_http=form.insecure_http)):
        hint = "https://alerts.example.org/hook; one that holds a secret by reference: env:NAME or file:PATH"
        raise refuse("url", f"url {fault}", hint)
    if form.proxy is not None and (fault := proxy_fault(form.proxy)):
        raise refuse("proxy", fault)
    return {
        "url": anchored(form.url, folder) if isinstance(form.url, SecretRef) else form.url,
        "proxy": form.proxy,
        "ca_file": _path(form.ca_file, folder),
        "insecure_http": form.insecure_http,
    }


def _link_fault(text: str) -> str:
    """What keeps `text` from being an address that the name of a file can follow; empty where nothing does."""
    return url_fault(text, insecure_http=False) or ("has a query or a fragment" if re.search("[?#]", text) else "")


def _path(text: str | None, folder: Path) -> str | None:
    return str(beside(folder, text)) if text else None
