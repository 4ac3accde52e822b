"""Tells in whose vault a secret is kept: `GET /PamProviders` names the providers that a profile points at by number.

A provider's parameters, which can hold what the vault is opened with, end here: its name is kept, and whether it is one of Command's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from auditor.command import listing
from auditor.command.session import Session
from auditor.core.detectors import shown_text
from auditor.core.model import Fact, SecretPlace, Snapshot, State
from auditor.exchange.trouble import Trouble

PERMISSION = "/pam/read/"
MAX_NAME = 64
VAULT_OF = ("RelayPassword", "ClientSecret")
"""The secrets of which a fact says which kind of provider keeps them."""

_BUILT_IN = frozenset({"command secret provider", "localdb"})
"""What Command calls the provider that keeps a secret in its own database, today and in older editions. Whether the name stands at the provider or at
its type is not documented; one that bears it in either place is taken for Command's own, since a vault that is none is the worse mistake."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A PAM provider: what Command calls it, safe to show, and whether the secrets are kept outside Command."""

    name: str
    is_external: bool


@dataclass(frozen=True, slots=True)
class Unseen:
    """The providers were not read: what that makes of a fact, and the reason, which is the same for the same cause."""

    state: State
    reason: str


NOT_PERMITTED = Unseen(State.NOT_OFFERED, f"our account lacks the permission {PERMISSION}")


def points_at_pam(snapshot: Snapshot) -> bool:
    """Whether the profile names a provider, so that there is something to ask."""
    return any(place.provider is not None for place in snapshot.secrets.values())


def providers(session: Session, *, version: int, product_version: str | None, within_s: float) -> Mapping[int, Provider] | Unseen:
    """The PAM providers by id, asked for in API `version`, or 1 where that is not offered, within `within_s`. Trouble is returned, never raised."""
    found: listing.Listing | None = None
    left_s = session.countdown(within_s)
    try:
        for asked in dict.fromkeys((version, 1)):
            question = listing.Question(path="/PamProviders", permission=PERMISSION, version=asked, sort_field="Id")
            try:
                found = listing.read(session, question, product_version=product_version, within_s=left_s())
            except listing.Unsupported:
                continue
            break
    except listing.NotPermitted:
        return NOT_PERMITTED
    except Trouble as trouble:
        return Unseen(State.INCONCLUSIVE, f"PAM providers could not be read ({trouble.outcome.value})")
    if found is None:
        return Unseen(State.INCONCLUSIVE, "PAM providers could not be read (unsupported_version)")
    return {id_: _provider(id_, item) for id_, item in found.items.items()}


def _provider(id_: int, item: Mapping[str, Any]) -> Provider:
    kind = item.get("ProviderType")
    called, of_type = (text if isinstance(text, str) else "" for text in (item.get("Name"), kind.get("Name") if isinstance(kind, dict) else None))
    name = shown_text(called.strip(), limit=MAX_NAME) or f"unnamed {id_}"
    return Provider(name=name, is_external=not {called.strip().lower(), of_type.strip().lower()} & _BUILT_IN)


def with_vaults(snapshot: Snapshot, known: Mapping[int, Provider] | Unseen) -> Snapshot:
    """`snapshot`, its secrets' places named, and with the facts that say which kind of provider keeps them."""
    facts = {f"{name}.vault": _vault(snapshot.facts[name], snapshot.secrets.get(name), known) for name in VAULT_OF}
    secrets = dict(snapshot.secrets)
    if not isinstance(known, Unseen):
        for name, place in snapshot.secrets.items():
            provider = known.get(place.provider) if place.provider is not None else None
            secrets[name] = replace(place, name=provider.name if provider else None)
    return replace(snapshot, facts={**snapshot.facts, **facts}, secrets=secrets)


def _vault(secret: Fact, place: SecretPlace | None, known: Mapping[int, Provider] | Unseen) -> Fact:
    if secret.state is not State.VALUE:
        return Fact.of(secret.state, reason=secret.reason)
    if secret.value != "pam":
        return Fact.of(State.UNSET)
    if place is None or place.provider is None:
        return Fact.of(State.NOT_OFFERED, reason="the answer does not say which provider keeps it")
    if isinstance(known, Unseen):
        return Fact.of(known.state, reason=known.reason)
    provider = known.get(place.provider)
    if provider is None:
        return Fact.of(State.INCONCLUSIVE, reason=f"Command lists no PAM provider {place.provider} to our account")
    return Fact.of(State.VALUE, "external" if provider.is_external else "command")
