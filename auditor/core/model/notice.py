"""A notice: one transition that people are told of, once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from auditor.core.canonical import digest
from auditor.core.model.finding import Severity


class NoticeKind(StrEnum):
    """What happened. `INITIAL` announces the state in which a target was first seen; `REMINDER` what is open still; `REPORT` sums one up."""

    INITIAL = "initial"
    FINDING_OPENED = "finding_opened"
    FINDING_RESOLVED = "finding_resolved"
    DRIFT_OPENED = "drift_opened"
    DRIFT_ENDED = "drift_ended"
    TARGET_LOST = "target_lost"
    TARGET_RECOVERED = "target_recovered"
    WAIVER_EXPIRING = "waiver_expiring"
    WAIVER_EXPIRED = "waiver_expired"
    POLICY_CHANGED = "policy_changed"
    COVERAGE_LOW = "coverage_low"
    REPORT = "report"
    REMINDER = "reminder"
    TEST = "test"


class DeliveryState(StrEnum):
    """How what a channel is owed stands. `CLAIMED`: somebody is sending it; `PARKED`: given up until somebody asks for it again."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    PARKED = "parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One transition, in words that are safe to send: no secret is in them.

    `target` is None for what concerns the installation. `subject` is the rule, the field or the waiver that it is about. `severity` is how bad what
    it tells is; good news has that of what is over. `labels` and `owner` are the target's: channels choose by them.
    """

    kind: NoticeKind
    at: datetime
    severity: Severity
    title: str
    target: str | None = None
    subject: str | None = None
    detail: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    owner: str | None = None

    @property
    def key(self) -> str:
        """SHA-256 of what it says: by it the far end knows one that comes twice."""
        return digest(self.document())

    @property
    def is_good(self) -> bool:
        """Whether it tells that something is over."""
        return self.kind in (NoticeKind.FINDING_RESOLVED, NoticeKind.DRIFT_ENDED, NoticeKind.TARGET_RECOVERED)

    def document(self) -> dict[str, Any]:
        """The notice as JSON: what is stored and sent."""
        return {
            "schema": "notice/1",
            "kind": self.kind.value,
            "at": self.at.isoformat(),
            "severity": self.severity.value,
            "title": self.title,
            "target": self.target,
            "subject": self.subject,
            "detail": self.detail,
            "labels": [list(label) for label in self.labels],
            "owner": self.owner,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Notice":
        """The notice that `document()` wrote.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        if document["schema"] != "notice/1":
            raise ValueError(f"unknown notice schema {document['schema']!r}")
        return Notice(
            **{key: document[key] for key in ("title", "target", "subject", "detail", "owner")},
            kind=NoticeKind(document["kind"]),
            at=datetime.fromisoformat(document["at"]),
            severity=Severity(document["severity"]),
            labels=tuple((key, value) for key, value in document["labels"]),
        )


MAX_ATTACHED_BYTES = 10 * 1024 * 1024
"""Of all files of one message: relays refuse what is too large, and the message with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a message, where the channel takes files. `content` is None where it is too large to travel."""

    name: str
    media_type: str
    content: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One message: all that one channel is told at once.

    By `key` the far end knows a message that comes twice. `collector` is the host that sends it, `link` the address where more is to be read.
    """

    key: str
    at: datetime
    title: str
    notices: tuple[Notice, ...]
    attachments: tuple[Attachment, ...] = ()
    collector: str = ""
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a message: `DELIVERED`, `PENDING` (it may pass: try again, `after` some time where the far end says so) or `PARKED` (it never
    will be taken as it is). `reason` is safe to print and to store: what the far end wrote is not in it, and no secret.
    """

    state: DeliveryState
    reason: str = ""
    after: timedelta | None = None

    @staticmethod
    def delivered(reason: str = "") -> "Receipt":
        return Receipt(state=DeliveryState.DELIVERED, reason=reason)

    @staticmethod
    def retry(reason: str, *, after: timedelta | None = None) -> "Receipt":
        return Receipt(state=DeliveryState.PENDING, reason=reason, after=after)

    @staticmethod
    def parked(reason: str) -> "Receipt":
        return Receipt(state=DeliveryState.PARKED, reason=reason)
