"""Reads `auditor.yaml`: which servers are audited, how they are reached, by which policy they are judged, and where things are kept.

Secrets stand in it by reference only (`env:NAME`, `file:PATH`, `credential:NAME`, `keyring:SERVICE/NAME`, `kfutil:PROFILE/KEY`).
Whatever is not understood is refused with file, line and a suggestion, before any server is asked.

What may be said of a target is one table, `TargetSettings`, for `defaults:` and for each target.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError

from auditor import yamlfile
from auditor.config import alerts as alerting
from auditor.config import evidence as proving
from auditor.config.alerts import Alerts
from auditor.config.values import (
    FILE_NAME,
    KEEP_DELIVERED_S,
    CertificateForm,
    Day,
    Duration,
    Keep,
    Label,
    Name,
    Secret,
    SeverityWord,
    Spread,
    Strict,
    Text,
    VarName,
    VarValue,
    Volatile,
    anchored,
    beside,
    certificate_of,
    crontab,
    known_zone,
)
from auditor.core import model, slots
from auditor.core.addresses import is_loopback, proxy_fault, url_fault
from auditor.core.model import Heartbeat, Schedule, SecretRef, Severity, SigningFiles, StampAuthority, Target
from auditor.errors import ConfigError, did_you_mean

__all__ = [
    "FILE_NAME",
    "KEEP_DELIVERED_S",
    "WAIVERS_NAME",
    "Alerts",
    "Config",
    "Evidence",
    "Retention",
    "TargetSettings",
    "flat",
    "json_schema",
    "load",
]

WAIVERS_NAME = "waivers.yaml"
"""The waivers that lie beside the configuration are used, unless it names others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where the daemon answers `/healthz` and `/metrics`; elsewhere than on loopback, to whoever shows the token alone."""

    host: str
    port: int
    token: SecretRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many seconds reads and reports are kept, and notices after they were delivered."""

    keep_reads_s: int
    keep_delivered_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """With what checkpoints are signed, who dates them (`tsa` is None where nobody does), and when a daemon makes one."""

    signer: SigningFiles
    tsa: StampAuthority | None
    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that was understood whole. Paths are absolute.

    `vars` and `target_vars` set policy vars; whoever loads the policies checks them. `waivers` is the file of waivers, None where there is none.
    `baselines` is the folder that approvals are imported from, None where they are given on the command line. A report counts days and weeks by
    the clocks of `report_timezone`, and a failure is to be mended within `due_days`, by its severity. `events` is the file that a SIEM reads along,
    `heartbeat` the address that is called after each sweep; None where there is none. `retention` is what a daemon removes each day; None for
    nothing. `evidence` is None where nothing is signed.
    """

    file: Path
    database: Path
    targets: tuple[Target, ...]
    policy_folders: tuple[Path, ...]
    waivers: Path | None
    baselines: Path | None
    report_folder: Path
    report_schedule: Schedule
    report_timezone: str
    due_days: Mapping[Severity, int]
    fingerprint_key: SecretRef
    spread_s: int
    late_after_s: int
    workers: int
    grace_s: int
    health: Health | None
    alerts: Alerts
    events: Path | None
    heartbeat: Heartbeat | None
    retention: Retention | None
    evidence: Evidence | None
    vars: Mapping[str, Any]
    target_vars: Mapping[str, Mapping[str, Any]]
    source: yamlfile.YamlFile = field(repr=False)
    places: Mapping[str, Mapping[str, tuple[str | int, ...]]] = field(repr=False)

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.database.as_posix()}"

    def where(self, target: str, key: str) -> str:
        """`FILE:LINE` of the value of `key` for `target`, or of the target where it has none."""
        return self.source.where(*self.places[target].get(key, self.places[target]["name"]))

    def origin(self, target: str, key: str) -> str:
        """Where the value of `key` for `target` was set: `auditor.yaml:12`, or `default`."""
        place = self.places[target].get(key)
        return f"{self.file.name}:{self.source.line(*place)}" if place else "default"


def load(path: Path) -> Config:
    """Read and check the configuration at `path`.

    Raises:
        ConfigError: Something in it is wrong; nothing of it is used then.
    """
    path = path.absolute()
    return understood(yamlfile.read(path, error=ConfigError), path)


def understood(source: yamlfile.YamlFile, path: Path) -> Config:
    """The configuration that `source` says, as if it stood in a file at `path`.

    Raises:
        ConfigError: Something in it is wrong.
    """
    if not isinstance(source.value, dict):
        raise ConfigError(f"{path}:1: a configuration is a mapping that has `targets`", hint="`auditor init` writes a commented example")
    try:
        content = _File.model_validate(source.value)
    except ValidationError as failure:
        raise _first_error(source, failure) from None  # the cause holds the input, which may be a secret
    folder = path.parent
    targets, places = [], {}
    for index, entry in enumerate(content.targets):
        target, where = _target(source, content, index, entry, folder)
        targets.append(target)
        places[target.name] = where
    _refuse_doubles(source, targets)
    return Config(
        file=path,
        database=_database(source, content.database, folder),
        targets=tuple(targets),
        policy_folders=tuple(_folder(source, folder, text, ("policies", index)) for index, text in enumerate(content.policies)),
        waivers=_waivers(source, content.waivers, folder),
        baselines=_folder(source, folder, content.baselines, ("baselines",)) if content.baselines else None,
        report_folder=beside(folder, content.report.folder),
        report_schedule=_schedule(source, content.report.schedule, ("report", "schedule")),
        report_timezone=content.report.timezone,
        due_days=_due_days(content.report.due_days),
        fingerprint_key=anchored(content.fingerprint_key, folder),
        spread_s=content.spread,
        late_after_s=content.late_after,
        workers=content.workers,
        grace_s=content.grace,
        health=_health(source, content.health, folder) if content.health else None,
        alerts=alerting.alerts_of(source, content.alerts, folder) if content.alerts else Alerts(),
        events=beside(folder, content.events) if content.events else None,
        heartbeat=alerting.heartbeat_of(source, content.heartbeat, folder) if content.heartbeat else None,
        retention=Retention(keep_reads_s=content.retention.keep_reads, keep_delivered_s=content.retention.keep_delivered)
        if content.retention
        else None,
        evidence=_evidence(source, content.evidence, folder) if content.evidence else None,
        vars=content.vars,
        target_vars={entry.name: entry.vars for entry in content.targets},
        source=source,
        places=places,
    )


def recorded(value: Any) -> dict[str, str]:
    """What the record keeps of a configuration: `flat`, but of an address that alerts go to no more than its host, since its path may be a secret."""
    return {path: _host_alone(text) if _HOLDS_ADDRESS(path) else text for path, text in flat(value).items()}


_HOLDS_ADDRESS = re.compile(r"heartbeat(\.url)?|alerts\.channels\..+\.url").fullmatch


def _host_alone(text: str) -> str:
    parts = urlsplit(json.loads(text))
    return json.dumps(f"{parts.scheme}://{parts.netloc}/…", ensure_ascii=False) if parts.netloc else text


def flat(value: Any, path: str = "") -> dict[str, str]:
    """Every setting of a configuration as text, by its path: `targets.prod.url`. Secrets stand in it by reference, as in the file."""
    if isinstance(value, dict) and value:
        return {at: text for key, item in value.items() for at, text in flat(item, f"{path}.{key}" if path else str(key)).items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        parts = ((str(item.get("name", number)), {key: one for key, one in item.items() if key != "name"}) for number, item in enumerate(value))
        return {at: text for name, item in parts for at, text in flat(item, f"{path}.{name}").items()}
    return {path: json.dumps(value, ensure_ascii=False, sort_keys=True)}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `auditor.yaml`, for editors. It accepts nothing that `load` refuses for its form."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_File.model_json_schema(by_alias=True, mode="validation")}


# --- the form of the file: pydantic guards the door ---------------------------------------------------------------


class _Basic(Strict):
    type: Literal["basic"]
    username: Text
    password: Secret


class _OAuth(Strict):
    type: Literal["oauth"]
    token_url: Text
    client_id: Text
    client_secret: Secret
    scopes: list[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]] = []
    audience: Text | None = None
    method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"


class _Token(Strict):
    type: Literal["token"]
    token: Secret


class _Schedule(Strict):
    every: Annotated[Duration, Field(ge=60)] | None = None
    cron: Annotated[str, AfterValidator(crontab)] | None = None
    timezone: Annotated[str, AfterValidator(known_zone)] = "UTC"


class TargetSettings(Strict):
    """What can be said of a target, in `defaults` for all and in the target for itself (which wins, key by key)."""

    api_path: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$")] | None = None
    auth: Annotated[_Basic | _OAuth | _Token, Field(discriminator="type")] | None = None
    client_certificate: CertificateForm | None = None
    ca_file: Text | None = None
    insecure_skip_verify: bool | None = None
    insecure_http: bool | None = None
    proxy: Text | None = None
    no_proxy: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]+$")]] | None = None
    timeout: Annotated[Duration, Field(le=600)] | None = None
    attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] | None = None
    backoff: Duration | None = None
    labels: dict[Label, Label] | None = None
    owner: Text | None = None
    policy: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] | None = None
    attribution: bool | None = None
    pam_providers: bool | None = None
    schedule: _Schedule | None = None
    volatile: list[Volatile] | None = None


class _Target(TargetSettings):
    name: Name
    url: Text
    paused_until: Day | None = None
    paused_reason: Text | None = None
    retired_on: Day | None = None
    renamed_from: Name | None = None
    vars: dict[VarName, VarValue] = {}


class _Report(Strict):
    folder: Text = "reports"
    # made when needed: an instance here would have its validator built at import, a second time
    schedule: _Schedule = Field(default_factory=lambda: _Schedule(cron="0 6 * * mon"))
    timezone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    due_days: dict[SeverityWord, Annotated[int, Field(ge=1, le=3650)]] = {}


class _Health(Strict):
    listen: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")] = "127.0.0.1:9464"
    token: Secret | None = None


class _Retention(Strict):
    keep_reads: Keep
    keep_delivered: Keep = KEEP_DELIVERED_S


class _Evidence(Strict):
    signer: proving.SignerForm
    tsa: proving.TsaForm | None = None
    checkpoint: _Schedule = Field(default_factory=lambda: _Schedule(cron="30 5 * * mon"))


class _File(Strict):
    targets: Annotated[list[_Target], Field(min_length=1)]
    defaults: TargetSettings = Field(default_factory=TargetSettings)
    database: Text = "auditor.db"
    fingerprint_key: Secret = SecretRef("file", "auditor.key")
    policies: list[Text] = []
    waivers: Text | None = None
    baselines: Text | None = None
    vars: dict[VarName, VarValue] = {}
    report: _Report = Field(default_factory=_Report)
    spread: Spread = 0
    late_after: Annotated[Duration, Field(le=86400)] = 300
    alerts: alerting.AlertsForm | None = None
    events: Text | None = None
    heartbeat: alerting.HeartbeatOrUrl | None = None
    workers: Annotated[int, Field(ge=1, le=1024)] = 16
    grace: Annotated[Spread, Field(le=3600)] = 30
    health: _Health | None = None
    retention: _Retention | None = None
    evidence: _Evidence | None = None


DUE_DAYS = {Severity.CRITICAL: 7, Severity.HIGH: 30, Severity.MEDIUM: 90, Severity.LOW: 180}
"""Within so many days a failure of this severity is to be mended, unless `report.due_days` says otherwise; one of severity info never."""


def _due_days(given: Mapping[Severity, int]) -> Mapping[Severity, int]:
    return {**DUE_DAYS, **given}


# --- from the file to targets -------------------------------------------------------------------------------------


def _target(source: yamlfile.YamlFile, content: _File, index: int, entry: _Target, folder: Path) -> tuple[Target, dict[str, tuple[str | int, ...]]]:
    values: dict[str, Any] = {}
    places: dict[str, tuple[str | int, ...]] = {"name": ("targets", index, "name"), "url": ("targets", index, "url")}
    for settings, place in ((content.defaults, ("defaults",)), (entry, ("targets", index))):
        if "vars" in settings.model_fields_set:
            places["vars"] = (*place, "vars")
        for key in settings.model_fields_set - {"name", "url", "vars"}:
            if (value := getattr(settings, key)) is None:
                raise ConfigError(f"{source.where(*place, key)}: `{key}` has no value", hint="give it one, or leave it out")
            values[key] = value
            places[key] = (*place, key)

    def refuse(key: str, message: str, hint: str = "") -> ConfigError:
        return ConfigError(f"{source.where(*places.get(key, ('targets', index)))}: target {entry.name}: {message}", hint=hint)

    insecure_http = bool(values.get("insecure_http"))
    url, fault, hint = _base_url(entry.url, insecure_http=insecure_http)
    if fault:
        raise refuse("url", fault, hint)
    auth = values.get("auth")
    if auth is None:
        raise refuse("auth", "nothing says how to log in", "give `auth`, here or under `defaults`: type basic, oauth or token")
    if isinstance(auth, _OAuth) and (fault := url_fault(auth.token_url, insecure_http=insecure_http)):
        raise refuse("auth", f"token_url {fault}", "the client secret is sent to this address")
    if (proxy := values.get("proxy")) is not None and (fault := proxy_fault(proxy)):
        raise refuse("proxy", fault)
    if ("paused_until" in values) != ("paused_reason" in values):
        raise refuse("paused_until", "`paused_until` and `paused_reason` go together", "a pause has an end and a reason, and both are recorded")
    schedule = values.get("schedule")
    certificate = values.get("client_certificate")
    target = Target(
        name=entry.name,
        url=url,
        auth=_auth(auth, folder),
        client_certificate=certificate_of(certificate, folder) if certificate else None,
        ca_file=str(beside(folder, values["ca_file"])) if values.get("ca_file") else None,
        insecure_skip_verify=bool(values.get("insecure_skip_verify")),
        insecure_http=insecure_http,
        attribution=bool(values.get("attribution")),
        pam_providers=bool(values.get("pam_providers")),
        no_proxy=tuple(name.lower() for name in values.get("no_proxy") or ()),
        labels=tuple(sorted((values.get("labels") or {}).items())),
        schedule=_schedule(source, schedule, places["schedule"]) if schedule else None,
        volatile=tuple(sorted(set(values.get("volatile") or ()))),
        paused_until=values.get("paused_until"),
        paused_reason=values.get("paused_reason"),
        retired_on=values.get("retired_on"),
        renamed_from=values.get("renamed_from"),
        **{key: values[key] for key in ("api_path", "proxy", "attempts", "max_body_bytes", "owner", "policy") if values.get(key) is not None},
        **{new: values[key] for key, new in (("timeout", "timeout_s"), ("backoff", "backoff_s")) if values.get(key) is not None},
    )
    return target, places


def _auth(auth: _Basic | _OAuth | _Token, folder: Path) -> model.Auth:
    match auth:
        case _Basic():
            return model.BasicAuth(username=auth.username, password=anchored(auth.password, folder))
        case _OAuth():
            return model.ClientCredentials(
                token_url=auth.token_url,
                client_id=auth.client_id,
                client_secret=anchored(auth.client_secret, folder),
                scopes=tuple(auth.scopes),
                audience=auth.audience,
                method=model.TokenAuthMethod(auth.method),
            )
        case _Token():
            return model.StaticToken(token=anchored(auth.token, folder))


def _schedule(source: yamlfile.YamlFile, schedule: _Schedule, place: tuple[str | int, ...]) -> Schedule:
    if (schedule.every is None) == (schedule.cron is None):
        raise ConfigError(f"{source.where(*place)}: a schedule has either `every` or `cron`", hint='every: 15m, or cron: "0 6 * * mon-fri"')
    if schedule.every is not None and "timezone" in schedule.model_fields_set:
        raise ConfigError(f"{source.where(*place, 'timezone')}: `timezone` goes with `cron`; `every` counts from midnight UTC")
    found = Schedule(every_s=schedule.every, cron=schedule.cron, timezone=schedule.timezone)
    if slots.next_slot(found, slots.EPOCH + timedelta(days=20_000)) is None:
        raise ConfigError(f"{source.where(*place, 'cron')}: {schedule.cron!r} names no day that there is")
    return found


def _health(source: yamlfile.YamlFile, health: _Health, folder: Path) -> Health:
    host, _, port = health.listen.rpartition(":")
    host = host.strip("[]")
    if not 0 < int(port) < 65536:
        raise ConfigError(f"{source.where('health', 'listen')}: health.listen: there is no port {port}")
    if not is_loopback(host) and health.token is None:
        hint = "give `token: env:NAME` or file:PATH, or listen on 127.0.0.1"
        raise ConfigError(f"{source.where('health')}: health listens on {host} for everybody: that needs a token", hint=hint)
    return Health(host=host, port=int(port), token=anchored(health.token, folder) if health.token else None)


def _evidence(source: yamlfile.YamlFile, form: _Evidence, folder: Path) -> Evidence:
    return Evidence(
        signer=proving.signing_of(source, form.signer, folder),
        tsa=proving.authority_of(source, form.tsa, folder) if form.tsa else None,
        schedule=_schedule(source, form.checkpoint, ("evidence", "checkpoint")),
    )


def _base_url(text: str, *, insecure_http: bool) -> tuple[str, str, str]:
    """Scheme, host and port of `text`; and what is wrong with it, with a hint, where something is."""
    if fault := url_fault(text, insecure_http=insecure_http):
        return "", f"url {fault}", "https://command.example.org; http is for 127.0.0.1 and localhost alone, with insecure_http: true"
    parts = urlsplit(text)
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "", "url has a path", "url is scheme, host and port; the path goes into api_path (KeyfactorAPI unless you set it)"
    return f"{parts.scheme}://{parts.netloc}", "", ""


def _folder(source: yamlfile.YamlFile, folder: Path, text: str, place: tuple[str | int, ...]) -> Path:
    path = beside(folder, text)
    if not path.is_dir():
        raise ConfigError(
            f"{source.where(*place)}: {place[0]}: {path} is not a folder", hint="relative paths count from the configuration's own folder"
        )
    return path


def _waivers(source: yamlfile.YamlFile, text: str | None, folder: Path) -> Path | None:
    path = beside(folder, text or WAIVERS_NAME)
    if path.is_file():
        return path
    if text is not None:
        hint = "relative paths count from the configuration's own folder"
        raise ConfigError(f"{source.where('waivers')}: waivers: {path} is not a file", hint=hint)
    if os.path.lexists(usual := folder / WAIVERS_NAME):  # a folder, a link that leads nowhere: what is not read must not look as if it were
        raise ConfigError(f"{usual}: not a file", hint="put the waivers there, or move it away")
    if (misnamed := usual.with_suffix(".yml")).exists():
        raise ConfigError(f"{misnamed}: the file of waivers is called {WAIVERS_NAME}", hint="rename it, or name it: `waivers: waivers.yml`")
    return None


def _database(source: yamlfile.YamlFile, text: str, folder: Path) -> Path:
    if "://" in text and not text.startswith("sqlite:///"):
        raise ConfigError(f"{source.where('database')}: only SQLite is supported", hint="give a file's path, or sqlite:////absolute/path")
    return beside(folder, text.removeprefix("sqlite:///"))


def _refuse_doubles(source: yamlfile.YamlFile, targets: list[Target]) -> None:
    seen: dict[str, int] = {}
    for index, target in enumerate(targets):
        if (first := seen.setdefault(target.name.casefold(), index)) != index:  # names become file names, and Windows folds case
            raise ConfigError(
                f"{source.where('targets', index, 'name')}: a second target {target.name!r}; the first is in line {source.line('targets', first)}"
            )
    former: dict[str, str] = {}
    for index, target in enumerate(targets):
        if target.renamed_from is None:
            continue
        where = source.where("targets", index, "renamed_from")
        if target.renamed_from.casefold() in seen:
            raise ConfigError(f"{where}: {target.renamed_from!r} is configured itself", hint="the new name takes the history over: configure it once")
        if (other := former.setdefault(target.renamed_from.casefold(), target.name)) != target.name:
            raise ConfigError(f"{where}: {other} was renamed from {target.renamed_from!r} as well", hint="one history has one heir")


# --- what pydantic found, in our words ----------------------------------------------------------------------------

_KINDS = {
    "string_type": "text",
    "int_type": "an integer",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_REFUSED_KEYS = {
    "skip_tls_verify": "use ca_file for a private CA; if it must be, insecure_skip_verify: true, and every report will say so",
    "verify": "certificates are always verified; use ca_file for a private CA",
    "password": "credentials stand under `auth`, by reference: env:NAME, file:PATH or credential:NAME",
}


def _first_error(source: yamlfile.YamlFile, failure: ValidationError) -> ConfigError:
    errors = failure.errors(include_input=False, include_url=False)
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])  # a misspelt key explains a missing one
    place, value = _place(source.value, error["loc"])
    where, key = source.where(*place), str(error["loc"][-1])
    dotted = ".".join(str(part) for part in place)
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(place[:-1], source.value)
            hint = _REFUSED_KEYS.get(key) or did_you_mean(key, known, else_say=f"known here: {', '.join(sorted(known))}")
            return ConfigError(f"{where}: nothing is called {_shown(key)} here", hint=hint)
        case "missing":
            return ConfigError(f"{where}: {dotted or 'the file'} has no `{key}`", hint=f"add `{key}:`")
        case "union_tag_not_found" | "union_tag_invalid":
            types = ", ".join(alerting.FORMS) if "channels" in place else "basic, oauth or token; Kerberos is not built"
            return ConfigError(f"{where}: {dotted} needs a type", hint=f"type: {types}")
        case _ if "vars" in place:
            return ConfigError(f"{where}: {dotted} must be true, false, an integer, text, a list of these, or null, not {_kind_of(value)}")
        case kind if kind in _KINDS:
            return ConfigError(f"{where}: {dotted} must be {_KINDS[kind]}, not {_kind_of(value)}", hint=_quoting_hint(kind, value))
        case "string_pattern_mismatch" if key in ("[key]", "name", "policy", "api_path") or "labels" in place:
            return ConfigError(f"{where}: {dotted} has a form that is not taken: {error['msg']}")
        case _:
            return ConfigError(f"{where}: {dotted}: {error['msg']}")


def _place(value: Any, loc: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Any]:
    """The part of the file that pydantic's `loc` speaks of (less the names of union members), and what stands there."""
    place: list[str | int] = []
    for part in loc:
        is_there = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_there:
            value = value[part]
            place.append(part)
    return tuple(place), value


