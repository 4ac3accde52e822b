"""Reads a list that Command gives page by page, within bounds, whichever way the edition names its query parameters.

An unknown parameter may be refused or passed over, and a server may do anything; so whether the query was obeyed is seen by what came back.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from auditor.command import headers, strictjson
from auditor.command.session import Session
from auditor.command.words import error_code
from auditor.core.model import ReadOutcome
from auditor.exchange.connection import Answer
from auditor.exchange.trouble import Trouble

PER_PAGE = 50
MAX_PAGES = 20
MAX_PAGE_BYTES = 2 * 1024 * 1024
MAX_LIST_BYTES = 16 * 1024 * 1024
MAX_ITEMS_OF_A_PAGE = 1000
"""A server that does not know our parameters may send more than was asked for; past this it is no page."""
MAX_ANSWER_FOR_CLOCK = timedelta(seconds=2)
"""An answer that took longer says too little of the server's clock."""


_SAME_PAGES = "each page of the answer is the same"
"""What a server does that passes over the number of the page."""


class Dialect(Enum):
    """The two ways in which editions of Command name the parameters of a query."""

    PLAIN = ("QueryString", "PageReturned", "ReturnLimit", "SortField", "SortAscending")
    DOTTED = ("pq.queryString", "pq.pageReturned", "pq.returnLimit", "pq.sortField", "pq.sortAscending")


DOTTED_THROUGH = 11
"""The newest major version that is taken to have the dotted names: 10 has them, 25 has not, what lies between was not seen. Either is tried."""


class NotPermitted(Exception):  # noqa: N818 - no error of ours, but an outcome
    """Command answered 401 or 403. The message is safe to print."""


