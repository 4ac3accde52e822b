"""Editions of the tables: made, recognised, upgraded with a copy kept, refused."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from auditor import resources
from auditor.errors import SchemaError, StoreError
from auditor.store import schema, tables
from auditor.store.schema import HEAD, SchemaState, SchemaStatus, Upgrade
from auditor.store.store import Store


def set_version(path, *versions):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM auditor_schema")
        connection.executemany("INSERT INTO auditor_schema VALUES (?)", [(version,) for version in versions])


def made_as(path):
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE name != 'auditor_schema' AND tbl_name != 'auditor_schema'").fetchall()
    # a CREATE TABLE lists constraints in the order in which they were declared, and a column that came later behind another; the order means nothing
    lines = {name: sql.replace(",", "\n").split("\n") if sql else None for name, sql in made}
    return {name: sorted(line.strip(" \t,").replace('"', "") for line in its if line.strip(" \t,")) if its else None for name, its in lines.items()}


FOLLOWING = f"{int(HEAD) + 1:04}"
"""The edition after this one."""


NEXT = f"""
from alembic import op
import sqlalchemy as sa

revision, down_revision = "{FOLLOWING}", "{HEAD}"


def upgrade():
    op.create_table("notes", sa.Column("said", sa.Text()))
    with op.batch_alter_table("targets") as table:
        table.add_column(sa.Column("since", sa.BigInteger()))
