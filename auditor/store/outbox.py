"""The outbox: notices are owed to channels in the transaction of what they tell, and paid later; each at least once.

A message is claimed by a conditional update, for a time; who dies while sending leaves it to be claimed again, as the same message.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, Select, Table, and_, bindparam, delete, func, insert, not_, or_, select, update

from auditor.core.canonical import canonical, digest
from auditor.core.model import MAX_ATTACHED_BYTES, Assessment, Attachment, DeliveryState, Notice, PolicyText, TargetText
from auditor.core.notices import Alerting, Told, at_hand, news, routed
from auditor.store.documents import inserted, rebuilt
from auditor.store.reading import target_text
from auditor.store.tables import deliveries, enclosures, known_channels, notices, targets, told

MAX_BATCH = 200
"""So many notices make one message; what is owed beyond them makes the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One message: what it holds, the key by which the far end knows it again, and how often it was tried before."""

    channel: str
    key: str
    notices: tuple[Notice, ...]
    attempts: int
    enclosures: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One notice that a channel has not got yet."""

    channel: str
    state: DeliveryState
    notice: Notice
    attempts: int
    next_at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A read that may be worth telling, and what people were told of its target before, as it is on record (None: nothing).

    `is_partial`: it was judged by a part of the policy.
    """

    target_id: int
    told: tuple[str, Told] | None
    assessment: Assessment
    target: TargetText
    policy: PolicyText
    alerting: Alerting
    is_partial: bool


def tell(connection: Connection, tellings: Sequence[Telling]) -> list[tuple[str, Told]]:
    """Owe what reads are worth telling, and write down what people know then; returns of each how it is on record now."""
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    now: list[tuple[str, Told]] = []
    for one in tellings:
        before = one.told[1] if one.told is not None else Told()
        remind_after = one.alerting.remind_after
        found = news(one.assessment, before, target=one.target, policy=one.policy, remind_after=remind_after, is_partial=one.is_partial)
        owe(connection, found.notices, one.alerting)
        if one.told is not None and found.told == before:
            now.append(one.told)
            continue
        now.append((canonical(found.told.document()), found.told))
        (new if one.told is None else changed).append({"target_id": one.target_id, "document": now[-1][0]})
    if new:
        connection.execute(insert(told), new)
    if changed:
        connection.execute(_TELL, [{"of": one["target_id"], "text": one["document"]} for one in changed])
    return now


def owe(connection: Connection, found: Sequence[Notice], alerting: Alerting, *, once: str | None = None) -> None:
    """Owe notices to the channels that take them. With `once`, only if nothing was said under that name before."""
    if once is not None and connection.execute(select(notices.c.id).where(notices.c.once == once)).scalar() is not None:
        return
    for notice, channels in routed(found, alerting.routes):
        if channels:
            _owe(connection, notice, channels, alerting, once)


def enclose(connection: Connection, notice: Notice, file: Attachment, channels: Sequence[str], alerting: Alerting, *, once: str) -> bool:
    """Owe `notice` and `file` to `channels`, as a message of its own, unless something was owed by the name `once` before: then false.

    The message's key follows from that name: whoever sends it, and however often, it is the same message.
    """
    if connection.execute(select(notices.c.id).where(notices.c.once == once)).scalar() is not None:
        return False
    number = _owe(connection, notice, channels, alerting, once, {channel: digest([channel, once]) for channel in channels})
    content = None if file.content is None else zlib.compress(file.content)
    connection.execute(insert(enclosures).values(notice_id=number, name=file.name, media_type=file.media_type, content=content))
    return True


def newest_named(connection: Connection, prefix: str) -> datetime | None:
    """When the newest notice that has a name with this prefix was owed; None where there is none."""
    query = select(func.max(notices.c.at)).where(notices.c.once >= prefix, notices.c.once < f"{prefix}\U0010ffff")
    return connection.execute(query).scalar()


def known_since(connection: Connection, channels: Sequence[str]) -> datetime | None:
    """Since when the first of these channels is known; None where none is."""
    return connection.execute(select(func.min(known_channels.c.since)).where(known_channels.c.name.in_(channels))).scalar()


def welcome(connection: Connection, path: Path, alerting: Alerting, at: datetime) -> None:
    """Owe each channel that is not known yet the state of every target as people know it, and know it from now on."""
    known = set(connection.execute(select(known_channels.c.name)).scalars())
    for route in alerting.routes:
        if route.channel in known:
            continue
        connection.execute(insert(known_channels).values(name=route.channel, since=at))
        rows = connection.execute(select(targets.c.document, told.c.document.label("told")).join(told).order_by(targets.c.name)).all()
        for row in rows:
            notice = at_hand(target_text(row.document), what_was_told(path, row.told), at=at)
            if route.takes(notice):
                _owe(connection, notice, (route.channel,), alerting, None)


def claim(connection: Connection, path: Path, channel: str, at: datetime, lease: timedelta) -> Batch | None:
    """What is due: the oldest message that was begun, whole, or else all that is in none yet, as a new one."""
    free = or_(
        and_(deliveries.c.state == DeliveryState.PENDING, deliveries.c.next_at <= at),
        and_(deliveries.c.state == DeliveryState.CLAIMED, deliveries.c.claimed_until <= at),
    )
    due = (
        select(deliveries.c.id, deliveries.c.batch, deliveries.c.notice_id, notices.c.document)
        .join(notices)
        .where(deliveries.c.channel == channel, free)
    )
    rows = connection.execute(due.order_by(deliveries.c.batch.is_(None), deliveries.c.id)).all()
    if not rows:
        return None
    key = rows[0].batch
    mine = [row for row in rows if row.batch == key][:MAX_BATCH] if key is None else [row for row in rows if row.batch == key]
    numbers = [row.id for row in mine]
    key = key or digest([channel, numbers, [row.document for row in mine]])
    claimed = {"state": DeliveryState.CLAIMED, "claimed_until": at + lease, "batch": key}
    done = connection.execute(update(deliveries).where(deliveries.c.id.in_(numbers), free).values(claimed))
    if done.rowcount != len(numbers):  # within one writer's transaction nobody comes between
        raise RuntimeError("a message was claimed twice")
    attempts = connection.execute(select(deliveries.c.attempts).where(deliveries.c.id == numbers[0])).scalar_one()
    files = connection.execute(select(enclosures).where(enclosures.c.notice_id.in_([row.notice_id for row in mine])))
    return Batch(
        channel=channel,
        key=key,
        notices=tuple(_notice(path, row.document) for row in mine),
        attempts=attempts,
        enclosures=tuple(rebuilt(path, "enclosure", _enclosure, row) for row in files),
    )


def settle(connection: Connection, batch: Batch, state: DeliveryState, next_at: datetime, reason: str) -> None:
    """Write what became of a message; one that somebody else has claimed meanwhile, or delivered, stays theirs to write."""
    values = {"state": state, "attempts": batch.attempts + 1, "next_at": next_at, "claimed_until": None, "reason": reason or None}
    mine = and_(deliveries.c.channel == batch.channel, deliveries.c.batch == batch.key, deliveries.c.state == DeliveryState.CLAIMED)
    connection.execute(update(deliveries).where(mine).values(values))
    if state is DeliveryState.DELIVERED:
        for number in connection.execute(select(enclosures.c.notice_id)).scalars().all():  # few, and mostly none
            waiting = select(deliveries.c.id).where(deliveries.c.notice_id == number, deliveries.c.state != DeliveryState.DELIVERED)
            if connection.execute(waiting.limit(1)).scalar() is None:
                connection.execute(delete(enclosures).where(enclosures.c.notice_id == number))


def owed(connection: Connection, path: Path) -> tuple[Owed, ...]:
    """All that is not delivered, the oldest first."""
    query = select(deliveries, notices.c.document).join(notices).where(deliveries.c.state != DeliveryState.DELIVERED).order_by(deliveries.c.id)
    return tuple(
        Owed(
            channel=row.channel,
            state=row.state,
            notice=_notice(path, row.document),
            attempts=row.attempts,
            next_at=row.next_at,
            reason=row.reason,
        )
        for row in connection.execute(query)
    )


def unpark(connection: Connection, channel: str | None, at: datetime) -> int:
    """Let what is parked be tried again at once."""
    parked = deliveries.c.state == DeliveryState.PARKED
    which = parked if channel is None else and_(parked, deliveries.c.channel == channel)
    values = {"state": DeliveryState.PENDING, "attempts": 0, "next_at": at, "reason": None}
    return int(connection.execute(update(deliveries).where(which).values(values)).rowcount)


def outworn(delivered_before: datetime) -> tuple[tuple[Table, Select[Any]], ...]:
    """What is not needed any more, by tables in the order in which it can go: deliveries that came to their end before then, and what only they told.

    What must not be said twice stays, and so does the newest of each: SQLite would give its number to the next one, and with it, perhaps, the key of
    a message that the far end knows already.
    """

    def newest(table: Table) -> ScalarSelect[int]:
        return select(func.max(table.c.id)).scalar_subquery()

    ended = and_(deliveries.c.state == DeliveryState.DELIVERED, deliveries.c.next_at < delivered_before, deliveries.c.id < newest(deliveries))
    needed = select(deliveries.c.notice_id).where(not_(ended))
    told_of = and_(notices.c.once.is_(None), notices.c.id.not_in(needed), notices.c.id < newest(notices))
    return (deliveries, select(deliveries.c.id).where(ended)), (notices, select(notices.c.id).where(told_of))


def _owe(
    connection: Connection,
    notice: Notice,
    channels: Sequence[str],
    alerting: Alerting,
    once: str | None,
    batches: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Owe it to all of `channels`, to those in `batches` as that message; returns the notice's number."""
    number = inserted(connection, notices, {"at": notice.at, "once": once, "document": canonical(notice.document())})
    next_at = alerting.due_at(notice.at)
    for channel in channels:
        row = {"notice_id": number, "channel": channel, "state": DeliveryState.PENDING, "attempts": 0, "next_at": next_at}
        connection.execute(insert(deliveries).values({**row, "batch": batches.get(channel)}))
    return number


def _enclosure(row: Row[Any]) -> Attachment:
    return Attachment(name=row.name, media_type=row.media_type, content=None if row.content is None else _decompressed(row.content))


def _decompressed(content: bytes) -> bytes:
    """The file's own bytes, which were bounded when it was taken in.

    Raises:
        ValueError: It is no such file.
    """
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(content, MAX_ATTACHED_BYTES + 1)
    except zlib.error as error:
        raise ValueError("no file that was enclosed") from error
    if not unpacking.eof or len(plain) > MAX_ATTACHED_BYTES:
        raise ValueError("larger than any file that is enclosed")
    return plain


def what_was_told(path: Path, document: str) -> Told:
    return rebuilt(path, "what was told", lambda text: Told.from_document(json.loads(text)), document)


_TELL = update(told).where(told.c.target_id == bindparam("of")).values(document=bindparam("text"))


def _notice(path: Path, document: str) -> Notice:
    return rebuilt(path, "notice", lambda text: Notice.from_document(json.loads(text)), document)
