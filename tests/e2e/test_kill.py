"""`kill -9` at any moment of a check or a daemon: the database opens, nothing in it is half-written, and every slot is accounted for."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from auditor.app import App
from auditor.config import load
from tests.e2e.conftest import USER, Site

KILLS = 20
TARGETS = 12
"""So many are read side by side by the daemon that is killed."""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (POSIX)")
def test_a_check_killed_at_any_moment_leaves_a_sound_database(site: Site) -> None:
    command = [sys.executable, "-m", "auditor", "--config", str(site.config), "check"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    whole_s = time.perf_counter() - begin
    moments, killed = random.Random(47), 0
    for number in range(KILLS):
        if number % 4 == 0:  # now and then a first check, which makes database and key
            for path in (*site.folder.glob("auditor.db*"), site.folder / "auditor.key"):
                path.unlink(missing_ok=True)
        site.simulator.smtp["SenderName"] = f"Certificate Services {number}"  # each run has a new snapshot and judgement to write
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(whole_s * moments.uniform(0.1, 1.0))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        assert site.run("check")[0] in (0, 1), "a low change, or none"
        assert_sound(site)
    assert killed >= KILLS // 2, "most kills must have met a running check"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (POSIX)")
@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_a_daemon_killed_at_any_moment_leaves_every_slot_accounted_for(site: Site, kills: int) -> None:
    """Each round configures new targets, which are read at once, and kills the daemon while it reads and records them."""
    command = [sys.executable, "-m", "auditor", "--config", str(site.config), "daemon"]
    moments, killed, names = random.Random(48), 0, []
    for number in range(kills):
        fresh = [f"round{number}-{one}" for one in range(TARGETS)]
        names += fresh
        own = f"  url: {site.url}\n  auth: {{type: basic, username: '{USER}', password: env:E2E_PASSWORD}}\n  ca_file: root.pem\n  attempts: 1\n"
        site.configure(schedule="{every: 1m}", targets="".join(f"- name: {name}\n  schedule: {{every: 1m}}\n{own}" for name in fresh))
        site.simulator.smtp["SenderName"] = f"Certificate Services {number}"
        site.simulator.forget_requests()
        asked, wait_s = moments.randint(0, TARGETS - 1), moments.uniform(0, 0.1)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while asked and len(site.simulator.requests) < asked and process.poll() is None:
                time.sleep(0.002)
            time.sleep(wait_s if asked else wait_s * 10)  # without a request it is killed while it starts
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        with App(load(site.config)) as app:
            now = app.clock()
            assert app.store.verify().fault is None
            assert_accounted(app, ["prod", *names], now)
        assert_sound(site)
    assert killed == kills, "a daemon runs until it is killed"


def assert_accounted(app: App, names: list[str], now: datetime) -> None:
    """Each whole minute since a target came, until it left or until now, is accounted for, or is the newest one and open still."""
    counted = 0
    for name in names:
        covered = app.store.coverage(name, after=now - timedelta(days=2), until=now)
        if covered is None:
            continue  # the daemon was killed before it knew of the target
        first, ends = covered.terms[0].since, [terms.since for terms in covered.terms if terms.schedule is None]
        minutes, minute = 0, first.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while minute <= min([now, *ends]):
            minutes, minute = minutes + 1, minute + timedelta(minutes=1)
        assert covered.total.expected + (covered.open is not None) == minutes, name
        counted += 1
    assert counted > 0


def assert_sound(site: Site) -> None:
    """The database is whole, and nothing in it is half-written: a row that nothing refers to would be half a record."""
    with sqlite3.connect(site.database) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        count = {
            table: connection.execute(f"select count(*) from {table}").fetchone()[0] for table in ("snapshots", "findings", "judgements", "changes")
        }
        seen = connection.execute("select count(distinct snapshot_id), count(distinct judgement_id), count(distinct changes_id) from observations")
        snapshots, judgements, changes = seen.fetchone()
        findings = connection.execute("select count(distinct findings_id) from judgements").fetchone()[0]
        double = "select count(*) from (select 1 from observations where slot is not null group by target_id, slot having count(*) > 1)"
        assert connection.execute(double).fetchone()[0] == 0, "a slot is served once"
        unheard = "select count(*) from observations where id not in (select ref from ledger where ref is not null)"
        assert connection.execute(unheard).fetchone()[0] == 0, "a read and its record are written together"
    connection.close()
    assert count == {"snapshots": snapshots, "findings": findings, "judgements": judgements, "changes": changes}
