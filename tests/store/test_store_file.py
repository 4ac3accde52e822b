"""The file itself: its mode, its backups, what happens when a disk, another process or a damaged byte stands in the way."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from auditor.core.canonical import canonical, digest
from auditor.core.model import FieldChange
from auditor.errors import StoreError, UsageError
from auditor.store import schema, sqlite, tables
from auditor.store.store import Store

posix = pytest.mark.skipif(os.name != "posix", reason="needs fork, signals or file modes")
MINUTE = timedelta(minutes=1)


def count(store):
    with store._engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(tables.observations)).scalar_one()


def edit(path, statement, *parameters):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        assert connection.execute(statement, parameters).rowcount > 0


def intact(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)] and not connection.execute("PRAGMA foreign_key_check").fetchall()


# --- what is damaged ---


@pytest.mark.parametrize("table", ["snapshots", "policies", "findings", "contexts", "remarks", "changes"])
def test_a_changed_byte_in_a_document_is_found_and_named(store, path, made, table):
    made.record(store, made.assessment())
    change = {"field": "Port", "kind": "value", "direction": "neutral", "before": "587", "after": "465", "severity": "info"}
    concluded = made.follow(store, made.assessment(port=465, at=made.noon + MINUTE, changes=(FieldChange.from_document(change),)))
    made.record(store, replace(concluded, observation=replace(concluded.observation, message="odd type", hint="look")))
    store.standings()
    with closing(sqlite3.connect(path)) as connection:
        number, named = connection.execute(f"SELECT id, digest FROM {table} ORDER BY id DESC").fetchone()
    edit(path, f"UPDATE {table} SET document = replace(document, '\"', '\"\"') WHERE id = ?", number)
    with pytest.raises(StoreError, match=f"{table} {named}") as caught:
        store.standings()
    assert (str(path) in str(caught.value), "backup" in caught.value.hint) == (True, True)


def test_one_flipped_bit_in_the_file_is_found(store, path, made):
    made.record(store, made.assessment())
    store.close()
    raw = path.read_bytes()
    place = raw.index(b'"Host":{"sent"')
    path.write_bytes(raw[:place] + bytes([raw[place] ^ 0x80]) + raw[place + 1 :])
    with pytest.raises(StoreError, match=f"snapshots {made.snapshot().digest}"):
        store.last_observed("cmd-01")


def test_a_document_of_a_later_edition_is_refused(store, path, made):
    made.record(store, made.assessment())
    later = {**made.snapshot().document(), "schema": "smtp-snapshot/2"}
    edit(path, "UPDATE snapshots SET document = ?, digest = ?", canonical(later), digest(later))
    with pytest.raises(StoreError, match="snapshot: not in a form"):
        store.latest("cmd-01")


def test_a_target_text_that_is_no_json_is_refused(store, path, made):
    made.record(store, made.assessment())
    edit(path, "UPDATE targets SET document = '{'")
    with pytest.raises(StoreError, match="target cmd-01"):
        store.standings()


def test_a_file_that_is_no_database_is_named(path, url):
    path.write_bytes(b"not a database, but long enough to be taken for one\n" * 40)
    with pytest.raises(StoreError, match=r"auditor\.db: is not an SQLite database") as caught:
        Store.open(url, create=True)
    assert caught.value.hint


def test_a_file_whose_pages_are_damaged_is_named(store, path, url, made):
    for minute in range(100):
        made.record(store, made.assessment(at=made.noon + minute * MINUTE))
    store.close()
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xff" * len(raw[4096:])
    path.write_bytes(raw)
    with (
        Store.open(url, create=False) if False else closing(Store(path, sqlite.engine(path))) as broken,
        pytest.raises(StoreError, match="is damaged"),
    ):
        broken.latest("cmd-01")


# --- what stands in the way ---


def test_a_missing_database_is_not_made_unasked(url, path):
    with pytest.raises(StoreError, match="there is no database") as caught:
        Store.open(url, create=False)
    assert (caught.value.hint != "", path.exists()) == (True, False)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match="No such file or directory"):
        Store.open(f"sqlite:///{(tmp_path / 'nowhere' / 'auditor.db').as_posix()}", create=True)


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://auditor:s3cret@db.example/auditor",
        "auditor.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////tmp/a.db?mode=memory",
        "",
        "sqlite://h/x",
    ],
)
def test_what_names_no_sqlite_file_is_refused_without_repeating_it(wrong):
    with pytest.raises(UsageError, match="not named as an SQLite file") as caught:
        Store.open(wrong, create=True)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_a_relative_url_counts_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sqlite.file_of("sqlite:///here/auditor.db") == tmp_path / "here" / "auditor.db"


@pytest.mark.parametrize("name", ["with space.db", "50%25.db", "what?.db", "a#b.db", "почта.db"])
def test_any_file_name_will_do(tmp_path, made, name):
    if os.name != "posix" and "?" in name:
        pytest.skip("no such name on Windows")
    path = tmp_path / name
    path.touch()
    with sqlite.opened(path) as engine:
        schema._migrate(engine)
    with closing(Store(path, sqlite.engine(path))) as store:
        made.record(store, made.assessment())
        assert sorted(found.name for found in tmp_path.iterdir()) == sorted([name, f"{name}-shm", f"{name}-wal"])


@contextmanager
def somebody_else():
    """As a user who owns nothing, where we may become one; a read-only folder holds for the rest of us anyway."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_may_not_be_written_is_named(made, exists):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/auditor.db"
        if exists:
            with Store.open(url, create=True) as store:
                made.record(store, made.assessment())
            (folder / "auditor.db").chmod(0o444)
        folder.chmod(0o555)
        try:
            with somebody_else(), pytest.raises(StoreError) as caught, Store.open(url, create=True) as store:
                made.record(store, made.assessment())
            assert (str(folder / "auditor.db") in str(caught.value), "writable" in caught.value.hint) == (True, True)
        finally:
            folder.chmod(0o755)


