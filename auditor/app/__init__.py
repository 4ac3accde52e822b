"""Wires the parts together: from a configuration to what audits, records and reports. The only reader of clock and environment."""

import hashlib
import logging
import os
import platform
import random
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from auditor import __version__, baselinefile, config, waiverfile
from auditor.app.judging import load_judge
from auditor.app.places import now
from auditor.app.secrets import fingerprint_key, os_account, read_secret
from auditor.audit import Auditor, Judge, planned, text_of
from auditor.core.baseline import baseline, stay_revoked
from auditor.core.coverage import MissedBecause
from auditor.core.derived import with_derived
from auditor.core.evaluate import judge
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import (
    MAX_ATTACHED_BYTES,
    Approval,
    Attachment,
    DeliveryState,
    Digest,
    Fact,
    Inspection,
    MailChannel,
    Notice,
    NoticeKind,
    PolicyText,
    Receipt,
    ReportMail,
    Revocation,
    SecretRef,
    Severity,
    State,
    Target,
    TargetText,
)
from auditor.core.notices import Alerting, of_coverage, of_waivers
from auditor.core.period import Period, parse_period
from auditor.core.relay import relay_warning, uses_audited_relay
from auditor.core.slots import newest_slot
from auditor.core.waiver import in_scope, review
from auditor.errors import ConfigError, StoreError, UsageError, did_you_mean

if TYPE_CHECKING:
    import httpx

    from auditor.alerts import Paid
    from auditor.command.client import Reader
    from auditor.health import Watched
    from auditor.instance import Held
    from auditor.notify import Channel, Means
    from auditor.publish import Commission
    from auditor.report.edition import Edition
    from auditor.report.view import View
    from auditor.retention import Removed
    from auditor.store.store import Store

log = logging.getLogger("auditor.app")

REPORT = "report/"
"""What the names begin with under which reports are owed."""


