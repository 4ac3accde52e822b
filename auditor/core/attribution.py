"""Lays a change of the mail profile to an entry of Command's audit log, where one says so; a time window alone names nobody. Pure.

Whether Command audits a change of the profile at all, and under which category, is not documented. So an entry counts only if it names SMTP or mail
itself, and a change is attributed only if exactly one such entry lies between the two reads and nothing that could be another one may be missing.
"""

import re
from collections.abc import Collection
from datetime import datetime, timedelta

from auditor.core.model import Attribution, AttributionVerdict, AuditEntry, AuditTrail, Naming, Signature, TrailOutcome
from auditor.core.model.attribution import APPLICATION_SETTING

CLOCK_SLACK = timedelta(seconds=2)
"""How well two clocks are told apart by a Date header, which has whole seconds, there and on the way. An entry this near outside the interval may be
the one; it is never laid at somebody's door."""
MAX_CANDIDATES = 20
MAX_MESSAGE = 256 * 1024
"""Characters of an entry's message that are searched; the state of a mail profile, before and after, is below 16 KiB."""

_WHOLE_PROFILE = "profile.configured"
"""The subject of a change that made a profile appear or vanish."""
_WRITES = ("Created", "Updated", "Deleted")


def named_in(*, category: str | None, entity_type: str, identifier: str, message: str) -> tuple[Naming, ...]:
    """Where an entry speaks of SMTP or mail. The message is searched as text, up to `MAX_MESSAGE` characters: nothing in it is parsed or resolved.

    Outside Command's settings, words with a host, mailbox, path or distinguished name in them say nothing: certificates are called that, too.
    """
    is_setting = category == APPLICATION_SETTING
    places = (
        (entity_type, Naming.SMTP_IN_TYPE, Naming.MAIL_IN_TYPE),
        (identifier if is_setting else _plain(identifier), Naming.SMTP_IN_IDENTIFIER, Naming.MAIL_IN_IDENTIFIER),
        (message[:MAX_MESSAGE] if is_setting else _plain(message[:MAX_MESSAGE]), Naming.SMTP_IN_MESSAGE, Naming.MAIL_IN_MESSAGE),
    )
    found = []
    for text, smtp, mail in places:
        if _SMTP.search(text):
            found.append(smtp)
        elif _MAIL.search(text):
            found.append(mail)
    return tuple(found)


def _plain(text: str) -> str:
    """The words of `text` that are no names of other things; in time proportional to its length."""
    return " ".join(word for word in _BETWEEN_WORDS.split(text) if not _NAME_OF_SOMETHING.search(word.strip("/=")))


