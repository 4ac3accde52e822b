"""What changed between two snapshots of one profile, field by field.

Comparison is canonical: case and a trailing dot of a host, the order of scope tokens and of request headers are no change. A field that one
of the two API shapes does not offer is `api_shape`, never drift. Fingerprints under different keys are not compared.
"""

from dataclasses import replace
from datetime import datetime

from auditor.core.direction import Mark, OrgDomain, mark_of
from auditor.core.model import (
    CONFIGURED,
    PROFILE_FIELDS,
    SECRET_FIELDS,
    UNKNOWN,
    Direction,
    Fact,
    FieldChange,
    Fingerprint,
    HeaderSeen,
    ProfileField,
    SecretPlace,
    Severity,
    Snapshot,
    State,
)

Seen = tuple[datetime, Snapshot]
"""A snapshot and when it was last seen on the server."""


def changes(before: Snapshot, after: Snapshot, *, org_domain: OrgDomain, earlier: Seen | None = None) -> tuple[FieldChange, ...]:
    """Every difference between two snapshots, in the order in which a profile is read.

    What `before` does not show (another API shape, no profile) is compared with `earlier`, an older snapshot that shows it, so that nothing changes
    unnoticed behind a shape; such a change says since when.
    """
    found = (_change_of(subject, before, after, org_domain, earlier) for subject in subjects(before, after, *([earlier[1]] if earlier else [])))
    return tuple(change for change in found if change is not None)


def subjects(*snapshots: Snapshot) -> tuple[str, ...]:
    """All that can differ between snapshots: whether there is a profile, its fields, and (`unknown:NAME`) fields that no version documents."""
    unknown = sorted({f"{UNKNOWN}{field.name}" for snapshot in snapshots for field in snapshot.unknown})
    return (CONFIGURED, *PROFILE_FIELDS, *unknown)


def shown(snapshot: Snapshot, subject: str) -> ProfileField:
    """What `snapshot` shows of `subject`, one of `subjects()`; without a profile there is nothing to show of its fields."""
    if subject == CONFIGURED:
        return ProfileField(fact=Fact(State.VALUE, snapshot.configured))
    if not snapshot.configured:
        return ProfileField(fact=Fact(State.NOT_OFFERED, reason="no mail profile"))
    if not subject.startswith(UNKNOWN):
        return snapshot.field(subject)
    found = next((field for field in snapshot.unknown if f"{UNKNOWN}{field.name}" == subject), None)
    if found is None:
        return ProfileField(fact=Fact(State.UNSET))
    mark = HeaderSeen(name=found.name, kind=found.sent.value, length=found.length, fingerprint=found.fingerprint)
    return ProfileField(fact=Fact(State.VALUE, f"{found.sent.value}, {found.length}", found.sent), headers=(mark,))


def showing(snapshot: Snapshot, subject: str, value: ProfileField) -> Snapshot:
    """`snapshot` as if it showed `value` in its field `subject`; of what is no documented field, unchanged: no mark speaks of one."""
    if subject not in PROFILE_FIELDS:
        return snapshot
    texts = {f"{subject}.text": value.text} if value.text else {}
    facts = {name: fact for name, fact in snapshot.facts.items() if name != f"{subject}.text"} | {subject: value.fact} | texts
    return replace(snapshot, configured=True, facts=facts)


def change(subject: str, old: ProfileField, new: ProfileField, mark: Mark | None) -> FieldChange | None:
    """How `subject` differs between two states; None where they come to the same."""
    kind = difference(subject, old, new)
    if kind is None:
        return None
    before, after = said(subject, old), said(subject, new)
    if subject.startswith(UNKNOWN):
        before, after = _told_apart(before, after, old, new)
        return FieldChange(
            field=subject.removeprefix(UNKNOWN), kind="unknown_field", direction=Direction.NEUTRAL, severity=Severity.LOW, before=before, after=after
        )
    if kind == "api_shape":
        return FieldChange(field=subject, kind=kind, direction=Direction.NEUTRAL, before=before, after=after)
    return FieldChange(
        field=subject,
        kind=("set" if new.fact.value else "cleared") if subject == CONFIGURED else kind,
        direction=mark.direction if mark else Direction.NEUTRAL,
        severity=mark.severity if mark else Severity.LOW,
        before=before,
        after=after,
    )


def difference(name: str, old: ProfileField, new: ProfileField) -> str | None:
    """How two states of the field `name` differ, as a kind of `FieldChange`; None where they come to the same."""
    if (old.fact.state is State.NOT_OFFERED) != (new.fact.state is State.NOT_OFFERED):
        return "api_shape"
    if (name == "RequestHeaders" or name.startswith(UNKNOWN)) and old.fact.state is new.fact.state is State.VALUE:
        same_type = name == "RequestHeaders" or old.fact.sent is new.fact.sent
        return None if same_type and _same_headers(old, new) else "value"
    if _canonical(name, old.fact) != _canonical(name, new.fact):
        if old.fact.state is State.UNSET and new.fact.state is State.VALUE:
            return "set"
        if old.fact.state is State.VALUE and new.fact.state is State.UNSET:
            return "cleared"
        return "secret_state" if name in SECRET_FIELDS else "value"
    if name in SECRET_FIELDS:
        return _place_kind(old.place, new.place) or _clear_text_kind(old.text, new.text)
    return None


