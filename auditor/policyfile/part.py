"""One part of a policy file: its value and where it stands, so that whatever is wrong is refused with file and line."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from auditor.errors import PolicyError, did_you_mean
from auditor.yamlfile import YamlFile

Read = TypeVar("Read")


class MisfitError(Exception):
    """A value is not what it must be; whoever knows where it stands says so."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a file. `about` begins every message on it, such as `rule CFG-001: `."""

    file: YamlFile
    place: tuple[str | int, ...]
    value: Any
    about: str = ""

    def __getitem__(self, key: str | int) -> "Part":
        return Part(self.file, (*self.place, key), self.value[key], self.about)

    def of(self, about: str) -> "Part":
        """The same part, its messages beginning with `about`."""
        return Part(self.file, self.place, self.value, about)

    @property
    def line(self) -> int:
        return self.file.line(*self.place)

    def refuse(self, message: str, hint: str = "") -> PolicyError:
        return PolicyError(f"{self.file.where(*self.place)}: {self.about}{message}", hint=hint)

    def fit(self, read: Callable[..., Read], *arguments: Any) -> Read:
        """What `read` makes of the value.

        Raises:
            PolicyError: It does not fit.
        """
        try:
            return read(self.value, *arguments)
        except MisfitError as misfit:
            raise self.refuse(str(misfit), misfit.hint) from None

    def mapping(self, what: str, *, required: Collection[str] = (), optional: Collection[str] = (), extra: bool = False) -> "dict[str, Part]":
        """The entries of a mapping; with `extra`, keys that begin with `x-` are free and left out.

        Raises:
            PolicyError: It is no mapping, lacks a key, or has one that nobody knows.
        """
        if not isinstance(self.value, dict):
            raise self.refuse(f"{what} is a mapping, this is {shown(self.value)}")
        known = (*required, *optional)
        for key in self.value:
            if key not in known and not (extra and key.startswith("x-")):
                raise self[key].refuse(f"{what} has no {key!r}", did_you_mean(key, known, else_say=f"it has: {', '.join(known)}"))
        for key in required:
            if key not in self.value:
                raise self.refuse(f"{what} needs {key!r}")
        return {key: self[key] for key in self.value if key in known}

    def entries(self, what: str) -> "Iterator[tuple[str, Part]]":
        """The entries of a mapping with free keys."""
        if not isinstance(self.value, dict) or not self.value:
            raise self.refuse(f"{what} is a mapping with one entry or more, this is {shown(self.value)}")
        return ((key, self[key]) for key in self.value)

    def items(self, what: str) -> "list[Part]":
        """The items of a list that has one at least."""
        if not isinstance(self.value, list) or not self.value:
            raise self.refuse(f"{what} is a list with one item or more, this is {shown(self.value)}")
        return [self[index] for index in range(len(self.value))]

    def text(self, what: str, pattern: re.Pattern[str] | None = None) -> str:
        """The value as text that is not empty and, if given, matches `pattern` whole."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.refuse(f"{what} is text, this is {shown(self.value)}")
        if pattern and not pattern.fullmatch(self.value):
            raise self.refuse(f"{self.value!r} is no {what}", f"one is written {pattern.pattern}")
        return self.value

    def texts(self, what: str) -> tuple[str, ...]:
        """A list of texts, one at least."""
        return tuple(item.text(what) for item in self.items(f"a list of {what}"))

    def one_of(self, what: str, choices: Collection[str]) -> str:
        """One of `choices`."""
        if not isinstance(self.value, str) or self.value not in choices:
            raise self.refuse(f"{what} is one of {', '.join(choices)}, this is {shown(self.value)}", did_you_mean(str(self.value), choices))
        return self.value


def shown(value: Any) -> str:
    """What was found, in words: its JSON type and, where it is short, itself."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int():
            return f"the integer {value}"
        case str():
            return f"the text {value if len(value) <= _MAX_QUOTED else value[:_MAX_QUOTED] + '...'!r}"
        case list():
            return "a list" if value else "an empty list"
        case _:
            return "a mapping" if value else "an empty mapping"


_MAX_QUOTED = 60