_SMTP = re.compile(r"smtp", re.IGNORECASE)
_MAIL = re.compile(r"mail", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[\s<>\"',;:()]+")
_NAME_OF_SOMETHING = re.compile(r"[.@=\\/]")


def names_profile(entry: AuditEntry) -> bool:
    """Whether the entry says by itself that the mail profile was written.

    SMTP in type or identifier does. In a change of Command's settings, so does mail there, or SMTP in the message. Mail in a message does not: it is
    in the settings of alerts and reports as well, and were the profile not audited at all, such an entry would be the only one.
    """
    if entry.operation not in _WRITES:
        return False
    telling = _TELLING_OF_A_SETTING if entry.category == APPLICATION_SETTING else _TELLING
    return not telling.isdisjoint(entry.named)


_TELLING = frozenset({Naming.SMTP_IN_TYPE, Naming.SMTP_IN_IDENTIFIER})
_TELLING_OF_A_SETTING = _TELLING | {Naming.MAIL_IN_TYPE, Naming.MAIL_IN_IDENTIFIER, Naming.SMTP_IN_MESSAGE}
_HINTING = frozenset(Naming) - {Naming.MAIL_IN_MESSAGE}


def may_concern(entry: AuditEntry) -> bool:
    """Whether the entry is worth keeping: it wrote one of Command's settings, or speaks of mail in more than a message."""
    return entry.operation in _WRITES and (entry.category == APPLICATION_SETTING or not _HINTING.isdisjoint(entry.named))


def attribute(fields_changed: Collection[str], *, not_before: datetime, not_after: datetime, trail: AuditTrail) -> Attribution:
    """To whom a change of `fields_changed` can be laid that happened after `not_before` and by `not_after`, by our clock.

    - *attributed*: one entry names the mail profile, lies within the interval by the server's clock, names a user and can explain the change; no
      second one does, and the log was read whole. An invalid signature is said first: then the log itself is in doubt.
    - *candidates*: several name it; or one does, and another may be missing, the clocks do not settle it, it names no user, or it is a deletion and
      the profile is still there; or none does, and somebody wrote settings of Command, or something that may have to do with mail. Nobody is named.
    - *pending*: the log was not read, or not of this interval; a later read can fill it in.
    """
    if not fields_changed:
        return _verdict(AttributionVerdict.NOT_ATTRIBUTABLE, "nothing changed")
    match trail.outcome:
        case TrailOutcome.NOT_PERMITTED:
            return _verdict(AttributionVerdict.NOT_PERMITTED, trail.message or "our account may not read Command's audit log")
        case TrailOutcome.FAILED | TrailOutcome.NOT_ASKED:
            return _verdict(AttributionVerdict.PENDING, trail.message or "Command's audit log has not been read")
        case TrailOutcome.READ:
            pass
    if trail.after is None or trail.until is None or trail.after > not_before or trail.until < not_after:
        return _verdict(AttributionVerdict.PENDING, "Command's audit log has not been read for the whole interval")
    offset = timedelta(milliseconds=trail.clock_offset_ms or 0)
    begin, end = not_before + offset, not_after + offset
    near = [entry for entry in trail.entries if begin - CLOCK_SLACK < entry.at <= end + CLOCK_SLACK]
    naming = [entry for entry in near if names_profile(entry)]
    doubts = _doubts(naming, fields_changed, trail, begin, end)
    if len(naming) == 1 and not doubts:
        return Attribution(verdict=AttributionVerdict.ATTRIBUTED, entries=(naming[0],), reason=_loud(naming, "the only entry that names the profile"))
    if naming:
        return _candidates(naming, doubts)
    settings = [entry for entry in near if may_concern(entry)]
    if settings:
        gap = [f"entries may be missing{_because(trail)}"] if not trail.complete else []
        return _candidates(
            settings,
            ["no entry names the mail profile; these wrote settings of Command, or speak of mail, in the interval, which proves nothing", *gap],
        )
    if not trail.complete:
        return _verdict(
            AttributionVerdict.NOT_ATTRIBUTABLE, f"no entry that was read names the mail profile, and some may be missing{_because(trail)}"
        )
    return _verdict(AttributionVerdict.NOT_ATTRIBUTABLE, "no entry of the interval names the mail profile")


def _doubts(naming: list[AuditEntry], fields_changed: Collection[str], trail: AuditTrail, begin: datetime, end: datetime) -> list[str]:
    """What keeps a change from being laid to the entries that name the profile."""
    doubts = []
    if len(naming) > 1:
        # The last writer need not be the one who changed the field: a form that is saved again writes what somebody else had changed.
        doubts.append(f"{len(naming)} entries name the mail profile")
    if any(not begin < entry.at <= end for entry in naming):
        doubts.append("an entry lies at the edge of the interval, and clocks are known to a second only")
    if trail.clock_offset_ms is None:
        doubts.append("how the server's clock stands to ours is not known")
    if not trail.complete:
        doubts.append(f"entries may be missing{_because(trail)}")
    if any(not entry.user for entry in naming):
        doubts.append("an entry names no user")
    if _WHOLE_PROFILE not in fields_changed and any(entry.operation == "Deleted" for entry in naming):
        doubts.append("an entry is of a deletion, and the profile is still there")
    return doubts


def _candidates(entries: list[AuditEntry], doubts: list[str]) -> Attribution:
    newest = entries[-MAX_CANDIDATES:]
    more = [f"the last {MAX_CANDIDATES} of {len(entries)} are listed"] if len(entries) > len(newest) else []
    reason = _loud(newest, "; ".join(["candidates, no verdict", *doubts, *more]))
    return Attribution(verdict=AttributionVerdict.CANDIDATES, entries=tuple(newest), reason=reason)


def _loud(entries: list[AuditEntry], reason: str) -> str:
    broken = [str(entry.id) for entry in entries if entry.signature is Signature.INVALID]
    if not broken:
        return reason
    which = f"ENTRY {broken[0]}" if len(broken) == 1 else f"ENTRIES {', '.join(broken)}"
    return f"THE SIGNATURE OF {which} IS INVALID: the audit log may have been altered, do not rely on what it says; {reason}"


def _because(trail: AuditTrail) -> str:
    return f" ({trail.message})" if trail.message else ""


def _verdict(verdict: AttributionVerdict, reason: str) -> Attribution:
    return Attribution(verdict=verdict, reason=reason)
