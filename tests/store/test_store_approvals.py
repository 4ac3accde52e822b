"""Approvals on record: written once, found again, never changed."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest

from auditor.core.model import Approval, Fact, ProfileField, Revocation, State
from auditor.errors import StoreError

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def approval(port: int = 587, **others) -> Approval:
    return Approval(
        **{
            "target": "prod",
            "field": "Port",
            "value": ProfileField(fact=Fact(State.VALUE, port)),
            "by": "Ada",
            "reason": "moved",
            "approved_at": AT,
            "recorded_at": AT + timedelta(seconds=1),
            "account": "ada",
            "host": "audit01",
        }
        | others
    )


def revocation(**others) -> Revocation:
    return Revocation(**{"by": "Eve", "reason": "wrong", "at": AT + timedelta(days=1), "account": "eve", "host": "audit02"} | others)


def test_approvals_are_found_in_the_order_of_recording_each_as_it_was_given(store):
    given = (approval(587, expires=date(2026, 12, 31), ticket="CHG-1"), approval(25), approval(target="lab"))
    assert store.approve(given) == given
    assert store.approvals("prod") == given[:2]
    assert store.approvals("lab") == given[2:]
    assert store.approvals("nobody") == ()


def test_what_is_on_record_already_is_left_as_it_is(store):
    assert store.approve([approval()]) == (approval(),)
    assert store.approve([approval(approved_at=AT + timedelta(days=9), account="eve"), approval(25)]) == (approval(25),)
    assert store.approvals("prod") == (approval(), approval(25))


def test_a_revocation_stands_beside_its_approval_and_is_given_once(store):
    store.approve([approval(), approval(25)])
    store.revoke(approval().digest, revocation())
    assert store.approvals("prod") == (approval(revoked=revocation()), approval(25))
    for digest in (approval().digest, "0" * 64):
        with pytest.raises(StoreError, match="is there to revoke"):
            store.revoke(digest, revocation())


def test_an_approval_given_as_revoked_revokes_the_one_on_record_and_none_brings_it_back(store):
    store.approve([approval()])
    store.approve([approval(revoked=revocation()), approval(25, revoked=revocation())])
    store.approve([approval(), approval(revoked=revocation(by="Bob"))])
    assert store.approvals("prod") == (approval(revoked=revocation()), approval(25, revoked=revocation()))


def test_an_approval_without_the_time_of_recording_is_refused_with_all_that_came_with_it(store):
    with pytest.raises(ValueError, match="time of recording"):
        store.approve([approval(), approval(25, recorded_at=None)])
    assert store.approvals("prod") == ()


@pytest.mark.parametrize("table", ["approvals", "revocations"])
@pytest.mark.parametrize("act", ["DELETE FROM {}", "UPDATE {} SET account = 'other'"])
def test_the_database_refuses_to_change_or_remove_a_record(store, path, table, act):
    store.approve([approval(revoked=revocation())])
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match=f"{table} are append-only"):
        connection.execute(act.format(table))
    assert store.approvals("prod") == (approval(revoked=revocation()),)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("document", "{}", "does not have this digest"),
        ("target", "lab", "names another target than its document"),
    ],
)
def test_an_edited_record_is_named_and_not_used(store, path, column, value, said):
    store.approve([approval()])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER approvals_refuse_update")
        connection.execute(f"UPDATE approvals SET {column} = ?", [value])
    with pytest.raises(StoreError, match=said):
        store.approvals("lab" if column == "target" else "prod")


def test_a_standing_brings_its_approvals(store, made):
    made.record(store, made.assessment("prod"))
    store.approve([approval(), approval(target="lab")])
    (standing,) = store.standings()
    assert standing.approvals == (approval(),)
