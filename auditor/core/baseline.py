"""Approved values: which are in force, and what a server says that was not approved. Pure.

An approval binds (target, field, value). It switches nothing off: the approved value is no deviation, every other one is, also the one before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from auditor.core.characters import has_unseen
from auditor.core.drift import difference, said
from auditor.core.model import PROFILE_FIELDS, Approval, Fact, Fingerprint, ProfileField, Snapshot, State

MAX_TEXT = 512
"""Characters of a name, a reason or a ticket."""


def text_fault(text: str) -> str | None:
    """What makes `text` no name, reason or ticket; None where nothing does."""
    if not text.strip():
        return "is empty"
    if len(text) > MAX_TEXT:
        return f"has more than {MAX_TEXT} characters"
    return "has a character that is not seen" if has_unseen(text) else None


class Stand(StrEnum):
    """How what a server says stands to what was approved."""

    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_SHOWN = "not_shown"
    """This reading cannot show it: the other API version, or an identifier that is masked now."""
    NOT_COMPARABLE = "not_comparable"
    """Fingerprints under different keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A field that says what was not approved; `seen` in words."""

    approval: Approval
    seen: str

    @property
    def field(self) -> str:
        return self.approval.field

    @property
    def approved(self) -> str:
        """The approved value in words."""
        return said(self.field, self.approval.value)


def is_in_force(approval: Approval, at: datetime) -> bool:
    """Whether `approval` holds at `at`: given by then, not taken back by then, and `at` no later than the last day's end (UTC)."""
    is_revoked = approval.revoked is not None and approval.revoked.at <= at
    has_ended = approval.expires is not None and at.astimezone(UTC).date() > approval.expires
    return approval.approved_at <= at and not is_revoked and not has_ended


def baseline(approvals: Iterable[Approval], at: datetime) -> dict[str, Approval]:
    """The approval in force of each field at `at`, in reading order: the newest; of one instant, the one that was recorded last.

    When a newer one ends or is revoked, an older one that still holds is in force again. `approvals` are of one target, in order of recording.
    """
    newest: dict[str, Approval] = {}
    approvals = tuple(approvals)
    if not approvals:
        return newest
    for approval in sorted((a for a in approvals if is_in_force(a, at)), key=lambda a: a.approved_at):
        newest[approval.field] = approval
    return {name: newest[name] for name in PROFILE_FIELDS if name in newest}


def stay_revoked(given: Iterable[Approval], recorded: Iterable[Approval]) -> tuple[Approval, ...]:
    """Those of `given` that do not say that they were revoked, while the record does: a revocation is not taken back by leaving it out."""
    revoked = {approval.digest for approval in recorded if approval.revoked}
    return tuple(approval for approval in given if approval.revoked is None and approval.digest in revoked)


def known_at(approvals: Iterable[Approval], at: datetime) -> datetime:
    """`at`, or the last time that something was approved or revoked, if that is later: as of then, what is on record is told whole."""
    acts = [instant for a in approvals for instant in (a.approved_at, a.revoked.at if a.revoked else None) if instant is not None]
    return max([at, *acts])


def approvable(name: str, snapshot: Snapshot) -> ProfileField | str:
    """The value of the field to approve, less how it was sent; or why there is none, in words."""
    seen = snapshot.field(name)
    if seen.fact.state not in (State.VALUE, State.UNSET) or seen.fact.value == "exposed":
        return said(name, seen)
    text = seen.text if seen.text and seen.text.state is State.VALUE else None
    return ProfileField(fact=_plain(seen.fact), text=text and _plain(text), place=seen.place, headers=seen.headers)


def stands(snapshot: Snapshot, approved: Mapping[str, Approval]) -> dict[str, Stand]:
    """How each approved field stands in `snapshot`."""
    return {name: _stand(name, approval.value, snapshot.field(name)) for name, approval in approved.items()}


def deviations(snapshot: Snapshot, approved: Mapping[str, Approval]) -> tuple[Deviation, ...]:
    """The fields that say in `snapshot` what was not approved, by the comparison that tells drift."""
    found = stands(snapshot, approved)
    return tuple(Deviation(approval=approved[name], seen=said(name, snapshot.field(name))) for name in found if found[name] is Stand.DIFFERS)


def facts_of_baseline(snapshot: Snapshot | None, approved: Mapping[str, Approval]) -> dict[str, Fact]:
    """`baseline.*` and, for an observed state, `drift.unapproved`: what a policy can ask about approvals. A field without one is not offered.

    Fields that differ are named even where others could not be compared; without any, that is what the fact says.
    """
    facts = {"baseline.exists": Fact(State.VALUE, value=bool(approved))}
    facts |= {f"baseline.{name}": approval.value.fact for name, approval in approved.items()}
    if snapshot is not None:
        facts["drift.unapproved"] = _unapproved(stands(snapshot, approved)) if approved else Fact(State.NOT_OFFERED, reason="nothing is approved")
    return facts


def _unapproved(found: Mapping[str, Stand]) -> Fact:
    named = {stand: tuple(name for name, its in found.items() if its is stand) for stand in Stand}
    if named[Stand.DIFFERS]:
        return Fact(State.VALUE, named[Stand.DIFFERS])
    if named[Stand.NOT_COMPARABLE]:
        return Fact(State.INCONCLUSIVE, reason=f"{', '.join(named[Stand.NOT_COMPARABLE])}: approved under another fingerprint key")
    if named[Stand.NOT_SHOWN]:
        return Fact(State.NOT_OFFERED, reason=f"{', '.join(named[Stand.NOT_SHOWN])}: approved, but not shown by this source")
    return Fact(State.VALUE, ())


def _stand(name: str, approved: ProfileField, seen: ProfileField) -> Stand:
    kind = difference(name, approved, seen)
    if kind == "api_shape":
        return Stand.NOT_SHOWN
    if kind:
        return Stand.DIFFERS
    is_hidden = approved.text is not None and (seen.text is None or seen.text.state is not State.VALUE)
    if is_hidden or (approved.place is not None and seen.place is None):
        return Stand.NOT_SHOWN
    keys, seen_keys = ({mark.key_id for mark in _fingerprints(field)} for field in (approved, seen))
    return Stand.HOLDS if keys == seen_keys else Stand.NOT_COMPARABLE


def _fingerprints(field: ProfileField) -> Iterable[Fingerprint]:
    yield from (header.fingerprint for header in field.headers)
    yield from (mark for _, mark in (field.place.parameters if field.place else ()))


def _plain(fact: Fact) -> Fact:
    return Fact(fact.state, fact.value)
