"""Reads `auditor.yaml`: which servers are audited, how they are reached, by which policy they are judged, and where things are kept.

Secrets stand in it by reference only (`env:NAME`, `file:PATH`, `credential:NAME`). Whatever is not understood is refused with file, line and a
suggestion, before any server is asked. What may be said of a target is one table, `TargetSettings`, for `defaults:` and for each target.
"""

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from auditor import yamlfile
from auditor.core import model, slots
from auditor.core.model import Schedule, SecretRef, Target
from auditor.errors import ConfigError, did_you_mean

FILE_NAME = "auditor.yaml"
WAIVERS_NAME = "waivers.yaml"
"""The waivers that lie beside the configuration are used, unless it names others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that was understood whole. Paths are absolute.

    `vars` and `target_vars` set policy vars; whoever loads the policies checks them. `waivers` is the file of waivers, None where there is none.
    `baselines` is the folder that approvals are imported from, None where they are given on the command line.
    """

    file: Path
    database: Path
    targets: tuple[Target, ...]
    policy_folders: tuple[Path, ...]
    waivers: Path | None
    baselines: Path | None
    report_folder: Path
    report_schedule: Schedule
    fingerprint_key: SecretRef
    spread_s: int
    late_after_s: int
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
    source = yamlfile.read(path, error=ConfigError)
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
        report_folder=_beside(folder, content.report.folder),
        report_schedule=_schedule(source, content.report.schedule, ("report", "schedule")),
        fingerprint_key=_anchored(content.fingerprint_key, folder),
        spread_s=content.spread,
        late_after_s=content.late_after,
        vars=content.vars,
        target_vars={entry.name: entry.vars for entry in content.targets},
        source=source,
        places=places,
    )


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


def _duration_s(value: object) -> object:
    if isinstance(value, str) and (match := re.fullmatch(r"([0-9]{1,6})(s|m|h|d)", value)):
        return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    raise PydanticCustomError("duration", "a duration is a number and a unit, such as 30s, 15m, 6h or 1d")


_SECRET_REF = r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*|credential:[A-Za-z0-9_][A-Za-z0-9._-]{0,254}"


def _secret_ref(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(_SECRET_REF, value):
        return SecretRef(*value.split(":", 1))
    raise PydanticCustomError(
        "secret_ref",
        "a secret stands here by reference only, as env:NAME, file:PATH or credential:NAME (what was found is not shown: it may be the secret)",
    )


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("timezone", "no time zone is called {zone}", {"zone": repr(value)}) from None
    return value


def _crontab(value: str) -> str:
    try:
        slots.check_cron(value)
    except ValueError as failure:
        raise PydanticCustomError("crontab", "{reason}", {"reason": str(failure)}) from None
    return value


_Duration = Annotated[
    int, BeforeValidator(_duration_s, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,6}[smhd]$")]), Field(ge=1, le=366 * 86400)
]
_Spread = Annotated[
    int, BeforeValidator(_duration_s, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,6}[smhd]$")]), Field(ge=0, le=86400)
]
_Secret = Annotated[
    SecretRef,
    BeforeValidator(_secret_ref, json_schema_input_type=Annotated[str, Field(pattern=f"^({_SECRET_REF})$")]),
]
_Text = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
_Label = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f=,]{1,128}$")]
_VarName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
_VarValue = bool | int | str | list[bool | int | str] | None


def _day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise PydanticCustomError("day", "a day is written as 2026-12-31, and must be one that there is")


def _volatile(value: str) -> str:
    name = value.removeprefix(model.UNKNOWN)
    if value in model.PROFILE_FIELDS or (name != value and name and name not in model.PROFILE_FIELDS):
        return value
    hint = did_you_mean(value, model.PROFILE_FIELDS, else_say="a field that no version documents is written as unknown:NAME")
    raise PydanticCustomError("volatile", "no field is called {name}; {hint}", {"name": repr(value[:64]), "hint": hint})


_Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")])]
_Volatile = Annotated[str, Field(max_length=256, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_volatile)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class _Basic(_Strict):
    type: Literal["basic"]
    username: _Text
    password: _Secret


class _OAuth(_Strict):
    type: Literal["oauth"]
    token_url: _Text
    client_id: _Text
    client_secret: _Secret
    scopes: list[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]] = []
    audience: _Text | None = None
    method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"