def said(name: str, field: ProfileField) -> str:
    """The field in words for a person: its value, or which kind of absence it is; never a secret."""
    fact = field.fact
    match fact.state:
        case State.UNSET:
            return "not sent" if name.startswith(UNKNOWN) else "not set"
        case State.MISSING:
            return "missing from the answer"
        case State.NOT_OFFERED:
            return fact.reason or "not offered"
        case State.INCONCLUSIVE:
            return fact.reason or "not known"
        case State.ILL_TYPED:
            kind = fact.sent.value if fact.sent else "value"
            return f"{kind} {_literal(fact.value)} (ill-typed)" if fact.value is not None else f"a {kind} (ill-typed)"
        case State.VALUE:
            return _said_value(name, field)


# --- is it different ----------------------------------------------------------------------------------------------


def _canonical(name: str, fact: Fact) -> object:
    value = fact.value
    if isinstance(value, str) and fact.state is State.VALUE:
        match name:
            case "Host" | "SenderAccount" | "SenderAddress":
                value = value.lower().removesuffix(".")
            case "Scope":
                value = tuple(sorted(value.split()))
            case _:
                pass
    sent = fact.sent if fact.state is State.ILL_TYPED else None
    return fact.state, type(value), value, sent


def _place_kind(old: SecretPlace | None, new: SecretPlace | None) -> str | None:
    if old is None or new is None:
        return None
    if old.undisclosed != new.undisclosed:
        return "api_shape"
    if old.provider != new.provider:
        return "provider"
    before, after = dict(old.parameters), dict(new.parameters)
    if set(before) != set(after) or any(_differ(before[key], after[key]) for key in before):
        return "parameter"
    return None


def _clear_text_kind(old: Fact | None, new: Fact | None) -> str | None:
    both_shown = old is not None and new is not None and old.state is new.state is State.VALUE
    return "value" if both_shown and old and new and old.value != new.value else None


def _same_headers(before: ProfileField, after: ProfileField) -> bool:
    old = sorted(((h.name.lower(), h.fingerprint) for h in before.headers), key=lambda item: (item[0], item[1].mac))
    new = sorted(((h.name.lower(), h.fingerprint) for h in after.headers), key=lambda item: (item[0], item[1].mac))
    names_equal = [name for name, _ in old] == [name for name, _ in new]
    return names_equal and not any(_differ(a[1], b[1]) for a, b in zip(old, new, strict=True))


def _differ(old: Fingerprint, new: Fingerprint) -> bool:
    return old.key_id == new.key_id and old.mac != new.mac


def _change_of(subject: str, before: Snapshot, after: Snapshot, org_domain: OrgDomain, earlier: Seen | None) -> FieldChange | None:
    old, new = shown(before, subject), shown(after, subject)
    if not before.configured and not after.configured and subject != CONFIGURED:
        return None
    if earlier and old.fact.state is State.NOT_OFFERED and new.fact.state is not State.NOT_OFFERED:
        at, then = earlier
        found = change(subject, shown(then, subject), new, mark_of(subject, then, after, org_domain=org_domain))
        if found is None or found.kind != "api_shape":
            return found and replace(found, since=at)
    if before.configured != after.configured and subject != CONFIGURED:
        return None  # that there is a profile, or none, says it
    return change(subject, old, new, mark_of(subject, before, after, org_domain=org_domain))


def _told_apart(before: str, after: str, old: ProfileField, new: ProfileField) -> tuple[str, str]:
    """Two values of one type and length bucket differ by their fingerprints alone."""
    if before != after:
        return before, after
    return tuple(f"{text} ({field.headers[0].fingerprint.mac[:8]})" for text, field in ((before, old), (after, new)))  # type: ignore[return-value]


# --- in words -----------------------------------------------------------------------------------------------------

_AUTHENTICATION = {0: "Anonymous", 2: "Basic", 3: "OAuth"}


def _said_value(name: str, field: ProfileField) -> str:
    fact = field.fact
    if name == CONFIGURED:
        return "configured" if fact.value else "no mail profile"
    if name in SECRET_FIELDS:
        return _said_secret(str(fact.value), field.text, field.place)
    if name == "RelayAuthenticationType" and isinstance(fact.value, int):
        word = _AUTHENTICATION.get(fact.value)
        return f"{fact.value} ({word})" if word else f"{fact.value} (not documented)"
    if name == "RequestHeaders":
        return ", ".join(f"{h.name} ({h.kind}, {h.fingerprint.mac[:8]})" for h in field.headers) or "an empty list"
    return str(fact.value) if isinstance(fact.value, str) else _literal(fact.value)


def _said_secret(state: str, text: Fact | None, place: SecretPlace | None) -> str:
    if text is not None and text.state is State.VALUE:
        return str(text.value)
    match state:
        case "pam" if place is None or place.undisclosed:
            return "kept in PAM (provider not disclosed)"
        case "pam":
            parameters = ", ".join(f"{key} {mark.mac[:8]}" for key, mark in place.parameters) if place else ""
            return f"kept in PAM (provider {place.provider if place else '?'}{'; ' + parameters if parameters else ''})"
        case "exposed":
            return "sent in clear (value dropped)"
        case _:
            return "set, kept by Command"


def _literal(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
