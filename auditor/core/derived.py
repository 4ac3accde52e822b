"""Facts that follow from collected facts and bundled tables, and from nothing else (rule language, section 8 "Derived").

Each is computed when it is read. All are total: any text gives a value, or `unset` where none can be had.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from auditor.core.addresses import ip_scope, parse_ip
from auditor.core.characters import has_bidi, has_control, has_line_break, has_space, has_zero_width
from auditor.core.formats import normal_email, normal_host, parse_url
from auditor.core.lookalike import decoded_labels, mixes_scripts
from auditor.core.model import Fact, FactValue, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One row of the provider table: a mail service, the hosts that a row speaks of, and what they take.

    A host is written out, or has `*` for any one label. Ports, values of UseSSL and values of RelayAuthenticationType are those that the provider
    documents. `basic_off_on` is the day on which Basic is turned off unless asked for, `basic_ends_on` its last; None where none is announced.
    """

    name: str
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    use_ssl: tuple[bool, ...]
    authentication: tuple[int, ...]
    basic_off_on: date | None = None
    basic_ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What derived facts need from outside the standard library, as plain functions and data.

    `org_domain` is the organisational domain of a host by the public suffix list, None where it has none. `to_ascii` and `to_unicode` are IDNA's
    and raise ValueError for what is no name. `versions` has for each table a digest or version of its content: another one may judge differently.
    """

    org_domain: Callable[[str], str | None]
    to_ascii: Callable[[str], str]
    to_unicode: Callable[[str], str]
    providers: tuple[Provider, ...]
    freemail: frozenset[str]
    versions: Mapping[str, str]


def with_derived(facts: Mapping[str, Fact], tables: Tables) -> Mapping[str, Fact]:
    """`facts`, and every fact that follows from them, each computed when it is first read.

    A fact that is given stays as it is, also under the name of a derived one. Any other name is *not offered*. Only `[]` derives: listed is what was
    given or has been read.
    """
    return _WithDerived(facts, tables)


class _WithDerived(dict[str, Fact]):
    """A dict, which looks up quickest: it lists what was given or has been read, and answers `[]` for any other name."""

    __slots__ = ("_tables",)

    def __init__(self, facts: Mapping[str, Fact], tables: Tables) -> None:
        super().__init__(facts)
        self._tables = tables

    def __missing__(self, name: str) -> Fact:
        fact = self[name] = self._derived(name)
        return fact

    def _derived(self, name: str) -> Fact:
        if (derivation := DERIVED.get(name)) is None:
            return _NOT_OFFERED
        sources = [self[source] for source in derivation.sources]
        if any(source.state is not State.VALUE for source in sources):
            return min(sources, key=lambda fact: _LOWEST_FIRST.index(fact.state))
        value = derivation.compute(self._tables, *(source.value for source in sources))
        return Fact.of(State.UNSET) if value is None else Fact.of(State.VALUE, value)


_NOT_OFFERED = Fact.of(State.NOT_OFFERED, reason="was not looked at")

# Absent before unseen. Within each, first the state that says least: `unset` is an answer, and what is not offered is nobody's trouble.
_LOWEST_FIRST = (State.ILL_TYPED, State.MISSING, State.UNSET, State.INCONCLUSIVE, State.NOT_OFFERED, State.VALUE)


# --- host -----------------------------------------------------------------------------------------------------------


def _org_domain(tables: Tables, host: str) -> str | None:
    name = normal_host(host, tables.to_ascii) if parse_ip(host) is None else None
    return tables.org_domain(name) if name else None


def _host_faults(_: Tables, host: str) -> tuple[str, ...]:
    scheme = _SCHEME.match(host)
    rest = host[scheme.end() :] if scheme else host
    faults = {
        "scheme": scheme is not None,
        "slash": "/" in rest or "\\" in rest,
        "at_sign": "@" in rest,
        "port": _PORT.fullmatch(rest.rstrip("/")) is not None,
        "whitespace": has_space(host),
        "control": has_control(host),
        "zero_width": has_zero_width(host),
        "bidi": has_bidi(host),
        "edge_dot": host.startswith(".") or host.endswith("."),
        "edge_hyphen": host.startswith("-") or host.endswith("-"),
        "not_nfc": not unicodedata.is_normalized("NFC", host),
        "upper_case": host != host.lower(),
    }
    return tuple(fault for fault, there in faults.items() if there)


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=//)|(?:smtps?|https?|mailto):", re.IGNORECASE)
_PORT = re.compile(r"(?:[^:]*|\[[^\]]*\]):[0-9]+", re.DOTALL)


def _mixed_scripts(_: Tables, host: str) -> tuple[str, ...]:
    return tuple(label for label in decoded_labels(host) if mixes_scripts(label))


def _idna_stable(tables: Tables, host: str) -> bool:
    def is_stable(label: str) -> bool:
        try:
            return tables.to_ascii(tables.to_unicode(label)) == label
        except ValueError:
            return False

    return all(is_stable(label) for label in host.lower().split(".") if label.startswith("xn--"))


def _provider(tables: Tables, host: str) -> Provider | None:
    name = normal_host(host, tables.to_ascii) or ""
    for provider in tables.providers:
        if any(pattern == name or ("*" in pattern and _fits(pattern, name)) for pattern in provider.hosts):
            return provider
    return None


def _fits(pattern: str, name: str) -> bool:
    wanted, labels = pattern.split("."), name.split(".")
    return len(wanted) == len(labels) and all(want in ("*", label) for want, label in zip(wanted, labels, strict=True))


def _provider_name(tables: Tables, host: str) -> str:
    provider = _provider(tables, host)
    return provider.name if provider else "other"


def _basic_off_on(tables: Tables, host: str) -> date | None:
    provider = _provider(tables, host)
    return provider.basic_off_on if provider else None


def _basic_ends_on(tables: Tables, host: str) -> date | None:
    provider = _provider(tables, host)
    return provider.basic_ends_on if provider else None


# --- sender and user ------------------------------------------------------------------------------------------------


def _sender_part(place: int) -> Callable[[Tables, str], str | None]:
    def part(tables: Tables, account: str) -> str | None:
        mailbox = normal_email(account, tables.to_ascii)
        return mailbox.rpartition("@")[place] if mailbox else None

    return part


_sender_local, _sender_domain = _sender_part(0), _sender_part(2)


def _sender_org_domain(tables: Tables, account: str) -> str | None:
    domain = _sender_domain(tables, account)
    return tables.org_domain(domain) if domain else None


def _sender_freemail(tables: Tables, account: str) -> bool | None:
    domain = _sender_domain(tables, account)
    return None if domain is None else bool({domain, tables.org_domain(domain)} & tables.freemail)


def _sender_name_faults(_: Tables, name: str) -> tuple[str, ...]:
    folded = unicodedata.normalize("NFKC", name)  # a full-width @ is shown, and by some clients read, as one
    faults = {
        "line_break": has_line_break(name),
        "control": has_control(name),
        "bidi": has_bidi(name),
        "zero_width": has_zero_width(name),
        "at_sign": "@" in folded,
        "url": _LINK.search(folded) is not None,
        "angle_bracket": "<" in folded or ">" in folded,
    }
    return tuple(fault for fault, there in faults.items() if there)


_LINK = re.compile(r"[a-z]://|\bwww\.|\bmailto:", re.IGNORECASE)


def _user_account(_: Tables, user: str) -> str | None:
    return user.rpartition("\\")[2].partition("@")[0].lower() or None


def _user_mailbox(tables: Tables, user: str) -> str | None:
    return normal_email(user, tables.to_ascii)


# --- token endpoint, scope, audience, headers -----------------------------------------------------------------------


def _endpoint_scheme(_: Tables, endpoint: str) -> str | None:
    return url.scheme if (url := parse_url(endpoint)) else None


def _endpoint_host(_: Tables, endpoint: str) -> str | None:
    return url.host if (url := parse_url(endpoint)) else None


def _endpoint_port(_: Tables, endpoint: str) -> int | None:
    return url.port if (url := parse_url(endpoint)) else None


def _endpoint_path(_: Tables, endpoint: str) -> str | None:
    return url.path or "/" if (url := parse_url(endpoint)) else None


def _endpoint_org_domain(tables: Tables, endpoint: str) -> str | None:
    return _org_domain(tables, url.host) if (url := parse_url(endpoint)) else None


def _endpoint_idp(_: Tables, endpoint: str) -> str:
    url = parse_url(endpoint)
    return _IDENTITY_PROVIDERS.get(url.host.removesuffix("."), "other") if url else "other"


def _endpoint_tenant(tables: Tables, endpoint: str) -> str | None:
    url = parse_url(endpoint)
    return url.path.split("/")[1] or None if url and url.path and _endpoint_idp(tables, endpoint) == "entra" else None


# Entra's sign-in hosts of the clouds that it documents (public, US government, operated by 21Vianet), and Google's token endpoints
_IDENTITY_PROVIDERS = {
    "login.microsoftonline.com": "entra",
    "login.microsoftonline.us": "entra",
    "login.partner.microsoftonline.cn": "entra",
    "login.windows.net": "entra",
    "oauth2.googleapis.com": "google",
    "accounts.google.com": "google",
}


def _scope_tokens(_: Tables, scope: str) -> tuple[str, ...]:
    return tuple(token for token in scope.split(" ") if token)


def _scope_duplicates(tables: Tables, scope: str) -> tuple[str, ...]:
    return tuple(token for token, times in Counter(_scope_tokens(tables, scope)).items() if times > 1)


def _header_names(_: Tables, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _forwarding(_: Tables, names: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 7239 and what it replaced: proxies make up their own names behind `x-forwarded-`, so no list of them is whole."""
    return tuple(name for name in names if name == "forwarded" or name.startswith("x-forwarded-"))


