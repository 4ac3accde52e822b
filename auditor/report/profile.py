"""A snapshot and an observation as rows for a reader: the profile field by field, and how it was collected."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from auditor.core.baseline import Stand, stands
from auditor.core.drift import said
from auditor.core.model import PROFILE_FIELDS, SECRET_FIELDS, Approval, Fact, Observation, Snapshot, State
from auditor.report.wording import count, moment

Collected = tuple[tuple[str, str], ...]
"""How an observation came about: label and text, in reading order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """One field in words, or several that are absent for the same reason. `is_value` tells a value from words about its absence.

    `approval` says which value is approved by whom, empty where none is; `differs` where that is another one.
    """

    fields: tuple[str, ...]
    words: str
    is_value: bool = False
    is_alarming: bool = False
    approval: str = ""
    differs: bool = False


def rows(snapshot: Snapshot | None, approved: Mapping[str, Approval] | None = None) -> tuple[ProfileRow, ...]:
    """The profile as a person reads it, beside what is `approved`; what the source does not offer comes last, in one row for each reason."""
    if snapshot is None or not snapshot.configured:
        return ()
    approved = approved or {}
    found = stands(snapshot, approved)
    shown, not_offered = [], dict[str, list[str]]()
    for name in PROFILE_FIELDS:
        fact = snapshot.facts.get(name)
        if fact is None:
            continue
        if fact.state is State.NOT_OFFERED and name not in approved:
            not_offered.setdefault(fact.reason or "not offered", []).append(name)
        else:
            shown.append(_row(name, fact, snapshot))
            if stand := found.get(name):
                shown[-1] = replace(shown[-1], approval=_approval(approved[name], stand), differs=stand is Stand.DIFFERS)
    shown += [ProfileRow(fields=(extra.name,), words=f"undocumented field: {extra.sent.value}, {extra.length}") for extra in snapshot.unknown]
    return (*shown, *(ProfileRow(fields=tuple(names), words=reason) for reason, names in not_offered.items()))


def beside_baseline(snapshot: Snapshot | None, approved: Mapping[str, Approval]) -> str:
    """How the profile stands to what is approved, in a sentence; empty where no profile was seen."""
    if snapshot is None:
        return ""
    if not approved:
        return "Nothing is approved for this server."
    found = stands(snapshot, approved)
    named = {stand: [name for name, its in found.items() if its is stand] for stand in (Stand.DIFFERS, Stand.NOT_SHOWN, Stand.NOT_COMPARABLE)}
    words = {Stand.DIFFERS: "not as approved", Stand.NOT_SHOWN: "not shown", Stand.NOT_COMPARABLE: "not comparable"}
    told = "; ".join(f"{words[stand]}: {', '.join(names)}" for stand, names in named.items() if names)
    return f"{count(len(found), 'approved value')}, {told or 'all as approved'}."


def claim(approval: Approval) -> str:
    """Who approved it and until when: `by Ada, CHG-1, through 2026-12-31`."""
    end = f"through {approval.expires} (UTC)" if approval.expires else None
    return ", ".join(filter(None, [f"by {approval.by}", approval.ticket, end]))


def collected(observation: Observation) -> Collected:
    """What an auditor asks of an observation years later; what was never learnt is left out."""
    seen, took = observation.collection, observation.ended_at - observation.started_at
    snapshot = observation.snapshot
    lines = (
        ("Read", f"{moment(observation.started_at)}, in {took.total_seconds():.1f} s"),
        ("Scheduled for", observation.slot and moment(observation.slot)),
        ("Request", f"{seen.method} {seen.url}"),
        ("API version", seen.api_version and f"{seen.api_version}{_offers(seen.supported_versions)}"),
        ("Command version", seen.product_version),
        ("Answer", seen.status and f"HTTP {seen.status}{_size(seen.body_bytes)}"),
        ("Account", seen.account and f"{seen.account}{f' ({seen.auth_method})' if seen.auth_method else ''}"),
        ("TLS", seen.tls_version and f"{seen.tls_version}, {_VERIFIED[seen.tls_verified]}"),
        ("Server certificate", seen.tls_leaf_sha256 and f"SHA-256 {seen.tls_leaf_sha256}"),
        ("Server address", seen.remote_address),
        ("Server clock", _clock(seen.clock_offset_ms)),
        ("Correlation id", seen.correlation_id),
        ("Collected by", f"{seen.collector_host or 'unknown host'}, auditor {seen.collector_version or 'unknown'}"),
        ("Attempts", str(seen.attempts) if seen.attempts > 1 else None),
        ("Snapshot", snapshot and f"SHA-256 {snapshot.digest}"),
    )
    return tuple((label, str(text)) for label, text in lines if text)


_VERIFIED = {True: "certificate verified", False: "certificate NOT verified", None: "verification unknown"}


def _approval(approval: Approval, stand: Stand) -> str:
    value = said(approval.field, approval.value)
    match stand:
        case Stand.HOLDS:
            return f"approved {claim(approval)}"
        case Stand.DIFFERS:
            return f"differs: approved is {value}, {claim(approval)}"
        case Stand.NOT_SHOWN:
            return f"cannot be compared, this source does not show it: approved is {value}, {claim(approval)}"
        case Stand.NOT_COMPARABLE:
            return f"cannot be compared, approved under another fingerprint key, {claim(approval)}"


def _row(name: str, fact: Fact, snapshot: Snapshot) -> ProfileRow:
    return ProfileRow(
        fields=(name,),
        words=said(name, snapshot.field(name)) + _vault(name, snapshot),
        is_value=fact.state in (State.VALUE, State.ILL_TYPED) and name not in SECRET_FIELDS,
        is_alarming=name in SECRET_FIELDS and fact.value == "exposed",
    )


def _vault(name: str, snapshot: Snapshot) -> str:
    """What is known of the PAM provider, ready to follow the place of a secret; nothing where nobody asked."""
    place, vault = snapshot.secrets.get(name), snapshot.facts.get(f"{name}.vault")
    if place is None or place.provider is None:
        return ""
    if place.name:
        kind = {"external": ", an external vault", "command": ", Command's own"}.get(str(vault.value) if vault else "", "")
        return f"; provider {place.provider} is {place.name}{kind}"
    return f"; provider {place.provider} is not known: {vault.reason}" if vault and vault.reason else ""


def _offers(supported: str | None) -> str:
    return f" (the server offers {supported})" if supported else ""


def _size(body_bytes: int | None) -> str:
    return f", {count(body_bytes, 'byte')}" if body_bytes is not None else ""


def _clock(offset_ms: int | None) -> str | None:
    if offset_ms is None:
        return None
    if abs(offset_ms) < 2000:
        return "in step with ours"
    return f"{count(round(abs(offset_ms) / 1000), 'second')} {'ahead of' if offset_ms > 0 else 'behind'} ours"
