"""A daemon whose clock is set: back by an hour, and over both changes of summer time. No slot is served twice, and none is lost from the account."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from auditor.app import App
from auditor.config import load
from auditor.daemon import serve
from tests.e2e import pace
from tests.e2e.conftest import Site
from tests.e2e.test_daemon import wait_for

SetTo = Callable[[str], str | None]


@contextmanager
def daemon_at(site: Site, at: str, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[App, SetTo]]:
    """A daemon whose clock shows `at`; and what sets its clock, and returns the slot that it serves then: None if it reads nothing."""
    clock = site.simulator.clock = pace.Clock(site.folder / "clock")
    stop = threading.Event()

    def set_to(at: str) -> str | None:
        noticed, asked = len(caplog.records), len(site.simulator.requests)
        clock.ahead = datetime.fromisoformat(at).replace(tzinfo=UTC) - datetime.now(UTC)
        wait_for(lambda: "the clock jumped" in [record.message for record in caplog.records[noticed:]])
        wait_for(lambda: app.store.due(clock()) == ())
        time.sleep(0.2)  # time for a read that is not owed
        read = len(site.simulator.requests) - asked
        newest = app.store.latest("prod")
        assert newest is not None
        assert read <= 1, "at once, and once"
        return f"{newest.observation.slot:%m-%d %H:%M}" if read and newest.observation.slot else "none" if read else None

    clock.ahead = datetime.fromisoformat(at).replace(tzinfo=UTC) - datetime.now(UTC)
    with App(load(site.config), clock=clock) as app, caplog.at_level(logging.INFO, "auditor.daemon"):
        running = threading.Thread(target=serve, args=(app,), kwargs={"stop": stop})
        running.start()
        try:
            wait_for(lambda: "started" in [record.message for record in caplog.records])
            time.sleep(0.2)  # from then on it watches its clock
            yield app, set_to
        finally:
            stop.set()
            running.join()


def accounted(app: App) -> tuple[int, int, int]:
    """How many slots were owed by now, read, and missed; the ledger verifies."""
    covered = app.store.coverage("prod", after=app.clock() - timedelta(days=400), until=app.clock() + timedelta(days=2))
    assert covered is not None
    assert app.store.verify().fault is None
    return covered.total.expected, covered.total.read, covered.total.missed


def test_a_clock_set_back_by_an_hour_under_a_daemon_serves_no_slot_twice(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.configure(schedule="{every: 15m}")
    with daemon_at(site, "2030-05-06 10:07", caplog) as (app, set_to):
        assert set_to("2030-05-06 10:16") == "05-06 10:15"
        assert set_to("2030-05-06 09:16") is None
        assert set_to("2030-05-06 10:17") is None, "it was served before the clock was set back"
        assert set_to("2030-05-06 10:31") == "05-06 10:30"
        assert accounted(app) == (2, 2, 0)


@pytest.mark.parametrize(
    ("before", "steps", "total"),
    [
        (
            "2030-03-31 00:10",  # 02:30 does not come: it is read an hour later
            [("2030-03-31 00:31", "none"), ("2030-03-31 01:31", "03-31 01:30"), ("2030-04-01 00:31", "04-01 00:30")],
            (2, 2, 0),
        ),
        (
            "2030-10-27 00:10",  # 02:30 comes twice: the first one counts
            [("2030-10-27 00:31", "10-27 00:30"), ("2030-10-27 01:31", None), ("2030-10-29 01:31", "10-29 01:30")],
            (3, 2, 1),
        ),
    ],
    ids=["spring", "autumn"],
)
def test_a_daemon_goes_through_a_change_of_summer_time(
    site: Site, caplog: pytest.LogCaptureFixture, before: str, steps: list[tuple[str, str | None]], total: tuple[int, int, int]
) -> None:
    site.configure(schedule="{cron: '30 2 * * *', timezone: Europe/Berlin}")
    with daemon_at(site, before, caplog) as (app, set_to):
        assert [set_to(at) for at, _ in steps] == [slot for _, slot in steps]
        assert accounted(app) == total
