"""Audits on schedule on one machine: APScheduler is the alarm clock, the slot calendar says who owes a read when it rings.

Reads run on a pool of their own, so that a slow target holds up neither the others nor the alarm. SIGTERM and Ctrl-C end it once running reads
are recorded.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from auditor import publish
from auditor.app import App
from auditor.core.coverage import MissedBecause
from auditor.core.model import Schedule, Target
from auditor.core.slots import next_slot, offset_of
from auditor.errors import ConfigError

log = logging.getLogger("auditor.daemon")

WORKERS = 16
MISFIRE_GRACE_S = 3600
"""A job that could not start in time (a full pool) still runs if it is not later than this; slots say how late it was."""

STANDSTILL_S = 30
"""The clock and the processor's own count of seconds differ by more than this: the machine slept, or the clock was set."""


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """Rings at the slots of schedules, each with an offset in seconds."""

    def __init__(self, *schedules: tuple[Schedule, int]) -> None:
        self.schedules = schedules

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = (max(previous_fire_time, now) if previous_fire_time else now).astimezone(UTC)
        found = (next_slot(schedule, after, offset_s=offset_s) for schedule, offset_s in self.schedules)
        return min((slot for slot in found if slot is not None), default=None)


class Reads:
    """The reads that run: whoever owes one and is not being read is handed to the pool."""

    def __init__(self, app: App, *, workers: int = WORKERS) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="read")
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def serve_due(self) -> None:
        """Begin a read of every target that owes one now, and come back at once."""
        try:
            for target in self._app.auditor.due(self._app.config.targets, self._app.clock()):
                with self._lock:
                    is_new = target.name not in self._running
                    self._running.add(target.name)
                if is_new:
                    self._pool.submit(self._read, target)
        except Exception:  # an edge: a database that is locked for once must not end the alarm
            log.exception("what is due cannot be told")

    def close(self) -> None:
        """Wait for the reads that run."""
        self._pool.shutdown(cancel_futures=True)

    def _read(self, target: Target) -> None:
        try:
            self._app.auditor.audit(target, at=self._app.clock())
        except Exception:  # an edge: one target's failing read must not end the others
            log.exception("audit failed", extra={"target": target.name})
        finally:
            with self._lock:
                self._running.discard(target.name)


def serve(app: App, *, stop: threading.Event | None = None) -> None:
    """Audit every scheduled target of `app` until SIGTERM, SIGINT or `stop`. A target that was never read, or is overdue, is read at once.

    Raises:
        ConfigError: No target has a schedule.
    """
    scheduled = [(target.schedule, offset_of(target.name, spread_s=app.config.spread_s)) for target in app.config.targets if target.schedule]
    if not scheduled:
        raise ConfigError(f"{app.config.file}: no target has a schedule", hint="give `schedule: {every: 15m}` under `defaults` or to a target")
    _ = app.auditor  # whatever is wrong with database, key, waivers or approvals is said now, and not to a log line later
    stop = stop or threading.Event()
    _on_signal(stop.set)
    reads = Reads(app)
    alarm = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_GRACE_S}, timezone=UTC)
    alarm.add_job(reads.serve_due, SlotTrigger(*scheduled), id="reads", next_run_time=app.clock())
    alarm.add_job(_report, SlotTrigger((app.config.report_schedule, 0)), (app,), id="report")
    alarm.start()
    log.info("started", extra={"targets": len(scheduled), "configuration": str(app.config.file)})
    try:
        _watch_the_clock(app, reads, stop)
    finally:
        log.info("stopping: running reads are finished first")
        alarm.shutdown(wait=True)
        reads.close()
        log.info("stopped")


def _watch_the_clock(app: App, reads: Reads, stop: threading.Event) -> None:
    """Until `stop`: an alarm clock counts seconds, and does not notice that the machine slept or that the clock was set."""
    began, counted = app.clock(), time.monotonic()
    while not stop.wait(1.0):  # in short waits: Windows delivers Ctrl-C between them alone
        drifted = app.clock() - began - timedelta(seconds=time.monotonic() - counted)
        if abs(drifted.total_seconds()) > STANDSTILL_S:
            log.warning("the clock jumped", extra={"seconds": round(drifted.total_seconds())})
            began, counted = app.clock(), time.monotonic()
            _guarded(lambda: app.take_stock(app.store, because=MissedBecause.STANDSTILL), "slots that passed were not accounted for")
            reads.serve_due()


def _report(app: App) -> None:
    def write() -> None:
        path = publish.write_report(app.view(app.select((), {})), app.config.report_folder)
        log.info("report written", extra={"path": str(path)})

    _guarded(write, "report failed")


def _guarded(act: Callable[[], None], failure: str) -> None:
    try:
        act()
    except Exception:  # an edge: what fails once must not end the daemon
        log.exception(failure)


def _on_signal(stop: Callable[[], None]) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handle)
