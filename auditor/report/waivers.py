"""What a reader is told of waivers: the one that excuses a failure, and how each of those in the configuration stands."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from auditor.core.model import Standing, Waiver
from auditor.core.waiver import Review, WaiverState, review, scope_text, until
from auditor.report.shown import ShownWaiver, Status
from auditor.report.wording import lasting, listed

_WORDS = {WaiverState.PENDING: "not yet", WaiverState.IN_FORCE: "in force", WaiverState.EXPIRED: "expired"}
_STATUS = {WaiverState.PENDING: Status.NEUTRAL, WaiverState.EXPIRED: Status.FAIL}
_FIRST = (WaiverState.EXPIRED, WaiverState.EXPIRING, WaiverState.PENDING, WaiverState.IN_FORCE)


def rows(waivers: Iterable[Waiver], standings: Sequence[Standing], as_of: datetime) -> tuple[ShownWaiver, ...]:
    """Each of `waivers` as it stands at `as_of`, those that need looking at first."""
    reviews = (review(waiver, standings, at=as_of) for waiver in waivers)
    return tuple(_row(item, as_of) for item in sorted(reviews, key=_urgency))


def told(waiver: Waiver) -> tuple[tuple[str, str], ...]:
    """A waiver in full, as pairs of label and text."""
    approved = f"{waiver.approved_by} on {waiver.approved_on}" if waiver.approved_on else waiver.approved_by
    pairs = (
        ("Reason", waiver.reason),
        ("Risk", waiver.risk),
        ("Holds", until(waiver)),
        ("Owner", waiver.owner),
        ("Asked by", waiver.requested_by),
        ("Approved by", approved),
        ("Ticket", waiver.ticket),
        ("Waiver", f"{waiver.id} for {scope_text(waiver)}"),
    )
    return tuple((label, text) for label, text in pairs if text)


def _row(item: Review, as_of: datetime) -> ShownWaiver:
    return ShownWaiver(
        review=item,
        status=_STATUS.get(item.state, Status.WAIVED),
        word=_WORDS.get(item.state) or f"ends in {lasting(item.waiver.expires_at - as_of)}",
        scope=scope_text(item.waiver),
        until=until(item.waiver),
        effect=f"{item.waiver.rule} fails on {listed(item.failing)}." if item.failing else "",
        told=told(item.waiver),
    )


def _urgency(item: Review) -> tuple[int, bool, datetime, str]:
    return _FIRST.index(item.state), not item.concerns, item.waiver.expires_at, item.waiver.id