def test_a_full_disk_leaves_nothing_half_written(path, store, made):
    made.record(store, made.assessment())
    full = sqlite.engine(path)

    @event.listens_for(full, "connect")
    def fill(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def record_until_full():
        with closing(Store(path, full)) as cramped:
            for number in range(200):
                made.record(cramped, made.assessment(f"cmd-{number:03}", port=number, at=made.noon + number * MINUTE))

    with pytest.raises(StoreError, match="the disk is full") as caught:
        record_until_full()
    assert "half-written" in caught.value.hint
    assert intact(path)
    assert len(store.standings()) == count(store)


def test_another_process_at_work_for_too_long_is_said(path, store, made):
    made.record(store, made.assessment())
    with closing(sqlite3.connect(path, isolation_level=None)) as other, closing(Store(path, sqlite.engine(path, busy_timeout_s=0.05))) as waiting:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked for too long"):
            made.record(waiting, made.assessment())
        assert waiting.latest("cmd-01") == made.assessment(), "readers go on while another writes"
        other.execute("ROLLBACK")
        made.record(waiting, made.assessment(at=made.noon + MINUTE))


def test_a_writer_holds_its_place_from_the_start(path, store, made):
    """A transaction that began as a reader could not become a writer once another has written: SQLite says locked at once."""
    made.record(store, made.assessment())
    with store._writing() as connection, closing(sqlite3.connect(path, timeout=0.05)) as other:
        connection.execute(select(tables.targets))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")


def test_a_reader_sees_one_moment(path, store, made):
    made.record(store, made.assessment())
    with store._reading() as connection, closing(Store(path, sqlite.engine(path))) as other:
        query = select(func.count()).select_from(tables.observations)
        before = connection.execute(query).scalar_one()
        made.record(other, made.assessment(at=made.noon + MINUTE))
        assert connection.execute(query).scalar_one() == before == 1
    assert count(store) == 2


def test_the_connection_is_as_durable_as_promised(store):
    with store._engine.connect() as connection:
        said = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


# --- who may read it ---


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_read_the_database_and_what_lies_beside_it(tmp_path, url, made, umask):
    old = os.umask(umask)
    try:
        with Store.open(url, create=True) as store:
            made.record(store, made.assessment())
            store.backup(tmp_path / "copy.db")
            modes = {found.name: oct(found.stat().st_mode & 0o777) for found in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(["auditor.db", "auditor.db-wal", "auditor.db-shm", "copy.db"], "0o600")


# --- backup ---


def test_a_backup_holds_what_was_recorded_so_far(tmp_path, store, made):
    made.record(store, made.assessment())
    copy = tmp_path / "backup.db"
    store.backup(copy)
    made.record(store, made.assessment(port=25, at=made.noon + MINUTE))
    with Store.open(f"sqlite:///{copy.as_posix()}", create=False) as restored:
        assert restored.latest("cmd-01") == made.assessment()
    assert not list(tmp_path.glob("*.partial*"))


def test_a_backup_never_overwrites(tmp_path, store):
    taken = tmp_path / "backup.db"
    taken.write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="there is a file already"):
        store.backup(taken)
    assert taken.read_text(encoding="utf-8") == "mine"


def test_a_backup_to_nowhere_is_said(tmp_path, store):
    with pytest.raises(StoreError, match=r"nowhere.*No such file"):
        store.backup(tmp_path / "nowhere" / "backup.db")


# --- who dies at work ---


def _die_at(path, made, statement):
    engine = sqlite.engine(path)
    seen = 0

    @event.listens_for(engine, "after_cursor_execute")
    def die(*_):
        nonlocal seen
        seen += 1
        if seen == statement:
            os._exit(9)

    made.record(Store(path, engine), made.assessment("cmd-02", port=25, at=made.noon + MINUTE))
    os._exit(0)


@posix
def test_dying_after_any_statement_leaves_nothing_half_written(url, path, made):
    with Store.open(url, create=True) as store:
        made.record(store, made.assessment())
    with closing(sqlite3.connect(path)) as connection:
        before = list(connection.iterdump())
    ends = []
    while not ends or ends[-1] == 9:
        ends.append(made.in_child(lambda: _die_at(path, made, len(ends) + 1)))
        with closing(sqlite3.connect(path)) as connection:
            assert ends[-1] == 0 or list(connection.iterdump()) == before
    assert (ends[-1], len(ends) > 8, intact(path)) == (0, True, True)
    with Store.open(url, create=False) as store:
        assert [standing.target.name for standing in store.standings()] == ["cmd-01", "cmd-02"]


def _record_for_ever(url, made):
    with Store.open(url, create=False) as store:
        for minute in range(10**9):
            made.record(store, made.assessment(port=minute, at=made.noon + minute * MINUTE))


@posix
def test_a_process_killed_at_any_moment_leaves_whole_records(url, path, made):
    Store.open(url, create=True).close()
    for kill in range(8):
        child = os.fork()
        if child == 0:
            try:
                _record_for_ever(url, made)
            finally:
                os._exit(70)
        time.sleep(0.2 + 0.0137 * kill)
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert intact(path)
    with Store.open(url, create=False) as store:
        assert count(store) > 0
        assert store.latest("cmd-01").observation.snapshot.facts["Port"].value >= 0


@posix
def test_two_processes_record_while_a_third_reads(url, made):
    Store.open(url, create=True).close()

    def work(name):
        with Store.open(url, create=False) as store:
            for minute in range(40):
                made.record(store, made.follow(store, made.assessment(name, at=made.noon + minute * MINUTE)))

    children = []
    for name in ("cmd-01", "cmd-02"):
        child = os.fork()
        if child == 0:
            try:
                work(name)
                os._exit(0)
            finally:
                os._exit(70)
        children.append(child)
    with Store.open(url, create=False) as store:
        counts = [count(store)]
        while counts[-1] < 80 and len(counts) < 5000:
            store.standings()
            counts.append(count(store))
            time.sleep(0.005)
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert (ends, count(store), counts == sorted(counts)) == ([0, 0], 80, True)


def test_reading_needs_no_alembic(url):
    Store.open(url, create=True).close()
    script = "import sys; from auditor.store.store import Store; Store.open(sys.argv[1], create=False).close(); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script, url], check=False).returncode == 0
