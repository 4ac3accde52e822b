"""`auditor daemon`: on schedule, in its own process, until SIGTERM."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from auditor import daemon
from auditor.app import App
from auditor.config import load
from auditor.core.model import Schedule
from auditor.daemon import SlotTrigger, serve
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


def test_a_failing_job_does_not_end_the_daemon(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.configure(schedule="{every: 15m}")
    with App(load(site.config)) as app:
        daemon.Reads(app)._read(app.config.targets[0])
        daemon._report(app)
        (report,) = app.config.report_folder.glob("smtp-report-*.html")
        shutil.rmtree(app.config.report_folder)
        app.config.report_folder.write_bytes(b"a file where the folder should be")
        app.close()
        for path in site.folder.glob("auditor.db*"):
            path.unlink()
        site.database.mkdir()
        daemon.Reads(app)._read(app.config.targets[0])
        daemon._report(app)
    assert report.name.startswith("smtp-report-2")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["audit failed", "report failed"]


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
