"""How two states of a profile differ, as text, JSON, CSV and HTML: field by field, with both values as they were sent."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.core.beside import Beside, Relation, as_sent, is_worse
from auditor.core.drift import said
from auditor.core.model import UNKNOWN, Direction
from auditor.report.csvdoc import render_csv
from auditor.report.html import filled
from auditor.report.layout import Lines, Style, cells, plain
from auditor.report.safetext import safe
from auditor.report.shown import Status
from auditor.report.wording import count, happened, iso, lasted

SCHEMA_VERSION = 1
_VALUE_LIMIT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two states: what it is in words, of whom, under which digest (None for approved values), seen from when until when."""

    words: str
    target: str
    digest: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownField:
    """One field, and between which two reads it took on what it says now (None: unknown, or nothing moved)."""

    field: Beside
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def subject(self) -> str:
        return self.field.subject

    @property
    def name(self) -> str:
        """The field as a reader knows it."""
        return f"{self.subject.removeprefix(UNKNOWN)} (undocumented)" if self.subject.startswith(UNKNOWN) else self.subject

    @property
    def status(self) -> Status:
        match self.field.relation:
            case Relation.DIFFERS:
                return Status.FAIL if is_worse(self.field.told) else Status.NEUTRAL
            case Relation.NOT_COMPARABLE:
                return Status.UNKNOWN
            case Relation.REWRITTEN:
                return Status.PASS
            case Relation.IGNORED | Relation.API_SHAPE:
                return Status.NEUTRAL

    @property
    def word(self) -> str:
        """What is said of the field, in a few words."""
        told = self.field.told
        if self.field.relation is not Relation.DIFFERS or told is None:
            return _WORDS[self.field.relation]
        way = "changed" if told.direction is Direction.NEUTRAL else told.direction.value
        return f"{way}, {told.severity.value}{_KINDS.get(told.kind, '')}"

    @property
    def was(self) -> str:
        return as_sent(self.subject, self.field.before)

    @property
    def now(self) -> str:
        return as_sent(self.subject, self.field.after)

    @property
    def happened(self) -> str:
        return happened(self.not_before, self.not_after) if self.not_after else ""


_WORDS = {
    Relation.DIFFERS: "differs",
    Relation.REWRITTEN: "same, written differently",
    Relation.IGNORED: "ignored by configuration: volatile",
    Relation.API_SHAPE: "not shown by one of the two API versions",
    Relation.NOT_COMPARABLE: "not comparable",
}
_KINDS = {
    "set": ", set",
    "cleared": ", cleared",
    "secret_state": ", kept otherwise",
    "provider": ", other PAM provider",
    "parameter": ", other PAM parameter",
    "unknown_field": ", undocumented field",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two states side by side.

    `labels` stand before the values of each, `volatile` are the fields that the configuration ignores, `notes` what else a reader must know.
    """

    target: str
    before: Side
    after: Side
    fields: tuple[ShownField, ...]
    labels: tuple[str, str] = ("was", "now")
    volatile: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[ShownField, ...]:
        """What counts as different, the worst first."""
        found = [shown for shown in self.fields if shown.field.relation is Relation.DIFFERS]
        return tuple(sorted(found, key=lambda shown: -(shown.field.severity.rank if shown.field.severity else -1)))

    @property
    def others(self) -> tuple[ShownField, ...]:
        """What does not count as different, by the reason why."""
        order = (Relation.NOT_COMPARABLE, Relation.REWRITTEN, Relation.IGNORED, Relation.API_SHAPE)
        return tuple(shown for relation in order for shown in self.fields if shown.field.relation is relation)

    @property
    def sentence(self) -> str:
        number = len(self.differing)
        if number:
            return f"{self.target}: {count(number, 'field')} {'differs' if number == 1 else 'differ'}"
        return f"{self.target}: nothing differs{', as far as it can be compared' if self._is_partial else ''}"

    @property
    def exit_code(self) -> int:
        """0 nothing differs, 1 something does, 4 nothing does among what could be compared."""
        return 1 if self.differing else 4 if self._is_partial else 0

    @property
    def _is_partial(self) -> bool:
        return any(shown.field.relation is Relation.NOT_COMPARABLE for shown in self.fields)


# --- formats ------------------------------------------------------------------------------------------------------


def render_text(found: Difference, *, width: int = 80, style: Style = plain) -> str:
    """The difference in lines of at most `width` terminal cells."""
    return "\n".join(_Writer(width, style).written(found)) + "\n"


class _Writer(Lines):
    def written(self, found: Difference) -> Iterator[str]:
        yield from self.wrapped(found.sentence, style={"bold": True})
        for label, side in (("from", found.before), ("to", found.after)):
            yield from self.labelled(label, side.words, column=8, indent="  ")
        for shown in (*found.differing, *found.others):
            yield ""
            yield from self.wrapped(f"{shown.status.glyph} {shown.name}: {shown.word}", indent="  ", first="", style=self.coloured(shown.status))
            column = 6 + max(len("when"), *map(cells, found.labels))
            yield from self.labelled(found.labels[0], _visible(shown.was), column=column)
            yield from self.labelled(found.labels[1], _visible(shown.now), column=column)
            if shown.happened:
                yield from self.labelled("when", shown.happened, column=column)
        for note in found.notes:
            yield ""
            yield from self.wrapped(f"– {note}", indent="  ", first="")


def document(found: Difference) -> dict[str, Any]:
    """The difference as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "target": found.target,
        "sentence": found.sentence,
        "differs": bool(found.differing),
        "before": _side(found.before),
        "after": _side(found.after),
        "fields": [_field(shown) | _values(shown) for shown in (*found.differing, *found.others)],
        "volatile": list(found.volatile),
        "notes": list(found.notes),
    }


