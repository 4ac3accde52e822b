"""Drift events: opened by a change or a deviation, and open until the value returns, is approved, or gives way to another."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from auditor.core.drift import changes
from auditor.core.events import Read, follow
from auditor.core.model import Approval, Drift, DriftEvent, EventState, Fact, HeaderSeen, JsonType, Shape, Snapshot, State, UnknownField
from tests.factories import AT, KEY, NOT_OFFERED, snapshot

DAY = timedelta(days=1)


def org(host: str) -> str | None:
    labels = host.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


def approval(field: str, seen: Snapshot) -> dict[str, Approval]:
    return {field: Approval(target="prod", field=field, value=seen.field(field), by="Ada", reason="so decided", approved_at=AT)}


def story(*seen: Snapshot, approved: dict[int, dict[str, Approval]] | None = None, **others: Any) -> list[Drift]:
    """What each of the snapshots, read a day apart, means; `approved` is the baseline from the read of that number on."""
    told, in_force, open_events, ended = [], {}, (), []
    for number, now in enumerate(seen):
        in_force = (approved or {}).get(number, in_force)
        previous = (AT + (number - 1) * DAY, seen[number - 1]) if number else None
        found = changes(previous[1], now, org_domain=org) if previous else ()
        read = Read(
            target="prod",
            now=(AT + number * DAY, now),
            previous=previous,
            changes=found,
            approved=in_force,
            org_domain=org,
            ended=tuple(ended),
            **others,
        )
        drift = follow(open_events, read)
        open_events = drift.open
        ended += drift.ended
        told.append(drift)
    return told


def said(events: tuple[DriftEvent, ...]) -> list[tuple[str, str, str, str, str]]:
    return [(e.subject, e.change.before, e.change.after, e.change.direction.value, e.severity.value) for e in events]


def test_the_first_read_opens_nothing() -> None:
    assert story(snapshot(UseSSL=False)) == [Drift()]


def test_a_change_opens_an_event_that_names_an_interval() -> None:
    _, moved, later = story(snapshot(), snapshot(UseSSL=False), snapshot(UseSSL=False))
    (event,) = moved.opened
    assert said(moved.opened) == [("UseSSL", "true", "false", "downgrade", "critical")]
    assert (event.not_before, event.not_after, event.state) == (AT, AT + DAY, EventState.OPEN)
    assert (event.is_change, event.is_deviation) == (True, False)
    assert (later.opened, later.ended, later.open) == ((), (), (event,))


def test_it_ends_when_the_value_returns() -> None:
    *_, back = story(snapshot(), snapshot(UseSSL=False), snapshot())
    (ended,) = back.ended
    assert (ended.state, ended.ended_after, ended.ended_by) == (EventState.RETURNED, AT + DAY, AT + 2 * DAY)
    assert (back.opened, back.open) == ((), ())


def test_it_ends_when_the_value_is_approved() -> None:
    moved = snapshot(UseSSL=False)
    *_, approved = story(snapshot(), moved, moved, approved={2: approval("UseSSL", moved)})
    assert [event.state for event in approved.ended] == [EventState.APPROVED]
    assert approved.open == ()


def test_a_third_value_supersedes_it_and_is_rated_against_the_first() -> None:
    *_, third = story(snapshot(Port=465), snapshot(Port=2525), snapshot(Port=25))
    assert [event.state for event in third.ended] == [EventState.SUPERSEDED]
    assert said(third.opened) == [("Port", "2525", "25", "downgrade", "high")], "465 to 25 in two steps is as bad as in one"
    assert third.opened[0].reference.fact.value == 465


def test_the_way_back_from_a_third_value_is_a_return_as_well() -> None:
    *_, back = story(snapshot(Port=465), snapshot(Port=2525), snapshot(Port=25), snapshot(Port=465))
    assert ([event.state for event in back.ended], back.open) == ([EventState.RETURNED], ())


def test_an_approved_change_opens_nothing() -> None:
    moved = snapshot(Host="b.office365.com")
    assert story(snapshot(), moved, approved={1: approval("Host", moved)})[1] == Drift()


def test_a_deviation_opens_an_event_without_any_change() -> None:
    seen = snapshot(Port=25)
    first, _ = story(seen, seen, approved={0: approval("Port", snapshot(Port=587))})
    (event,) = first.opened
    assert said((event,)) == [("Port", "587", "25", "downgrade", "high")]
    assert (event.is_deviation, event.is_change, event.not_before) == (True, False, None)


def test_change_and_deviation_are_one_event() -> None:
    _, moved = story(snapshot(), snapshot(Port=25), approved={0: approval("Port", snapshot())})
    assert [(event.is_change, event.is_deviation) for event in moved.open] == [(True, True)]


def test_a_return_to_the_value_before_the_approved_one_is_a_deviation_cipp_6187() -> None:
    old, new = snapshot(Port=25), snapshot(Port=587)
    _, approved, back = story(old, new, old, approved={1: approval("Port", new)})
    assert approved.open == ()
    assert [(event.subject, event.is_deviation) for event in back.opened] == [("Port", True)]


def test_an_approval_of_another_value_measures_the_open_event_anew() -> None:
    *_, measured = story(snapshot(Port=2525), snapshot(Port=25), snapshot(Port=25), approved={2: approval("Port", snapshot(Port=465))})
    (event,) = measured.open
    assert (event.is_deviation, event.reference.fact.value, event.severity.value) == (True, 465, "high")
    assert (measured.opened, measured.ended) == ((), ())


def test_what_the_shape_hides_keeps_its_event() -> None:
    v1 = snapshot(shape=Shape.V1, Scope=NOT_OFFERED)
    *_, hidden, shown = story(snapshot(Scope="a"), snapshot(Scope="b"), v1, snapshot(Scope="b"))
    assert [event.subject for event in hidden.open] == [event.subject for event in shown.open] == ["Scope"]
    assert hidden.ended == shown.ended == ()


def test_a_profile_that_vanishes_is_a_downgrade_and_its_fields_wait() -> None:
    moved = snapshot(UseSSL=False)
    _, _, gone, back = story(snapshot(), moved, snapshot(configured=False), moved)
    assert said(gone.opened) == [("profile.configured", "configured", "no mail profile", "downgrade", "critical")]
    assert [event.subject for event in gone.open] == ["UseSSL", "profile.configured"]
    assert [(event.subject, event.state) for event in back.ended] == [("profile.configured", EventState.RETURNED)]
    assert [event.subject for event in back.open] == ["UseSSL"]


def test_a_change_made_behind_another_shape_is_found_when_the_field_shows_again() -> None:
    old, v1, new = snapshot(Scope="a"), snapshot(shape=Shape.V1, Scope=NOT_OFFERED), snapshot(Scope="b")
    found = changes(v1, new, org_domain=org, earlier=(AT, old))
    assert [(change.field, change.kind, change.before, change.after, change.since) for change in found] == [("Scope", "value", "a", "b", AT)]
    read = Read(target="prod", now=(AT + 2 * DAY, new), previous=(AT + DAY, v1), changes=found, approved={}, org_domain=org)
    (event,) = follow((), read).opened
    assert event.not_before == AT, "the interval begins where the field was last seen"


def test_a_change_found_behind_an_absence_is_measured_by_what_was_last_seen_and_ends_when_that_returns() -> None:
    old, gone, new = snapshot(Port=587), snapshot(configured=False), snapshot(Port=465)
    earlier, now, previous = (AT, old), (AT + 2 * DAY, new), (AT + DAY, gone)
    found = changes(gone, new, org_domain=org, earlier=earlier)
    read = Read(target="prod", now=now, previous=previous, changes=found, approved={}, org_domain=org, earlier=earlier)
    (event,) = (one for one in follow((), read).open if one.subject == "Port")
    assert event.reference.fact.value == 587
    back = replace(read, now=(AT + 3 * DAY, old), previous=(AT + 2 * DAY, new), changes=changes(new, old, org_domain=org), earlier=None)
    drift = follow((event,), back)
    assert ([one.state for one in drift.ended], drift.open) == ([EventState.RETURNED], ())


def test_a_change_made_while_there_was_no_profile_is_found() -> None:
    gone = snapshot(configured=False)
    found = changes(gone, snapshot(Host="smtp.else.example"), org_domain=org, earlier=(AT, snapshot()))
    assert [(change.field, change.direction.value) for change in found] == [("profile.configured", "neutral"), ("Host", "redirection")]


def test_what_a_version_newly_offers_is_no_drift() -> None:
    _, offered = story(snapshot(shape=Shape.V1, Scope=NOT_OFFERED), snapshot(Scope="a"))
    assert offered == Drift()


def test_volatile_fields_open_nothing_and_end_what_is_open_oxidized_1190() -> None:
    seen = (snapshot(), snapshot(SenderName="a"), snapshot(SenderName="b", UseSSL=False))
    assert [said(drift.opened) for drift in story(*seen, volatile=("SenderName",))] == [
        [],
        [],
        [("UseSSL", "true", "false", "downgrade", "critical")],
    ]
    (opened,) = story(*seen[:2])[1].open
    read = Read(
        target="prod",
        now=(AT + 2 * DAY, seen[1]),
        previous=(AT + DAY, seen[1]),
        changes=(),
        approved={},
        org_domain=org,
        volatile=("SenderName",),
    )
    assert [event.state for event in follow((opened,), read).ended] == [EventState.IGNORED]


def test_flapping_is_told_as_such() -> None:
    good, bad = snapshot(), snapshot(UseSSL=False)
    flaps = [event.flaps for drift in story(good, bad, good, bad, good, bad) for event in drift.opened]
    assert flaps == [0, 1, 2]


def unknown(length: str, value: str) -> dict[str, Any]:
    return {"unknown": (UnknownField(name="Priority", sent=JsonType.TEXT, length=length, fingerprint=KEY.of("Priority", value)),)}


def test_a_field_that_nobody_documents_is_followed_by_its_fingerprint() -> None:
    one, two = snapshot(others=unknown("1-8", "a")), snapshot(others=unknown("1-8", "b"))
    _, came, same, moved, went = story(snapshot(), one, one, two, snapshot())
    assert [(e.subject, e.change.kind, e.change.before) for e in came.opened] == [("unknown:Priority", "unknown_field", "not sent")]
    assert same.opened == same.ended == ()
    assert [event.state for event in moved.ended] == [EventState.SUPERSEDED]
    assert [event.state for event in went.ended] == [EventState.RETURNED]


def test_order_and_spelling_are_no_drift_driftctl_551() -> None:
    def headers(*names: str) -> Snapshot:
        seen = tuple(HeaderSeen(name=name, kind="plain", length="1-8", fingerprint=KEY.of("RequestHeaders", name.lower())) for name in names)
        return snapshot(RequestHeaders=Fact(State.VALUE, names, JsonType.LIST), Scope="a b", others={"headers": seen})

    other = headers("b", "A")
    spelled = snapshot(RequestHeaders=other.facts["RequestHeaders"], Scope="b a", Host="SMTP.Office365.com.", others={"headers": other.headers})
    assert [drift.opened for drift in story(headers("a", "b"), spelled)] == [(), ()]
