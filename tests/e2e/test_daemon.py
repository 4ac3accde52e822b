"""`auditor daemon`: on schedule, in its own process, until SIGTERM."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from auditor import daemon
from auditor.app import App
from auditor.config import load
from auditor.core.ledger import Kind
from auditor.core.model import Schedule
from auditor.daemon import SlotTrigger, serve
from auditor.instance import holder, only_one
from tests.e2e.conftest import Site


def wait_for(happened: Callable[[], bool], *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_the_alarm_clock_rings_at_the_slots_of_the_calendar() -> None:
    trigger, now = SlotTrigger((Schedule(every_s=900), 5)), datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    first = trigger.get_next_fire_time(None, now)
    assert first == now + timedelta(seconds=5)
    assert trigger.get_next_fire_time(first, first) == first + timedelta(minutes=15)
    assert trigger.get_next_fire_time(first, now + timedelta(hours=2)) == now + timedelta(hours=2, seconds=5)


def test_a_target_that_is_overdue_is_read_at_once_and_once(site: Site) -> None:
    site.configure(schedule="{cron: '0 0 * * *'}")
    stop = threading.Event()
    with App(load(site.config)) as app:
        running = threading.Thread(target=serve, args=(app,), kwargs={"stop": stop})
        running.start()
        try:
            wait_for(lambda: app.store.latest("prod") is not None)
        finally:
            stop.set()
            running.join()
        first = app.store.latest("prod")
        assert first is not None
        assert first.observation.slot is None, "nothing was owed before it was configured"
        assert app.store.open_slot("prod", app.clock()) is None, "a served slot is not served twice"
        asked, pause = len(site.simulator.requests), threading.Event()
        again = threading.Thread(target=serve, args=(app,), kwargs={"stop": pause})
        again.start()
        time.sleep(0.5)
        pause.set()
        again.join()
        assert len(site.simulator.requests) == asked


def test_a_read_that_cannot_begin_is_tried_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.configure(schedule="{every: 15m}")
    with App(load(site.config)) as app:
        reads = daemon.Reads(app)
        reads._pool.shutdown()  # it takes nothing any more, as one that gets no thread
        reads.serve_due()
        assert reads.close(grace_s=5), "nothing is waited for"
        assert "a read could not begin" in caplog.messages
        again = daemon.Reads(app)
        again.serve_due()
        assert again.close(grace_s=20)
        assert app.store.latest("prod") is not None


def test_a_failing_job_does_not_end_the_daemon(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.configure(schedule="{every: 15m}")
    with App(load(site.config)) as app:
        running = daemon.Daemon(app)
        running._reads._read(app.config.targets[0])
        running._report()
        (report,) = app.config.report_folder.glob("smtp-report-*.html")
        shutil.rmtree(app.config.report_folder)
        app.config.report_folder.write_bytes(b"a file where the folder should be")
        app.close()
        for path in site.folder.glob("auditor.db*"):
            path.unlink()
        site.database.mkdir()
        running._reads._read(app.config.targets[0])
        running._report()
    assert report.name.startswith("smtp-report-2")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["audit failed", "report failed"]


@contextmanager
def process_of(site: Site) -> Iterator["subprocess.Popen[str]"]:
    """A daemon in a process of its own, killed in the end if it still runs."""
    command = [sys.executable, "-m", "auditor", "--log-format", "json", "--config", str(site.config), "daemon"]
    with (
        (site.folder / "daemon.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, stderr=log, text=True) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def log_of(site: Site) -> list[dict[str, str]]:
    lines = (site.folder / "daemon.log").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def events_of(site: Site) -> list[str]:
    return [line["event"] for line in log_of(site)]


def test_a_second_daemon_on_one_database_exits_with_75_and_says_who_is_there(site: Site) -> None:
    site.configure(schedule="{every: 1h}")
    with process_of(site) as process:
        wait_for(lambda: "audited" in events_of(site))
        code, _, err = site.run("daemon")
        assert (code, f"process {process.pid} on " in err) == (75, True), err
        held = holder(site.database)
        assert held is not None
        assert (held.pid, held.host) == (process.pid, platform.node())
    assert site.run("check")[0] == 0
    with only_one(site.database, at=datetime.now(UTC)):
        pass  # a killed daemon leaves no lock behind


def test_a_check_beside_the_daemon_serves_no_slot(site: Site) -> None:
    site.configure(schedule="{every: 1m}")
    site.run("check")
    with only_one(site.database, at=datetime.now(UTC)):
        _, found = site.check()
    assert found["targets"][0]["observation"]["slot"] is None


WRONG = "the configuration is wrong: the old one stays in force"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGHUP")
def test_sighup_takes_up_a_good_configuration_and_leaves_a_bad_one(site: Site) -> None:
    site.configure(schedule="{every: 1h}")
    good = site.config.read_text(encoding="utf-8")
    with process_of(site) as process:
        wait_for(lambda: "audited" in events_of(site))
        site.config.write_text(good.replace("schedule:", "shedule:"), encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: WRONG in events_of(site))
        (told,) = [line for line in log_of(site) if line["event"] == WRONG]
        assert (told["level"].lower(), "did you mean 'schedule'?" in told["trouble"]) == ("error", True)
        site.config.write_text(good.replace("every: 1h", "every: 2h"), encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reloaded" in events_of(site))
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    _, out, _ = site.run("ledger", "show", "--kind", "target", "--format", "json")
    assert [json.loads(line)["record"]["act"] for line in out.splitlines()] == ["added", "scheduled", "rescheduled"]


def test_reload_checks_first_and_asks_the_daemon_then(site: Site) -> None:
    site.configure(schedule="{every: 1h}")
    code, _, err = site.run("reload")
    assert (code, "no daemon is at work on it" in err) == (2, True)
    good = site.config.read_text(encoding="utf-8")
    with process_of(site):
        wait_for(lambda: "audited" in events_of(site))
        site.config.write_text(good + "sprad: 1s\n", encoding="utf-8")
        assert site.run("reload")[0] == 2
        site.config.write_text(good + "spread: 1s\n", encoding="utf-8")
        code, out, _ = site.run("reload")
        assert (code, "asked process" in out) == (0, True)
        wait_for(lambda: "reloaded" in events_of(site))
    assert WRONG not in events_of(site)


def test_another_database_takes_a_restart(site: Site) -> None:
    site.configure(schedule="{every: 1h}")
    with App(load(site.config)) as app:
        running = daemon.Daemon(app)
        site.config.write_text(site.config.read_text(encoding="utf-8") + "database: other.db\n", encoding="utf-8")
        running.reload()
        assert (running.app is app, "that takes a restart" in running.trouble) == (True, True)


def test_a_read_that_outlasts_the_grace_period_is_left(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.configure(schedule="{every: 1h}", timeout="10s")
    hold = threading.Event()
    site.simulator.clock = lambda: (hold.wait(3), datetime.now(UTC))[1]  # the server takes its time
    with App(load(site.config)) as app:
        reads = daemon.Reads(app)
        reads.serve_due()
        reads.close(0.2)
        assert "reads were left: they took longer than the grace period" in [record.message for record in caplog.records]
        hold.set()
        wait_for(lambda: not reads._running)


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is not delivered on Windows")
def test_sigterm_ends_the_process_cleanly_with_everything_recorded(site: Site) -> None:
    site.configure(schedule="{every: 1m}")
    command = [sys.executable, "-m", "auditor", "--log-format", "json", "--config", str(site.config), "daemon"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len(site.simulator.requests) > 0)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = process.stderr.read()
        assert process.wait() == 0, log
    events = [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]
    assert [event for event in events if event in ("started", "audited", "stopped")] == ["started", "audited", "stopped"]
    _code, out, _ = site.run("show", "prod", "--output", "json=-")
    assert json.loads(out)["targets"][0]["observation"]["outcome"] == "observed"


def test_a_daemon_removes_what_is_too_old_and_the_ledger_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.configure(schedule="{every: 1h}")
    caplog.set_level("INFO", logger="auditor")
    for age in (500, 450, 2, 1):
        with App(load(site.config), clock=lambda age=age: datetime.now(UTC) - timedelta(days=age)) as app:  # type: ignore[misc]
            app.auditor.audit(app.config.targets[0], at=app.clock())
    with App(load(site.config)) as app:
        daemon.Daemon(app)._retain()
        assert app.store.entries(kind=Kind.PRUNE) == (), "nothing is removed unless somebody asks"
    site.extra = "retention: {keep_reads: 400d}\n"
    site.configure(schedule="{every: 1h}")
    monkeypatch.setattr(daemon, "RETAIN_AFTER", timedelta(0))
    stop = threading.Event()
    with App(load(site.config)) as app:
        running = threading.Thread(target=serve, args=(app,), kwargs={"stop": stop})
        running.start()
        try:
            wait_for(lambda: "what was too old was removed" in caplog.messages)
        finally:
            stop.set()
            running.join()
        (tombstone,) = (entry.body or {} for entry in app.store.entries(kind=Kind.PRUNE))
        assert (tombstone["reason"], tombstone["count"], tombstone["host"]) == ("retention: older than 400d", 2, platform.node())
        assert app.store.verify().fault is None
    (told,) = [record for record in caplog.records if record.message == "what was too old was removed"]
    assert told.__dict__["observations"] == 2


def test_a_daemon_that_ends_leaves_the_rest_of_what_is_too_old_to_the_next(site: Site) -> None:
    site.extra = "retention: {keep_reads: 1d}\n"
    site.configure(schedule="{every: 1h}")
    for age in (500, 450, 1):
        with App(load(site.config), clock=lambda age=age: datetime.now(UTC) - timedelta(days=age)) as app:  # type: ignore[misc]
            app.auditor.audit(app.config.targets[0], at=app.clock())
    with App(load(site.config)) as app:
        running = daemon.Daemon(app)
        running._ending.set()
        running._retain()
        assert app.store.entries(kind=Kind.PRUNE) == ()
        running._ending.clear()
        running._retain()
        assert len(app.store.entries(kind=Kind.PRUNE)) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("schedule: {every: 15m}", "schedule:"),
        ("targets:", "fingerprint_key: env:NOBODY_SET_THIS\ntargets:"),
        ("targets:", "baselines: nowhere\ntargets:"),
    ],
)
def test_a_configuration_that_is_refused_leaves_what_is_owed_and_on_record_as_it_was(site: Site, before: str, after: str) -> None:
    site.configure(schedule="{every: 15m}")
    with App(load(site.config)) as app:
        running = daemon.Daemon(app)
        owed, ledger = app.store.due(app.clock()), app.store.head()
        site.config.write_text(site.config.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
        running.reload()
        assert running.trouble
        assert running.app is app
        assert owed
        assert (app.store.due(app.clock()), app.store.head()) == (owed, ledger)
        assert site.run("reload")[0] == 2, "whoever asks is told at once"


def test_a_target_whose_reads_are_not_on_record_keeps_the_heartbeat_still_whoever_else_is_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.configure(schedule="{every: 15m}")
    with App(load(site.config)) as app:
        beats: list[str] = []
        monkeypatch.setattr(app, "beat", lambda: beats.append("beat"))
        reads = daemon.Reads(app)
        for name, is_recorded in (("prod", False), ("other", True), ("other", True)):
            reads._over(name, is_recorded=is_recorded)
        assert beats == []
        reads._over("prod", is_recorded=True)
        assert beats == ["beat"]


def test_a_fault_on_the_way_to_a_read_does_not_keep_a_target_from_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.configure(schedule="{every: 15m}")
    with App(load(site.config)) as app:
        reads = daemon.Reads(app)
        with monkeypatch.context() as broken:
            broken.setattr("auditor.daemon.replace", None)
            reads.serve_due()
            wait_for(lambda: not reads._running)
        reads.serve_due()
        wait_for(lambda: app.store.latest("prod") is not None)
        assert reads.close(5)


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is not delivered on Windows")
def test_a_process_does_not_wait_for_a_read_beyond_the_grace_period(site: Site) -> None:
    site.extra = "grace: 1s\n"
    site.configure(schedule="{every: 15m}", timeout="60s")
    hold = threading.Event()

    def held() -> Iterator[bytes]:
        hold.wait(40)
        yield b"{}"

    site.simulator.answer_with(200, body=held())
    with process_of(site) as process:
        wait_for(lambda: bool(site.simulator.requests))
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(20) == 0
        finally:
            hold.set()
