"""Reads and writes approvals as YAML, so that they can live in git.

Whatever is not understood is refused with file and line, and then nothing of the file is used. A secret is not in it: only its state, where it is
kept, and fingerprints. The account and the host that recorded an approval stay in the database: a file could claim anything.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from auditor import yamlfile
from auditor.core.baseline import text_fault
from auditor.core.canonical import MAX_INTEGER
from auditor.core.catalogue import AUTHENTICATION_TYPES, FACTS
from auditor.core.detectors import looks_like_secret, masked_url
from auditor.core.model import (
    PROFILE_FIELDS,
    SECRET_FIELDS,
    Approval,
    Fact,
    Fingerprint,
    HeaderSeen,
    ProfileField,
    Revocation,
    SecretPlace,
    State,
)
from auditor.errors import DocumentError, did_you_mean


def load(path: Path, *, targets: Collection[str], at: datetime) -> tuple[Approval, ...]:
    """The approvals in the file at `path`, in its order; `targets` are the names that exist. One that does not say when it was given was given `at`.

    Raises:
        DocumentError: Something in it is wrong.
    """
    file = yamlfile.read(path)
    content = _Part(file, (), file.value).mapping(required=("approvals",))
    if not isinstance(content["approvals"], list):
        raise _Part(file, ("approvals",), None).refuse("approvals is a list")
    return tuple(_approval(_Part(file, ("approvals", index), value), targets, at) for index, value in enumerate(content["approvals"]))


def load_folder(folder: Path, *, targets: Collection[str], at: datetime) -> tuple[Approval, ...]:
    """The approvals of every `.yaml` file in `folder`, in the order of the files' names; those that begin with a dot are passed over.

    Raises:
        DocumentError: One of them is wrong, or is called otherwise.
    """
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))  # a mounted ConfigMap has its files twice, once under ..data
    for path in paths:
        if path.suffix != ".yaml" and (path.is_dir() or path.suffix.lower() in (".yaml", ".yml")):
            hint = "rename or move it: what is not read must not look as if it were"
            raise DocumentError(f"{path}: a file of approvals ends in .yaml and stands in the folder itself", hint=hint)
    return tuple(approval for path in paths if path.suffix == ".yaml" for approval in load(path, targets=targets, at=at))


def dump(approvals: Iterable[Approval]) -> str:
    """The file that `load` reads `approvals` from: the same approvals, the same text."""
    entries = ["".join(f"{'- ' if not n else '  '}{key}: {_flow(value)}\n" for n, (key, value) in enumerate(_entry(a))) for a in approvals]
    return "# Approved values. One that is taken back stays here, with `revoked: {by: ..., reason: ...}`.\n" + (
        f"approvals:\n{''.join(entries)}" if entries else "approvals: []\n"
    )


# --- reading ------------------------------------------------------------------------------------------------------


class _Part:
    """A mapping of the file, and how messages on it begin."""

    def __init__(self, file: yamlfile.YamlFile, place: tuple[str | int, ...], value: Any) -> None:
        self.file, self.place, self.value = file, place, value

    def refuse(self, message: str, hint: str = "", *, at: str | None = None) -> DocumentError:
        return DocumentError(f"{self.file.where(*self.place, *([at] if at else []))}: {message}", hint=hint)

    def mapping(self, *, required: Collection[str] = (), optional: Collection[str] = ()) -> dict[str, Any]:
        known = (*required, *optional)
        if not isinstance(self.value, dict):
            raise self.refuse(f"a mapping is expected here, with {', '.join(known)}")
        for key in self.value:
            if key not in known:
                raise self.refuse(f"nothing is called {key[:64]!r} here", did_you_mean(key, known, else_say=f"known: {', '.join(known)}"), at=key)
        for key in required:
            if key not in self.value:
                raise self.refuse(f"there is no `{key}`", f"add `{key}:`")
        return self.value

    def part(self, key: str | int) -> "_Part":
        return _Part(self.file, (*self.place, key), self.value[key])

    def text(self, key: str, *, is_claim: bool = True) -> str:
        """Text; a claim (a name, a reason, a ticket) is short, and has nothing hidden in it."""
        value = self.value[key]
        fault = "is not text" if not isinstance(value, str) else text_fault(value) if is_claim else None if _is_unicode(value) else "is not Unicode"
        if fault:
            raise self.refuse(f"{key} {fault}", at=key)
        assert isinstance(value, str)
        return value

    def instant(self, key: str, at: datetime) -> datetime:
        """An instant no later than `at`, which is taken where there is none."""
        if key not in self.value:
            return at
        found = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})", str(self.value[key]))
        try:
            instant = datetime.fromisoformat(found[0]).astimezone(UTC) if found else None
        except (ValueError, OverflowError):
            instant = None
        if instant is None:
            raise self.refuse(f"{key} is not an instant with a zone", "such as 2026-11-23T10:00:00Z; leave it out for the time of the import", at=key)
        if instant > at:
            raise self.refuse(f"{key} lies ahead", "an approval is not given in advance", at=key)
        return instant


def _approval(part: _Part, targets: Collection[str], at: datetime) -> Approval:
    content = part.mapping(required=("target", "field", "value", "by", "reason"), optional=("ticket", "expires", "approved_at", "revoked"))
    target, name = part.text("target"), part.text("field")
    if target not in targets:
        raise part.refuse(f"no target is called {target!r}", did_you_mean(target, targets, else_say="`auditor targets list` names them"), at="target")
    if name not in PROFILE_FIELDS:
        raise part.refuse(f"no field is called {name!r}", did_you_mean(name, PROFILE_FIELDS, else_say=", ".join(PROFILE_FIELDS)), at="field")
    return Approval(
        target=target,
        field=name,
        value=_value(part, name),
        by=part.text("by"),
        reason=part.text("reason"),
        ticket=part.text("ticket") if "ticket" in content else None,
        expires=_day(part, "expires") if "expires" in content else None,
        approved_at=part.instant("approved_at", at),
        revoked=_revocation(part.part("revoked"), at) if "revoked" in content else None,
    )


def _revocation(part: _Part, at: datetime) -> Revocation:
    part.mapping(required=("by", "reason"), optional=("at",))
    return Revocation(by=part.text("by"), reason=part.text("reason"), at=part.instant("at", at))


def _day(part: _Part, key: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(part.value[key])):
            return date.fromisoformat(part.value[key])
    except ValueError:
        pass
    raise part.refuse(f"{key} is not a day that exists", "a day is written 2026-12-31; it counts through its end, UTC", at=key)


def _value(part: _Part, name: str) -> ProfileField:
    value = part.value["value"]
    if value in (None, ""):  # as Command sends what is not set
        return ProfileField(fact=Fact(State.UNSET))
    if name in SECRET_FIELDS:
        return _secret(part.part("value"), name)
    if name == "RequestHeaders":
        if not isinstance(value, list):
            raise part.refuse("RequestHeaders is a list, or null where none is set", "`auditor baseline export` writes it", at="value")
        headers = tuple(_header(part.part("value").part(index)) for index in range(len(value)))
        return ProfileField(fact=Fact(State.VALUE, tuple(header.name for header in headers)), headers=headers)
    if isinstance(value, str):
        words = dict(AUTHENTICATION_TYPES) if name == "RelayAuthenticationType" else {}
        value = words.get(part.text("value", is_claim=False), value)
    expected: Any = {"Id": int, "Port": int, "RelayAuthenticationType": int, "UseSSL": bool}.get(name, str)
    if type(value) is not expected:
        wanted = {int: "an integer", bool: "true or false", str: "text"}[expected]
        raise part.refuse(f"the value of {name} is {wanted}, or null where it is not set", at="value")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise part.refuse(f"the value of {name} is past 2^53", "is there a digit too many?", at="value")
    if isinstance(value, str) and (looks_like_secret(value) or (name == "TokenEndpoint" and masked_url(value) != value)):
        hint = "no secret is kept; of a URL neither user information nor the values of a query are, as `auditor baseline export` shows"
        raise part.refuse(f"the value of {name} holds what may be a secret", hint, at="value")
    return ProfileField(fact=Fact(State.VALUE, value))


def _secret(part: _Part, name: str) -> ProfileField:
    content = part.mapping(required=("state",), optional=("text", "provider", "parameters", "undisclosed"))
    if content["state"] not in ("stored", "pam"):
        raise part.refuse("the state of a secret is stored or pam, or its value null where it is not set", at="state")
    provider, undisclosed, parameters = content.get("provider"), content.get("undisclosed", False), content.get("parameters", [])
    if "text" in content and f"{name}.text" not in FACTS:
        raise part.refuse(f"the text of {name} stands nowhere: it is a secret", "take it out, and out of the history of the file, too", at="text")
    if "text" in content and looks_like_secret(part.text("text", is_claim=False)):
        raise part.refuse(f"the text of {name} holds what may be a secret", "an identifier is no secret; is this one?", at="text")
    is_number = provider is None or (type(provider) is int and abs(provider) <= MAX_INTEGER)
    if not (isinstance(undisclosed, bool) and isinstance(parameters, list) and is_number):
        raise part.refuse("provider is a number, parameters a list, undisclosed true or false")
    marks = []
    for index in range(len(parameters)):
        parameter = part.part("parameters").part(index)
        parameter.mapping(required=("name", "fingerprint"))
        marks.append((parameter.text("name", is_claim=False), _fingerprint(parameter)))
    has_place = content.keys() & {"provider", "parameters", "undisclosed"}
    return ProfileField(
        fact=Fact(State.VALUE, content["state"]),
        text=Fact(State.VALUE, part.text("text", is_claim=False)) if "text" in content else None,
        place=SecretPlace(provider=provider, parameters=tuple(sorted(marks)), undisclosed=undisclosed) if has_place else None,
    )


def _header(part: _Part) -> HeaderSeen:
    part.mapping(required=("name", "kind", "length", "fingerprint"))
    name, kind, length = (part.text(key, is_claim=False) for key in ("name", "kind", "length"))
    return HeaderSeen(name=name, kind=kind, length=length, fingerprint=_fingerprint(part))


def _fingerprint(part: _Part) -> Fingerprint:
    key_id, _, mac = part.text("fingerprint").partition(":")
    if not re.fullmatch(r"[0-9a-f]{8}:[0-9a-f]{32}", f"{key_id}:{mac}"):
        raise part.refuse("fingerprint is none", "`auditor baseline export` writes it: KEY:FINGERPRINT", at="fingerprint")
    return Fingerprint(key_id, mac)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


# --- writing ------------------------------------------------------------------------------------------------------


def _entry(approval: Approval) -> list[tuple[str, Any]]:
    revoked = approval.revoked
    entry = {
        "target": approval.target,
        "field": approval.field,
        "value": _written(approval.field, approval.value),
        "by": approval.by,
        "reason": approval.reason,
        "ticket": approval.ticket,
        "expires": approval.expires and approval.expires.isoformat(),
        "approved_at": _iso(approval.approved_at),
        "revoked": revoked and {"by": revoked.by, "reason": revoked.reason, "at": _iso(revoked.at)},
    }
    return [(key, value) for key, value in entry.items() if value is not None or key == "value"]


def _written(name: str, field: ProfileField) -> Any:
    if field.fact.state is State.UNSET:
        return None
    if name == "RequestHeaders":
        return [{"name": h.name, "kind": h.kind, "length": h.length, "fingerprint": _mark(h.fingerprint)} for h in field.headers]
    if name not in SECRET_FIELDS:
        return field.fact.value
    secret: dict[str, Any] = {"state": field.fact.value}
    if field.text is not None:
        secret["text"] = field.text.value
    if field.place is not None:
        secret["provider"] = field.place.provider
        if field.place.parameters:
            secret["parameters"] = [{"name": key, "fingerprint": _mark(mark)} for key, mark in field.place.parameters]
        if field.place.undisclosed:
            secret["undisclosed"] = True
    return secret


def _mark(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.key_id}:{fingerprint.mac}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _flow(value: Any) -> str:
    """`value` on one line of YAML."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case Mapping():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case _:
            return yamlfile.quoted(str(value))
