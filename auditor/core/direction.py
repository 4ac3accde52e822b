"""Which way a change goes for the safety of the mail, and how bad it is: a table of marks, not code paths (semantics section 4)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from auditor.core.model import SECRET_FIELDS, Direction, Severity, Snapshot, State

OrgDomain = Callable[[str], str | None]
"""The organisational domain of a host name by the public suffix list; None where it has none."""

DOWNGRADES = ("tls_off", "weaker_authentication", "port_465_to_587", "port_587_to_25", "port_465_to_25", "https_dropped", "secret_left_pam")
REDIRECTIONS = ("host", "token_endpoint", "credential")
"""What the facts `drift.downgrades` and `drift.redirections` can hold; how bad each is, the rules say."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One kind of change that means something: of which field, which way it goes, how bad it is by itself, and when it is so."""

    name: str
    field: str
    direction: Direction
    severity: Severity
    holds: "Callable[[_Profile, _Profile], bool]"


def mark_of(field: str, before: Snapshot, after: Snapshot, *, org_domain: OrgDomain) -> Mark | None:
    """What a change of `field` between the two snapshots means, the worst that holds; None where no mark knows it: neutral, and low."""
    old, new = _Profile(before, org_domain), _Profile(after, org_domain)
    return next((mark for mark in _MARKS if mark.field == field and mark.holds(old, new)), None)


def named(before: Snapshot, after: Snapshot, names: tuple[str, ...], *, org_domain: OrgDomain, approved: Collection[str] = ()) -> tuple[str, ...]:
    """Which of `names` (`DOWNGRADES` or `REDIRECTIONS`) happened between the two snapshots, leaving out fields whose new value is `approved`."""
    if before.digest == after.digest:
        return ()
    old, new = _Profile(before, org_domain), _Profile(after, org_domain)
    happened = {mark.name for mark in _MARKS if mark.field not in approved and mark.holds(old, new)}
    return tuple(name for name in names if name in happened)


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


def _port(*route: int) -> Callable[[_Profile, _Profile], bool]:
    return lambda old, new: (old["Port"], new["Port"]) == route


def _other_organisation(field: str) -> Callable[[_Profile, _Profile], bool]:
    return lambda old, new: None not in (a := old.organisation(field), b := new.organisation(field)) and a != b


_MARKS = (
    Mark("profile_removed", "profile.configured", Direction.DOWNGRADE, Severity.CRITICAL, lambda o, n: o.configured and not n.configured),
    Mark("tls_off", "UseSSL", Direction.DOWNGRADE, Severity.CRITICAL, lambda o, n: o["UseSSL"] is True and n["UseSSL"] is not True and n.configured),
    Mark("tls_on", "UseSSL", Direction.UPGRADE, Severity.INFO, lambda o, n: o["UseSSL"] is False and n["UseSSL"] is True),
    Mark(
        "weaker_authentication",
        "RelayAuthenticationType",
        Direction.DOWNGRADE,
        Severity.CRITICAL,
        lambda o, n: o.has_login and not n.has_login and n.configured,
    ),
    Mark(
        "weaker_authentication",
        "RelayAuthenticationType",
        Direction.DOWNGRADE,
        Severity.HIGH,
        lambda o, n: o.login_strength == 2 and n.login_strength == 1,
    ),
    Mark(
        "stronger_authentication",
        "RelayAuthenticationType",
        Direction.UPGRADE,
        Severity.INFO,
        lambda o, n: o.login_strength < n.login_strength,
    ),
    Mark("port_465_to_25", "Port", Direction.DOWNGRADE, Severity.HIGH, lambda o, n: _port(465, 25)(o, n) and n.has_login),
    Mark("port_465_to_25", "Port", Direction.NEUTRAL, Severity.MEDIUM, _port(465, 25)),
    Mark("port_587_to_25", "Port", Direction.DOWNGRADE, Severity.HIGH, lambda o, n: _port(587, 25)(o, n) and n.has_login),
    Mark("port_587_to_25", "Port", Direction.NEUTRAL, Severity.MEDIUM, _port(587, 25)),
    Mark("port_465_to_587", "Port", Direction.DOWNGRADE, Severity.MEDIUM, lambda o, n: _port(465, 587)(o, n) and n["UseSSL"] is not True),
    Mark("port_465_to_587", "Port", Direction.NEUTRAL, Severity.LOW, _port(465, 587)),
    Mark("port_to_submission", "Port", Direction.UPGRADE, Severity.INFO, lambda o, n: o["Port"] == 25 and n["Port"] in (465, 587)),
    Mark("host", "Host", Direction.REDIRECTION, Severity.CRITICAL, _other_organisation("Host")),
    Mark("credential", "Host", Direction.REDIRECTION, Severity.CRITICAL, lambda o, n: o.has_login and _other_organisation("Host")(o, n)),
    Mark(
        "https_dropped",
        "TokenEndpoint",
        Direction.DOWNGRADE,
        Severity.CRITICAL,
        lambda o, n: o.endpoint_scheme == "https" and n.endpoint_scheme == "http",
    ),
    Mark("token_endpoint", "TokenEndpoint", Direction.REDIRECTION, Severity.CRITICAL, _other_organisation("TokenEndpoint")),
    *(
        mark
        for name in SECRET_FIELDS
        for mark in (
            Mark(
                "secret_exposed",
                name,
                Direction.DOWNGRADE,
                Severity.CRITICAL,
                lambda o, n, name=name: n[name] == "exposed" != o[name],  # type: ignore[misc]
            ),
            Mark(
                "secret_left_pam",
                name,
                Direction.DOWNGRADE,
                Severity.MEDIUM,
                lambda o, n, name=name: (o[name], n[name]) == ("pam", "stored"),  # type: ignore[misc]
            ),
            Mark(
                "secret_into_pam",
                name,
                Direction.UPGRADE,
                Severity.INFO,
                lambda o, n, name=name: (o[name], n[name]) == ("stored", "pam"),  # type: ignore[misc]
            ),
        )
    ),
    Mark(
        "sender",
        "SenderAccount",
        Direction.NEUTRAL,
        Severity.MEDIUM,
        lambda o, n: o.sender_organisation() != n.sender_organisation(),
    ),
)
"""What a change means, the worse first for each field: semantics section 4. A change that no mark knows is neutral and low."""
