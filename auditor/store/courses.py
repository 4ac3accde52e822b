"""What was recorded of many targets for a period, read side by side: a fleet of ten thousand costs a few queries for every few hundred of them."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, String, Table, cast, func, or_, select

from auditor.core.course import Course, Phase
from auditor.core.coverage import Coverage, Served, Terms, cover, owed
from auditor.core.ledger import ORIGIN, Kind
from auditor.core.model import (
    Approval,
    Assessment,
    Drift,
    DriftEvent,
    EventState,
    Finding,
    Judgement,
    Moved,
    PolicyText,
    RuleOutcome,
    Snapshot,
    Standing,
    TargetText,
    Waiver,
)
from auditor.store import approvals as approving
from auditor.store import calendar, events, ledger, tables
from auditor.store import served as aside
from auditor.store.documents import checked, rebuilt
from auditor.store.reading import Reading, target_text
from auditor.store.tables import judgements, observations, policies, targets

CHUNK = 200
"""So many targets are read at a time: memory is bounded by this, and not by the size of the fleet."""

KEPT = 512
"""So many documents of each kind are kept in mind; those of a fleet are mostly the same."""

LOOK_BACK = timedelta(days=40)
"""A gap at the begin of a period is told from its begin, if that lies no longer than this before."""

_INSTANT = timedelta(microseconds=1)
_Value = TypeVar("_Value")


def of_targets(connection: Connection, path: Path, names: Sequence[str], *, start: datetime, end: datetime) -> Iterator[Course]:
    """The courses of the targets called so, in this order, through `[start, end)`; one that the store does not know is left out."""
    shelf = _Shelf(_Remembering(connection, path))
    for index in range(0, len(names), CHUNK):
        some = names[index : index + CHUNK]
        known = {row.name: row for row in connection.execute(select(targets).where(targets.c.name.in_(some)))}
        yield from _Chunk(shelf, [known[name] for name in some if name in known], start, end).courses()


@dataclass(frozen=True, slots=True)
class _Remembering(Reading):
    """Reads a document or a snapshot once, as long as it is among the newest used."""

    kept: "OrderedDict[tuple[str, int], Any]" = field(default_factory=OrderedDict)

    def document(self, table: Table, id_: int) -> Any:
        return self._remembered((table.name, id_), lambda: Reading.document(self, table, id_))

    def snapshot(self, id_: int) -> Snapshot:
        found: Snapshot = self._remembered(("snapshot", id_), lambda: Reading.snapshot(self, id_))
        return found

    def prepare(self, table: Table, ids: Collection[int]) -> None:
        """Read these documents at once, which will be asked for one by one."""
        missing = {id_ for id_ in ids if (table.name, id_) not in self.kept}
        for row in self.connection.execute(select(table).where(table.c.id.in_(missing))):
            self.kept[table.name, row.id] = checked(self.path, table, row.digest, row.document)

    def _remembered(self, key: tuple[str, int], read: Callable[[], Any]) -> Any:
        if key not in self.kept:
            self.kept[key] = read()
            while len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return self.kept[key]


@dataclass
class _Shelf:
    """What documents were rebuilt to, the newest used of each kind."""

    reading: _Remembering
    _kept: dict[str, "OrderedDict[Any, Any]"] = field(default_factory=lambda: defaultdict(OrderedDict))

    def take(self, kind: str, key: Any, make: Callable[[], _Value]) -> _Value:
        kept = self._kept[kind]
        if key in kept:
            kept.move_to_end(key)
        else:
            kept[key] = make()
            if len(kept) > KEPT:
                kept.popitem(last=False)
        value: _Value = kept[key]
        return value

    def snapshot(self, id_: int) -> Snapshot:
        return self.take("snapshot", id_, lambda: self.reading.snapshot(id_))

    def findings(self, id_: int, as_of: date) -> tuple[Finding, ...]:
        return self.take("findings", (id_, as_of), lambda: self.reading.findings(id_, as_of))

    def policy(self, id_: int) -> PolicyText:
        table = policies

        def make() -> PolicyText:
            return rebuilt(self.reading.path, "policy", PolicyText.from_document, self.reading.document(table, id_))

        return self.take("policy", id_, make)

    def waivers(self, id_: int | None) -> tuple[Waiver, ...]:
        return self.take("waivers", id_, lambda: self.reading.waivers(id_))

    def outcomes(self, findings_id: int, waivers_id: int | None) -> Mapping[str, RuleOutcome]:
        """The results of a judgement as they counted: rules and outcomes alone, since a year of reads has few of them."""

        def make() -> Mapping[str, RuleOutcome]:
            excused = {waiver.rule for waiver in self.waivers(waivers_id)}
            said = self.reading.document(tables.findings, findings_id)
            return rebuilt(self.reading.path, "findings", lambda found: _outcomes(found, excused), said)

        return self.take("outcomes", (findings_id, waivers_id), make)


def _outcomes(documents: Any, excused: set[str]) -> Mapping[str, RuleOutcome]:
    found = {document["rule"]: RuleOutcome(document["outcome"]) for document in documents}
    return {rule: RuleOutcome.WAIVED if outcome is RuleOutcome.FAIL and rule in excused else outcome for rule, outcome in found.items()}


@dataclass
class _Chunk:
    """Some targets, and what was read of all of them at once."""

    shelf: _Shelf
    rows: Sequence[Row[Any]]
    start: datetime
    end: datetime

    @property
    def _connection(self) -> Connection:
        return self.shelf.reading.connection

    @property
    def _path(self) -> Path:
        return self.shelf.reading.path

    def courses(self) -> Iterator[Course]:
        ids = [row.id for row in self.rows]
        if not ids:
            return
        runs = self._grouped(self._runs(ids))
        newest = {target: rows[-1].id for target, rows in runs.items()}
        reads = self._by_id(select(observations).where(observations.c.id.in_(newest.values())))
        before = self._previous([row.previous_id for row in reads.values() if row.previous_id is not None])
        judged = self._judged({row.judgement_id for row in reads.values()})
        self.shelf.reading.prepare(tables.contexts, {row.context_id for row in reads.values()})
        happened = self._events(ids, newest)
        approved, moved = approving.of_targets(self._connection, self._path, {row.id: row.name for row in self.rows}), self._moved(ids)
        covered = self._coverage(ids)
        for row in self.rows:
            phases, seen = self._phases(runs.get(row.id, ()))
            mine = happened.get(row.id, ())
            standing = Standing(target=rebuilt(self._path, f"target {row.name}", target_text, row.document))
            if row.id in newest:
                read = reads[newest[row.id]]
                key, policy_id, findings_id, digest = judged[read.judgement_id]
                previous = before.get(read.previous_id)
                assessment = Assessment(
                    observation=self.shelf.reading.observation(row.name, read),
                    judgement=Judgement(key=key, policy_digest=digest, findings=self.shelf.findings(findings_id, read.started_at.date())),
                    verdict=read.verdict,
                    changes=self.shelf.reading.changes(read.changes_id),
                    previous_digest=previous.digest if previous is not None else None,
                    previous_at=previous.started_at if previous is not None else None,
                    waivers=self.shelf.waivers(read.waivers_id),
                    drift=Drift(open=tuple(event for event in mine if event.state is EventState.OPEN)),
                )
                standing = replace(
                    standing,
                    assessment=assessment,
                    policy=self.shelf.policy(policy_id),
                    last_seen=seen[0] if seen else None,
                    last_snapshot=self.shelf.snapshot(seen[1]) if seen else None,
                )
            its = approved.get(row.id, ())
            yield Course(
                standing=replace(standing, approvals=tuple(_as_of(one, self.end) for one in its if one.recorded_at and one.recorded_at < self.end)),
                start=self.start,
                end=self.end,
                phases=phases,
                coverage=covered.get(row.id, lambda: None)(),
                events=tuple(event for event in mine if event.state is EventState.OPEN or (event.ended_by or event.not_after) >= self.start),
                moved=moved.get(row.id, ()),
            )

    # --- runs of reads ---------------------------------------------------------------------------------------------

    def _runs(self, ids: Sequence[int]) -> Select[Any]:
        """The first read of each run of reads that came to the same, and the newest read of each target, in the order of recording."""
        o = observations
        parts = (*(o.c[name] for name in ("outcome", "verdict", "snapshot_id", "waivers_id")), judgements.c.findings_id, judgements.c.policy_id)
        whole = _joined(*(func.coalesce(cast(part, Integer), -1) for part in parts)).label("run")
        own = (o.c.target_id, o.c.id, o.c.started_at, o.c.outcome, o.c.verdict, o.c.snapshot_id, o.c.waivers_id)
        judged = (judgements.c.findings_id, judgements.c.policy_id)
        mine = select(*own, *judged, whole).select_from(o).join(judgements).where(o.c.target_id.in_(ids), o.c.started_at < self.end).subquery()

        def over(what: Any) -> ColumnElement[Any]:
            column: ColumnElement[Any] = what.over(partition_by=mine.c.target_id, order_by=mine.c.id)
            return column

        placed = select(
            mine,
            over(func.row_number()).label("place"),
            over(func.lag(mine.c.run)).label("run_before"),
            over(func.lag(mine.c.started_at, type_=mine.c.started_at.type)).label("began_before"),
            over(func.lead(mine.c.id)).label("id_after"),
        ).subquery()
        edge = or_(placed.c.run_before.is_(None), placed.c.run_before != placed.c.run, placed.c.id_after.is_(None))
        return select(placed).where(edge).order_by(placed.c.target_id, placed.c.id)

    def _phases(self, rows: Sequence[Row[Any]]) -> tuple[tuple[Phase, ...], tuple[datetime, int] | None]:
        """The phases, and when and as what the target was last seen."""
        firsts = [row for row in rows if row.run_before != row.run]
        found, seen = [], None
        for index, row in enumerate(firsts):
            after = firsts[index + 1] if index + 1 < len(firsts) else None
            last = after.began_before if after is not None else rows[-1].started_at
            place = after.place if after is not None else rows[-1].place + 1
            found.append(
                Phase(
                    outcome=row.outcome,
                    verdict=row.verdict,
                    snapshot=self.shelf.take("digest", row.snapshot_id, lambda id_=row.snapshot_id: self._digest(tables.snapshots, id_)),  # type: ignore[misc]
                    policy=self.shelf.policy(row.policy_id).digest,
                    outcomes=self.shelf.outcomes(row.findings_id, row.waivers_id),
                    first=row.started_at,
                    last=last,
                    reads=place - row.place,
                )
            )
            seen = (last, row.snapshot_id) if row.snapshot_id is not None else seen
        return tuple(found), seen

    def _digest(self, table: Any, id_: int | None) -> str | None:
        return None if id_ is None else self._connection.execute(select(table.c.digest).where(table.c.id == id_)).scalar_one()

    def _previous(self, ids: Sequence[int]) -> dict[int, Row[Any]]:
        query = select(observations.c.id, observations.c.started_at, tables.snapshots.c.digest).join(tables.snapshots)
        return self._by_id(query.where(observations.c.id.in_(ids)))

    def _judged(self, ids: set[int]) -> dict[int, tuple[str, int, int, str]]:
        query = select(judgements, policies.c.digest).join(policies).where(judgements.c.id.in_(ids))
        return {row.id: (row.key, row.policy_id, row.findings_id, row.digest) for row in self._connection.execute(query)}

    # --- what happened ---------------------------------------------------------------------------------------------

    def _events(self, ids: Sequence[int], newest: Mapping[int, int]) -> dict[int, tuple[DriftEvent, ...]]:
        """The events of each target as they stood at the end, less those that had ended before the period."""
        table = tables.events
        fresh = or_(table.c.ended_by.is_(None), table.c.ended_by >= self.start)
        query = select(table, targets.c.name).join(targets).where(table.c.target_id.in_(ids), fresh).order_by(table.c.id)
        found: dict[int, list[DriftEvent]] = {}
        for row in self._connection.execute(query):
            by = newest.get(row.target_id)
            if by is None or row.opened_id > by:
                continue
            event = events.of_row(self._path, row)
            if row.ended_id is not None and row.ended_id > by:
                event = replace(event, state=EventState.OPEN, ended_after=None, ended_by=None)
            found.setdefault(row.target_id, []).append(event)
        return {target: tuple(its) for target, its in found.items()}

    def _moved(self, ids: Sequence[int]) -> dict[int, tuple[Moved, ...]]:
        """The changes within the period, the oldest first."""
        o, before = observations, observations.alias("before")
        query = (
            select(o.c.target_id, o.c.changes_id, o.c.started_at, before.c.started_at.label("not_before"))
            .outerjoin(before, before.c.id == o.c.previous_id)
            .where(o.c.target_id.in_(ids), o.c.changes_id.is_not(None), o.c.started_at >= self.start, o.c.started_at < self.end)
            .order_by(o.c.id)
        )
        found: dict[int, list[Moved]] = {}
        for row in self._connection.execute(query).all():
            changes = self.shelf.reading.changes(row.changes_id)
            found.setdefault(row.target_id, []).append(Moved(not_before=row.not_before, not_after=row.started_at, changes=changes))
        return {target: tuple(its) for target, its in found.items()}

    # --- coverage --------------------------------------------------------------------------------------------------

    def _coverage(self, ids: Sequence[int]) -> dict[int, Callable[[], Coverage | None]]:
        """How to come by the coverage of each target: computed when its turn comes."""
        terms: dict[int, list[Terms]] = {}
        for row in self._connection.execute(select(tables.terms).where(tables.terms.c.target_id.in_(ids)).order_by(tables.terms.c.id)):
            terms.setdefault(row.target_id, []).append(calendar.of_row(self._path, row))
        gaps: dict[int, list[tuple[datetime, datetime, str]]] = {}
        for row in self._connection.execute(select(tables.gaps).where(tables.gaps.c.target_id.in_(ids)).order_by(tables.gaps.c.id)):
            gaps.setdefault(row.target_id, []).append((row.first, row.last, row.because))
        pruned = set(self._connection.execute(select(tables.served.c.target_id).where(tables.served.c.target_id.in_(ids)).distinct()).scalars())
        o = observations
        query = select(o.c.target_id, o.c.slot, o.c.started_at, o.c.outcome)
        reads: dict[int, dict[datetime, Served]] = {}
        for row in self._connection.execute(query.where(o.c.target_id.in_(ids), o.c.slot >= self.start, o.c.slot < self.end)):
            reads.setdefault(row.target_id, {})[row.slot] = Served(started_at=row.started_at, outcome=row.outcome)
        settled = {row.id: row.settled_until for row in self.rows}
        names = {row.id: row.name for row in self.rows}

        def covered(target_id: int) -> Coverage:
            after, until = self.start - _INSTANT, self.end - _INSTANT
            known = reads.get(target_id, {})
            if target_id in pruned:
                known = aside.within(self._connection, target_id, after, until) | known
            told = {"after": after, "until": until, "settled_until": settled[target_id], "why_missed": gaps.get(target_id, ())}
            its = terms[target_id]
            found = cover(names[target_id], its, known, **told)
            if found.gaps and found.gaps[0].first == _first_slot(its, after, until):  # it may have begun before
                longer = calendar.served(self._connection, target_id, after - LOOK_BACK, until)
                found = cover(names[target_id], its, longer, **told, look_back=LOOK_BACK)
            return found

        return {target_id: (lambda target_id=target_id: covered(target_id)) for target_id in terms}  # type: ignore[misc]

    def _grouped(self, query: Select[Any]) -> dict[int, list[Row[Any]]]:
        found: dict[int, list[Row[Any]]] = {}
        for row in self._connection.execute(query):
            found.setdefault(row.target_id, []).append(row)
        return found

    def _by_id(self, query: Select[Any]) -> dict[int, Row[Any]]:
        return {row.id: row for row in self._connection.execute(query)}


def _joined(*parts: ColumnElement[int]) -> ColumnElement[str]:
    """The parts as one text: what is the same in all of them is one run."""
    whole: ColumnElement[str] = cast(parts[0], String)
    for part in parts[1:]:
        whole = whole.concat("/").concat(cast(part, String))
    return whole


def _first_slot(terms: Sequence[Terms], after: datetime, until: datetime) -> datetime | None:
    return next((slot for slot, _ in owed(terms, after, until)), None)


def _as_of(approval: Approval, end: datetime) -> Approval:
    return replace(approval, revoked=None) if approval.revoked is not None and approval.revoked.at >= end else approval


# --- beside the targets ---------------------------------------------------------------------------------------------


def head_before(connection: Connection, end: datetime) -> tuple[int, bytes]:
    """Number and link of the last record that was made before `end`; (0, ...) where there is none.

    Records stand in the order of recording, so the place is sought by halves, and from there on one by one for a while: threads that record side by
    side can be a moment out of order.
    """
    last, _ = ledger.head(connection)
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        at = _made_at(connection, middle)
        low, high = (middle, high) if at is None or at < end else (low, middle - 1)
    found = low
    for seq in range(low + 1, min(last, low + _OUT_OF_ORDER) + 1):
        at = _made_at(connection, seq)
        found = seq if at is not None and at < end else found
    link = connection.execute(select(tables.ledger.c.link).where(tables.ledger.c.seq == found)).scalar()
    return (0, ORIGIN) if link is None else (found, link)


_OUT_OF_ORDER = 64


def records_of(connection: Connection, kinds: Sequence[Kind], *, before: datetime) -> list[dict[str, Any]]:
    """The bodies of the records of these kinds, none of which is a read, that were made before `before`; the oldest first."""
    found = (body for kind in kinds for body in ledger.bodies(connection, kind))
    return sorted((body for body in found if datetime.fromisoformat(body["at"]) < before), key=lambda body: str(body["at"]))


def newest_known(connection: Connection) -> datetime | None:
    """The last instant of which anything is on record: the begin of the newest read, or the slot up to which all is accounted for."""
    read = connection.execute(select(observations.c.started_at).order_by(observations.c.id.desc()).limit(1)).scalar()
    settled = connection.execute(select(func.max(targets.c.settled_until, type_=targets.c.settled_until.type))).scalar()
    return max((instant for instant in (read, settled) if instant is not None), default=None)


def policy_documents(connection: Connection, path: Path, digests: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The policies with these digests as they read when they judged."""
    query = select(policies.c.digest, policies.c.document).where(policies.c.digest.in_(digests))
    return {row.digest: checked(path, policies, row.digest, row.document) for row in connection.execute(query)}


