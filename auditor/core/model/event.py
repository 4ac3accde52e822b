"""A drift event: one field that says what was not said, or not approved, before; from the read that first shows it until somebody settles it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from auditor.core.model.attribution import Attribution
from auditor.core.model.finding import FieldChange, Severity
from auditor.core.model.snapshot import ProfileField


class EventState(StrEnum):
    """How a drift event stands. Open until the value returns, is approved, or gives way to a third one; `IGNORED`: the field is volatile now."""

    OPEN = "open"
    RETURNED = "returned"
    APPROVED = "approved"
    SUPERSEDED = "superseded"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftEvent:
    """One field off its reference, and since when.

    It happened after `not_before` (the last good read that showed something else; None where none did) and by `not_after` (the first that shows
    it); it ended, if it did, in the interval `ended_after` to `ended_by`. `change` tells it in words, rated against the reference, and `value` is
    what the field says. The reference is the approved value (`is_deviation`) or else the value before the first change. `flaps` counts how often
    the field went to this value and back lately. `attribution` is what Command's audit log says of who did it, None where it was not asked.
    `number` is the store's, None for one that is not recorded yet.
    """

    target: str
    change: FieldChange
    reference: ProfileField
    value: ProfileField
    is_deviation: bool
    is_change: bool
    not_before: datetime | None
    not_after: datetime
    state: EventState = EventState.OPEN
    ended_after: datetime | None = None
    ended_by: datetime | None = None
    flaps: int = 0
    attribution: Attribution | None = None
    number: int | None = None

    @property
    def subject(self) -> str:
        return self.change.subject

    @property
    def severity(self) -> Severity:
        return self.change.severity

    def document(self) -> dict[str, Any]:
        """What the event says, as JSON; how it stands, and when, is beside it."""
        return {
            "schema": "drift-event/1",
            "change": self.change.document(),
            "reference": self.reference.document(),
            "value": self.value.document(),
            "is_deviation": self.is_deviation,
            "is_change": self.is_change,
            "flaps": self.flaps,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any], **beside: Any) -> "DriftEvent":
        """The event that `document()` wrote; `beside` are the fields that it does not hold.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        if document["schema"] != "drift-event/1":
            raise ValueError(f"unknown drift event schema {document['schema']!r}")
        return DriftEvent(
            **{key: document[key] for key in ("is_deviation", "is_change", "flaps")},
            change=FieldChange.from_document(document["change"]),
            reference=ProfileField.from_document(document["reference"]),
            value=ProfileField.from_document(document["value"]),
            **beside,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What one read means for the drift events of a target: those that it opened, those that it ended, and all that are open after it."""

    opened: tuple[DriftEvent, ...] = ()
    ended: tuple[DriftEvent, ...] = ()
    open: tuple[DriftEvent, ...] = ()