# --- the profile as a whole -----------------------------------------------------------------------------------------


def _mail_route(_: Tables, sender: str, relay: str) -> str:
    return f"{sender} via {relay}"


def _provider_refuses(tables: Tables, host: str, port: int, use_ssl: bool, authentication: int) -> tuple[str, ...]:
    if (provider := _provider(tables, host)) is None:
        return ()
    taken = {
        "Port": port in provider.ports,
        "UseSSL": use_ssl in provider.use_ssl,
        "RelayAuthenticationType": authentication in provider.authentication,
    }
    return tuple(field for field, is_taken in taken.items() if not is_taken)


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a fact follows: from which facts, in the order in which `compute` takes their values after the tables. None is *unset*."""

    sources: tuple[str, ...]
    compute: Callable[..., FactValue | None]


DERIVED: dict[str, Derivation] = {
    "Host.org_domain": Derivation(("Host",), _org_domain),
    "Host.ip_scope": Derivation(("Host",), lambda _, host: ip_scope(host)),
    "Host.faults": Derivation(("Host",), _host_faults),
    "Host.mixed_scripts": Derivation(("Host",), _mixed_scripts),
    "Host.idna_stable": Derivation(("Host",), _idna_stable),
    "Host.provider": Derivation(("Host",), _provider_name),
    "Host.basic_off_on": Derivation(("Host",), _basic_off_on),
    "Host.basic_ends_on": Derivation(("Host",), _basic_ends_on),
    "SenderAccount.local": Derivation(("SenderAccount",), _sender_local),
    "SenderAccount.domain": Derivation(("SenderAccount",), _sender_domain),
    "SenderAccount.org_domain": Derivation(("SenderAccount",), _sender_org_domain),
    "SenderAccount.freemail": Derivation(("SenderAccount",), _sender_freemail),
    "SenderName.faults": Derivation(("SenderName",), _sender_name_faults),
    "RelayUsername.account": Derivation(("RelayUsername.text",), _user_account),
    "RelayUsername.mailbox": Derivation(("RelayUsername.text",), _user_mailbox),
    "TokenEndpoint.scheme": Derivation(("TokenEndpoint",), _endpoint_scheme),
    "TokenEndpoint.host": Derivation(("TokenEndpoint",), _endpoint_host),
    "TokenEndpoint.port": Derivation(("TokenEndpoint",), _endpoint_port),
    "TokenEndpoint.path": Derivation(("TokenEndpoint",), _endpoint_path),
    "TokenEndpoint.org_domain": Derivation(("TokenEndpoint",), _endpoint_org_domain),
    "TokenEndpoint.mixed_scripts": Derivation(("TokenEndpoint.host",), _mixed_scripts),
    "TokenEndpoint.idna_stable": Derivation(("TokenEndpoint.host",), _idna_stable),
    "TokenEndpoint.idp": Derivation(("TokenEndpoint",), _endpoint_idp),
    "TokenEndpoint.tenant": Derivation(("TokenEndpoint",), _endpoint_tenant),
    "Scope.tokens": Derivation(("Scope",), _scope_tokens),
    "Scope.duplicates": Derivation(("Scope",), _scope_duplicates),
    "Audience.host": Derivation(("Audience",), _endpoint_host),
    "RequestHeaders.names": Derivation(("RequestHeaders",), _header_names),
    "RequestHeaders.forwarding": Derivation(("RequestHeaders.names",), _forwarding),
    "profile.mail_route": Derivation(("SenderAccount.org_domain", "Host.org_domain"), _mail_route),
    "profile.provider_refuses": Derivation(("Host", "Port", "UseSSL", "RelayAuthenticationType"), _provider_refuses),
}
"""Every derived fact by its name."""