"""


@pytest.fixture
def older(store, made, tmp_path, monkeypatch):
    """A database of today, seen by an auditor of the edition after this one."""
    made.record(store, made.assessment())
    store.close()
    edition = tmp_path / "edition"
    shutil.copytree(resources.folder("migrations"), edition / "migrations")
    (edition / "migrations" / "versions" / f"{FOLLOWING}_next.py").write_text(NEXT, encoding="utf-8")
    monkeypatch.setattr(resources, "_PACKAGE", edition / "auditor")
    monkeypatch.setattr(schema, "HEAD", FOLLOWING)


def test_the_migrations_make_the_tables_that_the_code_names(store, path, tmp_path):
    engine = create_engine(f"sqlite:///{(tmp_path / 'named.db').as_posix()}")
    tables.METADATA.create_all(engine)
    engine.dispose()
    assert made_as(path) == made_as(tmp_path / "named.db")


def test_the_newest_migration_is_the_one_the_code_asks_for():
    config = Config()
    config.set_main_option("script_location", str(resources.folder("migrations")).replace("%", "%%"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_developers_find_the_migrations_through_pyproject():
    config = Config(toml_file=str(resources.folder("migrations").parent / "pyproject.toml"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


@pytest.mark.parametrize(
    ("versions", "state", "current"),
    [
        ([HEAD], SchemaState.CURRENT, HEAD),
        (["0000"], SchemaState.OLDER, "0000"),
        ([FOLLOWING], SchemaState.NEWER, FOLLOWING),
        (["9999"], SchemaState.NEWER, "9999"),
        ([], SchemaState.FOREIGN, None),
        ([HEAD, FOLLOWING], SchemaState.FOREIGN, None),
        (["1975ea83b712"], SchemaState.FOREIGN, None),
        (["²²²²"], SchemaState.FOREIGN, None),
    ],
)
def test_the_version_row_tells_the_state(store, url, path, versions, state, current):
    set_version(path, *versions)
    assert schema.status(url) == SchemaStatus(current=current, head=HEAD, state=state)


@pytest.mark.parametrize("content", [None, b""])
def test_no_file_or_an_empty_one_is_missing(url, path, content):
    if content is not None:
        path.write_bytes(content)
    assert schema.status(url) == SchemaStatus(current=None, head=HEAD, state=SchemaState.MISSING)
    assert path.exists() == (content is not None)


def foreign(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [HEAD])


def test_the_database_of_another_program_is_refused_and_left_alone(url, path):
    foreign(path)
    before = path.read_bytes()
    assert schema.status(url).state is SchemaState.FOREIGN
    for act in (lambda: Store.open(url, create=True), lambda: schema.upgrade(url)):
        with pytest.raises(SchemaError, match="not the auditor's"):
            act()
    with closing(sqlite3.connect(path)) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["alembic_version"]
    # but for the journal's kind in bytes 18 and 19 of the header, and the counters of changes
    assert path.read_bytes()[100:] == before[100:]


def test_an_older_database_is_refused_with_the_command_that_helps(older, url):
    with pytest.raises(SchemaError, match=f"schema {HEAD}, this auditor needs {FOLLOWING}") as caught:
        Store.open(url, create=True)
    assert "auditor db upgrade" in caught.value.hint


def test_a_newer_database_is_refused(store, url, path):
    set_version(path, FOLLOWING)
    for act in (lambda: Store.open(url, create=True), lambda: schema.upgrade(url)):
        with pytest.raises(SchemaError, match=f"schema {FOLLOWING}, this auditor only knows {HEAD}"):
            act()


def test_upgrading_makes_a_database_where_there_is_none(url, path):
    assert schema.upgrade(url) == Upgrade(before=None, after=HEAD, backup=None)
    assert schema.status(url).state is SchemaState.CURRENT


def test_upgrading_a_current_database_does_nothing(store, url, tmp_path):
    assert schema.upgrade(url) == Upgrade(before=HEAD, after=HEAD, backup=None)
    assert not list(tmp_path.glob("*before*"))


def test_upgrading_an_older_database_keeps_a_copy_of_it_first(older, url, tmp_path, made):
    copy = tmp_path / f"auditor.db.before-{FOLLOWING}"
    assert schema.upgrade(url) == Upgrade(before=HEAD, after=FOLLOWING, backup=copy)
    assert schema.status(f"sqlite:///{copy.as_posix()}").current == HEAD
    with Store.open(url, create=False) as upgraded:
        assert upgraded.latest("cmd-01") == made.assessment()


@pytest.mark.parametrize(
    ("before", "backup", "said"),
    [
        (None, None, "made a database with schema 0002"),
        ("0002", None, "the database has schema 0002 already, nothing to do"),
        ("0001", None, "brought the database from schema 0001 to 0002"),
        ("0001", Path("a.db.before-0002"), "brought the database from schema 0001 to 0002; a copy from before is in a.db.before-0002"),
    ],
)
def test_an_upgrade_says_in_a_sentence_what_it_did(before, backup, said):
    assert str(Upgrade(before=before, after="0002", backup=backup)) == said


def test_upgrading_without_a_copy_makes_none(older, url, tmp_path):
    assert schema.upgrade(url, backup=False) == Upgrade(before=HEAD, after=FOLLOWING, backup=None)
    assert not list(tmp_path.glob("*before*"))


def test_a_copy_of_an_earlier_attempt_is_not_overwritten(older, url, tmp_path):
    for name in (f"auditor.db.before-{FOLLOWING}", f"auditor.db.before-{FOLLOWING}.2"):
        (tmp_path / name).write_text("earlier", encoding="utf-8")
    assert schema.upgrade(url).backup == tmp_path / f"auditor.db.before-{FOLLOWING}.3"


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(older, url, path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE targets ADD COLUMN since BIGINT")
    before = made_as(path)
    with pytest.raises(StoreError, match="since"):
        schema.upgrade(url)
    assert (made_as(path), schema.status(url).current) == (before, HEAD)


@pytest.mark.skipif(os.name != "posix", reason="needs fork")
def test_processes_that_make_the_database_at_once_all_find_it_made(url, made):
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                with Store.open(url, create=True) as store:
                    made.record(store, made.assessment(f"cmd-{number:02}"))
                os._exit(0)
            finally:
                os._exit(70)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    with Store.open(url, create=False) as store:
        assert len(store.standings()) == 4
