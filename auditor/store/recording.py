"""Writes what runs conclude: the observations, what they refer to, and what they mean for calendar, ledger, drift events and outbox.

Several runs are recorded in one transaction with about as many statements as one: what is known of their targets is asked for once, what they make
is written once, and only what is rare (drift, gaps, notices) is written one by one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import BindParameter, Connection, Table, bindparam, func, insert, select, update

from auditor.core.canonical import canonical, digest_text
from auditor.core.ledger import Kind
from auditor.core.model import Assessment, Finding, Judgement, Memory, Observation, Snapshot, TargetText
from auditor.errors import StoreError
from auditor.recent import Recent
from auditor.store import calendar, events, outbox, tables
from auditor.store.documents import inserted, interned_all
from auditor.store.known import Known
from auditor.store.ledger import BATCH, Chain
from auditor.store.reading import CONTEXT_FIELDS, READ_FIELDS, Reading
from auditor.store.run import Run
from auditor.store.situation import Sight, Situation
from auditor.store.tables import observations

_MICROSECOND = timedelta(microseconds=1)

MAX_KEPT = 4096
"""Targets whose last judgement stays at hand; of what else is written again and again, as much."""

MAX_TEXTS = 512
"""Findings whose JSON stays at hand."""


@dataclass(frozen=True, slots=True)
class _Judged:
    key: str
    as_of: date
    findings: tuple[Finding, ...]
    mark: str


class Judgements:
    """The last judgement of each target, as judged or read lately, with the digest of what is stored of it. For one thread at a time."""

    def __init__(self) -> None:
        self._kept: Recent[str, _Judged] = Recent(MAX_KEPT)
        self._texts: Recent[int, tuple[Finding, str]] = Recent(MAX_TEXTS)

    def findings(self, connection: Connection, path: Path, target: str, key: str, as_of: date) -> tuple[Finding, ...] | None:
        """What is stored under `key`, dated `as_of`; None where nothing is."""
        kept = self._kept.get(target)
        if kept is not None and (kept.key, kept.as_of) == (key, as_of):
            return kept.findings
        query = select(tables.judgements.c.findings_id, tables.findings.c.digest).join(tables.findings).where(tables.judgements.c.key == key)
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        found = Reading(connection, path).findings(row.findings_id, as_of)
        self._kept.put(target, _Judged(key, as_of, found, row.digest))
        return found

    def marked(self, target: str, judgement: Judgement, as_of: date) -> tuple[str, Callable[[], str]]:
        """The digest of its findings' document, and what gives the document."""
        kept = self._kept.get(target)
        if kept is not None and (kept.key, kept.findings) == (judgement.key, judgement.findings):
            return kept.mark, lambda: self._text_of(judgement.findings)
        text = self._text_of(judgement.findings)
        mark = digest_text(text)
        self._kept.put(target, _Judged(judgement.key, as_of, judgement.findings, mark))
        return mark, lambda: text

    def _text_of(self, findings: Iterable[Finding]) -> str:
        """The canonical JSON of all; targets that say the same share findings, which then are written out once."""
        return f"[{','.join(map(self._written, findings))}]"

    def _written(self, finding: Finding) -> str:
        known = self._texts.get(id(finding))
        if known is not None and known[0] is finding:
            return known[1]
        text = canonical(finding.document())
        self._texts.put(id(finding), (finding, text))
        return text


@dataclass(slots=True)
class _Recorded:
    """A run on its way into the database. `row` is its observation, without what it refers to; `marks` has these by digest."""

    run: Run
    known: Situation
    assessment: Assessment
    row: dict[str, Any]
    marks: dict[str, str | None]
    settled_until: datetime | None
    number: int = 0


