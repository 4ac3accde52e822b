"""A waiver: a failure that somebody accepted, where, why, until when, and who approved it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from auditor.core.canonical import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Accepts that `rule` fails on `targets` (names, or `glob:` and a pattern) that carry all of `labels`; what is left empty limits nothing.

    `expires_at` is the first instant at which it holds no more, in UTC: a day runs through its end, so that is the midnight after it.
    `approved_on` is a UTC day; before it the waiver does not hold yet.
    """

    rule: str
    targets: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    reason: str
    owner: str
    approved_by: str
    expires_at: datetime
    requested_by: str | None = None
    approved_on: date | None = None
    ticket: str | None = None
    risk: str | None = None

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that stand for exactly this text: an edited waiver is another one."""
        return digest(self.document())[:12]

    def document(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "targets": list(self.targets),
            "labels": [list(label) for label in self.labels],  # no mapping: canonical JSON takes ASCII keys alone
            "reason": self.reason,
            "owner": self.owner,
            "requested_by": self.requested_by,
            "approved_by": self.approved_by,
            "approved_on": self.approved_on.isoformat() if self.approved_on else None,
            "expires_at": self.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ticket": self.ticket,
            "risk": self.risk,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Waiver":
        return Waiver(
            **{key: document[key] for key in ("rule", "reason", "owner", "requested_by", "approved_by", "ticket", "risk")},
            targets=tuple(document["targets"]),
            labels=tuple((key, value) for key, value in document["labels"]),
            approved_on=date.fromisoformat(document["approved_on"]) if document["approved_on"] else None,
            expires_at=datetime.fromisoformat(document["expires_at"]),
        )