class _Token(_Strict):
    type: Literal["token"]
    token: _Secret


class _Certificate(_Strict):
    certificate: _Text
    key: _Text | None = None
    passphrase: _Secret | None = None


class _Schedule(_Strict):
    every: Annotated[_Duration, Field(ge=60)] | None = None
    cron: Annotated[str, AfterValidator(_crontab)] | None = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"


class TargetSettings(_Strict):
    """What can be said of a target, in `defaults` for all and in the target for itself (which wins, key by key)."""

    api_path: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$")] | None = None
    auth: Annotated[_Basic | _OAuth | _Token, Field(discriminator="type")] | None = None
    client_certificate: _Certificate | None = None
    ca_file: _Text | None = None
    insecure_skip_verify: bool | None = None
    insecure_http: bool | None = None
    proxy: _Text | None = None
    no_proxy: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]+$")]] | None = None
    timeout: Annotated[_Duration, Field(le=600)] | None = None
    attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] | None = None
    backoff: _Duration | None = None
    labels: dict[_Label, _Label] | None = None
    owner: _Text | None = None
    policy: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] | None = None
    attribution: bool | None = None
    pam_providers: bool | None = None
    schedule: _Schedule | None = None
    volatile: list[_Volatile] | None = None


class _Target(TargetSettings):
    name: _Name
    url: _Text
    paused_until: _Day | None = None
    paused_reason: _Text | None = None
    retired_on: _Day | None = None
    renamed_from: _Name | None = None
    vars: dict[_VarName, _VarValue] = {}


class _Report(_Strict):
    folder: _Text = "reports"
    # made when needed: an instance here would have its validator built at import, a second time
    schedule: _Schedule = Field(default_factory=lambda: _Schedule(cron="0 6 * * mon"))