def record(connection: Connection, path: Path, runs: Sequence[Run], judgements: Judgements, by_heart: Known) -> list[tuple[int, Assessment]]:
    """Judge and write runs, of different targets; returns of each the number of its observation, and its assessment.

    `by_heart` was renewed in this transaction, and is to be forgotten if it fails.

    Raises:
        ValueError: The parts of one do not belong together.
        StoreError: A judgement's key already stands for other findings.
    """
    since = min(run.observation.started_at - run.look_back for run in runs)
    at_hand = {snapshot.digest: snapshot for run in runs if (snapshot := run.observation.snapshot) is not None}
    known = by_heart.situations(connection, path, [run.target.name for run in runs], ended_since=since, at_hand=at_hand)
    texts: dict[Table, dict[str, Callable[[], str]]] = {table: {} for table in _REFERRED.values()}
    done = [_concluded(connection, path, run, known.get(run.target.name), judgements, texts) for run in runs]
    numbers = {name: _numbers(connection, name, table, done, texts[table]) for name, table in _REFERRED.items()}
    judged = _judgement_ids(connection, path, done, numbers["findings"])
    first = connection.execute(select(func.coalesce(func.max(observations.c.id), 0))).scalar_one() + 1
    chain, rows = Chain(connection), []
    for number, one in enumerate(done, first):
        one.number = number
        refs = {f"{name}_id": numbers[name][mark] if (mark := one.marks[name]) else None for name in _REFERRED if name != "findings"}
        rows.append({"id": number, **one.row, **refs, "judgement_id": judged[one.assessment.judgement.key]})
        marks = {f"{name}_digest": mark for name, mark in one.marks.items()}
        chain.append_read({**one.row, **marks, "target": one.known.target_id, "policy_digest": one.assessment.judgement.policy_digest}, ref=number)
        if one.known.policy_digest != one.assessment.judgement.policy_digest:
            chain.append(Kind.POLICY, one.run.observation.started_at, _policy_note(one))
    connection.execute(insert(observations), rows)
    chain.flush()
    _remember(connection, done)
    for one in done:
        events.record(connection, one.known.target_id, one.number, one.assessment.drift, one.run.observation.started_at, known=one.known.events)
    told = outbox.tell(connection, [_telling(one) for one in done])
    for one, document in zip(done, told, strict=True):
        if not _keeps_its_events(one):
            by_heart.drop(one.run.target.name)
            continue
        key, refers = one.assessment.judgement.key, {name: (mark, numbers[name][mark]) for name, mark in one.marks.items() if mark is not None}
        now = replace(_afterwards(one), told=document, refers=refers, judgement=(key, judged[key], refers["findings"][1]))
        by_heart.note(one.run.target.name, now)
    return [(one.number, one.assessment) for one in done]


def remembered(connection: Connection, targets: Sequence[str]) -> dict[str, Memory]:
    """What is remembered of each of the targets of these names that was read."""
    found: dict[str, Memory] = {}
    for first in range(0, len(targets), BATCH):
        for name, *own in connection.execute(_REMEMBERED.where(tables.targets.c.name.in_(targets[first : first + BATCH]))).all():
            found[name] = Memory(**dict(zip(_MEMORY, own, strict=True)))
    return found


def _concluded(
    connection: Connection,
    path: Path,
    run: Run,
    known: Situation | None,
    judgements: Judgements,
    texts: Mapping[Table, dict[str, Callable[[], str]]],
) -> _Recorded:
    """`run` judged, its slot served, and the documents that it refers to among the `texts`."""
    if run.target.name != run.observation.target:
        raise ValueError("this target and policy are not those of the assessment")
    known = known or _new(connection, run.target, run.observation.started_at - run.look_back)
    read, slot, settled_until = _serving(connection, run, known)
    past = known.past(connection, path, read, ended_since=read.started_at - run.look_back)
    assessment = run.conclude(read, past, lambda key, as_of: judgements.findings(connection, path, run.target.name, key, as_of))
    collection = read.collection
    row = {
        "target_id": known.target_id,
        "slot": slot,
        "started_at": read.started_at,
        "took_us": (read.ended_at - read.started_at) // _MICROSECOND,
        "server_date_after_us": (collection.server_date - read.started_at) // _MICROSECOND if collection.server_date else None,
        "outcome": read.outcome,
        "verdict": assessment.verdict,
        **{name: getattr(collection, name) for name in READ_FIELDS},
        "previous_id": _previous(connection, known, assessment.previous_digest),
    }
    context, mark = _context(*(getattr(collection, name) for name in CONTEXT_FIELDS))
    remark = {"message": read.message, "hint": read.hint}
    marks: dict[str, str | None] = {
        "snapshot": _put(texts[tables.snapshots], read.snapshot.digest, _snapshot_text(read.snapshot)) if read.snapshot else None,
        "findings": _put(texts[tables.findings], *judgements.marked(run.target.name, assessment.judgement, read.started_at.date())),
        "context": _put(texts[tables.contexts], mark, lambda: context),
        "remark": _note(texts[tables.remarks], remark) if any(remark.values()) else None,
        "changes": _note(texts[tables.changes], [change.document() for change in assessment.changes]) if assessment.changes else None,
        "waivers": _note(texts[tables.waivers], [waiver.document() for waiver in assessment.waivers]) if assessment.waivers else None,
    }
    return _Recorded(run, known, assessment, row, marks, settled_until)


