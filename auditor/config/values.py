"""The values that stand in `auditor.yaml`: how each is written, and what is no such value. pydantic guards the door."""

import re
from contextlib import suppress
from datetime import date, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from auditor.core import model, slots
from auditor.core.model import SecretRef, Severity
from auditor.errors import ConfigError, did_you_mean

FILE_NAME = "auditor.yaml"


def _duration_s(value: object) -> object:
    if isinstance(value, str) and (match := re.fullmatch(r"([0-9]{1,6})(s|m|h|d)", value)):
        return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    raise PydanticCustomError("duration", "a duration is a number and a unit, such as 30s, 15m, 6h or 1d")


SECRET_REF = (
    r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*|credential:[A-Za-z0-9_][A-Za-z0-9._-]{0,254}|keyring:[^/\s][^/]*/\S.*"
    r"|kfutil:[^\s/@][^/@]*/(password|client_secret|access_token)(@\S.*)?)$"
)
"""The forms of a reference to a secret. After the `@` stands the vendor's file, if it is not the usual one."""


def secret_ref(value: object) -> SecretRef:
    """The reference that `value` is.

    Raises:
        ValueError: It is none; the message does not have it, since it may be the secret.
    """
    if isinstance(value, str) and re.fullmatch(SECRET_REF, value):
        kind, _, name = value.partition(":")
        return SecretRef(kind, name)
    raise PydanticCustomError(
        "secret_ref",
        "a secret stands here by reference only, as env:NAME, file:PATH, credential:NAME, keyring:SERVICE/NAME or kfutil:PROFILE/KEY "
        "(what was found is not shown: it may be the secret)",
    )


def known_zone(value: str) -> str:
    """The name of a time zone that this machine knows."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("timezone", "no time zone is called {zone}", {"zone": repr(value)}) from None
    return value


def crontab(value: str) -> str:
    """A crontab line that can be used."""
    try:
        slots.check_cron(value)
    except ValueError as failure:
        raise PydanticCustomError("crontab", "{reason}", {"reason": str(failure)}) from None
    return value


Duration = Annotated[
    int, BeforeValidator(_duration_s, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,6}[smhd]$")]), Field(ge=1, le=366 * 86400)
]
Spread = Annotated[
    int, BeforeValidator(_duration_s, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,6}[smhd]$")]), Field(ge=0, le=86400)
]
Keep = Annotated[
    int, BeforeValidator(_duration_s, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,5}d$")]), Field(ge=86400, le=99_999 * 86400)
]
KEEP_DELIVERED_S = 90 * 86400
"""How long a notice is kept after it was delivered, unless it is said: who asks what was told then, and when, asks within a quarter."""
Secret = Annotated[
    SecretRef,
    BeforeValidator(secret_ref, json_schema_input_type=Annotated[str, Field(pattern=SECRET_REF)]),
]
Text = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Label = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f=,]{1,128}$")]
VarName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
VarValue = bool | int | str | list[bool | int | str] | None


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


def _time_of_day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        return time.fromisoformat(value)
    raise PydanticCustomError("time_of_day", 'a time of day is written in quotes as "22:00", from "00:00" to "23:59"')


def _url_or_secret(value: object) -> object:
    if isinstance(value, str) and re.match(r"(env|file|credential):", value):
        return secret_ref(value)
    if isinstance(value, str) and re.match(r"https?://", value):
        return value
    raise PydanticCustomError(
        "url_or_secret",
        "a URL begins with https://; one that is a secret itself stands here by reference, as env:NAME or file:PATH (what was found is not shown)",
    )


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day, json_schema_input_type=Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")])]
_URL_OR_SECRET = r"^(https?://\S+|env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*)$"
UrlOrSecret = Annotated[
    str | SecretRef,
    BeforeValidator(
        _url_or_secret,
        json_schema_input_type=Annotated[str, Field(max_length=2000, pattern=_URL_OR_SECRET)],
    ),
]
SeverityWord = Annotated[Severity, Field(strict=False)]
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
MailAddress = Annotated[str, Field(max_length=254, pattern=rf"^{_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")]
HostName = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9.])?$|^[0-9A-Fa-f:.]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")])]
Volatile = Annotated[str, Field(max_length=256, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_volatile)]


class Strict(BaseModel):
    """A mapping of the file: a key that is not known is an error, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class CertificateForm(Strict):
    certificate: Text
    key: Text | None = None
    passphrase: Secret | None = None


# --- paths: relative ones count from the folder of the file -------------------------------------------------------


def beside(folder: Path, text: str) -> Path:
    """A path of the file: relative ones count from the folder that the file is in."""
    try:
        return (folder / Path(text).expanduser()).resolve()
    except (RuntimeError, ValueError, OSError) as failure:
        raise ConfigError(f"{folder / FILE_NAME}: {text!r} is no path: {failure}", hint="write the path out") from None


def certificate_of(form: CertificateForm, folder: Path) -> model.ClientCertificate:
    """The certificate that `form` names, paths written out."""
    return model.ClientCertificate(
        certificate=str(beside(folder, form.certificate)),
        key=str(beside(folder, form.key)) if form.key else None,
        passphrase=anchored(form.passphrase, folder) if form.passphrase else None,
    )


def anchored(ref: SecretRef, folder: Path) -> SecretRef:
    """`ref` with its path written out, where it has one."""
    if ref.kind == "file":
        return SecretRef("file", str(beside(folder, ref.name)))
    place, at, path = ref.name.partition("@")
    return SecretRef("kfutil", f"{place}@{beside(folder, path)}") if ref.kind == "kfutil" and at else ref
