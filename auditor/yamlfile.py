"""Reads a YAML file strictly: YAML 1.2's core, less everything that two readers of YAML could take differently.

The values are plain dict, list, str, int, bool and None, each with the line it stands on; nothing is guessed and nothing is ever executed.
Duplicate keys, anchors, aliases, merge keys and tags are refused, and so is a bare `yes`, `on`, `~`, `3.10`, `0x1F`, `012`, `1_000` or `12:30`:
PyYAML alone would make True, None, 3.1, 31, 10, 1000 and 750 of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from auditor.errors import DocumentError

MAX_FILE_BYTES = 1024 * 1024
MAX_DEPTH = 40
"""Levels of nesting in a file; the rule language's own limit for conditions is far lower."""

Path_ = tuple[str | int, ...]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})\Z")
_AMBIGUOUS = re.compile(
    r"""(?: yes | no | on | off | y | n | true | false | null | ~ | = | <<      # other words for true, false and null; any case
        | [-+]? [0-9][0-9_]* (?: [.][0-9_]* )? (?: e[-+]?[0-9]+ )?              # 3.10, 012, 1_000, 1e3, +1, numbers past 2^53
        | [-+]? [.] (?: [0-9][0-9_]* (?: e[-+]?[0-9]+ )? | inf ) | [.]nan
        | [-+]? 0 [xob] [0-9a-f_]+
        | [-+]? [0-9][0-9_]* (?: : [0-5]?[0-9] )+ (?: [.][0-9_]* )?             # 12:30 counts in sixties
        ) \Z""",
    re.VERBOSE | re.IGNORECASE,
)
_HIDDEN = re.compile("[\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
SECRET_KEYS = frozenset({"password", "token", "access_token", "client_secret", "passphrase", "fingerprint_key"})
"""What stands under such a key is not quoted in a message: it may be a secret that somebody put there."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The content of a YAML file, and where in it each part stands. `path` is how the file is named in messages."""

    path: str
    value: Any
    lines: dict[Path_, int]

    def line(self, *place: str | int) -> int:
        """The line (from 1) of the part at `place`, keys and indexes from the top; of the nearest part around it where it has none."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def where(self, *place: str | int) -> str:
        """`FILE:LINE` of the part at `place`, as error messages begin."""
        return f"{self.path}:{self.line(*place)}"


def read(path: Path, *, error: type[DocumentError] = DocumentError) -> YamlFile:
    """Read the YAML file at `path`.

    Raises:
        error: It cannot be read, is too large, or is not the YAML that is taken here.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as failure:
        raise error(f"{path}: cannot be read: {failure.strerror or failure}") from failure
    if len(raw) > MAX_FILE_BYTES:
        raise error(f"{path}: larger than {MAX_FILE_BYTES} bytes", hint="a policy or configuration of ours is a few KiB; is this the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        line = raw[: failure.start].count(b"\n") + 1
        raise error(f"{path}:{line}: not UTF-8", hint="save the file as UTF-8") from None
    return parse(text, path=str(path), error=error)


def parse(text: str, *, path: str, error: type[DocumentError] = DocumentError) -> YamlFile:
    """Read YAML from `text`; `path` names it in messages.

    Raises:
        error: It is not the YAML that is taken here.
    """
    for number, written in enumerate(text.split("\n"), 1):
        if found := _HIDDEN.search(written):
            raise error(
                f"{path}:{number}: a hidden character, U+{ord(found[0]):04X}",
                hint="some readers end a line or a comment there, and editors do not show it",
            )
    try:
        return _Reader(path, error).read(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as failure:
        mark: Any = failure.problem_mark or failure.context_mark
        line = mark.line + 1 if mark else 1
        raise error(f"{path}:{line}: not YAML: {failure.problem or failure.context}") from None
    except yaml.YAMLError as failure:
        line = text[: getattr(failure, "position", 0)].count("\n") + 1
        raise error(f"{path}:{line}: not YAML: {getattr(failure, 'reason', 'unreadable')}") from None


def quoted(text: str) -> str:
    """`text` on one line of YAML: in quotes, and what is not seen in it escaped, so that no reader takes it for anything else."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


class _Reader:
    """Builds values from PyYAML's events: unlike its node tree they still show anchors, aliases and how a scalar was written."""

    def __init__(self, path: str, error: type[DocumentError]) -> None:
        self.path, self.error = path, error
        self.lines: dict[Path_, int] = {}

    def read(self, events: Iterator[Any]) -> YamlFile:
        value, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.refuse(event, "a second document begins here", "one file holds one document")
                value = self.build(next(events), events, ())
        return YamlFile(self.path, value, self.lines)

    def build(self, event: Any, events: Iterator[Any], place: Path_) -> Any:
        self.lines.setdefault(place, _line(event))
        secret = place[-1:] and place[-1] in SECRET_KEYS
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(event, "an alias" if secret else f"alias *{event.anchor}", "write the value out; aliases are not taken")
        if event.anchor is not None:
            raise self.refuse(
                event, "an anchor" if secret else f"anchor &{event.anchor}", "write the value out where it is needed; anchors are not taken"
            )
        if event.tag is not None:
            raise self.refuse(event, "a tag" if secret else f"tag {event.tag}", "leave the tag out; quote the value if it is to be text")
        if len(place) > MAX_DEPTH:
            raise self.refuse(event, f"nested deeper than {MAX_DEPTH} levels", "")
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(events, place)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                items.append(self.build(item, events, (*place, len(items))))
            return items
        return self.scalar(event, is_secret=bool(secret))

    def mapping(self, events: Iterator[Any], place: Path_) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
                raise self.refuse(event, "a key that is not plain text", "a key is a word")
            key = self.scalar(event)
            if not isinstance(key, str):
                raise self.refuse(event, f"the key {event.value} is not text", f'write "{event.value}"')
            if key in mapping:
                raise self.refuse(event, f"{key!r} stands here twice, first in line {self.lines[(*place, key)]}", "keep one of the two")
            self.lines[(*place, key)] = _line(event)
            mapping[key] = self.build(next(events), events, (*place, key))
        return mapping

    def scalar(self, event: Any, *, is_secret: bool = False) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in ("true", "false"):
            return text == "true"
        if text in ("null", ""):
            return None
        if _INTEGER.match(text):
            return int(text)
        if _AMBIGUOUS.match(text) and is_secret:
            raise self.refuse(event, "what stands here means different things to different readers of YAML", "a secret stands here by reference only")
        if _AMBIGUOUS.match(text):
            raise self.refuse(event, f"{text} means different things to different readers of YAML", _meant(text))
        return text

    def refuse(self, event: Any, message: str, hint: str) -> DocumentError:
        return self.error(f"{self.path}:{_line(event)}: {message}", hint=hint)


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _meant(text: str) -> str:
    match text.casefold():
        case "yes" | "on" | "y" | "true":
            return f'write true, or "{text}" for the word'
        case "no" | "off" | "n" | "false":
            return f'write false, or "{text}" for the word'
        case "~" | "null":
            return f'write null, or "{text}" for the text'
        case "<<":
            return "merge keys are not taken; write the entries out"
        case _:
            return f'write "{text}" for the text, or a plain decimal number'
