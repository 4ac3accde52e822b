"""Pays what the outbox owes: one message a channel and run, tried again with growing pauses, given up in the end and never lost.

A slow channel holds up the others for one message at most. What was sent and not written down, because the process died between, is sent again
under the same key.
"""

import logging
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from auditor.core.model import DeliveryState, Digest, Receipt
from auditor.core.notices import Alerting

if TYPE_CHECKING:
    from auditor.notify import Channel
    from auditor.store.outbox import Batch
    from auditor.store.store import Store

log = logging.getLogger("auditor.alerts")

LEASE = timedelta(minutes=5)
"""How long a message belongs to whoever claimed it; a channel's own deadline is far below."""
FIRST_PAUSE = timedelta(minutes=1)
MAX_PAUSE = timedelta(hours=6)
ATTEMPTS = 10
MAX_MESSAGES = 20
ROUND_S = 15.0
"""So many messages go to one channel in one round, and none is begun when it has lasted that long: the next round waits for the slowest channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What one round came to: messages delivered, to be tried again, and given up."""

    delivered: int = 0
    retried: int = 0
    parked: int = 0


def deliver_due(
    store: "Store",
    channels: "Mapping[str, Channel]",
    alerting: Alerting,
    *,
    clock: Callable[[], datetime],
    attempts_of: Callable[[str], int] = lambda _: ATTEMPTS,
    links: Mapping[str, str] | None = None,
) -> Paid:
    """Send each channel what it is owed by now, side by side. `links` has by channel the address below which files can be fetched by their names.

    A message is given up after as many attempts as `attempts_of` names for its channel, or when the far end says that it never will be taken.

    Raises:
        StoreError: The outbox cannot be read or written.
    """
    if not channels:
        return Paid()
    with ThreadPoolExecutor(len(channels), thread_name_prefix="send") as pool:
        rounds = [
            pool.submit(_pay, store, name, channel, alerting, clock, attempts_of(name), (links or {}).get(name)) for name, channel in channels.items()
        ]
    outcomes = [outcome for paid in rounds for outcome in paid.result()]
    return Paid(
        delivered=outcomes.count(DeliveryState.DELIVERED), retried=outcomes.count(DeliveryState.PENDING), parked=outcomes.count(DeliveryState.PARKED)
    )


def pause_after(attempts: int) -> timedelta:
    """How long a message waits after it failed for the `attempts`-th time."""
    doubled: int = 1 << min(attempts - 1, 20)
    return min(FIRST_PAUSE * doubled, MAX_PAUSE)


def title_of(batch: "Batch") -> str:
    """What a message is about, in one line."""
    worst = max((notice for notice in batch.notices if not notice.is_good), key=lambda notice: notice.severity.rank, default=batch.notices[0])
    more = len(batch.notices) - 1
    return f"{worst.title}{f' (and {more} more)' if more else ''}"


def _pay(
    store: "Store", name: str, channel: "Channel", alerting: Alerting, clock: Callable[[], datetime], attempts: int, link: str | None
) -> list[DeliveryState]:
    outcomes: list[DeliveryState] = []
    until = time.monotonic() + ROUND_S
    while len(outcomes) < MAX_MESSAGES and time.monotonic() < until:
        batch = store.claim(name, at=clock(), lease=LEASE)
        if batch is None:
            break
        outcomes.append(_send(store, channel, batch, alerting, clock, attempts, link))
        if outcomes[-1] is not DeliveryState.DELIVERED:
            break  # what stands behind it waits as well: the far end has trouble
    return outcomes


def _send(
    store: "Store", channel: "Channel", batch: "Batch", alerting: Alerting, clock: Callable[[], datetime], attempts: int, link: str | None
) -> DeliveryState:
    digest = Digest(
        key=batch.key,
        at=clock(),
        title=title_of(batch),
        notices=batch.notices,
        attachments=batch.enclosures,
        collector=platform.node(),
        link=f"{link}{quote(batch.enclosures[0].name)}" if link and batch.enclosures else None,
    )
    try:
        receipt = channel.send(digest)
    except Exception:  # an edge: a fault in one channel must not cost the others, nor what it is owed
        log.exception("a channel failed", extra={"channel": batch.channel})
        receipt = Receipt.retry("a fault of the auditor itself: its log has it")
    tried = batch.attempts + 1
    state = receipt.state if receipt.state is not DeliveryState.PENDING or tried < attempts else DeliveryState.PARKED
    later = clock() + (receipt.after or pause_after(tried)) if state is DeliveryState.PENDING else clock()
    store.settle(batch, state, next_at=alerting.due_at(later), reason=receipt.reason)
    told = {"channel": batch.channel, "notices": len(batch.notices), "attempt": tried}
    if state is DeliveryState.DELIVERED and receipt.reason:
        log.warning("delivered in part", extra={**told, "reason": receipt.reason})
    elif state is DeliveryState.DELIVERED:
        log.info("delivered", extra=told)
    else:
        log.warning("not delivered", extra={**told, "state": state.value, "reason": receipt.reason})
    return state
