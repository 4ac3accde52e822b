"""`auditor db prune|stats|backup|check`, and a backup restored elsewhere."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from auditor import publish, retention
from auditor.app import App
from auditor.app.secrets import fingerprint_key
from auditor.config import load
from auditor.errors import StoreError
from auditor.store.store import Store
from tests.e2e.conftest import Site

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def url(database: Path) -> str:
    return f"sqlite:///{database.as_posix()}"


AGES = (500, 450, 440, 3, 2)


def report_of(age: int) -> str:
    return f"smtp-report-{(NOW - age * DAY).date()}.html"


@pytest.fixture
def aged(site: Site) -> Site:
    """Reads of so many days ago and a report of each; the name of the sender changed with the second and the fourth of them.

    The third is what an open drift event is measured by.
    """
    site.configure(schedule="{cron: '0 6 * * *'}")
    for age, name in zip(AGES, ("A", "B", "B", "C", "C"), strict=True):
        site.simulator.smtp["SenderName"] = name
        with App(load(site.config), clock=lambda age=age: NOW - age * DAY) as app:  # type: ignore[misc]
            app.auditor.audit(app.config.targets[0], at=app.clock())
        publish.write(b"<html>", site.folder / "reports" / report_of(age))
    return site


def test_prune_tells_what_goes_and_then_does_it(aged: Site) -> None:
    _, foreseen, _ = aged.run("db", "prune", "--dry-run", "--format", "json")
    code, out, _ = aged.run("db", "prune", "--format", "json")
    done, told = json.loads(out), json.loads(foreseen)
    assert (code, done["troubles"]) == (0, {})
    assert told == done | {"dry_run": True, "before": told["before"], "checkpoint": None}
    assert (done["removed"]["observations"], done["removed"]["snapshots"], done["kept_older"]) == (2, 1, 1)
    assert [Path(path).name for path in done["reports"]] == [report_of(age) for age in (500, 450, 440)]
    assert sorted(path.name for path in (aged.folder / "reports").iterdir()) == [report_of(3), report_of(2)]
    with Store.open(url(aged.database), create=False) as store:
        (tombstone,) = (entry.body for entry in store.entries() if entry.kind == "prune" and entry.body)
        assert (tombstone["reason"], tombstone["count"]) == ("older than 400d", 2)
    assert aged.run("db", "check")[0] == 0


def test_prune_keeps_what_retention_keeps_unless_it_is_told(aged: Site) -> None:
    aged.extra = "retention: {keep_reads: 470d, keep_delivered: 30d}\n"
    aged.configure(schedule="{cron: '0 6 * * *'}")
    _, out, _ = aged.run("db", "prune", "--dry-run", "--format", "json")
    assert json.loads(out)["removed"]["observations"] == 1
    _, out, _ = aged.run("db", "prune", "--dry-run", "--keep", "445d", "--format", "json")
    assert json.loads(out)["removed"]["observations"] == 2
    code, _, err = aged.run("db", "prune", "--keep-delivered", "90")
    assert (code, "--keep-delivered 90: not a number of days" in err) == (2, True)


def test_prune_prints_a_checkpoint_to_keep_within_80_columns(aged: Site) -> None:
    with Store.open(url(aged.database), create=False) as store:
        seq, link = store.head()
    code, out, _ = aged.run("db", "prune", "--keep", "1d")
    lines = out.splitlines()
    assert (code, lines[:2]) == (0, ["Checkpoint; keep it elsewhere, for `auditor ledger verify --expect-head`:", f"  {seq}:{link.hex()}"])
    assert lines[2].startswith("Removed what is older than 1d (before ")
    assert ("  reads                2" in lines, max(map(len, lines)) <= 80) == (True, True)
    assert lines[-1] == "Older, and kept because something needs it: 3 reads"


def test_a_second_prune_finds_nothing_to_do(aged: Site) -> None:
    aged.run("db", "prune")
    _, out, _ = aged.run("db", "prune", "--format", "json")
    done = json.loads(out)
    assert (done["checkpoint"], sum(done["removed"].values()), done["reports"]) == (None, 0, [])


@pytest.mark.parametrize("keep", ["0d", "400", "36h", "-1d", "1000000d", "4_0d"])
def test_prune_refuses_what_is_no_number_of_days(aged: Site, keep: str) -> None:
    code, _, err = aged.run("db", "prune", f"--keep={keep}")
    assert (code, f"--keep {keep}: not a number of days" in err) == (2, True)


def test_what_cannot_be_removed_is_told_and_the_rest_goes(aged: Site) -> None:
    with closing(sqlite3.connect(aged.database)) as connection, connection:
        connection.execute("CREATE TRIGGER stuck BEFORE DELETE ON snapshots BEGIN SELECT RAISE(ABORT, 'stuck'); END")
    code, out, _ = aged.run("db", "prune")
    assert (code, "Trouble: snapshots: " in out, "stuck" in out) == (74, True, True)
    assert len(list((aged.folder / "reports").iterdir())) == 2


def test_only_reports_that_are_named_as_ours_are_old_and_never_the_newest(tmp_path: Path) -> None:
    day = (NOW - 400 * DAY).date()
    names = [f"smtp-report-{day - number * DAY}.html" for number in (2, 1, 0)]
    others = ["smtp-report-empty.html", f"smtp-report-{day - 9 * DAY}.html.bak", f"my-smtp-report-{day - 9 * DAY}.html", "notes.txt"]
    for name in (*names, *others):
        (tmp_path / name).touch()
    (tmp_path / f"smtp-report-{day - 8 * DAY}.html").mkdir()
    (tmp_path / f"smtp-report-{day - 7 * DAY}.html").symlink_to(tmp_path / "notes.txt")
    assert [path.name for path in retention.reports_before(day, tmp_path)] == names[:2]
    assert [path.name for path in retention.reports_before(day + 900 * DAY, tmp_path)] == names[:2]
    assert retention.reports_before(day, tmp_path / "nowhere") == []
    with pytest.raises(StoreError, match=r"notes\.txt: cannot be read"):
        retention.reports_before(day, tmp_path / "notes.txt")


def test_reports_on_a_part_of_the_servers_grow_old_as_well(tmp_path: Path) -> None:
    for name in ("smtp-report-2024-W09-part-0123abcd.html", "smtp-report-2024-W09-part-0123abcd.json", "smtp-report-2024-W10.html"):
        (tmp_path / name).touch()
    found = retention.reports_before(date(2025, 1, 1), tmp_path)
    assert [path.name for path in found] == ["smtp-report-2024-W09-part-0123abcd.html", "smtp-report-2024-W09-part-0123abcd.json"]


def test_reports_of_weeks_and_months_are_as_old_as_their_last_day(tmp_path: Path) -> None:
    names = ["smtp-report-2024-W09.html", "smtp-report-2024-02.html", "smtp-report-2024-02-27_2024-03-04.html", "smtp-report-2024-W12.html"]
    for name in [*names, "smtp-report-2024-W60.html"]:
        (tmp_path / name).touch()
    found = retention.reports_before(date(2024, 3, 4), tmp_path)

    assert [path.name for path in found] == ["smtp-report-2024-02.html", "smtp-report-2024-W09.html"]


def test_what_lies_beside_a_report_goes_with_it_and_the_list_is_written_anew(aged: Site) -> None:
    folder = aged.folder / "reports"
    pages = folder / "smtp-report-2020-W09"
    pages.mkdir()
    for path in (folder / "smtp-report-2020-W09.html", folder / "smtp-report-2020-W09-servers.csv", pages / "prod.html", folder / "index.html"):
        path.write_text("<p>", encoding="utf-8")
    (pages / "notes.txt").touch()
    assert aged.run("db", "prune")[0] == 74, "a file that is not ours keeps its folder, and is named"
    assert (pages / "notes.txt").exists()
    (pages / "notes.txt").unlink()
    assert aged.run("db", "prune")[0] == 0
    assert not pages.exists()
    assert "There is no report" in (folder / "index.html").read_text(encoding="utf-8")


def test_stats_say_size_growth_and_forecast_within_80_columns(aged: Site) -> None:
    code, out, _ = aged.run("db", "stats")
    lines = out.splitlines()
    assert code == 0
    assert max(len(line) for line in lines[1:]) <= 80
    assert re.search(r"^  observations +5 +[0-9.]+ kB$", out, re.MULTILINE)
    for name in ("file", "free on disk", "reads", "one read", "growth", "in a year"):
        assert re.search(f"^{name} +[^ -]", out, re.MULTILINE), name
    _, document, _ = aged.run("db", "stats", "--format", "json")
    told = json.loads(document)
    assert (told["tables"]["observations"]["rows"], told["growth_bytes_per_day"] > 0) == (5, True)
    assert told["bytes_in_a_year"] > told["file_bytes"] - told["unused_bytes"]


def test_stats_of_a_database_without_a_read_say_so(site: Site) -> None:
    Store.open(url(site.database), create=True).close()
    _, out, _ = site.run("db", "stats")
    assert re.search(r"^reads +none$", out, re.MULTILINE)
    _, document, _ = site.run("db", "stats", "--format", "json")
    assert json.loads(document)["oldest_read"] is None


def test_a_backup_names_the_key_and_the_head_that_belong_with_it(site: Site) -> None:
    site.check()
    copy = site.folder / "copies" / "auditor.db"
    copy.parent.mkdir()
    code, out, _ = site.run("db", "backup", str(copy), "--format", "json")
    with Store.open(url(site.database), create=False) as store:
        seq, link = store.head()
    key = load(site.config).fingerprint_key
    assert (code, json.loads(out)) == (
        0,
        {
            "backup": str(copy),
            "ledger_head": f"{seq}:{link.hex()}",
            "fingerprint_key": {"reference": str(key), "id": fingerprint_key(key).id},
            "configuration": str(site.config),
        },
    )
    code, _, err = site.run("db", "backup", str(copy))
    assert (code, "there is a file already" in err) == (74, True)
    _, out, _ = site.run("db", "backup", str(copy.with_name("second.db")))
    for line in (f"  [ ] {key.name}  (fingerprint key, id {fingerprint_key(key).id})", f"  [ ] {seq}:{link.hex()}"):
        assert line in out.splitlines()
    assert (copy.stat().st_mode & 0o777, sorted(path.name for path in copy.parent.iterdir())) == (0o600, ["auditor.db", "second.db"])


def test_a_key_that_is_no_file_is_named_by_its_reference(aged: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_KEY", (aged.folder / "auditor.key").read_text(encoding="ascii").strip())
    aged.extra = "fingerprint_key: env:E2E_KEY\n"
    aged.configure()
    _, out, _ = aged.run("db", "backup", str(aged.folder / "copy.db"))
    assert re.search(r"^  \[ \] env:E2E_KEY  \(fingerprint key, id [0-9a-f]{8}\)$", out, re.MULTILINE)
    assert aged.run("db", "check")[0] == 0


def test_a_backup_is_made_without_a_key_and_makes_none(aged: Site) -> None:
    (aged.folder / "auditor.key").unlink()
    code, out, _ = aged.run("db", "backup", str(aged.folder / "copy.db"))
    assert (code, "(fingerprint key, not there: it is made by the first check)" in out, (aged.folder / "auditor.key").exists()) == (0, True, False)
    (aged.folder / "auditor.key").write_text("no key\n", encoding="ascii")
    code, out, _ = aged.run("db", "backup", str(aged.folder / "second.db"))
    assert (code, "(fingerprint key, not readable: " in out) == (0, True)


def test_a_backup_restored_elsewhere_verifies_and_audits_on(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    site.simulator.smtp["RequestHeaders"] = [
        {"Name": "X-Tenant", "Value": "pki"}
    ]  # kept as a fingerprint: under another key it could not be compared
    site.check()
    _, out, _ = site.run("db", "backup", str(site.folder / "copy.db"), "--format", "json")
    kept = json.loads(out)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(site.folder / "copy.db", elsewhere / "auditor.db")
    for name in ("auditor.yaml", "auditor.key", "root.pem"):
        shutil.copy(site.folder / name, elsewhere / name)
    for path in site.folder.glob("auditor.*"):
        path.unlink()
    site.folder = elsewhere
    assert site.run("db", "check")[0] == 0
    code, told = site.check()
    assert (code, told["targets"][0]["changes"]) == (0, [])
    assert site.run("ledger", "verify", "--expect-head", kept["ledger_head"])[0] == 0
    with Store.open(url(site.database), create=False) as store:
        assert store.head()[0] > int(kept["ledger_head"].partition(":")[0])
        (standing,) = store.standings(["prod"])
        assert standing.moved == ()


def test_check_says_what_it_looked_at_and_what_does_not_hold(aged: Site) -> None:
    code, out, _ = aged.run("db", "check")
    assert code == 0
    assert out.splitlines()[1:] == [f"  {kind:<11} ok" for kind in ("file", "references", "documents", "ledger", "drift", "orphans", "modes")]
    with closing(sqlite3.connect(aged.database)) as connection, connection:
        connection.execute("UPDATE snapshots SET document = '{}'")
    code, out, _ = aged.run("db", "check")
    assert (code, re.search(r"^  documents   snapshots [0-9a-f]{64}: .*digest \(and 2 more\)$", out, re.MULTILINE) is not None) == (1, True)
    code, out, _ = aged.run("db", "check", "--format", "json")
    assert (code, [(fault["kind"], fault["more"]) for fault in json.loads(out)["faults"]]) == (1, [("documents", 2)])


def test_check_of_what_is_no_database_cannot_be_done(site: Site) -> None:
    assert site.run("db", "check")[0] == 74
    site.database.write_bytes(b"no database, but long enough to be taken for one\n" * 40)
    assert site.run("db", "check")[0] == 74
