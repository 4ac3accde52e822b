"""Two states of a profile side by side: what differs, what is only written differently, what is volatile, what cannot be compared. Pure.

`core.drift` says what a change is. Here stands also what is none, with both values as they were sent.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from auditor.core.baseline import Stand, stands
from auditor.core.direction import OrgDomain, mark_of
from auditor.core.drift import change, changes, said, showing, shown, subjects
from auditor.core.model import (
    CONFIGURED,
    SECRET_FIELDS,
    UNKNOWN,
    Approval,
    Direction,
    Fact,
    FieldChange,
    JsonType,
    ProfileField,
    Severity,
    Snapshot,
    State,
)


class Relation(StrEnum):
    """How a field of one state stands to that of another one; a field that is the same to the letter has none."""

    DIFFERS = "differs"
    REWRITTEN = "rewritten"
    """The same, written differently: case or a final dot of a host, the order of scope tokens or headers, null or an empty text."""
    IGNORED = "ignored"
    """It differs, and the configuration calls it volatile."""
    API_SHAPE = "api_shape"
    """One of the two API versions does not show it: nothing is known to have changed."""
    NOT_COMPARABLE = "not_comparable"
    """Fingerprints under different keys, an identifier that one of the two masks, or an approved value that this reading cannot show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One field of two states. `told` rates it where it differs or is ignored; `subject` is one of `core.drift.subjects`."""

    subject: str
    relation: Relation
    before: ProfileField
    after: ProfileField
    told: FieldChange | None = None

    @property
    def severity(self) -> Severity | None:
        """How bad it is; None where nothing differs, or it does not count."""
        return self.told.severity if self.told and self.relation is Relation.DIFFERS else None


def beside(before: Snapshot, after: Snapshot, *, org_domain: OrgDomain, volatile: Collection[str] = ()) -> tuple[Beside, ...]:
    """Every field that is not the same to the letter in both snapshots, in reading order."""
    told = {one.subject: one for one in changes(before, after, org_domain=org_domain)}
    found = []
    for subject in subjects(before, after):
        old, new = shown(before, subject), shown(after, subject)
        relation = _relation(subject, old, new, told.get(subject))
        if relation is None or (before.configured != after.configured and subject not in told):
            continue  # that there is a profile, or none, says it for every field
        relation = Relation.IGNORED if subject in volatile and relation is not Relation.API_SHAPE else relation
        found.append(Beside(subject=subject, relation=relation, before=old, after=new, told=told.get(subject)))
    return tuple(found)


def beside_approved(
    approved: Mapping[str, Approval], after: Snapshot, *, org_domain: OrgDomain, volatile: Collection[str] = ()
) -> tuple[Beside, ...]:
    """Every approved field that does not say in `after` what was approved to the letter. Where a value is approved, a profile is."""
    if approved and not after.configured:
        there = replace(after, configured=True)
        told = change(CONFIGURED, shown(there, CONFIGURED), shown(after, CONFIGURED), mark_of(CONFIGURED, there, after, org_domain=org_domain))
        return (Beside(subject=CONFIGURED, relation=Relation.DIFFERS, before=shown(there, CONFIGURED), after=shown(after, CONFIGURED), told=told),)
    found = []
    for name, stand in stands(after, approved).items():
        old, new = approved[name].value, after.field(name)
        if stand is Stand.DIFFERS:
            mark = mark_of(name, showing(after, name, old), after, org_domain=org_domain)
            relation = Relation.IGNORED if name in volatile else Relation.DIFFERS
            found.append(Beside(subject=name, relation=relation, before=old, after=new, told=change(name, old, new, mark)))
        elif stand in (Stand.NOT_SHOWN, Stand.NOT_COMPARABLE):
            found.append(Beside(subject=name, relation=Relation.NOT_COMPARABLE, before=old, after=new))
        elif said(name, old) != said(name, new):
            found.append(Beside(subject=name, relation=Relation.REWRITTEN, before=old, after=new))
    return tuple(found)


def as_sent(subject: str, field: ProfileField) -> str:
    """The field as it was sent, a text in quotes; of a secret, a header or an undocumented field what is kept of it."""
    fact = field.fact
    if subject in SECRET_FIELDS or subject == "RequestHeaders" or subject.startswith(UNKNOWN) or subject == CONFIGURED:
        return said(subject, field) if fact.state is not State.UNSET or fact.sent is None else _EMPTY.get(fact.sent, said(subject, field))
    match fact.state:
        case State.UNSET if fact.sent is not None:
            return _EMPTY.get(fact.sent, said(subject, field))
        case State.VALUE if isinstance(fact.value, str):
            return json.dumps(fact.value, ensure_ascii=False)
        case State.VALUE:
            return f"{said(subject, field)}{_form(fact)}"
        case _:
            return said(subject, field)


_EMPTY = {JsonType.NULL: "null", JsonType.TEXT: '""', JsonType.LIST: "[]", JsonType.OBJECT: "an object of nulls"}


def _form(fact: Fact) -> str:
    """How a number was sent, where it was as something else (`"2"`, `"Basic"`)."""
    return ", sent as text" if isinstance(fact.value, int) and fact.sent is JsonType.TEXT else ""


def _relation(subject: str, old: ProfileField, new: ProfileField, told: FieldChange | None) -> Relation | None:
    if told is not None:
        return Relation.API_SHAPE if told.kind == "api_shape" else Relation.DIFFERS
    keys, new_keys = key_ids(old), key_ids(new)
    if (keys and new_keys and keys != new_keys) or _is_in_clear(old) != _is_in_clear(new) or (old.place is None) != (new.place is None):
        return Relation.NOT_COMPARABLE
    return Relation.REWRITTEN if as_sent(subject, old) != as_sent(subject, new) else None


def _is_in_clear(field: ProfileField) -> bool:
    """Whether an identifier is shown, and not masked."""
    return field.text is not None and field.text.state is State.VALUE


def key_ids(field: ProfileField) -> frozenset[str]:
    """Under which keys the fingerprints of a field were taken."""
    marks = [header.fingerprint for header in field.headers] + [mark for _, mark in (field.place.parameters if field.place else ())]
    return frozenset(mark.key_id for mark in marks)


def is_worse(told: FieldChange | None) -> bool:
    """Whether a change goes the wrong way for the safety of the mail."""
    return told is not None and told.direction in (Direction.DOWNGRADE, Direction.REDIRECTION)