class _File(_Strict):
    targets: Annotated[list[_Target], Field(min_length=1)]
    defaults: TargetSettings = Field(default_factory=TargetSettings)
    database: _Text = "auditor.db"
    fingerprint_key: _Secret = SecretRef("file", "auditor.key")
    policies: list[_Text] = []
    waivers: _Text | None = None
    baselines: _Text | None = None
    vars: dict[_VarName, _VarValue] = {}
    report: _Report = Field(default_factory=_Report)
    spread: _Spread = 0
    late_after: Annotated[_Duration, Field(le=86400)] = 300


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
    if isinstance(auth, _OAuth) and (fault := _url_fault(auth.token_url, insecure_http=insecure_http)):
        raise refuse("auth", f"token_url {fault}", "the client secret is sent to this address")
    if (proxy := values.get("proxy")) is not None and (urlsplit(proxy).scheme not in ("http", "https") or "@" in proxy):
        raise refuse("proxy", "a proxy is http://HOST:PORT or https://HOST:PORT, with no user or password in it")
    if ("paused_until" in values) != ("paused_reason" in values):
        raise refuse("paused_until", "`paused_until` and `paused_reason` go together", "a pause has an end and a reason, and both are recorded")
    schedule = values.get("schedule")
    certificate = values.get("client_certificate")
    target = Target(
        name=entry.name,
        url=url,
        auth=_auth(auth, folder),
        client_certificate=model.ClientCertificate(
            certificate=str(_beside(folder, certificate.certificate)),
            key=str(_beside(folder, certificate.key)) if certificate.key else None,
            passphrase=_anchored(certificate.passphrase, folder) if certificate.passphrase else None,
        )
        if certificate
        else None,
        ca_file=str(_beside(folder, values["ca_file"])) if values.get("ca_file") else None,
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
            return model.BasicAuth(username=auth.username, password=_anchored(auth.password, folder))
        case _OAuth():
            return model.ClientCredentials(
                token_url=auth.token_url,
                client_id=auth.client_id,
                client_secret=_anchored(auth.client_secret, folder),
                scopes=tuple(auth.scopes),
                audience=auth.audience,
                method=model.TokenAuthMethod(auth.method),
            )
        case _Token():
            return model.StaticToken(token=_anchored(auth.token, folder))


def _schedule(source: yamlfile.YamlFile, schedule: _Schedule, place: tuple[str | int, ...]) -> Schedule:
    if (schedule.every is None) == (schedule.cron is None):
        raise ConfigError(f"{source.where(*place)}: a schedule has either `every` or `cron`", hint='every: 15m, or cron: "0 6 * * mon-fri"')
    if schedule.every is not None and "timezone" in schedule.model_fields_set:
        raise ConfigError(f"{source.where(*place, 'timezone')}: `timezone` goes with `cron`; `every` counts from midnight UTC")
    found = Schedule(every_s=schedule.every, cron=schedule.cron, timezone=schedule.timezone)
    if slots.next_slot(found, slots.EPOCH + timedelta(days=20_000)) is None:
        raise ConfigError(f"{source.where(*place, 'cron')}: {schedule.cron!r} names no day that there is")
    return found


def _base_url(text: str, *, insecure_http: bool) -> tuple[str, str, str]:
    """Scheme, host and port of `text`; and what is wrong with it, with a hint, where something is."""
    if fault := _url_fault(text, insecure_http=insecure_http):
        return "", f"url {fault}", "https://command.example.org; http is for 127.0.0.1 and localhost alone, with insecure_http: true"
    parts = urlsplit(text)
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "", "url has a path", "url is scheme, host and port; the path goes into api_path (KeyfactorAPI unless you set it)"
    return f"{parts.scheme}://{parts.netloc}", "", ""


def _url_fault(text: str, *, insecure_http: bool) -> str:
    """What makes `text` no address that credentials may be sent to; empty where nothing does. Never quotes the text: it may hold a password."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if not host or not text.isascii() or any(character.isspace() for character in text):
        return "is not a URL with a host in ASCII"
    if "@" in parts.netloc:
        return "has a user or password in it"
    if parts.scheme == "http":
        return "" if insecure_http and _is_loopback(host) else "is not https"
    return "" if parts.scheme == "https" else "is not https"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _beside(folder: Path, text: str) -> Path:
    """A path of the file: relative ones count from the folder that the file is in."""
    try:
        return (folder / Path(text).expanduser()).resolve()
    except (RuntimeError, ValueError, OSError) as failure:
        raise ConfigError(f"{folder / FILE_NAME}: {text!r} is no path: {failure}", hint="write the path out") from None


def _anchored(ref: SecretRef, folder: Path) -> SecretRef:
    return SecretRef("file", str(_beside(folder, ref.name))) if ref.kind == "file" else ref


def _folder(source: yamlfile.YamlFile, folder: Path, text: str, place: tuple[str | int, ...]) -> Path:
    path = _beside(folder, text)
    if not path.is_dir():
        raise ConfigError(
            f"{source.where(*place)}: {place[0]}: {path} is not a folder", hint="relative paths count from the configuration's own folder"
        )
    return path


def _waivers(source: yamlfile.YamlFile, text: str | None, folder: Path) -> Path | None:
    path = _beside(folder, text or WAIVERS_NAME)
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
    return _beside(folder, text.removeprefix("sqlite:///"))


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
            return ConfigError(f"{where}: {dotted} needs a type", hint="type: basic, oauth or token")
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
            form: type[_Strict] = _File
        case ("targets", _):
            form = _Target
        case (*_, "auth"):
            _, value = _place(document, place)
            forms: dict[str, type[_Strict]] = {"basic": _Basic, "oauth": _OAuth, "token": _Token}
            form = forms[value["type"]]
        case (*_, "client_certificate"):
            form = _Certificate
        case (*_, "schedule"):
            form = _Schedule
        case ("report",):
            form = _Report
        case _:
            form = TargetSettings
    return list(form.model_fields)


def _kind_of(value: object) -> str:
    names = {bool: "true or false", int: "a number", str: "text", list: "a list", dict: "a mapping", type(None): "nothing"}
    return names.get(type(value), "that")


def _quoting_hint(kind: str, value: object) -> str:
    return f'write "{value}" in quotes' if kind == "string_type" and isinstance(value, bool | int) else ""


def _shown(key: str) -> str:
    return repr(key[:64])
