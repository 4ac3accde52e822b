"""Drift events from read to read: which are opened, which end, and as what. Pure.

A change lies between two reads, a deviation between a read and what was approved; whichever is first opens the one event of that field, which then
carries both.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from auditor.core.baseline import Stand, stands
from auditor.core.direction import OrgDomain, mark_of
from auditor.core.drift import Seen, change, difference, showing, shown
from auditor.core.model import Approval, Drift, DriftEvent, EventState, FieldChange, ProfileField, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One good read of a target, and what it is measured by.

    `previous` is the observed state before it, `changes` those since then, `approved` the baseline in force. What `previous` does not show (another
    API shape, no profile) was compared with `earlier`. Fields in `volatile` open no event. `ended` are events that ended lately: by them flapping is
    told.
    """

    target: str
    now: Seen
    previous: Seen | None
    changes: tuple[FieldChange, ...]
    approved: Mapping[str, Approval]
    org_domain: OrgDomain
    earlier: Seen | None = None
    volatile: Collection[str] = ()
    ended: Sequence[DriftEvent] = ()


def follow(open_events: Sequence[DriftEvent], read: Read) -> Drift:
    """What `read` means for the open events of its target, of which there is one a field at most."""
    at, snapshot = read.now
    since = read.previous[0] if read.previous else None
    known = {event.subject: event for event in open_events}
    moved = [one.subject for one in read.changes if one.kind != "api_shape"]
    stand = stands(snapshot, read.approved)
    kept, opened, closed = [], [], []
    for subject in dict.fromkeys((*known, *moved, *(name for name, how in stand.items() if how is Stand.DIFFERS))):
        event, value = known.get(subject), shown(snapshot, subject)
        if subject in read.volatile:
            end = EventState.IGNORED
        elif value.fact.state in (State.NOT_OFFERED, State.INCONCLUSIVE):
            end = EventState.OPEN  # not to be seen now, neither better nor worse
        else:
            end = _end(event, subject, value, stand.get(subject))
        if end is EventState.OPEN:
            kept += [_measured(event, read, stand.get(subject))] if event else []
            continue
        if event:
            closed.append(replace(event, state=end, ended_after=since, ended_by=at))
        if end is EventState.SUPERSEDED:
            opened.append(_opened(subject, value, read, before=event, is_deviation=stand.get(subject) is Stand.DIFFERS))
    return Drift(opened=tuple(opened), ended=tuple(closed), open=(*kept, *opened))


def _end(event: DriftEvent | None, subject: str, value: ProfileField, stand: Stand | None) -> EventState:
    """What becomes of the event, if there is one, by what the field says now; superseded is also where the first event of a field begins."""
    is_approved, is_settled = stand is Stand.HOLDS, stand is not Stand.DIFFERS
    if event is None:
        return EventState.APPROVED if is_approved else EventState.SUPERSEDED
    if is_settled and not difference(subject, event.reference, value):
        return EventState.RETURNED
    if is_approved:
        return EventState.APPROVED
    return EventState.SUPERSEDED if difference(subject, event.value, value) else EventState.OPEN


def _measured(event: DriftEvent, read: Read, stand: Stand | None) -> DriftEvent:
    """The event of a value that stays, against an approval that came later than the event."""
    if stand is not Stand.DIFFERS:
        return event
    reference = read.approved[event.subject].value
    if event.is_deviation and not difference(event.subject, reference, event.reference):
        return event
    told = _worst([event.change, _against(event.subject, reference, read)])
    return replace(event, reference=reference, is_deviation=True, change=told)


def _opened(subject: str, value: ProfileField, read: Read, *, before: DriftEvent | None, is_deviation: bool) -> DriftEvent:
    moved = next((one for one in read.changes if one.subject == subject), None)
    seen = read.earlier if moved and moved.since and read.earlier else read.previous
    last = shown(seen[1], subject) if seen else value
    reference = read.approved[subject].value if is_deviation else before.reference if before else last
    since = read.previous[0] if read.previous else None
    return DriftEvent(
        target=read.target,
        change=_worst([moved, _against(subject, reference, read)]),
        reference=reference,
        value=value,
        is_deviation=is_deviation,
        is_change=moved is not None,
        not_before=moved.since or since if moved else since,
        not_after=read.now[0],
        flaps=sum(
            event.subject == subject and event.state is EventState.RETURNED and not difference(subject, event.value, value) for event in read.ended
        ),
    )


def _against(subject: str, reference: ProfileField, read: Read) -> FieldChange | None:
    """The field as a change from its reference: so rated, several small steps are as bad as the one that they make."""
    _, snapshot = read.now
    mark = mark_of(subject, showing(snapshot, subject, reference), snapshot, org_domain=read.org_domain)
    return change(subject, reference, shown(snapshot, subject), mark)


def _worst(told: Iterable[FieldChange | None]) -> FieldChange:
    """The first change in its own words, rated by the worst of them."""
    there = [one for one in told if one is not None]
    worst = max(there, key=lambda one: one.severity.rank)
    return replace(there[0], direction=worst.direction, severity=worst.severity)
