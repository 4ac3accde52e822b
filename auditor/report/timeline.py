"""The history of one target as a timeline: drift events, approvals, reads in vain, renames, each with its interval."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from auditor.core.baseline import baseline
from auditor.core.beside import is_worse
from auditor.core.drift import said
from auditor.core.history import History, Spell, Stretch
from auditor.core.model import UNKNOWN, Approval, DriftEvent, EventState, FieldChange, Moved, Snapshot
from auditor.report import profile, sentences
from auditor.report.safetext import safe
from auditor.report.shown import Status
from auditor.report.wording import READ_WORDS, count, happened, iso, listed, moment

_VALUE_LIMIT = 400

Span = tuple[datetime, datetime]
"""First and last moment of a time that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened. `at` is when it was known; it may have happened, or lasted, at any time of one of `spans`.

    `lines` are labels and texts below the title, `cells` what a program reads.
    """

    at: datetime
    kind: str
    status: Status
    title: str
    lines: tuple[tuple[str, str], ...] = ()
    cells: Mapping[str, Any] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()

    def touches(self, span: Span) -> bool:
        """Whether it may have happened, or lasted, within `span`."""
        return any(min(start, end) <= span[1] and max(start, end) >= span[0] for start, end in (*self.spans, (self.at, self.at)))


def entries(history: History, *, within: Span | None = None) -> tuple[Entry, ...]:
    """What happened to a target, the oldest first; only what may have happened `within`, if it is given."""
    moved = [one for one in history.moved if within is None or _lies(one, within)]
    found = [
        *([_begun(history.first_read)] if history.first_read else []),
        *(of_event(event) for event in history.events),
        *_ignored(moved),
        *_shapes(moved),
        *(_approved(approval) for approval in history.approvals),
        *(_revoked(approval) for approval in history.approvals if approval.revoked),
        *(_spell(spell) for spell in history.spells),
        *(_renamed(name, until, history.target) for name, until in history.names),
    ]
    told = sorted(found, key=lambda entry: entry.at)
    return tuple(told if within is None else [entry for entry in told if entry.touches(within)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """A target at a time: the state that it showed last, since when, the events that were open, and what happened on that day."""

    target: str
    at: datetime
    stretch: Stretch
    snapshot: Snapshot
    approved: Mapping[str, Approval]
    open: tuple[Entry, ...]
    day: tuple[Entry, ...]


def then(history: History, stretch: Stretch, snapshot: Snapshot, *, at: datetime, day: Span) -> Then:
    """The target at `at`, of whose `day` (UTC) what happened by then is told: events and approvals as they stood, whatever has become of them."""
    known = [_approval_as_of(approval, at) for approval in history.approvals if approval.recorded_at and approval.recorded_at <= at]
    events = [_event_as_of(event, at) for event in history.events if event.not_after <= at]
    past = replace(history, approvals=tuple(known), events=tuple(events))
    return Then(
        target=history.target,
        at=at,
        stretch=stretch,
        snapshot=snapshot,
        approved=baseline(known, at),
        open=tuple(of_event(event) for event in events if event.state is EventState.OPEN),
        day=entries(past, within=(day[0], min(day[1], at))),
    )


def _event_as_of(event: DriftEvent, at: datetime) -> DriftEvent:
    is_over = event.ended_by is not None and event.ended_by <= at
    return event if is_over else replace(event, state=EventState.OPEN, ended_after=None, ended_by=None)


def _approval_as_of(approval: Approval, at: datetime) -> Approval:
    return replace(approval, revoked=None) if approval.revoked is not None and approval.revoked.at > at else approval


# --- what there is to tell ----------------------------------------------------------------------------------------


def attribution_lines(event: DriftEvent) -> tuple[tuple[str, str], ...]:
    """Who did it by Command's audit log, as label and text: the place where an event's attribution is told. An event without one is told without."""
    return tuple(("who", bounded(text)) for text in sentences.attribution(event.attribution, lead="")) if event.attribution else ()


def _begun(at: datetime) -> Entry:
    return Entry(at=at, kind="first_read", status=Status.NEUTRAL, title="read for the first time")


_ENDED = {
    EventState.OPEN: "open",
    EventState.RETURNED: "ended, the earlier value came back",
    EventState.APPROVED: "ended, the value was approved",
    EventState.SUPERSEDED: "ended, another value came",
    EventState.IGNORED: "ended, the field is volatile by configuration",
}


def ending(event: DriftEvent) -> str:
    """How it ended, and between which reads; empty where it is open."""
    return f"{_ENDED[event.state]}, {happened(event.ended_after, event.ended_by)}" if event.ended_by else ""


def of_event(event: DriftEvent) -> Entry:
    told, reference = event.change, said(event.subject, event.reference)
    ended = (event.ended_after, event.ended_by) if event.ended_by else None
    when = happened(event.not_before, event.not_after)
    lines = [("was", bounded(told.before)), ("now", bounded(told.after)), ("when", when if event.is_change else f"found off {when}")]
    if event.is_deviation:
        lines.append(("against", f"approved is {bounded(reference)}"))
    elif reference != told.before and not event.subject.startswith(UNKNOWN):
        lines.append(("against", f"rated against {bounded(reference)}, the value before the first of these changes"))
    lines.append(("stands", ending(event) or _ENDED[event.state]))
    if event.flaps:
        lines.append(("flaps", f"this value came and went {count(event.flaps, 'time')} before, lately"))
    return Entry(
        at=event.not_after,
        kind="drift",
        status=Status.FAIL if is_worse(told) else Status.NEUTRAL,
        title=f"{shown_name(event.subject)}: {_class(event)}",
        lines=(*lines, *attribution_lines(event)),
        cells=_change_cells(told, event.not_before, event.not_after)
        | {
            "state": event.state.value,
            "ended_after": _iso(event.ended_after),
            "ended_by": _iso(event.ended_by),
            "is_change": event.is_change,
            "is_deviation": event.is_deviation,
            "flaps": event.flaps,
            "attribution": event.attribution.document() if event.attribution else None,
        },
        spans=((event.not_before or event.not_after, event.not_after), *([(ended[0] or ended[1], ended[1])] if ended else [])),
    )


def _class(event: DriftEvent) -> str:
    """Direction, severity and kind, and that it flaps: `downgrade, high, value`."""
    told = event.change
    words = [told.direction.value, told.severity.value, told.kind.replace("_", " ")]
    return ", ".join([*words, *(["not as approved"] if event.is_deviation else []), *(["flapping"] if event.flaps else [])])


def _ignored(moved: Iterable[Moved]) -> Iterator[Entry]:
    by_subject: dict[str, list[tuple[Moved, FieldChange]]] = {}
    for one in moved:
        for told in one.changes:
            if told.is_ignored:
                by_subject.setdefault(told.subject, []).append((one, told))
    for subject, found in by_subject.items():
        first, last = found[0][0], found[-1][0]
        yield Entry(
            at=first.not_after,
            kind="ignored",
            status=Status.NEUTRAL,
            title=f"{shown_name(subject)}: changed {count(len(found), 'time')}, ignored by configuration (volatile)",
            lines=(
                ("first", happened(first.not_before, first.not_after)),
                *([("last", happened(last.not_before, last.not_after))] * (len(found) > 1)),
            ),
            cells=_change_cells(found[-1][1], first.not_before, last.not_after) | {"changes": len(found)},
            spans=((first.not_before or first.not_after, last.not_after),),
        )


def _shapes(moved: Iterable[Moved]) -> Iterator[Entry]:
    for one in moved:
        names = [told.field for told in one.changes if told.kind == "api_shape"]
        if names:
            yield Entry(
                at=one.not_after,
                kind="api_shape",
                status=Status.NEUTRAL,
                title=f"the API shows {count(len(names), 'field')} otherwise: {', '.join(names)}; that is no drift",
                lines=(("when", happened(one.not_before, one.not_after)),),
                cells={"field": " ".join(names), "change": "api_shape", "not_before": _iso(one.not_before), "not_after": _iso(one.not_after)},
                spans=((one.not_before or one.not_after, one.not_after),),
            )


def _approved(approval: Approval) -> Entry:
    at, value = approval.recorded_at or approval.approved_at, said(approval.field, approval.value)
    return Entry(
        at=at,
        kind="approved",
        status=Status.PASS,
        title=f"{approval.field}: {bounded(value)} was approved",
        lines=(
            ("claim", f"{profile.claim(approval)}: {approval.reason}"),
            ("record", f"{approval.digest[:12]} by {_account(approval.account, approval.host)}"),
        ),
        cells={"field": approval.field, "after": value, "by": approval.by, "reason": approval.reason, "digest": approval.digest},
    )


def _revoked(approval: Approval) -> Entry:
    revoked, value = approval.revoked, said(approval.field, approval.value)
    assert revoked is not None
    return Entry(
        at=revoked.at,
        kind="revoked",
        status=Status.UNKNOWN,
        title=f"{approval.field}: {bounded(value)} is approved no more",
        lines=(("claim", f"by {revoked.by}: {revoked.reason}"), ("record", f"{approval.digest[:12]} by {_account(revoked.account, revoked.host)}")),
        cells={"field": approval.field, "before": value, "by": revoked.by, "reason": revoked.reason, "digest": approval.digest},
    )


def _spell(spell: Spell) -> Entry:
    words = listed([READ_WORDS[outcome] for outcome in spell.outcomes])
    lasted = f"from {moment(spell.first)} to {moment(spell.last)}" if spell.reads > 1 else moment(spell.first)
    before = f"last seen {moment(spell.before)}" if spell.before else "never seen before"
    after = f"seen again {moment(spell.after)}" if spell.after else "not seen since"
    return Entry(
        at=spell.first,
        kind="trouble",
        status=Status.UNKNOWN,
        title=f"{count(spell.reads, 'read')} in vain: {words}",
        lines=(("when", lasted), ("unseen", f"{before}, {after}")),
        cells={
            "outcomes": " ".join(outcome.value for outcome in spell.outcomes),
            "reads": spell.reads,
            "first": iso(spell.first),
            "last": iso(spell.last),
            "not_before": _iso(spell.before),
            "not_after": _iso(spell.after),
        },
        spans=((spell.first, spell.last),),
    )


def _renamed(name: str, until: datetime, target: str) -> Entry:
    return Entry(
        at=until, kind="renamed", status=Status.NEUTRAL, title=f"renamed: it was called {name} until then", cells={"before": name, "after": target}
    )


def _lies(one: Moved, within: Span) -> bool:
    start = one.not_before or one.not_after
    return min(start, one.not_after) <= within[1] and max(start, one.not_after) >= within[0]


def _change_cells(told: FieldChange, not_before: datetime | None, not_after: datetime) -> dict[str, Any]:
    return {
        "field": told.subject,
        "change": told.kind,
        "direction": told.direction.value,
        "severity": told.severity.value,
        "before": told.before,
        "after": told.after,
        "not_before": _iso(not_before),
        "not_after": iso(not_after),
    }


def shown_name(subject: str) -> str:
    """A field as a reader knows it."""
    return f"{subject.removeprefix(UNKNOWN)} (undocumented)" if subject.startswith(UNKNOWN) else subject


def _account(account: str, host: str) -> str:
    return f"{account or 'an unknown account'} on {host or 'an unknown host'}"


def bounded(text: str) -> str:
    """A value as one line of text that has an end."""
    return safe(text, limit=_VALUE_LIMIT)


def _iso(at: datetime | None) -> str | None:
    return iso(at) if at else None
