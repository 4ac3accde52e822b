"""Who changed a profile, as far as Command's own audit log tells: its entries, one reading of it, and what follows for one change.

An entry's message (XML with the state before and after, secrets perhaps among it) is not here: of it only is kept where the mail profile is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from auditor.core.canonical import digest

APPLICATION_SETTING = "ApplicationSetting"
"""The category of Command's own settings, code 2007."""


class Signature(StrEnum):
    """What Command said when it was asked whether an entry's signature holds; `UNCHECKED` where it was not asked or gave no answer."""

    VALID = "valid"
    INVALID = "invalid"
    UNCHECKED = "unchecked"


class Naming(StrEnum):
    """Where an entry speaks of the mail profile, and how plainly."""

    SMTP_IN_TYPE = "smtp_in_type"
    SMTP_IN_IDENTIFIER = "smtp_in_identifier"
    SMTP_IN_MESSAGE = "smtp_in_message"
    MAIL_IN_TYPE = "mail_in_type"
    MAIL_IN_IDENTIFIER = "mail_in_identifier"
    MAIL_IN_MESSAGE = "mail_in_message"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of Command's audit log. `at` is aware UTC by the server's clock; texts are bounded and have no character that is not seen.

    `operation` is `Created`, `Updated`, `Deleted`, or the number of another one. `category` is a name where the code's is known, else the code.
    `named` says where it speaks of the mail profile.
    """

    id: int
    at: datetime
    user: str
    operation: str
    category: str | None = None
    entity_type: str = ""
    identifier: str = ""
    named: tuple[Naming, ...] = ()
    signature: Signature = Signature.UNCHECKED

    def document(self) -> dict[str, Any]:
        """The entry as JSON."""
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "user": self.user,
            "operation": self.operation,
            "category": self.category,
            "entity_type": self.entity_type,
            "identifier": self.identifier,
            "named": [naming.value for naming in self.named],
            "signature": self.signature.value,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "AuditEntry":
        """The entry that `document()` wrote.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        return AuditEntry(
            **{key: document[key] for key in ("id", "user", "operation", "category", "entity_type", "identifier")},
            at=datetime.fromisoformat(document["at"]),
            named=tuple(Naming(naming) for naming in document["named"]),
            signature=Signature(document["signature"]),
        )


class TrailOutcome(StrEnum):
    """What a reading of the audit log ended in."""

    READ = "read"
    NOT_PERMITTED = "not_permitted"
    FAILED = "failed"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """What the audit log of one server says of an interval: the entries that speak of mail or of Command's settings, the oldest first.

    `after` and `until` bound what was asked for, by our clock. `clock_offset_ms` is the server's clock less ours, good to a second, None where the
    server did not tell. `complete` is false where entries may be missing, for which `message`, safe to print, gives the reason.
    """

    outcome: TrailOutcome
    entries: tuple[AuditEntry, ...] = ()
    complete: bool = False
    message: str = ""
    after: datetime | None = None
    until: datetime | None = None
    clock_offset_ms: int | None = None


class AttributionVerdict(StrEnum):
    """How far a change could be laid to somebody. `CANDIDATES` is a list, and no verdict; `PENDING` is for a later read to fill in."""

    ATTRIBUTED = "attributed"
    CANDIDATES = "candidates"
    NOT_ATTRIBUTABLE = "not_attributable"
    NOT_PERMITTED = "not_permitted"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What the audit log comes to for one change: one entry where it is attributed, those that may be it where there are candidates, else none."""

    verdict: AttributionVerdict
    entries: tuple[AuditEntry, ...] = ()
    reason: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `document()`."""
        return digest(self.document())

    @property
    def by(self) -> AuditEntry | None:
        """The entry that the change is laid to; None unless it is attributed."""
        return self.entries[0] if self.verdict is AttributionVerdict.ATTRIBUTED else None

    def document(self) -> dict[str, Any]:
        """The attribution as JSON."""
        return {
            "schema": "attribution/1",
            "verdict": self.verdict.value,
            "entries": [entry.document() for entry in self.entries],
            "reason": self.reason,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Attribution":
        """The attribution that `document()` wrote.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        if document["schema"] != "attribution/1":
            raise ValueError(f"unknown attribution schema {document['schema']!r}")
        return Attribution(
            verdict=AttributionVerdict(document["verdict"]),
            entries=tuple(AuditEntry.from_document(entry) for entry in document["entries"]),
            reason=document["reason"],
        )
