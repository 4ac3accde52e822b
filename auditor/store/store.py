"""Records what runs conclude, and gives it back as it was concluded.

Documents are kept once, under their SHA-256, and are checked against it each time they are read: what was damaged or edited is named, not used.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, Table, func, insert, select, update

from auditor.core.canonical import canonical, digest
from auditor.core.coverage import Coverage, MissedBecause, cover
from auditor.core.ledger import Kind
from auditor.core.model import (
    MAX_MOVED,
    Approval,
    Assessment,
    Collection,
    DriftEvent,
    FieldChange,
    Finding,
    Judgement,
    Memory,
    Moved,
    Observation,
    PolicyText,
    Revocation,
    Shape,
    Snapshot,
    Standing,
    TargetText,
    Waiver,
)
from auditor.errors import StoreError
from auditor.store import approvals, calendar, events, ledger, notes, schema, sqlite, tables
from auditor.store.calendar import Planned
from auditor.store.documents import checked, inserted, interned, rebuilt
from auditor.store.tables import observations

_Value = TypeVar("_Value")
_MICROSECOND = timedelta(microseconds=1)

MAX_SHAPES_SOUGHT = 50
"""So many different states of one target are looked through for one in another API shape."""

CONTEXT_FIELDS = (
    "method",
    "url",
    "api_version",
    "product_version",
    "supported_versions",
    "remote_address",
    "tls_leaf_sha256",
    "tls_version",
    "tls_verified",
    "account",
    "auth_method",
    "collector_host",
    "collector_version",
)
"""Fields of a Collection that repeat from read to read: kept once."""

READ_FIELDS = ("status", "clock_offset_ms", "correlation_id", "attempts", "body_bytes")
"""Fields of a Collection that each read has of its own: columns of its row. `server_date` is the one left, kept as a distance."""


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
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def memory(self, target: str) -> Memory:
        """What is remembered of `target`; an empty Memory for one that was never read."""
        with self._reading() as connection:
            return _memory(connection, target) or Memory()

    def last_observed(self, target: str) -> tuple[datetime, Snapshot] | None:
        """The newest observed state of `target` and when its read began; None where it was never seen."""
        with self._reading() as connection:
            row = _last_seen(connection, target)
            return None if row is None else (row.started_at, self._snapshot(connection, row.snapshot_id))

    def last_observed_as(self, target: str, shape: Shape) -> tuple[datetime, Snapshot] | None:
        """The newest state of `target` that shows a profile in this shape, among its `MAX_SHAPES_SOUGHT` newest different ones."""
        newest = func.max(observations.c.id)
        mine = select(observations.c.snapshot_id, func.max(observations.c.started_at).label("at")).join(tables.targets)
        query = mine.where(tables.targets.c.name == target, observations.c.snapshot_id.is_not(None)).group_by(observations.c.snapshot_id)
        with self._reading() as connection:
            for row in connection.execute(query.order_by(newest.desc()).limit(MAX_SHAPES_SOUGHT)).all():
                snapshot = self._snapshot(connection, row.snapshot_id)
                if snapshot.configured and snapshot.shape is shape:
                    return row.at, snapshot
        return None

    def drift_of(self, target: str, *, ended_since: datetime) -> tuple[tuple[DriftEvent, ...], tuple[DriftEvent, ...]]:
        """The open drift events of `target`, and those that ended after `ended_since`; the oldest first."""
        with self._reading() as connection:
            number = _target_id(connection, target)
            if number is None:
                return (), ()
            return events.open_of(connection, self._path, number), events.ended_since(connection, self._path, number, ended_since)

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
                calendar.served(connection, row.id, after, until),
                after=after,
                until=until,
                settled_until=row.settled_until,
                why_missed=calendar.why_missed(connection, row.id),
            )

    def findings(self, key: str, *, as_of: date) -> tuple[Finding, ...] | None:
        """The findings of the judgement stored under `key`, dated `as_of`; None where that was never judged."""
        query = select(tables.judgements.c.findings_id).where(tables.judgements.c.key == key)
        with self._reading() as connection:
            found = connection.execute(query).scalar()
            return None if found is None else self._findings(connection, found, as_of)

    def policy(self, digest: str) -> dict[str, Any]:
        """The canonical document of the policy with this digest, as it read when it judged.

        Raises:
            StoreError: No stored judgement used it.
        """
        with self._reading() as connection:
            found = connection.execute(select(tables.policies.c.id).where(tables.policies.c.digest == digest)).scalar()
            if found is None:
                raise StoreError(f"{self._path}: there is no policy {digest}")
            document: dict[str, Any] = self._document(connection, tables.policies, found)
            return document

    def record(self, assessment: Assessment, *, target: TargetText, policy_document: Mapping[str, Any], memory: Memory) -> int:
        """Write one run's conclusions, all or nothing; returns the number of the observation, which rises with each.

        Raises:
            ValueError: The parts do not belong together, or a time has no zone.
            StoreError: Also where the judgement's key already stands for other findings.
        """
        read = assessment.observation
        if target.name != read.target or digest(policy_document) != assessment.judgement.policy_digest:
            raise ValueError("this target and policy are not those of the assessment")
        with self._writing() as connection:
            target_id = _record_target(connection, target)
            _record_memory(connection, target_id, memory, known=_memory(connection, target.name))
            remark = {"message": read.message, "hint": read.hint}
            slot = read.slot if read.slot and calendar.serve(connection, self._path, target_id, read.slot, read.started_at) else None
            collection = read.collection
            row = {
                "target_id": target_id,
                "slot": slot,
                "started_at": read.started_at,
                "took_us": (read.ended_at - read.started_at) // _MICROSECOND,
                "server_date_after_us": (collection.server_date - read.started_at) // _MICROSECOND if collection.server_date else None,
                "outcome": read.outcome,
                "verdict": assessment.verdict,
                **{name: getattr(collection, name) for name in READ_FIELDS},
                "previous_id": _previous(connection, target_id, assessment.previous_digest),
                "snapshot_id": interned(connection, tables.snapshots, read.snapshot.document()) if read.snapshot else None,
                "judgement_id": self._record_judgement(connection, assessment.judgement, policy_document),
                "context_id": interned(connection, tables.contexts, {name: getattr(collection, name) for name in CONTEXT_FIELDS}),
                "remark_id": interned(connection, tables.remarks, remark) if any(remark.values()) else None,
                "changes_id": interned(connection, tables.changes, [change.document() for change in assessment.changes])
                if assessment.changes
                else None,
                "waivers_id": interned(connection, tables.waivers, [waiver.document() for waiver in assessment.waivers])
                if assessment.waivers
                else None,
            }
            before = connection.execute(_policy_before(target_id)).one_or_none()
            number = inserted(connection, observations, row)
            ledger.append_read(connection, number)
            if before is None or before.digest != assessment.judgement.policy_digest:
                _note_policy(connection, target_id, policy_document, assessment, before.digest if before is not None else None)
            events.record(connection, target_id, number, assessment.drift, read.started_at)
            return number

    def latest(self, target: str) -> Assessment | None:
        """What the last recorded run concluded about `target`; None where it was never read."""
        with self._reading() as connection:
            row = connection.execute(_newest_of(target)).one_or_none()
            return None if row is None else self._assessment(connection, target, row)

    def standings(self, names: Sequence[str] | None = None) -> list[Standing]:
        """Where each target stands, in the order of `names` or, without, all in the order of their names; all as of one moment.

        A target that was never read is left out: there is nothing that the store knows of it.
        """
        known = select(tables.targets.c.name, tables.targets.c.document).order_by(tables.targets.c.name)
        with self._reading() as connection:
            texts = {row.name: row.document for row in connection.execute(known)}
            found = (self._standing(connection, name, texts[name]) for name in (texts if names is None else names) if name in texts)
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

    def backup(self, path: Path) -> None:
        """Write the database as it is now to a new file at `path`, whole or not at all; runs go on meanwhile.

        Raises:
            StoreError: There is a file already, or it cannot be written.
        """
        sqlite.copy(self._engine, path)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with sqlite.store_errors(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with sqlite.store_errors(self._path), self._writes, self._writer.begin() as connection:
            yield connection

    # --- writing ---

    def _record_judgement(self, connection: Connection, judgement: Judgement, policy_document: Mapping[str, Any]) -> int:
        table = tables.judgements
        findings_id = interned(connection, tables.findings, [finding.document() for finding in judgement.findings])
        known = connection.execute(select(table.c.id, table.c.findings_id).where(table.c.key == judgement.key)).one_or_none()
        if known is None:
            policy_id = interned(connection, tables.policies, policy_document)
            return inserted(connection, table, {"key": judgement.key, "policy_id": policy_id, "findings_id": findings_id})
        if known.findings_id != findings_id:
            raise StoreError(
                f"{self._path}: the judgement {judgement.key} was stored with other findings",
                hint="one key means one judgement: this is a fault of the auditor, please report it",
            )
        return int(known.id)

    # --- reading ---

    def _standing(self, connection: Connection, name: str, document: str) -> Standing | None:
        newest = connection.execute(_newest_of(name)).one_or_none()
        if newest is None:
            return None
        assessment = self._assessment(connection, name, newest)
        seen = newest if newest.snapshot_id is not None else _last_seen(connection, name)
        policy_id = select(tables.judgements.c.policy_id).where(tables.judgements.c.id == newest.judgement_id)
        policy = self._document(connection, tables.policies, connection.execute(policy_id).scalar_one())
        return Standing(
            target=self._rebuilt(f"target {name}", _target_text, document),
            assessment=assessment,
            policy=self._rebuilt("policy", PolicyText.from_document, policy),
            last_seen=seen.started_at if seen is not None else None,
            last_snapshot=self._snapshot(connection, seen.snapshot_id) if seen is not None else None,
            moved=self._moved(connection, newest.target_id),
            approvals=approvals.of_target(connection, self._path, name),
        )

    def _moved(self, connection: Connection, target_id: int) -> tuple[Moved, ...]:
        before = observations.alias("before")
        query = (
            select(observations.c.changes_id, observations.c.started_at, before.c.started_at.label("not_before"))
            .outerjoin(before, before.c.id == observations.c.previous_id)
            .where(observations.c.target_id == target_id, observations.c.changes_id.is_not(None))
            .order_by(observations.c.id.desc())
            .limit(MAX_MOVED)
        )
        return tuple(
            Moved(not_before=row.not_before, not_after=row.started_at, changes=self._changes(connection, row.changes_id))
            for row in connection.execute(query).all()
        )

    def _changes(self, connection: Connection, id_: int | None) -> tuple[FieldChange, ...]:
        documents = self._document(connection, tables.changes, id_) if id_ is not None else []
        return tuple(self._rebuilt("changes", FieldChange.from_document, document) for document in documents)

    def _waivers(self, connection: Connection, id_: int | None) -> tuple[Waiver, ...]:
        documents = self._document(connection, tables.waivers, id_) if id_ is not None else []
        return tuple(self._rebuilt("waivers", Waiver.from_document, document) for document in documents)

    def _assessment(self, connection: Connection, target: str, row: Row[Any]) -> Assessment:
        judged = connection.execute(
            select(tables.judgements.c.key, tables.judgements.c.findings_id, tables.policies.c.digest)
            .join(tables.policies)
            .where(tables.judgements.c.id == row.judgement_id)
        ).one()
        previous = None
        if row.previous_id is not None:
            # None as well where it was pruned
            previous = connection.execute(
                select(observations.c.started_at, tables.snapshots.c.digest).join(tables.snapshots).where(observations.c.id == row.previous_id)
            ).one_or_none()
        return Assessment(
            observation=self._observation(connection, target, row),
            judgement=Judgement(
                key=judged.key,
                policy_digest=judged.digest,
                findings=self._findings(connection, judged.findings_id, row.started_at.date()),
            ),
            verdict=row.verdict,
            changes=self._changes(connection, row.changes_id),
            previous_digest=previous.digest if previous is not None else None,
            previous_at=previous.started_at if previous is not None else None,
            waivers=self._waivers(connection, row.waivers_id),
            drift=events.of_observation(connection, self._path, row.target_id, row.id),
        )

    def _observation(self, connection: Connection, target: str, row: Row[Any]) -> Observation:
        context = self._document(connection, tables.contexts, row.context_id)
        remark = self._document(connection, tables.remarks, row.remark_id) if row.remark_id is not None else {}
        after_us = row.server_date_after_us
        server_date = row.started_at + after_us * _MICROSECOND if after_us is not None else None
        own = {name: row._mapping[name] for name in READ_FIELDS}
        try:
            ended_at = row.started_at + row.took_us * _MICROSECOND
        except (TypeError, OverflowError):
            raise StoreError(f"{self._path}: an observation took {row.took_us!r} microseconds", hint="restore the newest backup") from None
        return Observation(
            target=target,
            outcome=row.outcome,
            started_at=row.started_at,
            ended_at=ended_at,
            collection=self._rebuilt("context", lambda said: Collection(**said, **own, server_date=server_date), context),
            snapshot=self._snapshot(connection, row.snapshot_id) if row.snapshot_id is not None else None,
            slot=row.slot,
            **remark,
        )

    def _snapshot(self, connection: Connection, id_: int) -> Snapshot:
        return self._rebuilt("snapshot", Snapshot.from_document, self._document(connection, tables.snapshots, id_))

    def _findings(self, connection: Connection, id_: int, as_of: date) -> tuple[Finding, ...]:
        documents = self._document(connection, tables.findings, id_)
        return tuple(self._rebuilt("finding", lambda said: Finding.from_document(said, as_of=as_of), document) for document in documents)

    def _document(self, connection: Connection, table: Table, id_: int) -> Any:
        row = connection.execute(select(table.c.digest, table.c.document).where(table.c.id == id_)).one()
        return checked(self._path, table, row.digest, row.document)

    def _rebuilt(self, what: str, build: Callable[[Any], _Value], document: Any) -> _Value:
        return rebuilt(self._path, what, build, document)


def _newest_of(target: str) -> Select[Any]:
    mine = select(observations).join(tables.targets).where(tables.targets.c.name == target)
    return mine.order_by(observations.c.id.desc()).limit(1)


def _last_seen(connection: Connection, target: str) -> Row[Any] | None:
    return connection.execute(_newest_of(target).where(observations.c.snapshot_id.is_not(None))).one_or_none()


def _target_id(connection: Connection, target: str) -> int | None:
    return connection.execute(select(tables.targets.c.id).where(tables.targets.c.name == target)).scalar()


def _policy_before(target_id: int) -> Select[Any]:
    """The digest of the policy that judged the newest read of a target."""
    judged = select(tables.policies.c.digest).select_from(observations).join(tables.judgements).join(tables.policies)
    return judged.where(observations.c.target_id == target_id).order_by(observations.c.id.desc()).limit(1)


def _note_policy(connection: Connection, target_id: int, document: Mapping[str, Any], assessment: Assessment, before: str | None) -> None:
    body = {
        "target": target_id,
        "policy": document["name"],
        "version": document["version"],
        "before": before,
        "after": assessment.judgement.policy_digest,
    }
    ledger.append(connection, Kind.POLICY, assessment.observation.started_at, body)


def _memory(connection: Connection, target: str) -> Memory | None:
    columns = [column for column in tables.memories.c if column.name != "target_id"]
    row = connection.execute(select(*columns).join(tables.targets).where(tables.targets.c.name == target)).one_or_none()
    return None if row is None else Memory(**row._mapping)


def _record_target(connection: Connection, target: TargetText) -> int:
    table, document = tables.targets, canonical(asdict(target))
    known = connection.execute(select(table.c.id, table.c.document).where(table.c.name == target.name)).one_or_none()
    if known is None:
        return inserted(connection, table, {"name": target.name, "document": document})
    if known.document != document:
        connection.execute(update(table).where(table.c.id == known.id).values(document=document))
    return int(known.id)


def _target_text(document: str) -> TargetText:
    said = json.loads(document)
    return TargetText(**{**said, "labels": tuple((key, value) for key, value in said["labels"])})


def _record_memory(connection: Connection, target_id: int, memory: Memory, *, known: Memory | None) -> None:
    table = tables.memories
    if known is None:
        connection.execute(insert(table).values(target_id=target_id, **asdict(memory)))
    elif known != memory:
        connection.execute(update(table).where(table.c.target_id == target_id).values(asdict(memory)))


def _previous(connection: Connection, target_id: int, previous_digest: str | None) -> int | None:
    """The newest observation that saw the state with which the assessment compared; another process may have recorded a newer one since."""
    if previous_digest is None:
        return None
    snapshot_id = select(tables.snapshots.c.id).where(tables.snapshots.c.digest == previous_digest).scalar_subquery()
    query = select(observations.c.id).where(observations.c.target_id == target_id, observations.c.snapshot_id == snapshot_id)
    found = connection.execute(query.order_by(observations.c.id.desc()).limit(1)).scalar()
    if found is None:
        raise ValueError("the assessment compares with a state that was never recorded for this target")
    return int(found)
