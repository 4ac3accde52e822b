"""Reads from Command's audit log what may tell who changed the mail profile: `GET /Audit` for an interval, and whether signatures hold.

The messages of entries end here: they are XML with the state before and after, so they are searched for a word, as text, and never parsed or kept.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from auditor.command import listing, strictjson
from auditor.command.listing import NotPermitted
from auditor.command.session import Session
from auditor.core.attribution import CLOCK_SLACK, may_concern, named_in, names_profile
from auditor.core.detectors import shown_text
from auditor.core.model import AuditEntry, AuditTrail, Signature, TrailOutcome
from auditor.core.model.attribution import APPLICATION_SETTING
from auditor.exchange.trouble import Trouble

PERMISSION = "/auditing/read/"
MAX_CLOCK_OFFSET = timedelta(minutes=5)
"""The log is asked for so much more on either side, since the server stamps by its own clock; 5 minutes is what Kerberos lets clocks differ by.
A server further off is asked a second time."""
MAX_VALIDATED = 20
"""Each validation is a request; of more entries the newest are validated."""
MAX_USER, MAX_IDENTIFIER, MAX_TYPE = 256, 256, 128
_MAX_VERDICT_BYTES = 1024

_log = logging.getLogger("auditor.command")

_OPERATIONS: Mapping[int, str] = MappingProxyType({1: "Created", 2: "Updated", 3: "Deleted"})
_CATEGORIES: Mapping[int, str] = MappingProxyType({2007: APPLICATION_SETTING, 2012: "AuthorizationFailure"})
"""The codes that are documented; of others the number is kept."""


def read(session: Session, *, after: datetime, until: datetime, product_version: str | None) -> AuditTrail:
    """What the audit log says of the time after `after` and through `until`, by our clock. What goes wrong is the trail's outcome, never raised.

    It is read within the session's deadline. Whether to ask again after `not_permitted` is the caller's to decide: Command logs each denied call.
    """

    def trail(outcome: TrailOutcome, message: str = "", **found: Any) -> AuditTrail:
        _log.info("read the audit log of %s: %s", session.target.name, outcome.value, extra=_told(session, outcome))
        return AuditTrail(outcome=outcome, message=message, after=after, until=until, **found)

    try:
        session.unlock()
        found = _interval(session, after, until, timedelta(0), product_version)
        offset = timedelta(milliseconds=found.clock_offset_ms or 0)
        if abs(offset) > MAX_CLOCK_OFFSET - CLOCK_SLACK:
            found = _interval(session, after, until, offset, product_version)
    except NotPermitted as refusal:
        return trail(TrailOutcome.NOT_PERMITTED, str(refusal))
    except listing.Unsupported:
        return trail(TrailOutcome.FAILED, f"{session.who} does not offer version 1 of its audit log")
    except Trouble as trouble:
        return trail(TrailOutcome.FAILED, trouble.message)
    read_entries = [_entry(item) for item in found.items.values()]
    odd = sum(entry is None for entry in read_entries)
    begin, end = after + offset - CLOCK_SLACK, until + offset + CLOCK_SLACK
    entries = [entry for entry in read_entries if entry is not None and begin < entry.at <= end and may_concern(entry)]
    entries.sort(key=lambda entry: (entry.at, entry.id))
    return trail(
        TrailOutcome.READ,
        found.gap or (f"{odd} of its entries could not be read" if odd else ""),
        complete=found.complete and not odd,
        clock_offset_ms=found.clock_offset_ms,
        entries=tuple(_validated(session, entries)),
    )


def _told(session: Session, outcome: TrailOutcome) -> dict[str, object]:
    return {"event": "audit_log", "target": session.target.name, "outcome": outcome.value}


def _interval(session: Session, after: datetime, until: datetime, offset: timedelta, product_version: str | None) -> listing.Listing:
    begin, end = after + offset - MAX_CLOCK_OFFSET, until + offset + MAX_CLOCK_OFFSET
    asked = [f'Timestamp -{than} "{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"' for than, at in (("gt", begin), ("lt", end + timedelta(seconds=1)))]

    def wanted(item: Mapping[str, Any]) -> bool:
        at = timestamp(item.get("Timestamp"))
        return at is None or begin - timedelta(seconds=1) <= at <= end + timedelta(seconds=1)

    question = listing.Question(path="/Audit", permission=PERMISSION, version=1, query=" AND ".join(asked), sort_field="Timestamp", wanted=wanted)
    return listing.read(session, question, product_version=product_version)


def timestamp(value: object) -> datetime | None:
    """The instant that a timestamp of the log names, in either of its forms (`...Z`, or seven digits and no zone, which is UTC); None for no such."""
    form = _TIMESTAMP.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if form is None:
        return None
    zone = "+00:00" if form["zone"] in (None, "Z") else form["zone"]
    try:
        return datetime.fromisoformat(f"{form['date']}T{form['time']}.{(form['fraction'] or '')[:6]:0<6}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_TIMESTAMP = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)


def _entry(item: Mapping[str, Any]) -> AuditEntry | None:
    """The entry that `item` is; None where a key lacks or has another type than Command documents."""
    at = timestamp(item.get("Timestamp"))
    codes = [item.get(key) for key in ("Category", "Operation")]
    texts = [item.get(key) for key in ("User", "EntityType", "AuditIdentifier", "Message")]
    if at is None or not all(type(code) is int for code in codes) or not all(isinstance(text, str | None) for text in texts):
        return None
    code, operation = (int(code) for code in codes if code is not None)
    category = _CATEGORIES.get(code, str(code))
    user, entity_type, identifier, message = (text or "" for text in texts)
    entity_type, identifier = entity_type[:MAX_TYPE], identifier[:MAX_IDENTIFIER]
    return AuditEntry(
        id=item["Id"],
        at=at,
        user=shown_text(user, limit=MAX_USER),
        operation=_OPERATIONS.get(operation, str(operation)),
        category=category,
        entity_type=shown_text(entity_type, limit=MAX_TYPE),
        identifier=shown_text(identifier, limit=MAX_IDENTIFIER),
        named=named_in(category=category, entity_type=entity_type, identifier=identifier, message=message),
    )


def _validated(session: Session, entries: list[AuditEntry]) -> Iterator[AuditEntry]:
    """`entries`, those that name the profile with what Command says of their signatures; once it gives no answer it is not asked on."""
    asking = {entry.id for entry in [entry for entry in entries if names_profile(entry)][-MAX_VALIDATED:]}
    for entry in entries:
        signature = _signature(session, entry.id) if entry.id in asking else Signature.UNCHECKED
        if signature is None:
            asking = set()
        yield replace(entry, signature=signature or Signature.UNCHECKED)


def _signature(session: Session, entry_id: int) -> Signature | None:
    """Whether the signature holds; None where Command would not say."""
    url = f"{session.base}/Audit/{entry_id}/Validate"
    try:
        answer = session.authorized(lambda header: session.get(url, header, version=1, max_body_bytes=_MAX_VERDICT_BYTES))
        holds = strictjson.loads(answer.body) if answer.status == 200 else None
    except (Trouble, strictjson.StrictJsonError):
        return None
    return {True: Signature.VALID, False: Signature.INVALID}[holds] if isinstance(holds, bool) else None