def _serving(connection: Connection, run: Run, known: Situation) -> tuple[Observation, datetime | None, datetime | None]:
    """The observation with the slot that it is for, that slot if it is served, and until when slots are settled; those before are accounted for."""
    read, done = run.observation, known.settled_until
    if run.due_at is not None:
        read = replace(read, slot=calendar.slot_at(connection, known.target_id, known.agreed, done, run.due_at))
    slot = read.slot
    if slot is None or not calendar.is_open(connection, known.target_id, done, slot, read.started_at):
        return read, None, done
    return read, slot, calendar.serve(connection, known.target_id, known.agreed, done, slot, read.started_at)


def _new(connection: Connection, target: TargetText, ended_since: datetime) -> Situation:
    document = _target_text(target)
    number = inserted(connection, tables.targets, {"name": target.name, "document": document})
    return Situation(target_id=number, document=document, ended_since=ended_since)


def _afterwards(one: _Recorded) -> Situation:
    """How the target stands now, whose events are as they were."""
    read = one.assessment.observation
    seen = one.known.seen
    if read.snapshot is not None:
        seen = Sight(observation_id=one.number, at=read.started_at, digest=read.snapshot.digest, snapshot=read.snapshot)
    return replace(
        one.known,
        document=_target_text(one.run.target),
        settled_until=one.settled_until,
        memory=one.run.memory,
        policy_digest=one.assessment.judgement.policy_digest,
        seen=seen,
    )


def _keeps_its_events(one: _Recorded) -> bool:
    drift = one.assessment.drift
    return not (drift.opened or drift.ended) and all(event in one.known.events for event in drift.open)


def _remember(connection: Connection, done: Sequence[_Recorded]) -> None:
    """Write of each target what it is called, what of its slots is settled and what is to be remembered of it, where that is new."""
    settled = [{"of": one.known.target_id, "until": one.settled_until} for one in done if one.settled_until != one.known.settled_until]
    if settled:
        connection.execute(_SETTLE, settled)
    texts = [{"of": one.known.target_id, "text": text} for one in done if (text := _target_text(one.run.target)) != one.known.document]
    if texts:
        connection.execute(_DESCRIBE, texts)
    new = [{"target_id": one.known.target_id, **asdict(one.run.memory)} for one in done if one.known.memory is None]
    if new:
        connection.execute(insert(tables.memories), new)
    changed = [{"of": one.known.target_id, **asdict(one.run.memory)} for one in done if one.known.memory not in (None, one.run.memory)]
    if changed:
        connection.execute(_REMEMBER, changed)


def _numbers(connection: Connection, name: str, table: Table, done: Sequence[_Recorded], texts: Mapping[str, Callable[[], str]]) -> dict[str, int]:
    """The numbers of the documents in `texts`, which observations call `name`; mostly they are those of the reads before."""
    last = (one.known.refers[name] for one in done if name in one.known.refers)
    found = {mark: number for mark, number in last if mark in texts}
    return found | interned_all(connection, table, {mark: text for mark, text in texts.items() if mark not in found})


def _judgement_ids(connection: Connection, path: Path, done: Sequence[_Recorded], findings: Mapping[str, int]) -> dict[str, int]:
    """The numbers of the judgements by their keys, those that are new written."""
    table = tables.judgements
    wanted = {one.assessment.judgement.key: one for one in done}
    last = (one.known.judgement for one in done if one.known.judgement is not None)
    known = {key: (number, findings_id) for key, number, findings_id in last if key in wanted}
    if others := [key for key in wanted if key not in known]:
        query = select(table.c.key, table.c.id, table.c.findings_id).where(table.c.key.in_(others))
        known |= {row.key: (row.id, row.findings_id) for row in connection.execute(query).all()}
    for one in done:
        key, mark = one.assessment.judgement.key, one.marks["findings"]
        stored = known[key][1] if key in known else findings[wanted[key].marks["findings"] or ""]
        if stored != findings[mark or ""]:
            raise StoreError(
                f"{path}: the judgement {key} was stored with other findings",
                hint="one key means one judgement: this is a fault of the auditor, please report it",
            )
    found = {key: number for key, (number, _) in known.items()}
    new = [one for key, one in wanted.items() if key not in found]
    if new:
        policies = _policy_ids(connection, new)
        rows = [
            {
                "key": one.assessment.judgement.key,
                "policy_id": policies[one.assessment.judgement.policy_digest],
                "findings_id": findings[one.marks["findings"] or ""],
            }
            for one in new
        ]
        connection.execute(insert(table), rows)
        written = select(table.c.id, table.c.key).where(table.c.key.in_([row["key"] for row in rows]))
        found |= {row.key: row.id for row in connection.execute(written).all()}
    return found


