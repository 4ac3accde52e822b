"""The timeline of a target, its state at a time and the values of one field, as text for a terminal and as rows and JSON for programs."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from auditor.core.drift import said
from auditor.core.history import Held
from auditor.report import profile
from auditor.report.csvdoc import render_csv
from auditor.report.layout import Lines, Style, plain
from auditor.report.timeline import Entry, Then, bounded, shown_name
from auditor.report.wording import count, iso, lasted, moment


def render_text(target: str, told: Iterable[Entry], *, width: int = 80, style: Style = plain) -> str:
    """A timeline in lines of at most `width` terminal cells."""
    lines = list(_Writer(width, style).timeline(told))
    return "\n".join([*_Writer(width, style).head(target), *(lines or ["nothing is recorded"])]) + "\n"


def render_then(told: Then, *, width: int = 80, style: Style = plain) -> str:
    """A target at a time, in lines of at most `width` terminal cells."""
    return "\n".join(_Writer(width, style).then(told)) + "\n"


class _Writer(Lines):
    def head(self, target: str) -> Iterator[str]:
        yield from self.wrapped(target, style={"bold": True})

    def timeline(self, told: Iterable[Entry]) -> Iterator[str]:
        """Each entry under its time; values that were approved or revoked in one go stand together, above the one claim."""
        for _, group in groupby(enumerate(told), key=_in_one_go):
            alike = [entry for _, entry in group]
            first = alike[0]
            yield ""
            yield from self.wrapped(moment(first.at), style={"dim": True})
            for entry in alike:
                yield from self.wrapped(f"{entry.status.glyph} {entry.title}", indent="  ", first="", style=self.coloured(entry.status))
            for label, text in first.lines if len(alike) == 1 else first.lines[:1]:
                yield from self.labelled(label, text, column=12)

    def then(self, told: Then) -> Iterator[str]:
        seen = told.stretch
        yield from self.wrapped(f"{told.target} by {moment(told.at)}", style={"bold": True})
        yield from self.labelled("seen", f"{lasted(seen.first_seen, seen.last_seen)}, by {count(seen.reads, 'read')}", column=12, indent="  ")
        yield from self.labelled("snapshot", f"SHA-256 {told.snapshot.digest}", column=12, indent="  ")
        yield from ("", self.style("Profile", bold=True))
        if not told.snapshot.configured:
            yield from self.wrapped("No mail profile was configured.", indent="  ")
        for row in profile.rows(told.snapshot, told.approved):
            yield from self.labelled(", ".join(row.fields), bounded(row.words), column=min(27, self.width // 3), indent="  ")
            if row.approval:
                yield from self.wrapped(bounded(row.approval), indent=" " * min(27, self.width // 3))
        yield from ("", self.style("Open then", bold=True))
        for entry in told.open:
            yield from self.wrapped(f"{entry.status.glyph} {entry.title}, {dict(entry.lines)['when']}", indent="    ", first="  ")
        yield from (["  nothing"] if not told.open else [])
        yield from ("", self.style("On that day", bold=True))
        yield from (list(self.timeline(told.day))[1:] or ["  nothing"])


def _in_one_go(numbered: tuple[int, Entry]) -> tuple[object, ...]:
    number, entry = numbered
    claim = dict(entry.lines).get("claim")
    return (entry.kind, moment(entry.at), claim) if claim else (number,)


# --- for programs -------------------------------------------------------------------------------------------------

COLUMNS = (
    "at",
    "kind",
    "field",
    "change",
    "direction",
    "severity",
    "before",
    "after",
    "not_before",
    "not_after",
    "state",
    "ended_after",
    "ended_by",
    "flaps",
    "outcomes",
    "reads",
    "by",
    "reason",
    "who",
    "title",
)


def entry_document(entry: Entry) -> dict[str, Any]:
    """An entry as plain JSON values; what it does not have is left out."""
    return {"at": iso(entry.at), "kind": entry.kind, "title": entry.title, **entry.cells}


def csv_of(told: Iterable[Entry]) -> bytes:
    """A timeline as CSV, one line for each entry."""
    return render_csv(
        COLUMNS, [entry_document(entry) | {"who": "; ".join(text for label, text in entry.lines if label == "who") or None} for entry in told]
    )


def then_document(told: Then) -> dict[str, Any]:
    """A target at a time as plain JSON values."""
    return {
        "target": told.target,
        "at": iso(told.at),
        "first_seen": iso(told.stretch.first_seen),
        "last_seen": iso(told.stretch.last_seen),
        "reads": told.stretch.reads,
        "snapshot_digest": told.snapshot.digest,
        "configured": told.snapshot.configured,
        "words": {name: row.words for row in profile.rows(told.snapshot, told.approved) for name in row.fields},
        "snapshot": told.snapshot.document(),
        "approved": {name: said(name, approval.value) for name, approval in told.approved.items()},
        "open": [entry_document(entry) for entry in told.open],
        "day": [entry_document(entry) for entry in told.day],
    }


HELD_COLUMNS = ("target", "field", "value", "not_before", "first_seen", "last_seen", "reads", "written")


def held_rows(target: str, subject: str, held: Iterable[Held]) -> list[dict[str, Any]]:
    """The values of a field over time, a row each: it came after `not_before`, by `first_seen`."""
    rows: list[dict[str, Any]] = []
    for one in held:
        rows.append(
            {
                "target": target,
                "field": subject,
                "value": said(subject, one.value),
                "not_before": rows[-1]["last_seen"] if rows else None,
                "first_seen": iso(one.first_seen),
                "last_seen": iso(one.last_seen),
                "reads": one.reads,
                "written": ", ".join(one.written) or None,
            }
        )
    return rows


def render_held(target: str, subject: str, held: Iterable[Held], *, width: int = 80, style: Style = plain) -> str:
    """The values of a field over time, in lines of at most `width` terminal cells."""
    writer = _Writer(width, style)
    lines = list(writer.wrapped(f"{target}: {shown_name(subject)}", style={"bold": True}))
    for one in held:
        lines += ["", *writer.wrapped(bounded(said(subject, one.value)), style={"bold": True})]
        lines += writer.labelled("seen", f"{lasted(one.first_seen, one.last_seen)}, by {count(one.reads, 'read')}", column=12)
        if one.written:
            lines += writer.labelled("written", bounded(" and ".join(one.written)), column=12)
    return "\n".join(lines) + "\n"
