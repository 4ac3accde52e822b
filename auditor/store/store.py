"""Records what runs conclude, and gives it back as it was concluded.

Documents are kept once, under their SHA-256, and are checked against it each time they are read: what was damaged or edited is named, not used.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, func, select, update

from auditor.core.course import Course
from auditor.core.coverage import Coverage, MissedBecause, cover
from auditor.core.history import History, Stretch
from auditor.core.ledger import Kind
from auditor.core.model import (
    Approval,
    Assessment,
    Attachment,
    Attribution,
    DeliveryState,
    DriftEvent,
    Finding,
    Memory,
    Notice,
    PolicyText,
    ReadOutcome,
    Revocation,
    Shape,
    Snapshot,
    Standing,
    TargetText,
    Waiver,
)
from auditor.core.notices import Alerting
from auditor.errors import StoreError
from auditor.store import (
    approvals,
    calendar,
    care,
    checkpoints,
    condition,
    courses,
    events,
    history,
    inspection,
    ledger,
    notes,
    outbox,
    recording,
    schema,
    situation,
    sqlite,
    tables,
)
from auditor.store.calendar import Planned
from auditor.store.care import Pruned
from auditor.store.checkpoints import Checkpoint, Sealed
from auditor.store.condition import Condition, Stats
from auditor.store.history import Sighting
from auditor.store.known import Known
from auditor.store.ledger import Entry, Verified
from auditor.store.memories import Memories
from auditor.store.reading import Reading, last_seen, newest_of
from auditor.store.recording import Judgements
from auditor.store.run import Run
from auditor.store.tables import observations
from auditor.store.together import Together

_MICROSECOND = timedelta(microseconds=1)

GAP_LOOK_BACK = timedelta(days=40)
"""A gap is told from its begin, if that lies no longer than this before the period."""


class Store:
    """One database. Its methods may be called from several threads; each is one transaction.

    Every method raises StoreError where the file cannot be read or written, or holds what was not written by us.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        """Use the database at `path` through `engine`, with the newest schema in it; `open` is what makes sure of that."""
        self._path = path
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        # SQLite lets writers wait by sleeping longer and longer; threads of one process can queue
        self._writes = Lock()
        self._recorder: Connection | None = None
        self._judgements, self._known = Judgements(), Known()
        self._together: Together[Run, tuple[int, Assessment]] = Together(
            self._record, key=lambda run: run.target.name, is_everybodys=sqlite.is_of_the_file
        )

    @classmethod
    def open(cls, url: str, *, create: bool) -> "Store":
        """The store at `url` (`sqlite:////var/lib/auditor/auditor.db`), made first where there is none and `create` is true.

        Raises:
            UsageError: `url` names no SQLite file.
            SchemaError: The database is older or newer than this auditor, or not ours.
            StoreError: There is none and `create` is false, or it cannot be opened or made.
        """
        path = sqlite.file_of(url)
        found = schema.status(url)
        if found.state is schema.SchemaState.MISSING:
            if not create:
                raise StoreError(f"{path}: there is no database", hint="`auditor check` makes it; does the configuration name the right file?")
            schema.upgrade(url)
        schema.require_current(path, found)
        return cls(path, sqlite.engine(path))

    def close(self) -> None:
        with self._writes:  # what another thread is writing is written to its end
            if self._recorder is not None:
                self._recorder.close()
                self._recorder = None
                self._known.forget()
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def memory(self, target: str) -> Memory:
        """What is remembered of `target`; an empty Memory for one that was never read."""
        return self._remembered([target]).get(target, Memory())

    def memories(self, targets: Sequence[str]) -> Memories:
        """The same of several targets, whose reads begin one after the other from now on."""
        return Memories(targets, ask=self._remembered, writes=lambda: self._known.foreign_writes)

    def _remembered(self, targets: Sequence[str]) -> dict[str, Memory]:
        with self._reading() as connection:
            return recording.remembered(connection, targets)

    def last_observed(self, target: str) -> tuple[datetime, Snapshot] | None:
        """The newest observed state of `target` and when its read began; None where it was never seen."""
        with self._reading() as connection:
            row = last_seen(connection, target)
            return None if row is None else (row.started_at, Reading(connection, self._path).snapshot(row.snapshot_id))

    def last_observed_as(self, target: str, shape: Shape) -> tuple[datetime, Snapshot] | None:
        """The newest state of `target` that shows a profile in this shape, among its newest different ones."""
        with self._reading() as connection:
            return situation.seen_as(connection, self._path, target, shape)

    def drift_of(self, target: str, *, ended_since: datetime) -> tuple[tuple[DriftEvent, ...], tuple[DriftEvent, ...]]:
        """The open drift events of `target`, and those that ended after `ended_since`; the oldest first."""
        with self._reading() as connection:
            number = _target_id(connection, target)
            if number is None:
                return (), ()
            return events.open_of(connection, self._path, number), events.ended_since(connection, self._path, number, ended_since)

    def changed_at(self, target: str, subject: str) -> datetime | None:
        """When the field `subject` of `target` was last seen to change; None where it never was."""
        with self._reading() as connection:
            number = _target_id(connection, target)
            return None if number is None else events.changed_at(connection, self._path, number, subject)

    def open_slot(self, target: str, at: datetime) -> datetime | None:
        """The newest slot that `target` owes at `at`, unless it was served."""
        with self._reading() as connection:
            return calendar.open_slot(connection, self._path, target, at)

    def due(self, at: datetime) -> tuple[str, ...]:
        """The targets that owe a read at `at`, by the terms on record; those that were never read among them."""
        with self._reading() as connection:
            return calendar.due(connection, self._path, at)

    def take_stock(self, plan: Sequence[Planned], at: datetime, *, because: MissedBecause) -> None:
        """Bring the calendar of the configured targets up to `at`: names, terms, and slots that passed without a read.

        Raises:
            StoreError: A target is to take the history of another, and has one of its own.
        """
        with self._writing() as connection:
            calendar.take_stock(connection, self._path, plan, at, because)

    def note_settings(self, *, configuration: Mapping[str, str], waivers: Sequence[Waiver], at: datetime) -> None:
        """Put into the ledger what configuration and waivers say, where that is new. `configuration` has settings as text by their paths."""
        with self._writing() as connection:
            notes.note_configuration(connection, configuration, at)
            notes.note_waivers(connection, [waiver.document() for waiver in waivers], at)

    def coverage(self, target: str, *, after: datetime, until: datetime) -> Coverage | None:
        """What became of the slots of `target` in `(after, until]`, by the terms on record; None for a target that has none."""
        with self._reading() as connection:
            row = connection.execute(select(tables.targets).where(tables.targets.c.name == target)).one_or_none()
            if row is None:
                return None
            return cover(
                target,
                calendar.of_target(connection, self._path, row.id),
                calendar.served(connection, row.id, after - GAP_LOOK_BACK, until),
                after=after,
                until=until,
                settled_until=row.settled_until,
                why_missed=calendar.why_missed(connection, row.id),
                look_back=GAP_LOOK_BACK,
            )

    def findings(self, key: str, *, as_of: date) -> tuple[Finding, ...] | None:
        """The findings of the judgement stored under `key`, dated `as_of`; None where that was never judged."""
        query = select(tables.judgements.c.findings_id).where(tables.judgements.c.key == key)
        with self._reading() as connection:
            found = connection.execute(query).scalar()
            return None if found is None else Reading(connection, self._path).findings(found, as_of)

    def policy(self, digest: str) -> dict[str, Any]:
        """The canonical document of the policy with this digest, as it read when it judged.

        Raises:
            StoreError: No stored judgement used it.
        """
        with self._reading() as connection:
            found = connection.execute(select(tables.policies.c.id).where(tables.policies.c.digest == digest)).scalar()
            if found is None:
                raise StoreError(f"{self._path}: there is no policy {digest}")
            document: dict[str, Any] = Reading(connection, self._path).document(tables.policies, found)
            return document

    def record(
        self,
        assessment: Assessment,
        *,
        target: TargetText,
        policy_document: Mapping[str, Any],
        memory: Memory,
        alerting: Alerting | None = None,
        is_partial: bool = False,
    ) -> int:
        """Write one run's conclusions, all or nothing; returns the number of the observation, which rises with each.

        `is_partial`: it was judged by a part of the target's policy, so that it says nothing of the other rules.

        Raises:
            ValueError: The parts do not belong together, or a time has no zone.
            StoreError: Also where the judgement's key already stands for other findings.
        """
        run = Run(
            target=target,
            observation=assessment.observation,
            memory=memory,
            conclude=lambda _read, _past, _stored: assessment,
            policy=PolicyText.from_document(policy_document),
            policy_document=policy_document,
            alerting=alerting or Alerting(),
            is_partial=is_partial,
        )
        return self._together.do(run)[0]

    def conclude(self, run: Run) -> Assessment:
        """Judge one read by what is known of its target, and write what it comes to, all or nothing; with those of other threads that come meanwhile.

        Raises:
            ValueError: The parts do not belong together.
            StoreError: Also where the judgement's key already stands for other findings.
        """
        return self._together.do(run)[1]

    def _record(self, runs: Sequence[Run]) -> list[tuple[int, Assessment]]:
        """For one thread at a time, over a connection of its own: by that it is told whether others have written meanwhile."""
        with sqlite.store_errors(self._path), self._writes:
            if self._recorder is None:
                self._recorder = self._writer.connect()
            connection = self._recorder
            try:
                with connection.begin():
                    self._known.renew(connection)
                    return recording.record(connection, self._path, runs, self._judgements, self._known)
            except BaseException:
                self._known.forget()
                self._judgements = Judgements()
                self._recorder = None
                connection.close()
                raise

    def is_writable(self) -> bool:
        """Whether the database can be written now, to the disk: a full one shows, and so does a folder without permission."""
        try:
            with self._writing() as connection:
                first = select(func.min(tables.targets.c.id)).scalar_subquery()  # one row will do: it is asked for at each scrape
                connection.execute(update(tables.targets).where(tables.targets.c.id == first).values(name=tables.targets.c.name))
        except StoreError:
            return False
        return True

    def reads_by_outcome(self) -> tuple[tuple[str, ReadOutcome, int], ...]:
        """How many reads of each target are on record, by what they ended in."""
        counted = select(tables.targets.c.name, observations.c.outcome, func.count()).select_from(observations).join(tables.targets)
        with self._reading() as connection:
            return tuple((row[0], row[1], row[2]) for row in connection.execute(counted.group_by(tables.targets.c.name, observations.c.outcome)))

    def welcome(self, alerting: Alerting, at: datetime) -> None:
        """Owe channels that are new the state of every target as it is known: who fails already was announced to others only."""
        with self._writing() as connection:
            outbox.welcome(connection, self._path, alerting, at)

    def owe(self, notices: Sequence[tuple[Notice, str]], alerting: Alerting) -> None:
        """Owe notices to the channels that take them, each once for ever, by the name given with it."""
        if not notices:
            return
        with self._writing() as connection:
            for notice, once in notices:
                outbox.owe(connection, [notice], alerting, once=once)

    def enclose(self, notice: Notice, file: Attachment, channels: Sequence[str], alerting: Alerting, *, once: str) -> bool:
        """Owe `notice` with `file` to `channels`, as a message of its own, once for ever by that name; whether it was not owed before."""
        with self._writing() as connection:
            return outbox.enclose(connection, notice, file, channels, alerting, once=once)

    def newest_named(self, prefix: str) -> datetime | None:
        """When the newest notice that is owed once by a name with this prefix was owed; None where there is none."""
        with self._reading() as connection:
            return outbox.newest_named(connection, prefix)

    def known_since(self, channels: Sequence[str]) -> datetime | None:
        """Since when the first of these channels is known; None where none is."""
        with self._reading() as connection:
            return outbox.known_since(connection, channels)

    def claim(self, channel: str, *, at: datetime, lease: timedelta) -> outbox.Batch | None:
        """What `channel` is owed by `at`, as one message, for whoever sends it within `lease`; None where there is nothing."""
        with self._writing() as connection:
            return outbox.claim(connection, self._path, channel, at, lease)

    def settle(self, batch: outbox.Batch, state: DeliveryState, *, next_at: datetime, reason: str = "") -> None:
        """Write what became of a message that was claimed."""
        with self._writing() as connection:
            outbox.settle(connection, batch, state, next_at, reason)

    def deliveries(self) -> tuple[outbox.Owed, ...]:
        """What is owed and not delivered: pending, being sent, or parked; the oldest first."""
        with self._reading() as connection:
            return outbox.owed(connection, self._path)

    def unpark(self, channel: str | None, at: datetime) -> int:
        """Let parked messages be tried again, of one channel or of all; returns how many notices they hold."""
        with self._writing() as connection:
            return outbox.unpark(connection, channel, at)

    def latest(self, target: str) -> Assessment | None:
        """What the last recorded run concluded about `target`; None where it was never read."""
        with self._reading() as connection:
            row = connection.execute(newest_of(target)).one_or_none()
            return None if row is None else Reading(connection, self._path).assessment(target, row)

    def standings(self, names: Sequence[str] | None = None) -> list[Standing]:
        """Where each target stands, in the order of `names` or, without, all in the order of their names; all as of one moment.

        A target that was never read is left out: there is nothing that the store knows of it.
        """
        known = select(tables.targets.c.name, tables.targets.c.document).order_by(tables.targets.c.name)
        with self._reading() as connection:
            texts = {row.name: row.document for row in connection.execute(known)}
            found = (Reading(connection, self._path).standing(name, texts[name]) for name in (texts if names is None else names) if name in texts)
            return [standing for standing in found if standing is not None]

    def approvals(self, target: str) -> tuple[Approval, ...]:
        """Every approval ever recorded for `target`, in order of recording; it need not be a target that was read."""
        with self._reading() as connection:
            return approvals.of_target(connection, self._path, target)

    def approve(self, given: Iterable[Approval]) -> tuple[Approval, ...]:
        """Record those that are not on record yet, all or none; returns them. One that was revoked stays revoked.

        An approval that is given as revoked is recorded so, and revokes the one that is on record.

        Raises:
            ValueError: `recorded_at` is missing.
        """
        with self._writing() as connection:
            return approvals.record(connection, given)

    def revoke(self, digest: str, revocation: Revocation) -> None:
        """Take back the approval with this digest.

        Raises:
            StoreError: There is none, or it was revoked before.
        """
        with self._writing() as connection:
            approvals.revoke(connection, self._path, digest, revocation)

    def note(self, *, about: str, by: str, text: str, at: datetime, recorder: Mapping[str, str]) -> int:
        """Put into the ledger what somebody noted, with the account and host that it is done from; returns the number of the record."""
        with self._writing() as connection:
            return notes.add(connection, about, by, text, at, recorder)

    def notes(self, about: Sequence[str] | None = None) -> tuple[dict[str, Any], ...]:
        """The notes on record, the oldest first; only those about one of `about`, if it is given."""
        found = self.entries(kind=Kind.NOTE)
        return tuple(e.body for e in found if e.body is not None and (about is None or e.body["about"] in about))

    def suspects(self) -> tuple[str, ...]:
        """The stored documents that look as if they held a secret, as table and number."""
        with self._reading() as connection:
            return inspection.suspects(connection)

    def record_inspection(self, found: tuple[str, ...], findings: tuple[Finding, ...], *, policy: str, at: datetime) -> None:
        """Put into the ledger what the rules about the installation came to, where that is news."""
        with self._writing() as connection:
            inspection.record(connection, found, findings, policy, at)

    def entries(self, *, after: int = 0, newest: int | None = None, oldest: int | None = None, kind: Kind | None = None) -> tuple[Entry, ...]:
        """Records of the ledger in order: those behind number `after`, of one `kind` if it is given, of them the `newest` or `oldest` so many."""
        with self._reading() as connection:
            return tuple(islice(ledger.entries(connection, after=after, newest=newest, kind=kind), oldest))

    def head(self) -> tuple[int, bytes]:
        """Number and link of the ledger's last record: who knows them elsewhere can tell whether the ledger was rewritten."""
        with self._reading() as connection:
            return ledger.head(connection)

    def seal(self, sealed: Sealed, *, at: datetime, recorder: Mapping[str, str]) -> int:
        """Record a head that was signed; returns the number of the record, by which the checkpoint is known.

        Raises:
            StoreError: Also where the ledger has no such head.
        """
        with self._writing() as connection:
            return checkpoints.add(connection, self._path, sealed, at, recorder)

    def stamp(self, checkpoint: int, reply: bytes, time: datetime, *, by: str, at: datetime, recorder: Mapping[str, str]) -> int:
        """Record a time stamp of a checkpoint's signature, given by the authority on the host `by`; returns the number of the record."""
        with self._writing() as connection:
            return checkpoints.add_stamp(connection, checkpoint, reply, time, by=by, at=at, recorder=recorder)

    def stamp_failed(self, checkpoint: int, trouble: str, *, by: str, at: datetime, recorder: Mapping[str, str]) -> int:
        """Record that a checkpoint could not be dated, and why; returns the number of the record."""
        with self._writing() as connection:
            return checkpoints.add_trouble(connection, checkpoint, trouble, by=by, at=at, recorder=recorder)

    def newest_checkpoint(self) -> tuple[datetime | None, bool]:
        """When the newest signed checkpoint was made, None where there is none; and whether all are dated."""
        with self._reading() as connection:
            return checkpoints.newest(connection)

    def checkpoints(self) -> list[Checkpoint]:
        """The signed checkpoints on record, the oldest first.

        Raises:
            StoreError: Also where one is not as it was recorded.
        """
        with self._reading() as connection:
            return checkpoints.all_of(connection, self._path)

    def verify(self) -> Verified:
        """Compute the ledger again from its bodies, with every document that they refer to by its digest."""
        with self._reading() as connection:
            return ledger.verify(connection, self._path)

    def events(self, target: str, *, newest: int = 100) -> tuple[DriftEvent, ...]:
        """The `newest` so many drift events of `target`, the newest first."""
        with self._reading() as connection:
            number = _target_id(connection, target)
            return () if number is None else events.of_target(connection, self._path, number, newest=newest)

    def attribute(self, event: int, attribution: Attribution, *, at: datetime) -> None:
        """Record what is known of who caused the drift event of this number; what was recorded before gives way, and stays in the ledger."""
        with self._writing() as connection:
            events.attribute(connection, event, attribution, at)

    def history(self, target: str) -> History:
        """All that is recorded of `target` over time."""
        with self._reading() as connection:
            return history.of_target(connection, self._path, target)

    def stretches(self, target: str, *, by: datetime | None = None) -> tuple[Stretch, ...]:
        """The states of `target` in the order of recording; those up to the good read recorded last that began no later than `by`, if it is given."""
        with self._reading() as connection:
            return history.stretches(connection, target, by)

    def snapshot(self, digest: str) -> Snapshot:
        """The snapshot with this digest, of whichever target."""
        with self._reading() as connection:
            return history.snapshot(connection, self._path, digest)

    def snapshots_like(self, prefix: str) -> tuple[Sighting, ...]:
        """The snapshots whose digests begin with `prefix`, in hexadecimal, each with its last sighting."""
        with self._reading() as connection:
            return history.like(connection, prefix)

    def standing_at(self, target: str, at: datetime) -> Standing | None:
        """Where `target` stood by the last read at or before `at`, as it was recorded; None where it was not read by then."""
        with self._reading() as connection:
            return history.standing_at(connection, self._path, target, at)

    def courses(self, names: Sequence[str], *, start: datetime, end: datetime) -> Iterator[Course]:
        """What is recorded of each target called so for the period `[start, end)`, in this order, one at a time and all as of one moment.

        One that is not on record is left out.
        """
        with self._reading() as connection:
            yield from courses.of_targets(connection, self._path, names, start=start, end=end)

    def head_before(self, end: datetime) -> tuple[int, bytes]:
        """Number and link of the last record of the ledger that was made before `end`."""
        with self._reading() as connection:
            return courses.head_before(connection, end)

    def records_of(self, *kinds: Kind, before: datetime) -> list[dict[str, Any]]:
        """The bodies of the records of these kinds, none of which is a read, made before `before`; the oldest first."""
        with self._reading() as connection:
            return courses.records_of(connection, kinds, before=before)

    def newest_known(self) -> datetime | None:
        """The last instant of which anything is on record."""
        with self._reading() as connection:
            return courses.newest_known(connection)

    def population(self, configured: Collection[str], *, start: datetime, end: datetime) -> tuple[set[str], list[TargetText]]:
        """Of `configured` targets those that came to be known only after `[start, end)`; and those watched in it that are configured no more."""
        with self._reading() as connection:
            return courses.population(connection, self._path, configured, start=start, end=end)

    def names_by_number(self) -> dict[int, str]:
        """What the ledger calls targets by, and their names."""
        with self._reading() as connection:
            return courses.names_by_number(connection)

    def policy_documents(self, digests: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The policies with these digests, as they read when they judged; one that is not on record is left out."""
        with self._reading() as connection:
            return courses.policy_documents(connection, self._path, digests)

    def backup(self, path: Path) -> tuple[int, bytes]:
        """Write the database as it is now to a new file at `path`, whole or not at all; runs go on meanwhile. Returns the ledger's head in the copy.

        Raises:
            StoreError: There is a file already, or it cannot be written.
        """
        sqlite.copy(self._engine, path)
        with sqlite.opened(path) as copy, sqlite.store_errors(path), copy.begin() as connection:
            return ledger.head(connection)

    def prunable(self, *, before: datetime, delivered_before: datetime | None = None) -> Pruned:
        """What `prune` would remove now."""
        with self._reading() as connection:
            return care.foresee(connection, self._path, before, delivered_before)

    def prune(
        self,
        *,
        before: datetime,
        at: datetime,
        reason: str,
        recorder: Mapping[str, str],
        delivered_before: datetime | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> Pruned:
        """Remove reads that began before `before` and that nothing needs, in small transactions, each with its record; and delivered notices."""
        return care.prune(
            self._writer, self._path, before=before, at=at, reason=reason, recorder=recorder, delivered_before=delivered_before, go_on=go_on
        )

    def stats(self, at: datetime) -> Stats:
        """How large the database is, how it grew in the 30 days up to `at`, and what that comes to in a year."""
        with self._reading() as connection:
            return condition.stats(connection, self._path, at)

    def check(self, beside: Sequence[Path] = ()) -> Condition:
        """Look for whatever does not hold in the database; `beside` are further files that their owner alone may read."""
        # rolled back: SQLite refuses to commit, even a reading, where it met a damaged page
        with sqlite.store_errors(self._path), self._engine.connect() as connection:
            return condition.examine(connection, self._path, beside)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with sqlite.store_errors(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with sqlite.store_errors(self._path), self._writes, self._writer.begin() as connection:
            yield connection


def _target_id(connection: Connection, target: str) -> int | None:
    return connection.execute(select(tables.targets.c.id).where(tables.targets.c.name == target)).scalar()
