"""Checkpoints and time stamps on record: what a record says of them, and what does not go with it, even where the chain itself was made anew."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import insert

from auditor.core.ledger import Kind
from auditor.errors import StoreError
from auditor.store import checkpoints, ledger, tables
from auditor.store.checkpoints import Sealed

BY = {"account": "auditor", "host": "audit01"}


def sealed(store, **given):
    seq, link = store.head()
    known = {"seq": seq, "link": link.hex(), "signer": "ab" * 32, "subject": "CN=x", "statement": b"{}", "signature": b"\x30\x00"}
    return Sealed(**{**known, **given})


@pytest.fixture
def begun(store, made):
    made.record(store, made.assessment())
    return store


def append(store, made, kind, body):
    with store._writing() as connection:
        return ledger.append(connection, kind, made.noon, {**body, **BY})


def fault(store):
    found = store.verify().fault
    return (found.seq, found.what) if found else None


def test_a_checkpoint_is_given_back_as_it_was_recorded(begun, made):
    one = sealed(begun)
    assert begun.newest_checkpoint() == (None, True)
    number = begun.seal(one, at=made.noon, recorder=BY)
    assert begun.newest_checkpoint() == (made.noon, False)
    begun.stamp_failed(number, "down", by="tsa", at=made.noon, recorder=BY)
    [found] = begun.checkpoints()
    assert (found.number, found.at, found.sealed, found.stamps, found.trouble) == (number, made.noon, one, (), "down")
    stamped = begun.stamp(number, b"reply", made.noon + timedelta(seconds=1), by="tsa", at=made.noon, recorder=BY)
    [found] = begun.checkpoints()
    assert [(stamp.number, stamp.time, stamp.reply) for stamp in found.stamps] == [(stamped, made.noon + timedelta(seconds=1), b"reply")]
    assert found.trouble == ""
    assert begun.newest_checkpoint() == (made.noon, True)
    assert fault(begun) is None


@pytest.mark.parametrize("wrong", [{"link": "00" * 32}, {"seq": 99}])
def test_a_head_that_the_ledger_does_not_have_is_not_recorded(begun, made, wrong):
    with pytest.raises(StoreError, match="has another link than was signed"):
        begun.seal(sealed(begun, **wrong), at=made.noon, recorder=BY)
    assert begun.checkpoints() == []


def test_a_checkpoint_of_a_head_that_was_never_is_a_fault(begun, made):
    seq, link = begun.head()
    for told in ({"seq": seq, "link": "00" * 32}, {"seq": 99, "link": link.hex()}, {"seq": "1", "link": link.hex()}):
        number = append(begun, made, Kind.CHECKPOINT, told)
        assert fault(begun) == (number, f"it says that record {told['seq']} had another link")
        with begun._writing() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS ledger_refuse_delete")
            connection.exec_driver_sql(f"DELETE FROM records WHERE seq = {number}")
            connection.exec_driver_sql(f"DELETE FROM ledger WHERE seq = {number}")
        assert fault(begun) is None


def test_a_signature_under_a_record_that_tells_of_none_is_a_fault(begun, made):
    seq, link = begun.head()
    number = append(begun, made, Kind.CHECKPOINT, {"seq": seq, "link": link.hex()})
    assert fault(begun) is None, "a prune makes such a one"
    with begun._writing() as connection:
        connection.execute(insert(tables.checkpoints).values(seq=number, statement=b"{}", signature=b""))
    assert fault(begun) == (number, "it was not signed, and there is a signature of it")


def test_a_stamp_under_another_checkpoint_or_under_none_is_a_fault(begun, made):
    first, second = (begun.seal(sealed(begun), at=made.noon, recorder=BY) for _ in range(2))
    number = begun.stamp_failed(first, "down", by="tsa", at=made.noon, recorder=BY)
    with begun._writing() as connection:
        connection.execute(insert(tables.stamps).values(seq=number, checkpoint=first, reply=b"reply"))
    assert fault(begun) == (number, "it tells of no time stamp, and there is one")
    with begun._writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER stamps_refuse_delete")
        connection.exec_driver_sql("DELETE FROM stamps")
    body = {"checkpoint": first, "stamp": hashlib.sha256(b"reply").hexdigest(), "time": ledger.iso(made.noon), "authority": "tsa"}
    number = append(begun, made, Kind.STAMP, body)
    with begun._writing() as connection:
        connection.execute(insert(tables.stamps).values(seq=number, checkpoint=second, reply=b"reply"))
    assert fault(begun) == (number, "its time stamp is said to be of another checkpoint")


@pytest.mark.parametrize("table", ["checkpoints", "stamps"])
@pytest.mark.parametrize("act", ["DELETE FROM {}", "UPDATE {} SET seq = seq + 1"])
def test_the_database_refuses_to_change_them(begun, made, table, act):
    number = begun.seal(sealed(begun), at=made.noon, recorder=BY)
    begun.stamp(number, b"reply", made.noon, by="tsa", at=made.noon, recorder=BY)
    with pytest.raises(StoreError, match=f"{table} are append-only"), begun._writing() as connection:
        connection.exec_driver_sql(act.format(table))


def test_a_checkpoint_with_a_row_of_another_is_not_given_back(begun, made):
    number = begun.seal(sealed(begun), at=made.noon, recorder=BY)
    with begun._writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER checkpoints_refuse_update")
        connection.exec_driver_sql(f"UPDATE checkpoints SET signature = x'00' WHERE seq = {number}")
    with pytest.raises(StoreError, match="is not as it was recorded"), begun._reading() as connection:
        checkpoints.all_of(connection, begun._path)