def _policy_ids(connection: Connection, done: Sequence[_Recorded]) -> dict[str, int]:
    """The numbers of the policies by their digests. A policy is as long as all else that is recorded, so it is written out only if it is new."""
    documents = {one.assessment.judgement.policy_digest: one.run.policy_document for one in done}

    def text(mark: str) -> str:
        written = canonical(documents[mark])
        if digest_text(written) != mark:
            raise ValueError("this target and policy are not those of the assessment")
        return written

    return interned_all(connection, tables.policies, {mark: lambda mark=mark: text(mark) for mark in documents})  # type: ignore[misc]


def _policy_note(one: _Recorded) -> dict[str, Any]:
    return {
        "target": one.known.target_id,
        "policy": one.run.policy_document["name"],
        "version": one.run.policy_document["version"],
        "before": one.known.policy_digest,
        "after": one.assessment.judgement.policy_digest,
    }


def _telling(one: _Recorded) -> outbox.Telling:
    return outbox.Telling(
        target_id=one.known.target_id,
        told=one.known.told,
        assessment=one.assessment,
        target=one.run.target,
        policy=one.run.policy,
        alerting=one.run.alerting,
        is_partial=one.run.is_partial,
    )


def _previous(connection: Connection, known: Situation, previous_digest: str | None) -> int | None:
    """The newest observation that saw the state with which the assessment compared."""
    if previous_digest is None:
        return None
    if known.seen is not None and known.seen.digest == previous_digest:
        return known.seen.observation_id
    snapshot_id = select(tables.snapshots.c.id).where(tables.snapshots.c.digest == previous_digest).scalar_subquery()
    query = select(observations.c.id).where(observations.c.target_id == known.target_id, observations.c.snapshot_id == snapshot_id)
    found = connection.execute(query.order_by(observations.c.id.desc()).limit(1)).scalar()
    if found is None:
        raise ValueError("the assessment compares with a state that was never recorded for this target")
    return int(found)


def _put(texts: dict[str, Callable[[], str]], mark: str, text: Callable[[], str]) -> str:
    texts.setdefault(mark, text)
    return mark


def _note(texts: dict[str, Callable[[], str]], value: Any) -> str:
    text = canonical(value)
    return _put(texts, digest_text(text), lambda: text)


def _snapshot_text(snapshot: Snapshot) -> Callable[[], str]:
    return lambda: canonical(snapshot.document())


@lru_cache(maxsize=MAX_KEPT)
def _context(*fields: str | int | bool | None) -> tuple[str, str]:
    text = canonical(dict(zip(CONTEXT_FIELDS, fields, strict=True)))
    return text, digest_text(text)


@lru_cache(maxsize=MAX_KEPT)
def _target_text(target: TargetText) -> str:
    return canonical(asdict(target))


_REFERRED = {
    "snapshot": tables.snapshots,
    "findings": tables.findings,
    "context": tables.contexts,
    "remark": tables.remarks,
    "changes": tables.changes,
    "waivers": tables.waivers,
}
"""What an observation refers to, as its record names it; the findings by way of the judgement."""

_MEMORY = tuple(column.name for column in tables.memories.c if column.name != "target_id")
_REMEMBERED = select(tables.targets.c.name, *(tables.memories.c[name] for name in _MEMORY)).join(tables.memories)

_of: BindParameter[Any] = bindparam("of")
_SETTLE = update(tables.targets).where(tables.targets.c.id == _of).values(settled_until=bindparam("until"))
_DESCRIBE = update(tables.targets).where(tables.targets.c.id == _of).values(document=bindparam("text"))
_REMEMBER = update(tables.memories).where(tables.memories.c.target_id == _of)
