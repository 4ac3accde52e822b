"""What changed between two snapshots of one profile, and which way each change goes.

Comparison is canonical: case and a trailing dot of a host, the order of scope tokens and of request headers are no change. A field that one
of the two API shapes does not offer is `api_shape`, never drift. Fingerprints under different keys are not compared.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from auditor.core.model import (
    PROFILE_FIELDS,
    SECRET_FIELDS,
    Direction,
    Fact,
    FieldChange,
    Fingerprint,
    ProfileField,
    SecretPlace,
    Severity,
    Snapshot,
    State,
)

OrgDomain = Callable[[str], str | None]
"""The organisational domain of a host name by the public suffix list; None where it has none."""


def changes(before: Snapshot, after: Snapshot, *, org_domain: OrgDomain) -> tuple[FieldChange, ...]:
    """Every difference between two snapshots, in the order in which a profile is read."""
    if before.configured != after.configured:
        words = {True: "configured", False: "no mail profile"}
        mark = _first_mark("profile.configured", before, after, org_domain)
        return (_change("profile.configured", "cleared" if before.configured else "set", words[before.configured], words[after.configured], mark),)
    found: list[FieldChange] = []
    for name in PROFILE_FIELDS:
        old, new = before.field(name), after.field(name)
        kind = difference(name, old, new)
        if kind == "api_shape":
            found.append(FieldChange(field=name, kind=kind, direction=Direction.NEUTRAL, before=said(name, old), after=said(name, new)))
        elif kind:
            found.append(_change(name, kind, said(name, old), said(name, new), _first_mark(name, before, after, org_domain)))
    return (*found, *_unknown_fields(before, after))


DOWNGRADES = ("tls_off", "weaker_authentication", "port_465_to_587", "port_587_to_25", "port_465_to_25", "https_dropped", "secret_left_pam")
REDIRECTIONS = ("host", "token_endpoint", "credential")
"""What the facts `drift.downgrades` and `drift.redirections` can hold; how bad each is, the rules say."""


def named(before: Snapshot, after: Snapshot, names: tuple[str, ...], *, org_domain: OrgDomain, approved: Collection[str] = ()) -> tuple[str, ...]:
    """Which of `names` (`DOWNGRADES` or `REDIRECTIONS`) happened between the two snapshots, leaving out fields whose new value is `approved`."""
    old, new = _Profile(before, org_domain), _Profile(after, org_domain)
    happened = {mark.name for mark in _MARKS if mark.field not in approved and mark.holds(old, new)}
    return tuple(name for name in names if name in happened)


def difference(name: str, old: ProfileField, new: ProfileField) -> str | None:
    """How two states of the field `name` differ, as a kind of `FieldChange`; None where they come to the same."""
    if (old.fact.state is State.NOT_OFFERED) != (new.fact.state is State.NOT_OFFERED):
        return "api_shape"
    if name == "RequestHeaders" and old.fact.state is new.fact.state is State.VALUE:
        return None if _same_headers(old, new) else "value"
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
            return "not set"
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


def _unknown_fields(before: Snapshot, after: Snapshot) -> list[FieldChange]:
    old, new = ({field.name: field for field in snapshot.unknown} for snapshot in (before, after))
    found = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was and now and was.sent is now.sent and not _differ(was.fingerprint, now.fingerprint):
            continue
        texts = [f"{field.sent.value}, {field.length}" if field else "not sent" for field in (was, now)]
        if texts[0] == texts[1]:
            texts = [f"{text} ({field.fingerprint.mac[:8]})" for text, field in zip(texts, (was, now), strict=True) if field]
        found.append(
            FieldChange(field=name, kind="unknown_field", direction=Direction.NEUTRAL, before=texts[0], after=texts[1], severity=Severity.LOW)
        )
    return found


# --- which way it goes: by data -----------------------------------------------------------------------------------


class _Profile:
    """A snapshot as the marks below ask it: plain values, None for every kind of absence."""

    def __init__(self, snapshot: Snapshot, org_domain: OrgDomain) -> None:
        self.configured = snapshot.configured
        self._facts, self._org_domain = snapshot.facts, org_domain

    def __getitem__(self, name: str) -> object:
        fact = self._facts[name]
        return fact.value if fact.state is State.VALUE else None

    @property
    def has_login(self) -> bool:
        return self["RelayAuthenticationType"] in (2, 3)

    @property
    def login_strength(self) -> int:
        """OAuth above Basic above none; an undocumented type counts as none."""
        return {2: 1, 3: 2}.get(self["RelayAuthenticationType"], 0)  # type: ignore[call-overload, no-any-return]

    @property
    def endpoint_scheme(self) -> str:
        endpoint = self["TokenEndpoint"]
        return endpoint.partition("://")[0].lower() if isinstance(endpoint, str) else ""  # urlsplit refuses some texts

    def organisation(self, name: str) -> str | None:
        """Of a host name or a URL: the organisational domain, else the host as it stands; None where nothing is set."""
        value = self[name]
        if not isinstance(value, str):
            return None
        try:
            host = (urlsplit(value).hostname or value) if "://" in value else value
        except ValueError:
            host = value
        host = host.lower().removesuffix(".")
        return self._org_domain(host) or host

    def sender_organisation(self) -> str | None:
        value = self["SenderAccount"]
        return self._org_domain(value.rpartition("@")[2].lower()) if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class _Mark:
    name: str
    field: str
    direction: Direction
    severity: Severity
    holds: Callable[[_Profile, _Profile], bool]


def _port(*route: int) -> Callable[[_Profile, _Profile], bool]:
    return lambda old, new: (old["Port"], new["Port"]) == route


def _other_organisation(field: str) -> Callable[[_Profile, _Profile], bool]:
    return lambda old, new: None not in (a := old.organisation(field), b := new.organisation(field)) and a != b


_MARKS = (
    _Mark("profile_removed", "profile.configured", Direction.DOWNGRADE, Severity.CRITICAL, lambda o, n: o.configured and not n.configured),
    _Mark("tls_off", "UseSSL", Direction.DOWNGRADE, Severity.CRITICAL, lambda o, n: o["UseSSL"] is True and n["UseSSL"] is not True and n.configured),
    _Mark("tls_on", "UseSSL", Direction.UPGRADE, Severity.INFO, lambda o, n: o["UseSSL"] is False and n["UseSSL"] is True),
    _Mark(
        "weaker_authentication",
        "RelayAuthenticationType",
        Direction.DOWNGRADE,
        Severity.CRITICAL,
        lambda o, n: o.has_login and not n.has_login and n.configured,
    ),
    _Mark(
        "weaker_authentication",
        "RelayAuthenticationType",
        Direction.DOWNGRADE,
        Severity.HIGH,
        lambda o, n: o.login_strength == 2 and n.login_strength == 1,
    ),
    _Mark(
        "stronger_authentication",
        "RelayAuthenticationType",
        Direction.UPGRADE,
        Severity.INFO,
        lambda o, n: o.login_strength < n.login_strength,
    ),
    _Mark("port_465_to_25", "Port", Direction.DOWNGRADE, Severity.HIGH, lambda o, n: _port(465, 25)(o, n) and n.has_login),
    _Mark("port_465_to_25", "Port", Direction.NEUTRAL, Severity.MEDIUM, _port(465, 25)),
    _Mark("port_587_to_25", "Port", Direction.DOWNGRADE, Severity.HIGH, lambda o, n: _port(587, 25)(o, n) and n.has_login),
    _Mark("port_587_to_25", "Port", Direction.NEUTRAL, Severity.MEDIUM, _port(587, 25)),
    _Mark("port_465_to_587", "Port", Direction.DOWNGRADE, Severity.MEDIUM, lambda o, n: _port(465, 587)(o, n) and n["UseSSL"] is not True),
    _Mark("port_465_to_587", "Port", Direction.NEUTRAL, Severity.LOW, _port(465, 587)),
    _Mark("port_to_submission", "Port", Direction.UPGRADE, Severity.INFO, lambda o, n: o["Port"] == 25 and n["Port"] in (465, 587)),
    _Mark("host", "Host", Direction.REDIRECTION, Severity.CRITICAL, _other_organisation("Host")),
    _Mark("credential", "Host", Direction.REDIRECTION, Severity.CRITICAL, lambda o, n: o.has_login and _other_organisation("Host")(o, n)),
    _Mark(
        "https_dropped",
        "TokenEndpoint",
        Direction.DOWNGRADE,
        Severity.CRITICAL,
        lambda o, n: o.endpoint_scheme == "https" and n.endpoint_scheme == "http",
    ),
    _Mark("token_endpoint", "TokenEndpoint", Direction.REDIRECTION, Severity.CRITICAL, _other_organisation("TokenEndpoint")),
    *(
        mark
        for name in SECRET_FIELDS
        for mark in (
            _Mark(
                "secret_exposed",
                name,
                Direction.DOWNGRADE,
                Severity.CRITICAL,
                lambda o, n, name=name: n[name] == "exposed" != o[name],  # type: ignore[misc]
            ),
            _Mark(
                "secret_left_pam",
                name,
                Direction.DOWNGRADE,
                Severity.MEDIUM,
                lambda o, n, name=name: (o[name], n[name]) == ("pam", "stored"),  # type: ignore[misc]
            ),
            _Mark(
                "secret_into_pam",
                name,
                Direction.UPGRADE,
                Severity.INFO,
                lambda o, n, name=name: (o[name], n[name]) == ("stored", "pam"),  # type: ignore[misc]
            ),
        )
    ),
    _Mark(
        "sender",
        "SenderAccount",
        Direction.NEUTRAL,
        Severity.MEDIUM,
        lambda o, n: o.sender_organisation() != n.sender_organisation(),
    ),
)
"""What a change means, the worse first for each field: semantics section 4. A change that no mark knows is neutral and low."""


def _first_mark(name: str, before: Snapshot, after: Snapshot, org_domain: OrgDomain) -> _Mark | None:
    old, new = _Profile(before, org_domain), _Profile(after, org_domain)
    return next((mark for mark in _MARKS if mark.field == name and mark.holds(old, new)), None)


def _change(name: str, kind: str, before: str, after: str, mark: _Mark | None) -> FieldChange:
    return FieldChange(
        field=name,
        kind=kind,
        direction=mark.direction if mark else Direction.NEUTRAL,
        severity=mark.severity if mark else Severity.LOW,
        before=before,
        after=after,
    )


# --- in words -----------------------------------------------------------------------------------------------------

_AUTHENTICATION = {0: "Anonymous", 2: "Basic", 3: "OAuth"}


def _said_value(name: str, field: ProfileField) -> str:
    fact = field.fact
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
