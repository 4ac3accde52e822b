"""An approval: this value of this field on this server was accepted by somebody, for a reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from auditor.core.canonical import digest
from auditor.core.model.snapshot import ProfileField


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Who took an approval back, why and when. `account` and `host` are the operating system's words for who recorded it, `by` is a claim."""

    by: str
    reason: str
    at: datetime
    account: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A value approved for one field of one target, through the end of the day `expires` (UTC).

    `by` is a claim; `account`, `host` and `recorded_at` say who recorded it where and when (None: it was not recorded yet). What came from a
    file can have been approved earlier than it was recorded.
    """

    target: str
    field: str
    value: ProfileField
    by: str
    reason: str
    approved_at: datetime
    ticket: str | None = None
    expires: date | None = None
    recorded_at: datetime | None = None
    account: str = ""
    host: str = ""
    revoked: Revocation | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what is approved and by whom: two that say the same are one, whenever and wherever they were recorded."""
        return digest(self.document())

    def document(self) -> dict[str, Any]:
        """What is approved and by whom, as JSON."""
        return {
            "schema": "approval/1",
            "target": self.target,
            "field": self.field,
            "value": self.value.document(),
            "by": self.by,
            "reason": self.reason,
            "ticket": self.ticket,
            "expires": self.expires.isoformat() if self.expires else None,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any], **recorded: Any) -> "Approval":
        """The approval that `document()` wrote; `recorded` are the fields that it does not hold.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        if document["schema"] != "approval/1":
            raise ValueError(f"unknown approval schema {document['schema']!r}")
        return Approval(
            **{key: document[key] for key in ("target", "field", "by", "reason", "ticket")},
            value=ProfileField.from_document(document["value"]),
            expires=date.fromisoformat(document["expires"]) if document["expires"] else None,
            **recorded,
        )
