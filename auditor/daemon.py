"""Audits on schedule on one machine: APScheduler is the alarm clock, the slot calendar says when it rings.

One job per target and one for the report; a slow job holds up no other. SIGTERM and Ctrl-C end it once running reads are recorded.
"""

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from auditor import publish
from auditor.app import App
from auditor.core.model import Schedule, Target
from auditor.core.slots import next_slot, offset_of
from auditor.errors import ConfigError

log = logging.getLogger("auditor.daemon")

WORKERS = 16
MISFIRE_GRACE_S = 3600
"""A job that could not start in time (a suspended laptop, a full pool) still runs if it is not later than this; slots say how late it was."""


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """Rings at the slots of a schedule."""

    def __init__(self, schedule: Schedule, offset_s: int = 0) -> None:
        self.schedule, self.offset_s = schedule, offset_s

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = max(previous_fire_time, now) if previous_fire_time else now
        return next_slot(self.schedule, after.astimezone(UTC), offset_s=self.offset_s)


def serve(app: App, *, stop: threading.Event | None = None) -> None:
    """Audit every scheduled target of `app` until SIGTERM, SIGINT or `stop`. A target that was never read, or is overdue, is read at once.

    Raises:
        ConfigError: No target has a schedule.
    """
    scheduled = [target for target in app.config.targets if target.schedule is not None]
    if not scheduled:
        raise ConfigError(f"{app.config.file}: no target has a schedule", hint="give `schedule: {every: 15m}` under `defaults` or to a target")
    auditor, stop = app.auditor, stop or threading.Event()
    _on_signal(stop.set)
    clock = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(WORKERS)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_GRACE_S},
        timezone=UTC,
    )
    at = app.clock()
    for target in scheduled:
        assert target.schedule is not None
        trigger = SlotTrigger(target.schedule, offset_of(target.name, spread_s=app.config.spread_s))
        overdue = app.store.open_slot(target.name, at) is not None
        clock.add_job(_read, trigger, (app, target), id=f"read:{target.name}", **({"next_run_time": at} if overdue else {}))
    clock.add_job(_report, SlotTrigger(app.config.report_schedule), (app, app.config.targets), id="report")
    clock.start()
    log.info("started", extra={"targets": len(scheduled), "configuration": str(app.config.file)})
    try:
        while not stop.wait(1.0):  # in short waits: Windows delivers Ctrl-C between them alone
            pass
    finally:
        log.info("stopping: running reads are finished first")
        clock.shutdown(wait=True)
        log.info("stopped")


def _read(app: App, target: Target) -> None:
    try:
        app.auditor.audit(target, at=app.clock())
    except Exception:  # an edge: one target's failing job must not end the others
        log.exception("audit failed", extra={"target": target.name})


def _report(app: App, targets: Sequence[Target]) -> None:
    try:
        path = publish.write_report(app.view(targets), app.config.report_folder)
        log.info("report written", extra={"path": str(path)})
    except Exception:  # an edge, as above
        log.exception("report failed")


def _on_signal(stop: Callable[[], None]) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handle)