class Unsupported(Exception):  # noqa: N818
    """Command does not offer this API version of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What was read: objects by their `Id`, in the order they came. `complete` is false where some may be missing, for the reason in `gap`."""

    items: Mapping[int, Mapping[str, Any]]
    complete: bool
    gap: str = ""
    clock_offset_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A list to be read. `wanted` says of an object whether it answers the query; it must be total on any JSON object."""

    path: str
    permission: str
    version: int
    query: str = ""
    sort_field: str
    wanted: Callable[[Mapping[str, Any]], bool] = lambda _: True


def dialects(product_version: str | None) -> tuple[Dialect, Dialect]:
    """Both dialects, the one first that this product version is likely to speak."""
    major = re.match(r"[0-9]{1,4}(?=\.)", product_version or "")
    is_old = major is not None and int(major[0]) <= DOTTED_THROUGH
    return (Dialect.DOTTED, Dialect.PLAIN) if is_old else (Dialect.PLAIN, Dialect.DOTTED)


def read(session: Session, question: Question, *, product_version: str | None, within_s: float | None = None) -> Listing:
    """All that `question` asks for, the newest first, in at most `MAX_PAGES` pages; all of it within the session's deadline, and `within_s` if given.

    Raises:
        NotPermitted: The account may not read the list.
        Unsupported: The list is not offered in this API version.
        Trouble: It could not be read, or is none.
    """
    return _Reading(session, question, within_s).read(dialects(product_version))


class _Reading:
    def __init__(self, session: Session, question: Question, within_s: float | None) -> None:
        self.session, self.question = session, question
        self.left_s, self.is_short = session.countdown(within_s), within_s is not None
        self.bytes = 0
        self.offset: tuple[timedelta, int] | None = None

    def read(self, ways: tuple[Dialect, ...]) -> Listing:
        """The list in the first dialect that is obeyed; in one that is not, if there is no better."""
        second_best: Listing | None = None
        passed_over: tuple[Dialect, Answer, list[Any]] | None = None
        refused: Answer | None = None
        for dialect in ways:
            answer = self.ask(dialect, 1)
            if answer.status == 400:
                refused = answer
                continue
            items = self.items(answer)
            if len(items) <= PER_PAGE and all(self.question.wanted(item) for item in items if isinstance(item, dict)):
                found = self.all_pages(dialect, answer, items)
                if found.gap != _SAME_PAGES:
                    return found
                second_best = second_best or found
            else:
                passed_over = passed_over or (dialect, answer, items)
        if second_best is not None:
            return second_best
        if passed_over is not None:
            return self.all_pages(*passed_over)
        assert refused is not None
        raise Trouble(ReadOutcome.REJECTED, f"{self.session.who} answered 400 to {self.question.path}{error_code(refused.body)}")

    def all_pages(self, dialect: Dialect, answer: Answer, items: list[Any]) -> Listing:
        found: dict[int, Mapping[str, Any]] = {}
        odd, gap = 0, ""
        for page in range(1, MAX_PAGES + 1):
            if page > 1:
                answer = self.ask(dialect, page)
                items = self.items(answer)
            if not items:
                break
            known = len(found)
            for item in items:
                if not isinstance(item, dict) or type(item.get("Id")) is not int or not 0 < item["Id"] < 2**31:
                    odd += 1
                else:
                    found.setdefault(item["Id"], item)
            total = answer.headers.get("X-Total-Count", "")
            if re.fullmatch(r"[0-9]{1,9}", total) and len(found) + odd >= int(total):
                break
            if len(found) == known:
                gap = _SAME_PAGES
                break
        else:
            gap = f"the list has more than {MAX_PAGES} pages"
        if odd and not gap:
            gap = f"{odd} of its objects could not be read"
        wanted = {id_: item for id_, item in found.items() if self.question.wanted(item)}
        return Listing(items=wanted, complete=not gap, gap=gap, clock_offset_ms=self.offset[1] if self.offset else None)

    def ask(self, dialect: Dialect, page: int) -> Answer:
        values = (self.question.query, page, PER_PAGE, self.question.sort_field, 1)  # 1 is descending, whatever the parameter's name says
        asked = urlencode({name: value for name, value in zip(dialect.value, values, strict=True) if value != ""})
        url = f"{self.session.base}{self.question.path}?{asked}"
        answer = self.session.patiently(lambda: self.once(url), left_s=self.left_s if self.is_short else None)
        if headers.is_unsupported(answer, self.question.version):
            raise Unsupported
        if answer.status in (401, 403):
            lacking = f"our account lacks the permission {self.question.permission}" if answer.status == 403 else "it does not take our credential"
            raise NotPermitted(f"{self.session.who} answered {answer.status} to {self.question.path}: {lacking}")
        if answer.status not in (200, 204, 400):
            raise Trouble(ReadOutcome.REJECTED, f"{self.session.who} answered {answer.status} to {self.question.path}{error_code(answer.body)}")
        return answer

    def once(self, url: str) -> Answer:
        sent_at = self.session.means.clock()
        answer = self.session.authorized(
            lambda header: self.session.get(url, header, version=self.question.version, max_body_bytes=MAX_PAGE_BYTES, within_s=self.left_s())
        )
        if answer.status == 429 or answer.status >= 500:
            raise self.session.trouble(answer)
        self.learn_clock(answer, sent_at)
        self.bytes += len(answer.body)
        if self.bytes > MAX_LIST_BYTES:
            raise Trouble(ReadOutcome.TOO_LARGE, f"{self.session.who} sent more than {MAX_LIST_BYTES} bytes for {self.question.path}")
        return answer

    def learn_clock(self, answer: Answer, sent_at: datetime) -> None:
        """How the server's clock stands to ours, by the quickest answer: its Date lies somewhere between our question and the answer's end."""
        took = self.session.means.clock() - sent_at
        offset_ms = headers.told(answer, sent_at + took / 2)["clock_offset_ms"]
        if offset_ms is not None and timedelta(0) <= took <= MAX_ANSWER_FOR_CLOCK and (self.offset is None or took < self.offset[0]):
            self.offset = (took, offset_ms)

    def items(self, answer: Answer) -> list[Any]:
        if answer.status == 204:
            return []
        try:
            items = strictjson.loads(answer.body) if answer.body.strip() else None
        except strictjson.StrictJsonError as error:
            raise Trouble(ReadOutcome.MALFORMED, f"{self.session.who} sent what is no list for {self.question.path}: {error}") from None
        if not isinstance(items, list) or len(items) > MAX_ITEMS_OF_A_PAGE:
            raise Trouble(ReadOutcome.MALFORMED, f"{self.session.who} sent what is no page of a list for {self.question.path}")
        return items