@dataclass
class App:
    """The running parts of one configuration; what is costly is made when first used. Close it when done."""

    config: config.Config
    clock: Callable[[], datetime] = now
    secret: Callable[[SecretRef], str] = read_secret
    transport: "Callable[[Target], httpx.BaseTransport] | None" = None
    framework: str | None = None
    _store: "Store | None" = field(default=None, init=False, repr=False)
    _covered: date | None = field(default=None, init=False, repr=False)
    """The Monday of the newest week of which the coverage was looked at."""
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @cached_property
    def judge(self) -> Judge:
        """Policies, loaded and checked whole against the configuration."""
        return load_judge(self.config, framework=self.framework)

    def watched(self, trouble: str = "", lock: "Held | None" = None) -> "Watched":
        """What tells the health of this installation; `trouble` is what is wrong with the configuration's file, `lock` the daemon's."""
        from auditor.health import Watched

        today = self.clock().date()
        names = tuple(target.name for target in self.config.targets if not target.is_retired(today))
        return Watched(store=self.store, targets=names, waivers=self.waiver_file.waivers, trouble=trouble, lock=lock)

    def successor(self) -> "App":
        """An app of the configuration as its file says it now, checked whole; nothing is on record of it before `take_over`.

        Raises:
            ConfigError, PolicyError, ...: Something in it is wrong, or it names another database.
        """
        new = App(config.load(self.config.file), clock=self.clock, secret=self.secret, transport=self.transport, framework=self.framework)
        if new.config.database != self.config.database:
            raise ConfigError(f"{new.config.file}: another database is named", hint="that takes a restart")
        new.require_sound()
        return new

    def take_over(self, predecessor: "App") -> None:
        """Go on with the open database of `predecessor`, which may still be in use; what it has on record holds again if ours cannot be put there.

        Raises:
            StoreError, ...: It cannot be put there.
        """
        store = predecessor.store
        try:
            self.take_stock(store, because=MissedBecause.BUSY)
        except Exception:
            predecessor.take_stock(store, because=MissedBecause.BUSY)
            raise
        self._store = store

    def require_sound(self) -> None:
        """Meet all that can be refused: policies, waivers, approvals, channels, the key. Nothing is put on record; a key that is not there is made.

        Raises:
            ConfigError, PolicyError, SecretError, ...: Something is wrong.
        """
        _ = self.judge, self.waiver_file, self.channels
        fingerprint_key(self.config.fingerprint_key)
        if self.config.baselines is not None:
            baselinefile.load_folder(self.config.baselines, targets=[target.name for target in self.config.targets], at=self.clock())

    def judge_by(self, draft: Path | None) -> Judge:
        """Another judge, for whom the policies of `draft`, a file or a folder, stand in the place of those of their names.

        Raises:
            PolicyError: One of them is wrong, or does not go with the configuration.
        """
        return load_judge(self.config, draft=draft)

    @cached_property
    def waiver_file(self) -> waiverfile.WaiverFile:
        """The waivers, checked against policies and targets; without a file of them there are none."""
        path, book = self.config.waivers, self.judge.book
        if path is None:
            return waiverfile.WaiverFile(path=self.config.file.with_name(config.WAIVERS_NAME))
        rules = {rule.id for name in book.names() for rule in book.policy(name).rules}
        return waiverfile.load(path, rules=rules, targets=[target.name for target in self.config.targets], at=self.clock())

    @property
    def store(self) -> "Store":
        """The database, brought up to now: what configuration, waivers and approvals say is on record, and so are slots that nobody served."""
        with self._lock:
            if self._store is None:
                from auditor.store.store import Store

                self._store = Store.open(self.config.database_url, create=True)
                self.take_stock(self._store, because=MissedBecause.NOT_RUNNING)
        return self._store

    def take_stock(self, store: "Store", *, because: MissedBecause) -> None:
        """Bring `store` up to now; slots that passed without a read were missed for the reason `because`."""
        plan = [planned(target, spread_s=self.config.spread_s, late_after_s=self.config.late_after_s) for target in self.config.targets]
        store.take_stock(plan, self.clock(), because=because)
        store.welcome(self.alerting, self.clock())
        store.note_settings(configuration=config.recorded(self.config.source.value), waivers=self.waiver_file.waivers, at=self.clock())
        if self.config.baselines is not None:
            self._import_folder(store, self.config.baselines)

    def approve(self, approvals: Iterable[Approval], store: "Store | None" = None) -> tuple[Approval, ...]:
        """Record those of `approvals` that are new, with the account and the host that it is done from; returns them."""
        by = self._recorder()
        recorded = (replace(a, recorded_at=self.clock(), revoked=a.revoked and replace(a.revoked, **by), **by) for a in approvals)
        return (store or self.store).approve(recorded)

    def revoke(self, digest: str, *, by: str, reason: str) -> None:
        """Take back the approval with this digest."""
        self.store.revoke(digest, Revocation(by=by, reason=reason, at=self.clock(), **self._recorder()))

    def note(self, *, about: str, by: str, text: str) -> int:
        """Record what somebody notes, with the account and the host that it is done from; returns the number of the record."""
        return self.store.note(about=about, by=by, text=text, at=self.clock(), recorder=self._recorder())

    def _recorder(self) -> dict[str, Any]:
        return {"account": os_account(), "host": platform.node()}

    def _import_folder(self, store: "Store", folder: Path) -> None:
        """Record the approvals in `folder`. Those in force that it does not have stay in force: what was approved once is not forgotten silently."""
        at = self.clock()
        given = baselinefile.load_folder(folder, targets=[target.name for target in self.config.targets], at=at)
        self.approve(given, store)
        digests = {approval.digest for approval in given}
        for target in self.config.targets:
            recorded = store.approvals(target.name)
            if revoked := [a.field for a in stay_revoked(given, recorded)]:
                told = {"target": target.name, "fields": revoked, "folder": str(folder)}
                log.warning("revoked on record, and stay so; to approve a value again, say why in its reason or ticket", extra=told)
            strays = [a.field for a in baseline(recorded, at).values() if a.digest not in digests]
            if strays:
                told = {"target": target.name, "fields": strays, "folder": str(folder)}
                log.warning("approved values do not stand in the folder; `auditor baseline export` writes them", extra=told)

    @cached_property
    def auditor(self) -> Auditor:
        reader = self.reader(fingerprint_key(self.config.fingerprint_key))
        return Auditor(
            reader=reader,
            store=self.store,
            judge=self.judge,
            waivers=self.waiver_file.waivers,
            alerting=self.alerting,
            events=self.config.events,
        )

    @cached_property
    def alerting(self) -> Alerting:
        """To whom what is told, and when."""
        alerts = self.config.alerts
        return Alerting(routes=alerts.routes, quiet=alerts.quiet, remind_after=alerts.remind_after)

    @cached_property
    def channels(self) -> "Mapping[str, Channel]":
        """The configured channels, by name.

        Raises:
            ConfigError: One needs a package that is not installed.
        """
        from auditor.notify import open_channel

        return {channel.name: open_channel(channel, self._means) for channel in self.config.alerts.channels}

    @cached_property
    def _means(self) -> "Means":
        from auditor.exchange.connection import TlsContexts
        from auditor.notify import Means

        return Means(secret=self.secret, clock=self.clock, contexts=TlsContexts(), version=__version__)

    def deliver(self) -> "Paid":
        """Send channels what they are owed by now, what is to be said of waivers among it.

        Raises:
            StoreError: The outbox cannot be read or written.
        """
        from auditor.alerts import deliver_due

        at = self.clock()
        told = of_waivers([review(waiver, (), at=at) for waiver in self.waiver_file.waivers], at=at)
        self.store.owe([(notice, f"{notice.kind.value}/{notice.subject}") for notice in told], self.alerting)
        self._owe_coverage(at)
        links = {name: channel.report_link for name, channel in self.report_channels.items() if channel.report_link}
        attempts_of = self.config.alerts.attempts_of
        return deliver_due(self.store, self.channels, self.alerting, clock=self.clock, attempts_of=attempts_of, links=links)

    @property
    def report_channels(self) -> Mapping[str, MailChannel]:
        """The channels that ask for the report, by name."""
        mail = (channel for channel in self.config.alerts.channels if isinstance(channel, MailChannel))
        return {channel.name: channel for channel in mail if channel.report is not ReportMail.NONE}

    def report_slot_owed(self) -> datetime | None:
        """The newest slot of the report's schedule, if channels ask for the report and got none at or since that time; None where nothing is owed."""
        asking, slot = list(self.report_channels), newest_slot(self.config.report_schedule, self.clock())
        if not asking or slot is None:
            return None
        since, last = self.store.known_since(asking), self.store.newest_named(REPORT)
        is_owed = since is not None and since < slot and (last is None or last < slot)
        return slot if is_owed else None

    def mail_report(self, path: Path, edition: "Edition", *, slot: datetime | None = None) -> bool:
        """Owe the report `edition`, as it was written to `path`, to the channels that ask for it; `deliver` sends it. Whether it was not owed before.

        Subject and text say of the same period what the file says, with the same figures. It is owed once: for the `slot` of the schedule that it is
        written for, else once a day as long as it says the same.

        Raises:
            StoreError: It cannot be read again, or not be recorded.
        """
        from auditor import publish

        asking, at = self.report_channels, self.clock()
        try:
            content = path.read_bytes()
        except OSError as failure:
            raise StoreError(f"{path}: cannot be read: {failure.strerror}", hint="who may read the folder of reports?") from failure
        told = publish.summary_of(self.store, edition, named=path.name, content=content)
        notice = Notice(kind=NoticeKind.REPORT, at=at, severity=Severity.INFO, title=told.title, detail="\n".join(told.lines))
        travels = len(content) <= MAX_ATTACHED_BYTES and any(channel.report is ReportMail.ATTACHED for channel in asking.values())
        file = Attachment(name=path.name, media_type="text/html", content=content if travels else None)
        once = slot.isoformat() if slot else f"{at.date()}/{hashlib.sha256(content).hexdigest()}"
        return self.store.enclose(notice, file, list(asking), self.alerting, once=f"{REPORT}{once}")

    def issue_report(self) -> Path:
        """Write the report on schedule, and owe it to the channels that ask for it, unless they got one at or since the newest slot of its schedule.

        Raises:
            StoreError: It cannot be written, or not be recorded.
        """
        from auditor import publish

        slot = self.report_slot_owed()
        path, edition = publish.write_edition(self.store, self._commission((), None, "last-week", ""), self.config.report_folder)
        if slot is not None:
            self.mail_report(path, edition, slot=slot)
        return path

    def _owe_coverage(self, at: datetime) -> None:
        """Owe what is to be said of the coverage of the last week that is over; once a week and target, and looked at once a week and app."""
        below, week = self.config.alerts.coverage_below, parse_period("last-week", today=at.astimezone(UTC).date())
        if below is None or week.first == self._covered:
            return
        instant, name = timedelta(microseconds=1), f"{week.first:%G-W%V}"
        found = (
            (text_of(target), self.store.coverage(target.name, after=week.start - instant, until=week.end - instant))
            for target in self.config.targets
        )
        notices = of_coverage(((text, covered) for text, covered in found if covered is not None), week=name, below=below, at=at)
        self.store.owe([(notice, f"{notice.kind.value}/{notice.target}/{name}") for notice in notices], self.alerting)
        self._covered = week.first

    def retain(self, *, go_on: Callable[[], bool] = lambda: True) -> "Removed | None":
        """Remove what is older than `retention` keeps; None where it is not configured. `go_on` says whether there is time for more.

        Raises:
            StoreError: The database cannot be read, or not be written at all; or the folder of reports cannot be read.
        """
        from auditor import publish, retention

        keeping = self.config.retention
        if keeping is None:
            return None
        reason = f"retention: older than {keeping.keep_reads_s // 86400}d"
        removed = retention.remove(
            self.store, self.config.report_folder, keeping, at=self.clock(), reason=reason, recorder=self._recorder(), go_on=go_on
        )
        if removed.reports:
            publish.refresh_index(self.config.report_folder)
        return removed

    def try_channel(self, name: str) -> Receipt:
        """Send a test message through the channel `name`, past outbox and quiet hours.

        Raises:
            KeyError: No channel is called so.
            ConfigError: It needs a package that is not installed.
        """
        at, title = self.clock(), "a test message: this channel works"
        notice = Notice(kind=NoticeKind.TEST, at=at, severity=Severity.INFO, title=title)
        return self.channels[name].send(Digest(key=os.urandom(32).hex(), at=at, title=title, notices=(notice,), collector=platform.node()))

    def alert_warnings(self) -> tuple[str, ...]:
        """What is to be said of channels that depend on what is watched: mail through a relay that an audited profile names."""
        mail = [channel for channel in self.config.alerts.channels if isinstance(channel, MailChannel)]
        if not mail:
            return ()
        seen = filter(None, (self.store.last_observed(target.name) for target in self.config.targets))
        snapshots = [snapshot for _, snapshot in seen]
        return tuple(relay_warning(channel) for channel in mail if uses_audited_relay(channel, snapshots))

    def beat(self) -> None:
        """Call the heartbeat's address, where there is one: a sweep is complete. That it does not answer is logged, and costs nothing else."""
        if self.config.heartbeat is None:
            return
        from auditor.notify.heartbeat import beat

        receipt = beat(self.config.heartbeat, self._means)
        if receipt.state is not DeliveryState.DELIVERED:
            log.warning("the heartbeat was not taken", extra={"reason": receipt.reason})

    def reader(self, key: FingerprintKey) -> "Reader":
        """What reads servers, making fingerprints under `key`; it needs no database."""
        from auditor.command.client import Reader

        return Reader(
            secret=self.secret,
            fingerprint=key.of,
            clock=self.clock,
            sleep=time.sleep,
            jitter=random.random,
            collector_host=platform.node(),
            collector_version=__version__,
            transport=self.transport,
        )

    def select(self, names: Sequence[str], labels: Mapping[str, str]) -> tuple[Target, ...]:
        """The configured targets that are named (all that are not retired, where none is) and carry all of `labels`.

        Raises:
            UsageError: A name is not configured, or nothing is left.
        """
        known = {target.name: target for target in self.config.targets}
        for name in names:
            if name not in known:
                raise UsageError(f"no target is called {name!r}", hint=did_you_mean(name, known, else_say=f"configured: {', '.join(known)}"))
        today = self.clock().date()
        asked = [target for target in known.values() if (target.name in names if names else not target.is_retired(today))]
        chosen = [target for target in asked if labels.items() <= dict(target.labels).items()]
        if not chosen:
            raise UsageError("no target is selected", hint="`auditor targets list` shows names, labels, and which are retired")
        return tuple(chosen)

    def inspect(self) -> Inspection:
        """Judge the installation itself: whether the record holds no secret and is ours alone. What is news is put on record."""
        at, compiled = self.clock(), self.judge.installation(self.config.targets)
        suspects = self.store.suspects()
        facts = {"store.secret_like": Fact(State.VALUE, suspects), "store.files_too_open": self._files_too_open()}
        findings = judge(compiled, with_derived(facts, self.judge.tables), as_of=at.date())
        policy = PolicyText.from_document(compiled.policy.document())
        self.store.record_inspection(suspects, findings, policy=policy.digest, at=at)
        return Inspection(findings=findings, policy=policy)

    def _files_too_open(self) -> Fact:
        """Which of our files others may read, by name; what is written to other places by --output is its reader's own matter."""
        if os.name != "posix":
            return Fact(State.NOT_OFFERED, reason="this system keeps no such modes")
        key = self.config.fingerprint_key
        ours = [*self.config.database.parent.glob(f"{self.config.database.name}*"), *([Path(key.name)] if key.kind == "file" else [])]
        return Fact(State.VALUE, tuple(sorted({path.name for path in ours if path.is_file() and path.stat().st_mode & 0o077})))

    def view(self, targets: Sequence[Target]) -> "View":
        """Where `targets` stand by what is recorded, with the waivers that speak of them; of all targets, with those that speak of none, too."""
        from auditor import publish

        is_whole = len(targets) == len(self.config.targets)
        waivers = [
            waiver
            for waiver in self.waiver_file.waivers
            if is_whole or any(in_scope(waiver, target=target.name, labels=dict(target.labels)) for target in targets)
        ]
        return publish.view_of(self.store, [text_of(target) for target in targets], waivers, inspection=self.inspect())

    def write_report(
        self, names: Sequence[str] = (), labels: Mapping[str, str] | None = None, *, asked: str = "", folder: Path | None = None, stem: str = ""
    ) -> Path:
        """Write the HTML report on the period `asked` for (the seven days to today, where that is empty), and return its path.

        It is on the targets that are named (all that were watched in the period, where none is) and carry all of `labels`. Where its file is to have
        another name, `stem`, the list of reports does not have it.

        Raises:
            UsageError: A name is not configured, nothing is left, or `asked` names no period or one that has not begun.
            StoreError: It cannot be written.
        """
        from auditor import publish

        path, _ = publish.write_edition(self.store, self._commission(names, labels, asked, stem), folder or self.config.report_folder)
        return path

    def write_reports(
        self, names: Sequence[str], labels: Mapping[str, str], *, asked: str, folder: Path | None, forms: Sequence[str]
    ) -> "tuple[dict[str, Path], Edition | None]":
        """The same in each of `forms`; returns their paths, and what stands in the HTML report, if it is one of them.

        The others show where the targets stood when the period was over, or stand now.

        Raises:
            UsageError, StoreError: As for `write_report`.
        """
        from auditor import publish
        from auditor.report.formats import SUFFIXES

        commission, folder = self._commission(names, labels, asked, ""), folder or self.config.report_folder
        made = {form: self._rendered(commission, asked, form) for form in forms if form != "html"}
        paths = {form: folder / f"{commission.stem}.{SUFFIXES[form]}" for form in forms}
        edition = publish.write_edition(self.store, commission, folder)[1] if "html" in forms else None
        for form, content in made.items():
            publish.write(content, paths[form])
        return paths, edition

    def report_bytes(self, names: Sequence[str], labels: Mapping[str, str], *, asked: str, form: str) -> bytes:
        """The same in one format, for whoever wants no file.

        Raises:
            UsageError: As for `write_report`.
        """
        from auditor import publish

        commission = replace(self._commission(names, labels, asked, ""), index=False)
        return publish.page_on(self.store, commission) if form == "html" else self._rendered(commission, asked, form)

    def _rendered(self, commission: "Commission", asked: str, form: str) -> bytes:
        from auditor import publish
        from auditor.report.wording import by_clocks_of

        with by_clocks_of(commission.period.zone):
            return publish.render(self._view_of(commission, asked), form)

    def _view_of(self, commission: "Commission", asked: str) -> "View":
        from auditor import publish

        if asked and commission.period.end <= self.clock():
            return publish.view_on(self.store, commission)
        names = {target.name for target in commission.targets}
        return self.view([target for target in self.config.targets if target.name in names])

    def _commission(self, names: Sequence[str], labels: Mapping[str, str] | None, asked: str, stem: str) -> "Commission":
        from auditor import publish

        period, labels = self._period(asked), labels or {}
        chosen = [text_of(target) for target in self.select(names, {})] if names else self._watched_in(period)
        chosen = [target for target in chosen if labels.items() <= dict(target.labels).items()]
        if not chosen:
            raise UsageError("no target is selected", hint="`auditor targets list` shows names, labels, and which are retired")
        is_part = bool(names or labels)
        usual = f"smtp-report-{period.key}"
        marked = hashlib.sha256(" ".join(sorted(target.name for target in chosen)).encode()).hexdigest()[:8]
        return publish.Commission(
            targets=tuple(chosen),
            period=period,
            stem=stem or (f"{usual}-part-{marked}" if is_part else usual),
            due_days=self.config.due_days,
            inspection=self.inspect(),
            again=_again(period, names, labels),
            is_whole=not is_part,
            index=not (is_part or stem),
        )

    def _period(self, asked: str) -> Period:
        zone = self.config.report_timezone
        today = self.clock().astimezone(ZoneInfo(zone)).date()
        if not asked:
            return Period(name="the seven days to today", first=today - timedelta(days=6), last=today, zone=zone)
        try:
            period = parse_period(asked, today=today, zone=zone)
        except ValueError as wrong:
            raise UsageError(f"--period: {wrong}") from None
        if period.first > today:
            raise UsageError(f"--period: {asked} has not begun")
        return period

    def _watched_in(self, period: Period) -> list[TargetText]:
        """The targets that were watched at some moment of `period`: neither retired before it nor added after it, and those taken out since.

        Of a period in which nothing was configured yet, all that are now: it says that none of them was read.
        """
        configured = [text_of(target) for target in self.config.targets if not target.is_retired(period.first)]
        later, gone = self.store.population([target.name for target in self.config.targets], start=period.start, end=period.end)
        return [*(target for target in configured if target.name not in later), *gone] or configured

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


MAX_COMMAND = 400
"""Characters of a command that a report tells; of a longer one, with very many names, it would show a part."""


def _again(period: Period, names: Sequence[str], labels: Mapping[str, str]) -> str:
    """The command that makes a report on `period` again; empty where it is too long to be shown."""
    picked = [part for key, value in sorted(labels.items()) for part in ("--label", f"{key}={value}")]
    command = shlex.join(["auditor", "report", "--period", period.key.replace("_", ".."), *picked, *sorted(set(names))])
    return command if len(command) <= MAX_COMMAND else ""
