"""What a channel is, what it needs, and a message as every channel may show it: safe, and of bounded size."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from auditor.core.model import Digest, Notice, Receipt, SecretRef
from auditor.core.safetext import safe
from auditor.exchange.connection import TlsContexts

MAX_NOTICES = 200
MAX_TITLE = 300
MAX_DETAIL_LINES = 40
MAX_LINE = 300
"""Characters of one line of a detail; with the bounds above a message is below 3 MB, whatever a notice holds."""


class Channel(Protocol):
    """Sends messages to one place."""

    def send(self, digest: Digest) -> Receipt:
        """Send `digest` once, within the channel's timeout. Trouble at the far end, and a secret that is not there, are in the receipt."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What channels need of whoever opens them. `secret` may raise SecretError; `version` is ours, for the far end's log."""

    secret: Callable[[SecretRef], str]
    clock: Callable[[], datetime]
    contexts: TlsContexts
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message of which every text is safe and bounded; `omitted` notices did not fit."""

    digest: Digest
    omitted: int

    @property
    def title(self) -> str:
        return self.digest.title

    @property
    def notices(self) -> tuple[Notice, ...]:
        return self.digest.notices


def shown(digest: Digest, *, at_most: int = MAX_NOTICES) -> Shown:
    """`digest` as it may be shown: what is invisible or moves other characters about is spelt out, what is too long is cut and says so."""
    link = digest.link if digest.link is not None and digest.link.startswith(("https://", "http://")) else None
    kept = tuple(_safe_notice(notice) for notice in digest.notices[:at_most])
    bounded = replace(digest, title=safe(digest.title, limit=MAX_TITLE), notices=kept, collector=safe(digest.collector, limit=255), link=link)
    return Shown(digest=bounded, omitted=len(digest.notices) - len(kept))


def _safe_notice(notice: Notice) -> Notice:
    def short(text: str | None) -> str | None:
        return None if text is None else safe(text, limit=MAX_TITLE)

    return replace(
        notice,
        title=safe(notice.title, limit=MAX_TITLE),
        target=short(notice.target),
        subject=short(notice.subject),
        owner=short(notice.owner),
        detail=_safe_lines(notice.detail),
        labels=tuple((safe(key, limit=128), safe(value, limit=128)) for key, value in notice.labels[:50]),
    )


def _safe_lines(text: str) -> str:
    lines = text.split("\n")
    kept = [safe(line, limit=MAX_LINE) for line in lines[:MAX_DETAIL_LINES]]
    return "\n".join(kept if len(lines) <= MAX_DETAIL_LINES else [*kept, f"… ({len(lines) - MAX_DETAIL_LINES} more lines)"])
