"""The disk is full, a real one of 1 MiB: a check says so with 74, a daemon goes on, nothing is half recorded, and room is all that either needs."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.app import App
from auditor.config import load
from tests.e2e import pace
from tests.e2e.conftest import Site
from tests.e2e.hook import FarEnd
from tests.e2e.test_daemon import log_of, wait_for
from tests.e2e.test_day import past_the_slot
from tests.e2e.test_health import get
from tests.e2e.test_kill import assert_sound
from tests.notify.ends import free_port

# A container may be root and not be allowed to mount; then there is no small disk to be had.
pytestmark = [
    pytest.mark.platform_only,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a disk takes root, on Linux"),
]


class Disk:
    """A disk of 1 MiB, and the file that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.filler = folder, folder / "filler"

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Leave so much room, rounded down to whole pages."""
        self.empty()
        with self.filler.open("wb") as stream:
            free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
            os.posix_fallocate(stream.fileno(), 0, max(1, free - leave_bytes))

    def empty(self) -> None:
        self.filler.unlink(missing_ok=True)


@pytest.fixture
def disk(site: Site) -> Iterator[Disk]:
    """Where the site's database is, from now on."""
    folder = site.folder / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", folder], check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nothing may be mounted here: {mounted.stderr.strip()}")
    site.extra = "database: disk/auditor.db\n"
    site.configure(policy="recommended", schedule="{every: 15m}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def reads_of(site: Site) -> int:
    with sqlite3.connect(site.folder / "disk" / "auditor.db") as connection:
        (count,) = connection.execute("select count(*) from observations").fetchone()
    connection.close()
    return int(count)


ROOMS = [0, 8192, 32768, 65536, 98304, 131072, 163840, 400_000]
"""Bytes: from where nothing can be written, by where a write fails in its midst, to where all goes well."""


def test_a_check_on_a_full_disk_gives_74_records_whole_or_nothing_and_recovers(site: Site, disk: Disk) -> None:
    assert site.run("check")[0] == 0
    codes = []
    for number, room in enumerate(ROOMS):
        before = reads_of(site)
        site.simulator.smtp["SenderName"] = f"Certificate Services {number}"
        disk.fill(leave_bytes=room)
        code, _, err = site.run("check")
        disk.empty()
        assert (code, "the disk is full" in err) in [(74, True), (1, False)], err
        assert reads_of(site) - before in ([0, 1] if code == 74 else [1])
        assert site.run("ledger", "verify")[0] == 0
        assert_sound(site.folder / "disk" / "auditor.db")
        codes.append(code)
    assert (codes[0], codes[-1]) == (74, 1), "a changed sender's name is drift"


@pytest.mark.parametrize("room", [0, 20_000, 120_000])
def test_a_first_check_on_a_full_disk_gives_74_and_the_next_one_makes_the_database(site: Site, disk: Disk, room: int) -> None:
    disk.fill(leave_bytes=room)
    code, _, err = site.run("check")
    assert (code, "disk is full" in err) == (74, True), err
    disk.empty()
    assert site.run("check")[0] == 0
    assert site.run("ledger", "verify")[0] == 0


def test_a_daemon_outlives_a_full_disk(site: Site, disk: Disk, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "whsec+of/the=hook")
    health = f"127.0.0.1:{free_port()}"
    hook = f"{{name: hook, type: webhook, url: 'http://127.0.0.1:{far_end.port}/', insecure_http: true, secret: env:HOOK_SECRET}}"
    site.extra += f"alerts: {{channels: [{hook}]}}\nhealth: {{listen: '{health}'}}\n"
    site.configure(policy="recommended", schedule="{every: 15m}")
    clock = site.simulator.clock = pace.Clock(site.folder / "clock")
    clock.ahead = -past_the_slot(datetime.now(UTC))

    def errors() -> list[str]:
        return [line["event"] for line in log_of(site) if line["level"].lower() == "error"]

    with (site.folder / "daemon.log").open("wb") as log:
        process = pace.spawn(clock, 0.2, "--log-format", "json", "--config", str(site.config), "daemon", log=log.fileno())
    try:
        wait_for(lambda: far_end.kinds() == [["initial"]])
        assert json.loads(get(f"http://{health}/healthz")[1])["store_writable"] is True

        before = reads_of(site)
        disk.fill()
        site.simulator.smtp["UseSSL"] = False
        clock.ahead += timedelta(minutes=15)
        wait_for(lambda: "audit failed" in errors())
        status, body = get(f"http://{health}/healthz")
        assert (status, json.loads(body)["store_writable"]) == (503, False)
        assert (process.poll(), len(far_end.messages), reads_of(site)) == (None, 1, before)

        disk.empty()
        clock.ahead += timedelta(minutes=15)
        wait_for(lambda: len(far_end.messages) == 2)
        assert "drift_opened" in far_end.kinds()[1]
        assert get(f"http://{health}/healthz")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert site.run("ledger", "verify")[0] == 0
    assert site.run("alerts", "list")[1] == "nothing is owed\n"
    assert_sound(site.folder / "disk" / "auditor.db")
    with App(load(site.config), clock=clock) as app:
        covered = app.store.coverage("prod", after=clock() - timedelta(hours=1), until=clock())
    assert covered is not None
    assert (covered.total.expected, covered.total.read, covered.total.missed) == (3, 2, 1), (
        "the slot of the full disk is missed, those before and after are served"
    )