def population(
    connection: Connection, path: Path, configured: Collection[str], *, start: datetime, end: datetime
) -> tuple[set[str], list[TargetText]]:
    """Who was watched in `[start, end)`, as the record has it, against those that are `configured` today.

    First the names of those that came to be known only afterwards, then the targets that are configured no more: those that were taken out after
    `start`, and those that were read in the period.
    """
    added, left = dict[int, datetime](), dict[int, datetime]()
    for body in ledger.bodies(connection, Kind.TARGET):
        acts = {"added": added, "left": left}.get(body.get("act", ""))
        if acts is not None:
            acts[body["target"]] = datetime.fromisoformat(body["at"])
    later, gone = set(), []
    for row in connection.execute(select(targets).order_by(targets.c.name)).all():
        if row.id in added and added[row.id] >= end and not _was_read(connection, row.id, None, end):
            later.add(row.name)
        elif row.name not in configured and (left.get(row.id, start) > start or _was_read(connection, row.id, start, end)):
            gone.append(rebuilt(path, f"target {row.name}", target_text, row.document))
    return later, gone


def _was_read(connection: Connection, target_id: int, start: datetime | None, end: datetime) -> bool:
    o = observations
    query = select(o.c.id).where(o.c.target_id == target_id, o.c.started_at < end)
    query = query if start is None else query.where(o.c.started_at >= start)
    return connection.execute(query.limit(1)).scalar() is not None


def names_by_number(connection: Connection) -> dict[int, str]:
    """What the ledger calls targets by, and their names."""
    return {row.id: row.name for row in connection.execute(select(targets.c.id, targets.c.name))}


def _made_at(connection: Connection, seq: int) -> datetime | None:
    """When a record was made; None for one whose body is gone."""
    for entry in ledger.between(connection, seq, seq):
        if entry.body is None or entry.seq != seq:
            return None
        try:
            return datetime.fromisoformat(entry.body["at"])
        except (KeyError, TypeError, ValueError):
            return None
    return None
