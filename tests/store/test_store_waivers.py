"""Waivers stand beside the judgement that they were laid over, once each, and came to databases that did not know them."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update

from auditor.core.canonical import canonical, digest_text
from auditor.core.model import RuleOutcome, Verdict, Waiver
from auditor.errors import StoreError
from auditor.store import schema, tables
from auditor.store.store import Store
from tests.store.test_store_schema import made_as

WAIVER = Waiver(
    rule="SMTP-002",
    targets=("cmd-01", "glob:lab-*"),
    labels=(("env", "лаб"),),
    reason="Порт 25 до весны",
    owner="ann",
    requested_by="cy",
    approved_by="bob",
    approved_on=date(2026, 10, 1),
    ticket="SEC-1",
    risk="others can read it",
    expires_at=datetime(2026, 12, 31, 17, tzinfo=UTC),
)
DAY = timedelta(days=1)


def waived(made, *, at):
    return made.assessment(port=25, at=at, verdict=Verdict.COMPLIANT_WITH_WAIVERS, waivers=(WAIVER,))


def test_what_was_waived_comes_back_with_its_waiver_and_its_judgement_unchanged(store, made):
    made.record(store, made.assessment(port=25))
    made.record(store, waived(made, at=made.noon + DAY))
    made.record(store, waived(made, at=made.noon + 2 * DAY))

    read = store.latest("cmd-01")

    assert read == waived(made, at=made.noon + 2 * DAY)
    assert [finding.outcome for finding in read.judgement.findings] == [RuleOutcome.FAIL]
    assert [finding.outcome for finding in read.findings] == [RuleOutcome.WAIVED]
    with store._engine.connect() as connection:
        assert [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (tables.waivers, tables.judgements)] == [1, 1]


@pytest.mark.parametrize("document", [[{}], [WAIVER.document() | {"expires_at": "soon"}], [WAIVER.document() | {"labels": {"env": "lab"}}], [7]])
def test_a_waiver_in_another_form_is_named_and_not_used(store, made, document):
    made.record(store, waived(made, at=made.noon))
    with store._writer.begin() as connection:
        text = canonical(document)
        key = connection.execute(insert(tables.waivers).values(digest=digest_text(text), document=text)).inserted_primary_key[0]
        connection.execute(update(tables.observations).values(waivers_id=key))
    with pytest.raises(StoreError, match="waivers: not in a form that this auditor reads"):
        store.latest("cmd-01")


def test_a_waiver_that_was_edited_in_the_database_is_named_and_not_used(store, made):
    made.record(store, waived(made, at=made.noon))
    with store._writer.begin() as connection:
        edited = canonical([WAIVER.document() | {"expires_at": "2099-12-31T00:00:00Z"}])
        connection.execute(update(tables.waivers).values(document=edited))
    with pytest.raises(StoreError, match="does not have this digest"):
        store.latest("cmd-01")


def test_a_database_from_before_waivers_keeps_all_that_it_has(store, made, path, tmp_path, monkeypatch):
    recorded = made.assessment(port=25)
    made.record(store, recorded)
    store.close()
    old = tmp_path / "old.db"
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "HEAD", "0001")
        schema.upgrade(f"sqlite:///{old.as_posix()}")
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("ATTACH ? AS new", [str(path)])
        for (name,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name != 'auditor_schema'").fetchall():
            columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({name})"))
            connection.execute(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM new.{name}")

    done = schema.upgrade(f"sqlite:///{old.as_posix()}")

    assert (done.before, done.after, done.backup) == ("0001", schema.HEAD, tmp_path / f"old.db.before-{schema.HEAD}")
    assert made_as(old) == made_as(path)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    with Store.open(f"sqlite:///{old.as_posix()}", create=False) as upgraded:
        assert upgraded.latest("cmd-01") == recorded
        made.record(upgraded, waived(made, at=made.noon + DAY))
        assert upgraded.latest("cmd-01").waivers == (WAIVER,)
