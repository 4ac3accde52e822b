r"""The audit log of a simulated Command, and the query by which it is read (command-api section 6).

    simulator.audit_log.add(at=..., user=r"NORDWERK\jsmith", entity_type="SMTP")

Entries are kept as Command shows them, newest last. Whether a real Command audits its mail profile, and in which words, is not documented.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs

APPLICATION_SETTING = 2007
CREATED, UPDATED, DELETED = 1, 2, 3

PLAIN = ("QueryString", "PageReturned", "ReturnLimit", "SortField", "SortAscending")
DOTTED = ("pq.queryString", "pq.pageReturned", "pq.returnLimit", "pq.sortField", "pq.sortAscending")
DEFAULT_LIMIT = 50


class Stamp(StrEnum):
    """The two forms in which timestamps were recorded."""

    ZULU = "zulu"
    SEVEN_DIGITS = "seven_digits"


class AuditLog:
    """The entries, and whether their signatures hold; each operation is safe while the simulator serves."""

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self._lock = lock
        self._entries: list[dict[str, Any]] = []
        self.invalid: set[int] = set()
        """Ids of entries whose signature does not hold."""
        self.stamp = Stamp.ZULU

    def add(
        self,
        *,
        at: datetime,
        user: str | None,
        operation: int = UPDATED,
        category: int = APPLICATION_SETTING,
        entity_type: str | None = "ApplicationSetting",
        identifier: str | None = "SMTP",
        message: str | None = "<xml/>",
    ) -> int:
        """Write one entry; returns its id."""
        with self._lock:
            id_ = 90_000 + len(self._entries) + 1
            self._entries.append(
                {
                    "Id": id_,
                    "Timestamp": at,
                    "Message": message,
                    "Signature": "c2lnbmF0dXJl",
                    "Category": category,
                    "Operation": operation,
                    "Level": 0,
                    "User": user,
                    "EntityType": entity_type,
                    "AuditIdentifier": identifier,
                    "ImmutableIdentifier": "17",
                }
            )
            return id_

    def holds(self, id_: int) -> bool | None:
        """Whether the signature of that entry holds; None where there is no such entry."""
        return id_ not in self.invalid if any(entry["Id"] == id_ for entry in self._entries) else None

    def entries(self) -> list[dict[str, Any]]:
        """All entries; their timestamps are `datetime`."""
        with self._lock:
            return list(self._entries)

    def shown(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """An entry as it goes out."""
        at: datetime = entry["Timestamp"].astimezone(UTC)
        digits = f"{at.microsecond:06}0" if self.stamp is Stamp.SEVEN_DIGITS else f"{at.microsecond // 1000:03}Z"
        text = f"{at:%Y-%m-%dT%H:%M:%S}.{digits}"
        return {**entry, "Timestamp": text}


class QueryRefused(Exception):  # noqa: N818 - what Command answers 400 to
    """The query is not one that Command takes; the message says why."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and how many there are in all."""

    items: list[dict[str, Any]]
    total: int


def page_of(items: list[dict[str, Any]], query_string: str, *, names: tuple[str, ...], strict: bool) -> Page:
    """What a list answers to a query whose parameters are called `names`; others are refused if `strict`, else passed over.

    Raises:
        QueryRefused: It cannot be taken.
    """
    given = {name: values[-1] for name, values in parse_qs(query_string, keep_blank_values=True).items()}
    known = {name.casefold(): name for name in names}
    taken = {known[name.casefold()]: value for name, value in given.items() if name.casefold() in known}
    if strict and len(taken) < len(given):
        raise QueryRefused("a parameter is not known")
    text, page, limit, sort_field, descending = (taken.get(name, "") for name in names)
    if not all(re.fullmatch(r"[0-9]{0,9}", number) for number in (page, limit, descending)):
        raise QueryRefused("a number is none")
    if sort_field and items and sort_field not in items[0]:
        raise QueryRefused("no such field to sort by")
    found = [item for item in items if all(holds(item) for holds in _conditions(text))]
    found.sort(key=lambda item: item[sort_field or "Id"], reverse=descending == "1")
    size = int(limit or DEFAULT_LIMIT) or DEFAULT_LIMIT
    begin = (max(int(page or 1), 1) - 1) * size
    return Page(found[begin : begin + size], len(found))


def _conditions(text: str) -> Iterator[Callable[[Mapping[str, Any]], bool]]:
    for part in re.split(r"\s+AND\s+", text.strip()) if text.strip() else ():
        form = re.fullmatch(r'(?P<field>[A-Za-z]+)\s+-(?P<than>eq|ne|gt|ge|lt|le)\s+"(?P<value>[^"]*)"', part)
        if form is None:
            raise QueryRefused("the query string is not understood")
        yield _condition(form["field"], _COMPARE[form["than"]], form["value"])


def _condition(name: str, holds: Callable[[Any, Any], bool], text: str) -> Callable[[Mapping[str, Any]], bool]:
    def condition(item: Mapping[str, Any]) -> bool:
        if name not in item:
            raise QueryRefused("the query names a field that there is not")
        value = item[name]
        try:
            wanted = datetime.fromisoformat(text) if isinstance(value, datetime) else type(value)(text)
        except (TypeError, ValueError):
            raise QueryRefused("the query compares with a value of another kind") from None
        return holds(value, wanted)

    return condition


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
