"""`kill -9` at any moment of a check or a daemon: the database opens, nothing in it is half-written, and every slot is accounted for."""

import json
import random
import signal
import sqlite3
import time
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from auditor.alerts import LEASE
from auditor.app import App
from auditor.config import load
from tests.e2e import pace
from tests.e2e.conftest import USER, Site
from tests.e2e.hook import FarEnd

KILLS = 20
TARGETS = 12
"""So many are read side by side by the daemon that is killed."""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (POSIX)")
def test_a_check_killed_at_any_moment_leaves_a_sound_database(site: Site) -> None:
    command = ("--config", str(site.config), "check")
    (first := pace.fork(*command)).join()  # what is imported by the first is not counted
    assert first.exitcode == 0
    begin = time.perf_counter()
    pace.fork(*command).join()
    whole_s = time.perf_counter() - begin
    moments, killed = random.Random(47), 0
    for number in range(KILLS):
        if number % 4 == 0:  # now and then a first check, which makes database and key
            for path in (*site.folder.glob("auditor.db*"), site.folder / "auditor.key"):
                path.unlink(missing_ok=True)
        site.simulator.smtp["SenderName"] = f"Certificate Services {number}"  # each run has a new snapshot and judgement to write
        process = pace.fork(*command)
        time.sleep(whole_s * moments.uniform(0.1, 1.0))
        killed += kill(process)
        assert site.run("check")[0] in (0, 1), "a low change, or none"
        assert_sound(site.database)
    assert killed >= KILLS // 2, "most kills must have met a running check"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (POSIX)")
@pytest.mark.parametrize("kills", [KILLS, pytest.param(200, marks=pytest.mark.soak)])
def test_a_daemon_killed_at_any_moment_leaves_every_slot_accounted_for_and_every_notice_told(
    site: Site, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """Each round configures new targets, which are read at once and told of, and kills the daemon while it starts, reads, records or tells."""
    monkeypatch.setenv("HOOK_SECRET", "whsec+of/the=hook")
    clock = site.simulator.clock = pace.Clock(site.folder / "clock")
    clock.ahead = -LEASE * (kills + 1)
    site.extra = f"""
alerts:
  channels:
  - {{name: hook, type: webhook, url: 'http://127.0.0.1:{far_end.port}/hook', insecure_http: true, secret: env:HOOK_SECRET}}
"""
    moments, killed, names = random.Random(48), 0, []
    for number in range(kills):
        fresh = [f"round{number}-{one}" for one in range(TARGETS)]
        names += fresh
        own = f"  url: {site.url}\n  auth: {{type: basic, username: '{USER}', password: env:E2E_PASSWORD}}\n  ca_file: root.pem\n  attempts: 1\n"
        site.configure(schedule="{every: 1m}", targets="".join(f"- name: {name}\n  schedule: {{every: 1m}}\n{own}" for name in fresh))
        site.simulator.smtp["SenderName"] = f"Certificate Services {number}"
        is_told, wait_s = moments.random() < 0.5, moments.uniform(0, 0.1)
        heard, awaited = (far_end.messages, moments.randint(1, 2)) if is_told else (Requests(site), moments.randint(0, TARGETS - 1))
        before, far_end.takes_s = len(heard), moments.choice([0.0, 0.1])
        process = pace.fork("--config", str(site.config), "daemon", clock=clock, deliver_every_s=0.02)
        enough = time.monotonic() + 3  # all that is new may have been one message
        while awaited and len(heard) < before + awaited and process.is_alive() and time.monotonic() < enough:
            time.sleep(0.002)
        time.sleep(wait_s if awaited else wait_s * 5)  # without a request it is killed while it starts
        killed += kill(process)
        with App(load(site.config), clock=clock) as app:
            now = app.clock()
            assert app.store.verify().fault is None
            assert_accounted(app, ["prod", *(names if number == kills - 1 else names[-2 * TARGETS :])], now)
        assert_sound(site.database)
        clock.ahead += LEASE  # what was being sent is free again
    assert killed == kills, "a daemon runs until it is killed"
    assert_all_told(site, far_end, clock)


def kill(process: BaseProcess) -> bool:
    """Kill it; whether it ran until then."""
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


class Requests:
    """How many requests the simulator has seen."""

    def __init__(self, site: Site) -> None:
        site.simulator.forget_requests()
        self.site = site

    def __len__(self) -> int:
        return len(self.site.simulator.requests)


def assert_all_told(site: Site, far_end: FarEnd, clock: pace.Clock) -> None:
    """Once what is still owed is delivered: each notice on record was told, under one key; what was told twice was told in the same words."""
    far_end.takes_s = 0.0
    with App(load(site.config), clock=clock) as app:
        while app.store.deliveries():
            assert app.deliver().delivered > 0
    with sqlite3.connect(site.database) as connection:
        owed = connection.execute("select batch, document from deliveries join notices on notices.id = notice_id").fetchall()
    connection.close()
    on_record: dict[str, list[Any]] = {}
    for key, document in owed:
        on_record.setdefault(key, []).append(json.loads(document))
    told: dict[str, list[dict[str, Any]]] = {}
    for key, message in zip(far_end.keys, far_end.messages, strict=True):
        told.setdefault(key, []).append({name: value for name, value in message.items() if not name.startswith("at")})
    assert {key: messages[0]["notices"] for key, messages in told.items()} == on_record
    assert [key for key, messages in told.items() if any(message != messages[0] for message in messages)] == []
    assert all(message["key"] == key for key, messages in told.items() for message in messages)
    assert len({json.dumps(notice, sort_keys=True) for notices in on_record.values() for notice in notices}) == len(owed), "none was owed twice"
    assert max(map(len, told.values())) > 1, "some daemon must have died between sending and writing that down"


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


def assert_sound(database: Path) -> None:
    """The database is whole, and nothing in it is half-written: a row that nothing refers to would be half a record."""
    with sqlite3.connect(database) as connection:
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
