"""Retention of the outbox: what was delivered goes in time; what is owed stays, and so does what must not be said twice."""

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from auditor.core.model import MAX_ATTACHED_BYTES, Attachment, DeliveryState, Notice, NoticeKind, Severity
from auditor.core.notices import Alerting, Route
from auditor.errors import StoreError
from auditor.store import outbox, tables

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TO_OPS = Alerting(routes=(Route(channel="ops"),))
BY = {"account": "alice", "host": "audit01"}


def owe(store, *titles, once=True, alerting=TO_OPS, at=AT):
    """Owe notices: by the name of their title if `once`, else as a read does, which needs no name."""
    for title in titles:
        notice = Notice(kind=NoticeKind.TEST, at=at, severity=Severity.LOW, title=title)
        if once:
            store.owe([(notice, title)], alerting)
        else:
            with store._writing() as connection:
                outbox.owe(connection, [notice], alerting)


def settle(store, state, *, channel="ops", at=AT):
    batch = store.claim(channel, at=at, lease=DAY)
    store.settle(batch, state, next_at=at)
    return batch


def prune(store, delivered_before, **others):
    settings = {"before": AT - 400 * DAY, "at": AT + 400 * DAY, "reason": "test", "recorder": BY} | others
    return store.prune(delivered_before=delivered_before, **settings).removed


def left(store):
    with store._reading() as connection:
        return [len(connection.execute(select(table.c.id)).all()) for table in (tables.deliveries, tables.notices)]


def test_what_was_delivered_before_goes_and_the_newest_stays(store):
    for day in range(3):
        owe(store, f"{day}", once=False)
        settle(store, DeliveryState.DELIVERED, at=AT + day * DAY)
    foreseen = store.prunable(before=AT - 400 * DAY, delivered_before=AT + DAY).removed
    removed = prune(store, AT + DAY)
    assert (removed["deliveries"], removed["notices"]) == (1, 1), "the second was delivered at that very time"
    assert foreseen == removed
    assert prune(store, AT + 90 * DAY)["deliveries"] == 1, "the newest keeps its number, by which messages are told apart"
    assert left(store) == [1, 1]
    assert store.check().flaws == ()


def test_what_is_owed_being_sent_or_parked_stays_whatever_its_age(store):
    for state in (DeliveryState.PARKED, DeliveryState.PENDING):
        owe(store, state.value, once=False)
        settle(store, state)
    owe(store, "claimed", once=False)
    claimed = store.claim("ops", at=AT - DAY, lease=DAY) or store.claim("ops", at=AT, lease=DAY)
    owe(store, "newest", once=False)
    prune(store, AT + 4000 * DAY)
    assert claimed is not None
    assert len(store.deliveries()) == left(store)[0] == 4
    assert store.unpark("ops", AT) == 1


def test_a_notice_stays_as_long_as_a_channel_has_not_got_it(store):
    both = Alerting(routes=(Route(channel="ops"), Route(channel="soc")))
    owe(store, "a", once=False, alerting=both)
    settle(store, DeliveryState.DELIVERED)
    owe(store, "newest", once=False, alerting=both)
    removed = prune(store, AT + DAY)
    assert (removed["deliveries"], removed["notices"]) == (1, 0)
    (told, _) = store.claim("soc", at=AT + DAY, lease=DAY).notices
    assert told.title == "a"


def test_what_is_said_once_for_ever_is_not_said_again_after_its_deliveries_are_gone(store):
    owe(store, "the waiver ends", "the week was bad")
    settle(store, DeliveryState.DELIVERED)
    owe(store, "newest", once=False)
    settle(store, DeliveryState.DELIVERED)
    assert prune(store, AT + DAY)["deliveries"] == 2
    owe(store, "the waiver ends", "the week was bad", at=AT + 200 * DAY)
    assert store.deliveries() == ()


FILE = Attachment(name="r.html", media_type="text/html", content=b"<p>" * 1000)


def enclose(store, file=FILE, once="report/1", channels=("ops", "soc")):
    return store.enclose(Notice(kind=NoticeKind.REPORT, at=AT, severity=Severity.INFO, title="r"), file, channels, TO_OPS, once=once)


def files(store):
    with store._reading() as connection:
        return len(connection.execute(select(tables.enclosures.c.notice_id)).all())


def test_a_file_is_kept_until_all_who_are_owed_it_have_it_and_owed_once(store):
    owe(store, "an alert", once=False)
    assert enclose(store)
    first = settle(store, DeliveryState.PENDING)
    again = settle(store, DeliveryState.DELIVERED)
    assert (first.enclosures, again.enclosures, first.key == again.key) == ((FILE,), (FILE,), True)
    assert [notice.title for notice in again.notices] == ["r"], "a message of its own"
    assert files(store) == 1
    other = settle(store, DeliveryState.DELIVERED, channel="soc")
    assert (other.enclosures, other.key != first.key, files(store)) == ((FILE,), True, 0)
    owe(store, "newest", once=False)
    settle(store, DeliveryState.DELIVERED)
    prune(store, AT + DAY)
    assert not enclose(store), "not even when its deliveries are gone"
    assert store.newest_named("report/") == AT
    assert store.newest_named("repory/") is None


def test_a_file_that_does_not_travel_is_named_alone(store):
    nothing = replace(FILE, content=None)
    assert enclose(store, nothing)
    assert settle(store, DeliveryState.DELIVERED).enclosures == (nothing,)


@pytest.mark.parametrize(
    "content", [b"no such file", zlib.compress(b"x" * (MAX_ATTACHED_BYTES + 1))[:-1], zlib.compress(b"x" * (MAX_ATTACHED_BYTES + 1))]
)
def test_a_file_that_is_not_what_was_enclosed_is_named_and_not_unpacked(store, content):
    assert enclose(store)
    with store._writing() as connection:
        connection.execute(update(tables.enclosures).values(content=content))
    with pytest.raises(StoreError, match="enclosure: not in a form that this auditor reads"):
        store.claim("ops", at=AT, lease=DAY)


def test_the_largest_file_comes_back_whole(store):
    largest = replace(FILE, content=b"x" * MAX_ATTACHED_BYTES)
    enclose(store, largest)
    assert settle(store, DeliveryState.DELIVERED).enclosures == (largest,)


def test_no_message_has_the_key_of_one_that_was_pruned(store):
    keys = []
    for _ in range(4):  # the same words each time: numbers alone tell them apart
        owe(store, "again", once=False)
        keys.append(settle(store, DeliveryState.DELIVERED).key)
        prune(store, AT + DAY)
    assert len(set(keys)) == 4


def test_pruning_that_is_told_to_stop_goes_on_the_next_time(store):
    owe(store, "a", "b", once=False)
    settle(store, DeliveryState.DELIVERED)
    assert prune(store, AT + DAY, go_on=lambda: False)["deliveries"] == 0
    assert prune(store, AT + DAY)["deliveries"] == 1