def _known_keys(place: tuple[str | int, ...], document: Any) -> list[str]:
    match place:
        case ():
            form: type[Strict] = _File
        case ("targets", _):
            form = _Target
        case (*_, "auth"):
            _, value = _place(document, place)
            forms: dict[str, type[Strict]] = {"basic": _Basic, "oauth": _OAuth, "token": _Token}
            form = forms[value["type"]]
        case (*_, "client_certificate"):
            form = CertificateForm
        case (*_, "schedule") | ("evidence", "checkpoint"):
            form = _Schedule
        case ("report",):
            form = _Report
        case ("health",):
            form = _Health
        case ("retention",):
            form = _Retention
        case ("evidence",):
            form = _Evidence
        case ("evidence", "signer"):
            form = proving.SignerForm
        case ("evidence", "tsa"):
            form = proving.TsaForm
        case ("alerts",):
            form = alerting.AlertsForm
        case ("alerts", "quiet_hours"):
            form = alerting.QuietHoursForm
        case ("alerts", "channels", _):
            _, value = _place(document, place)
            form = alerting.FORMS[value["type"]]
        case ("heartbeat",):
            form = alerting.HeartbeatForm
        case _:
            form = TargetSettings
    return [field.alias or name for name, field in form.model_fields.items()]


def _kind_of(value: object) -> str:
    names = {bool: "true or false", int: "a number", str: "text", list: "a list", dict: "a mapping", type(None): "nothing"}
    return names.get(type(value), "that")


def _quoting_hint(kind: str, value: object) -> str:
    return f'write "{value}" in quotes' if kind == "string_type" and isinstance(value, bool | int) else ""


def _shown(key: str) -> str:
    return repr(key[:64])
