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
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from auditor import instance, sdnotify
from auditor.app import App, evidence
from auditor.core.coverage import MissedBecause
from auditor.core.model import Schedule, Target
from auditor.core.slots import next_slot, offset_of
from auditor.errors import AuditorError, ConfigError
from auditor.health import HealthServer, Watched
from auditor.instance import Held, only_one
from auditor.store.memories import Memories

log = logging.getLogger("auditor.daemon")

MISFIRE_GRACE_S = 3600
"""A job that could not start in time (a full pool) still runs if it is not later than this; slots say how late it was."""

DELIVER_EVERY_S = 15
"""How often channels are sent what they are owed: all that reads found meanwhile is one message a channel."""

RETAIN_AFTER, RETAIN_EVERY = timedelta(minutes=10), timedelta(days=1)
"""When what is too old is removed: first so long after the start, whose reads come first."""

REPORT_LATE_AFTER = timedelta(minutes=1)
"""So long after the start a report that is overdue is written: what is overdue itself is read by then."""

ATTEST_EVERY_S, ATTEST_AGAIN_S = 60, 3600
"""How often it is looked whether a checkpoint is owed, and how long a failed one, or a failed time stamp, waits."""

BREATH_S = 0.02
"""So long whoever wants to write comes first, between two transactions that remove."""

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

    def __init__(self, app: App, *, workers: int = 16) -> None:
        self.app = app
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="read")
        self._running: set[str] = set()
        self._unrecorded: set[str] = set()
        """Targets whose newest read is not on record: they must keep the heartbeat from saying that all is well."""
        self._lock = threading.Lock()

    def serve_due(self) -> None:
        """Begin a read of every target that owes one now, and come back at once."""
        try:
            due = self.app.auditor.due(self.app.config.targets, self.app.clock())
            with self._lock:
                new = [target for target in due if target.name not in self._running]
                self._running.update(target.name for target in new)
            memories = self.app.store.memories([target.name for target in new])
            for target in new:
                self._begin(target, memories)
        except Exception:  # an edge: a database that is locked for once must not end the alarm
            log.exception("what is due cannot be told")

    def close(self, grace_s: float) -> bool:
        """Wait for the reads that run, for `grace_s` at most; whether all have ended. One that is left is recorded whole or not at all."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + grace_s
        while self._running and time.monotonic() < until:
            time.sleep(0.05)
        if self._running:
            log.warning("reads were left: they took longer than the grace period", extra={"targets": sorted(self._running)})
        return not self._running

    def _begin(self, target: Target, memories: Memories | None = None) -> None:
        try:
            future = self._pool.submit(self._read, target, memories)
        except RuntimeError:  # no thread is to be had: it is tried again at the next alarm
            log.exception("a read could not begin", extra={"target": target.name})
            self._over(target.name, is_recorded=False)
        else:
            future.add_done_callback(lambda done: self._over(target.name, is_recorded=not done.cancelled() and done.result()))

    def _over(self, name: str, *, is_recorded: bool) -> None:
        with self._lock:
            self._running.discard(name)
            (self._unrecorded.discard if is_recorded else self._unrecorded.add)(name)
            is_sweep_complete = not self._running and self._unrecorded.isdisjoint(target.name for target in self.app.config.targets)
        if is_sweep_complete:
            _guarded(self.app.beat, "the heartbeat failed")

    def _read(self, target: Target, memories: Memories | None = None) -> bool:
        try:
            auditor = replace(self.app.auditor)  # one of its own, for what went wrong with this read
            auditor.audit(target, at=self.app.clock(), memories=memories)
        except Exception:  # an edge: one target's failing read must not end the others
            log.exception("audit failed", extra={"target": target.name})
            return False
        return auditor.events_fault is None


def require_sound(app: App) -> None:
    """Meet all that can be refused before a daemon takes `app` up.

    Raises:
        ConfigError, PolicyError, SecretError, ...: Something is wrong.
    """
    app.require_sound()
    _reads_of(app)


def serve(app: App, *, stop: threading.Event | None = None) -> bool:
    """Audit every scheduled target of `app` until SIGTERM, SIGINT or `stop`. A target that was never read, or is overdue, is read at once.

    Returns whether all reads had ended within the grace period.

    Raises:
        ConfigError: No target has a schedule.
        InstanceError: Another daemon is at work on the same database.
    """
    with only_one(app.config.database, at=app.clock()) as lock:
        daemon = Daemon(app, lock)
        stop = stop or threading.Event()
        _on_signal(stop.set, reload=daemon.ask_to_reload)
        return daemon.run(stop)


class Daemon:
    """What runs: the app of the configuration in force, its reads, and the alarm clock."""

    def __init__(self, app: App, lock: Held | None = None) -> None:
        """Make ready to run `app`; `lock` is what keeps other daemons away, and what health looks at."""
        _ = app.auditor, app.channels  # whatever is wrong with database, key, waivers, approvals or channels is said now, and not to a log line later
        for warning in app.alert_warnings():
            log.warning(warning)
        self.app, self._lock = app, lock
        self.trouble = ""
        """Why the configuration in the file is not the one in force; empty where it is."""
        self._reads = Reads(app, workers=app.config.workers)
        health = app.config.health
        token = app.secret(health.token) if health and health.token else None
        try:
            self._health = HealthServer(health.host, health.port, self._watched, app.clock, token) if health else None
        except OSError as failure:
            where = app.config.source.where("health", "listen")
            raise ConfigError(
                f"{where}: nothing can listen there: {failure.strerror}", hint="is the address this machine's, and the port free?"
            ) from None
        self._asked = threading.Event()
        self._alarm = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_GRACE_S}, timezone=UTC)
        self._alarm.add_job(self._reads.serve_due, _reads_of(app), id="reads", next_run_time=app.clock())
        self._alarm.add_job(self._deliver, IntervalTrigger(seconds=DELIVER_EVERY_S), id="deliver")
        self._alarm.add_job(self._report, SlotTrigger((app.config.report_schedule, 0)), id="report")
        self._alarm.add_job(self._report_late, DateTrigger(app.clock() + REPORT_LATE_AFTER), id="late report")
        self._alarm.add_job(self._attest, IntervalTrigger(seconds=ATTEST_EVERY_S), id="attest")
        self._attest_after = 0.0
        self._ending = threading.Event()
        first = app.clock() + RETAIN_AFTER
        self._alarm.add_job(self._retain, IntervalTrigger(seconds=int(RETAIN_EVERY.total_seconds())), id="retain", next_run_time=first)

    def run(self, stop: threading.Event) -> bool:
        """Audit until `stop`; running reads are finished first, within the grace period. Whether all were."""
        instance.request_of(self.app.config.database).unlink(missing_ok=True)
        self._alarm.start()
        if self._health is not None:
            self._health.start()
        log.info("started", extra={"targets": len(self.app.config.targets), "configuration": str(self.app.config.file)})
        sdnotify.ready(f"{len(self.app.config.targets)} targets")
        try:
            self._watch(stop)
        finally:
            sdnotify.stopping()
            log.info("stopping: running reads are finished first")
            self._ending.set()  # the next start goes on with what is too old
            self._alarm.shutdown(wait=True)
            all_ended = self._reads.close(self.app.config.grace_s)
            self._deliver()  # what the last reads found
            if self._health is not None:
                self._health.close()
            log.info("stopped")
        return all_ended

    def ask_to_reload(self) -> None:
        """Read the configuration anew, soon: a signal handler must not do it itself."""
        self._asked.set()

    def reload(self) -> None:
        """Take up the configuration as its file says it now. A bad one changes nothing, and is said loudly."""
        try:
            new = self.app.successor()
            triggers = {"reads": _reads_of(new), "report": SlotTrigger((new.config.report_schedule, 0))}
            new.take_over(self.app)
        except AuditorError as wrong:
            self.trouble = f"{wrong}" + (f" ({wrong.hint})" if wrong.hint else "")
            log.error("the configuration is wrong: the old one stays in force", extra={"trouble": self.trouble})  # noqa: TRY400
            return
        self.app, self.trouble = new, ""
        self._reads.app = new
        self._attest_after = 0.0
        for name, trigger in triggers.items():
            self._alarm.reschedule_job(name, trigger=trigger)
        log.info("reloaded", extra={"targets": len(new.config.targets), "configuration": str(new.config.file)})
        self._reads.serve_due()

    def _watch(self, stop: threading.Event) -> None:
        """Until `stop`: an alarm clock counts seconds, and does not notice that the machine slept or that the clock was set."""
        began, counted = self.app.clock(), time.monotonic()
        feed_every_s, fed = sdnotify.feed_every_s(), time.monotonic()
        while not stop.wait(1.0):  # in short waits: Windows delivers Ctrl-C between them alone
            if feed_every_s is not None and time.monotonic() - fed >= feed_every_s:
                sdnotify.alive()
                fed = time.monotonic()
            request = instance.request_of(self.app.config.database)
            if self._asked.is_set() or request.exists():
                self._asked.clear()
                request.unlink(missing_ok=True)
                sdnotify.reloading()
                _guarded(self.reload, "the configuration was not reloaded")
                sdnotify.ready(f"{len(self.app.config.targets)} targets{'; the file is wrong, the old configuration stays' if self.trouble else ''}")
            drifted = self.app.clock() - began - timedelta(seconds=time.monotonic() - counted)
            if abs(drifted.total_seconds()) > STANDSTILL_S:
                log.warning("the clock jumped", extra={"seconds": round(drifted.total_seconds())})
                began, counted = self.app.clock(), time.monotonic()
                _guarded(lambda: self.app.take_stock(self.app.store, because=MissedBecause.STANDSTILL), "slots that passed were not accounted for")
                self._reads.serve_due()

    def _deliver(self) -> None:
        _guarded(self.app.deliver, "what is owed was not delivered")

    def _attest(self) -> None:
        """Make the checkpoint that is owed, and have dated what is not. Trouble is logged, and what failed is tried again within the hour."""
        if time.monotonic() < self._attest_after:
            return

        def attest() -> None:
            self._attest_after = time.monotonic() + ATTEST_AGAIN_S
            made, dated = evidence.serve_due(self.app)
            if made is not None:
                log.info("checkpoint made", extra={"checkpoint": made})
            for number, trouble in dated.items():
                if trouble:
                    log.error("a checkpoint could not be dated", extra={"checkpoint": number, "trouble": trouble})
            if not any(dated.values()):
                self._attest_after = 0.0

        _guarded(attest, "the checkpoint failed")

    def _retain(self) -> None:
        """Remove what is too old, in small steps: who records a read waits for one of them at most."""

        def remove() -> None:
            removed = self.app.retain(go_on=lambda: not self._ending.wait(BREATH_S))
            if removed is None:
                return
            told = {**{name: count for name, count in removed.pruned.removed.items() if count}, "reports": len(removed.reports)}
            log.info("what was too old was removed", extra=told)
            for what, why in removed.troubles.items():
                log.error("not all that is too old could be removed", extra={"what": what, "why": why})

        _guarded(remove, "what is too old was not removed")

    def _watched(self) -> Watched:
        return self.app.watched(self.trouble, self._lock)

    def _report(self) -> None:
        def write() -> None:
            path = self.app.issue_report()
            log.info("report written", extra={"path": str(path)})

        _guarded(write, "report failed")

    def _report_late(self) -> None:
        """Write the report that was to be written, and mailed, while no daemon was at work, or when one was killed over it."""

        def write() -> None:
            if self.app.report_slot_owed() is not None:
                self._report()

        _guarded(write, "whether a report is owed cannot be told")


def _reads_of(app: App) -> SlotTrigger:
    """The times at which some target owes a read.

    Raises:
        ConfigError: No target has a schedule.
    """
    scheduled = [(target.schedule, offset_of(target.name, spread_s=app.config.spread_s)) for target in app.config.targets if target.schedule]
    if not scheduled:
        raise ConfigError(f"{app.config.file}: no target has a schedule", hint="give `schedule: {every: 15m}` under `defaults` or to a target")
    return SlotTrigger(*scheduled)


def _guarded(act: Callable[[], object], failure: str) -> None:
    try:
        act()
    except Exception:  # an edge: what fails once must not end the daemon
        log.exception(failure)


def _on_signal(stop: Callable[[], None], *, reload: Callable[[], None]) -> None:
    acts = {"SIGTERM": stop, "SIGINT": stop, "SIGBREAK": stop, "SIGHUP": reload}

    def handle(number: int, _frame: FrameType | None) -> None:
        acts[signal.Signals(number).name]()

    if threading.current_thread() is threading.main_thread():
        for name in acts:
            if hasattr(signal, name):  # Windows has no SIGHUP, and no other system SIGBREAK
                signal.signal(getattr(signal, name), handle)
