"""Reads `waivers.yaml`: the failures that somebody accepted, where, why and until when.

Whatever is not understood is refused with file and line, and then none of its waivers is used: a waiver that silently does not apply, or applies to
more than was meant, is worse than none.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from auditor import yamlfile
from auditor.core.characters import has_control, has_unseen
from auditor.core.model import Waiver
from auditor.core.waiver import GLOB
from auditor.errors import ConfigError, did_you_mean

MAX_DAYS = 365
"""A waiver is at most so long, unless the file says otherwise."""

SCHEMA_NAME = "waivers.schema.json"
"""What the JSON Schema of the file is called, beside it and among the shipped data."""

_MOST_DAYS = 3660
"""And this is the most that it can say: ten years."""

_SETTINGS = ("four_eyes", "max_days")
_REQUIRED = ("rule", "reason", "owner", "approved_by", "expires")
_ABOUT = {
    "rule": "The id of the rule whose failure is accepted, such as CFG-003",
    "targets": f'Names of targets, or patterns written as such: "{GLOB}lab-*"; every target where there are neither these nor labels',
    "labels": "Only targets that carry all of these",
    "reason": "Why the failure is acceptable, and what is done meanwhile",
    "risk": "What can happen until then",
    "owner": "Who answers for it",
    "requested_by": "Who asked for it",
    "approved_by": "Who approved it: neither owner nor requester, unless four_eyes is false",
    "approved_on": "The UTC day of the approval: before it the waiver does not hold, and its length counts from it",
    "ticket": "Where it was decided",
    "expires": "Its last day, through the end of it (UTC, or with an offset: 2026-12-31+01:00); or an instant: 2026-12-31T18:00:00+01:00",
}
_OPTIONAL = tuple(key for key in _ABOUT if key not in _REQUIRED)
_MAX_CHARACTERS = 2000
_PROSE = ("reason", "risk")
_LAYOUT = dict.fromkeys(map(ord, "\n\t"), " ")
"""In a reason and a risk line breaks and tabs are mere layout, and joiners and direction marks are part of how some languages are written."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET = r"(Z|[+-][0-9]{2}:[0-9]{2})?"
_LAST_DAY = re.compile(rf"({_DAY.pattern}){_OFFSET}")
_LOCAL = rf"{_DAY.pattern}T(?:[01][0-9]|2[0-3]):[0-9]{{2}}(?::[0-9]{{2}})?"
_INSTANT = re.compile(_LOCAL + _OFFSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverFile:
    """The waivers of one file, in its order, and the line on which each begins."""

    path: Path
    waivers: tuple[Waiver, ...] = ()
    lines: tuple[int, ...] = ()
    max_days: int = MAX_DAYS


def load(path: Path, *, rules: Collection[str], targets: Collection[str], at: datetime) -> WaiverFile:
    """Read the waivers in `path`, none if it is empty.

    `rules` and `targets` are the ids and names that exist; a length without `approved_on` counts from `at`.

    Raises:
        ConfigError: Something in it is wrong.
    """
    file = yamlfile.read(path, error=ConfigError)
    if file.value is None:
        return WaiverFile(path=path)  # `auditor waiver draft >> waivers.yaml` meets an empty file
    top = _Part(file, (), file.value, "")
    content = top.mapping("a file of waivers", required=("waivers",), optional=_SETTINGS)
    four_eyes, max_days = content.get("four_eyes", True), content.get("max_days", MAX_DAYS)
    if not isinstance(four_eyes, bool):
        raise top.refuse(f"four_eyes is true or false, not {_shown(four_eyes)}", at="four_eyes")
    if isinstance(max_days, bool) or not isinstance(max_days, int) or not 1 <= max_days <= _MOST_DAYS:
        raise top.refuse(f"max_days is a number of days from 1 to {_MOST_DAYS}, not {_shown(max_days)}", at="max_days")
    if not isinstance(content["waivers"], list):
        raise top.refuse(f"waivers is a list, not {_shown(content['waivers'])}", "waivers: []", at="waivers")
    waivers: list[Waiver] = []
    for index, value in enumerate(content["waivers"]):
        part = _Part(file, ("waivers", index), value, f"waiver {index + 1}: ")
        waiver = _waiver(part, rules=rules, targets=targets)
        part.about = f"waiver of {waiver.rule}: "
        _check_length(part, waiver, max_days, at)
        if four_eyes:
            _check_eyes(part, waiver)
        for earlier, known in enumerate(waivers):
            if (known.rule, set(known.targets), known.labels) == (waiver.rule, set(waiver.targets), waiver.labels):
                raise part.refuse(f"a second one with the same targets; the first is in line {file.line('waivers', earlier)}", "keep one of the two")
        waivers.append(waiver)
    lines = tuple(file.line("waivers", index) for index in range(len(waivers)))
    return WaiverFile(path=path, waivers=tuple(waivers), lines=lines, max_days=max_days)


def json_schema(rules: Collection[str]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file, for editors: they complete the ids of `rules`, and take any other text for one of yours.

    It refuses nothing that `load` takes. Whether a rule, a target or a day exists, how long a waiver is, who approved it, what is not seen in a name
    and whether there is a second one: `load` alone sees that.
    """
    text = {"type": "string", "pattern": r"\S", "maxLength": _MAX_CHARACTERS}
    end = rf"^(?:{_LAST_DAY.pattern}|{_LOCAL}{_OFFSET.removesuffix('?')})$"
    form: dict[str, Any] = {
        "rule": {"anyOf": [{"enum": sorted(rules)}, text]},
        "targets": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "string", "minLength": 1, "not": {"const": GLOB}},
        },
        "labels": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
        "approved_on": {"type": "string", "pattern": rf"^{_DAY.pattern}$"},
        "expires": {"type": "string", "pattern": end},
    }
    waiver = {key: {**form.get(key, text), "description": about} for key, about in _ABOUT.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Accepted failures of the SMTP profile of Keyfactor Command",
        "type": "object",
        "required": ["waivers"],
        "additionalProperties": False,
        "properties": {
            "four_eyes": {"type": "boolean", "description": "Whether who approves is neither owner nor requester; true unless this says otherwise"},
            "max_days": {
                "type": "integer",
                "minimum": 1,
                "maximum": _MOST_DAYS,
                "description": f"How many days a waiver lasts at most; {MAX_DAYS} unless this says otherwise",
            },
            "waivers": {
                "type": "array",
                "items": {"type": "object", "required": list(_REQUIRED), "additionalProperties": False, "properties": waiver},
            },
        },
    }


def schema_text(rules: Collection[str]) -> str:
    """The schema as it stands in a file."""
    return json.dumps(json_schema(rules), indent=1) + "\n"


@dataclass
class _Part:
    """A mapping of the file, and how messages on it begin."""

    file: yamlfile.YamlFile
    place: tuple[str | int, ...]
    value: Any
    about: str

    def refuse(self, message: str, hint: str = "", *, at: str | tuple[str | int, ...] = ()) -> ConfigError:
        place = (*self.place, at) if isinstance(at, str) else (*self.place, *at)
        return ConfigError(f"{self.file.where(*place)}: {self.about}{message}", hint=hint)

    def mapping(self, what: str, *, required: Collection[str], optional: Collection[str]) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.refuse(f"{what} is a mapping, not {_shown(self.value)}", f"it needs: {', '.join(required)}")
        known = (*required, *optional)
        for key in self.value:
            if key not in known:
                raise self.refuse(
                    f"nothing is called {key[:60]!r} here", did_you_mean(key, known, else_say=f"known here: {', '.join(known)}"), at=key
                )
        for key in required:
            if key not in self.value:
                raise self.refuse(f"{what} needs `{key}`", f"add `{key}:`")
        return self.value

    def text(self, key: str) -> str:
        value = self.value[key]
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(f"{key} is text, not {_shown(value)}", "fill it in", at=key)
        if len(value) > _MAX_CHARACTERS:
            raise self.refuse(f"{key} has more than {_MAX_CHARACTERS} characters", "keep the reason short, and the rest in the ticket", at=key)
        text = value.strip()
        if has_control(text.translate(_LAYOUT)) if key in _PROSE else has_unseen(text):
            raise self.refuse(f"{key} has a character that is not seen", "type it anew: names that look the same must be the same", at=key)
        return text


def _waiver(part: _Part, *, rules: Collection[str], targets: Collection[str]) -> Waiver:
    content = part.mapping("a waiver", required=_REQUIRED, optional=_OPTIONAL)
    rule = part.text("rule")
    if rule not in rules:
        raise part.refuse(f"no rule is called {rule!r}", did_you_mean(rule, rules, else_say="`auditor policy list POLICY` names them"), at="rule")
    part.about = f"waiver of {rule}: "
    return Waiver(
        rule=rule,
        targets=tuple(_targets(part, targets)) if "targets" in content else (),
        labels=tuple(sorted(_labels(part))) if "labels" in content else (),
        approved_on=_day(part, "approved_on") if "approved_on" in content else None,
        expires_at=_end(part, "expires"),
        **{key: part.text(key) for key in ("reason", "owner", "approved_by")},
        **{key: part.text(key) for key in ("requested_by", "ticket", "risk") if key in content},
    )


def _targets(part: _Part, known: Collection[str]) -> Iterator[str]:
    picks = part.value["targets"]
    if not isinstance(picks, list) or not picks:
        raise part.refuse(
            f"targets is a list of names, not {_shown(picks)}", 'targets: [prod, "glob:lab-*"]; leave it out for every target', at="targets"
        )
    for index, pick in enumerate(picks):
        place = ("targets", index)
        if not isinstance(pick, str) or not pick.removeprefix(GLOB):
            raise part.refuse(f"a target is a name, or `{GLOB}` and a pattern, not {_shown(pick)}", at=place)
        if pick in picks[:index]:
            raise part.refuse(f"the target {pick!r} stands here twice", at=place)
        if not pick.startswith(GLOB) and pick not in known:
            is_pattern = any(character in pick for character in "*?[")
            hint = f'a pattern is written "{GLOB}{pick}"' if is_pattern else did_you_mean(pick, known, else_say="`auditor targets list` names them")
            raise part.refuse(f"no target is called {pick!r}", hint, at=place)
        yield pick


def _labels(part: _Part) -> Iterator[tuple[str, str]]:
    labels = part.value["labels"]
    if not isinstance(labels, dict) or not labels:
        raise part.refuse(f"labels is a mapping, not {_shown(labels)}", "labels: {env: lab}", at="labels")
    for key, value in labels.items():
        if not isinstance(value, str):
            raise part.refuse(f"the label {key[:60]!r} is text, not {_shown(value)}", at=("labels", key))
        yield key, value


def _day(part: _Part, key: str) -> date:
    value = part.value[key]
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise part.refuse(f"{key} is a day that exists, not {_shown(value)}", "a day is written 2026-12-31", at=key)


def _end(part: _Part, key: str) -> datetime:
    """The first instant after `key`: of a day, its end in UTC or at the offset behind it; an instant is itself."""
    value = part.value[key]
    text = value if isinstance(value, str) else ""
    try:
        if found := _LAST_DAY.fullmatch(text):
            return (datetime.fromisoformat(f"{found[1]}T00:00{found[2] or 'Z'}") + timedelta(days=1)).astimezone(UTC)
        if (found := _INSTANT.fullmatch(text)) and found[1]:
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    if _INSTANT.fullmatch(f"{text}Z"):
        raise part.refuse(f"{key} has a time but no offset", f"write {text}Z, or {text}+02:00", at=key)
    hint = "written 2026-12-31 (through the end of that day UTC), or with an offset: 2026-12-31T18:00:00+01:00"
    raise part.refuse(f"{key} is a day or an instant that exists, not {_shown(value)}", hint, at=key)


def _check_length(part: _Part, waiver: Waiver, max_days: int, at: datetime) -> None:
    begins = datetime.combine(waiver.approved_on or at.astimezone(UTC).date(), time.min, UTC)
    if waiver.approved_on and waiver.expires_at <= begins:
        raise part.refuse("it expires before it is approved", at="expires")
    if waiver.expires_at - begins > timedelta(days=max_days):
        since = "approved_on" if waiver.approved_on else "today, since it does not say approved_on"
        last = (begins + timedelta(days=max_days - 1)).date()
        raise part.refuse(f"it is longer than {max_days} days from {since}", f"it can last through {last}; then it is judged anew", at="expires")


def _check_eyes(part: _Part, waiver: Waiver) -> None:
    for role, name in (("requested_by", waiver.requested_by), ("owner", waiver.owner)):
        if name is not None and _folded(name) == _folded(waiver.approved_by):
            hint = "somebody else approves; where one person does it all, say `four_eyes: false` at the top of the file"
            raise part.refuse(f"approved_by is the same as {role}", hint, at="approved_by")


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int():
            return f"the number {value}"
        case str():
            return repr(value[:60])
        case list():
            return "a list" if value else "an empty list"
        case _:
            return "a mapping" if value else "an empty mapping"