def _json(found: Difference) -> bytes:
    return (json.dumps(document(found), indent=2) + "\n").encode()  # ASCII: hostile text must not reach a terminal as it is


COLUMNS = (
    "target",
    "field",
    "relation",
    "kind",
    "direction",
    "severity",
    "before",
    "after",
    "before_sent",
    "after_sent",
    "not_before",
    "not_after",
)


def _csv(found: Difference) -> bytes:
    return render_csv(COLUMNS, [{"target": found.target} | _field(shown) for shown in (*found.differing, *found.others)])


def _html(found: Difference) -> bytes:
    return filled("diff.html.j2", found=found)


def _text(found: Difference) -> bytes:
    return render_text(found).encode()


FORMATS: Mapping[str, Callable[[Difference], bytes]] = {"text": _text, "json": _json, "csv": _csv, "html": _html}
"""Same difference, same bytes (UTF-8)."""


def _field(shown: ShownField) -> dict[str, Any]:
    told = shown.field.told
    return {
        "field": shown.subject,
        "relation": shown.field.relation.value,
        "kind": told.kind if told else None,
        "direction": told.direction.value if told else None,
        "severity": told.severity.value if told else None,
        "before": said(shown.subject, shown.field.before),
        "after": said(shown.subject, shown.field.after),
        "before_sent": shown.was,
        "after_sent": shown.now,
        "not_before": iso(shown.not_before) if shown.not_before else None,
        "not_after": iso(shown.not_after) if shown.not_after else None,
    }


def _values(shown: ShownField) -> dict[str, Any]:
    return {"before_value": shown.field.before.document(), "after_value": shown.field.after.document()}


def _side(side: Side) -> dict[str, Any]:
    return {
        "words": side.words,
        "target": side.target,
        "snapshot_digest": side.digest,
        "first_seen": iso(side.first_seen) if side.first_seen else None,
        "last_seen": iso(side.last_seen) if side.last_seen else None,
    }


def seen_words(target: str, digest: str, *, first: datetime, last: datetime) -> str:
    """A state in words: whose, which snapshot, and when it was seen."""
    return f"{target}, snapshot {digest[:12]}, seen {lasted(first, last)}"


def _visible(text: str) -> str:
    """Blanks that a terminal or a layout would swallow, spelt out."""
    shown = re.sub(r'(?<= ) | (?= )|(?<=^") | (?="$)', "[U+0020]", text)
    return safe(shown, limit=_VALUE_LIMIT)
