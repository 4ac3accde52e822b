"""What a host, an address, a mailbox and a URL look like as text, and when two of them are equal (rule language, sections 2 and 5).

Every function takes any text, raises nothing, and takes time in proportion to its length.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from auditor.core.addresses import parse_ip
from auditor.core.lookalike import look_alike

__all__ = ["FORMATS", "Url", "look_alike", "normal_email", "normal_host", "normal_url", "parse_url"]

MAX_HOST_CHARACTERS = 253
"""RFC 1035 section 2.3.4: 255 octets on the wire, which are 253 as text."""

MAX_EMAIL_OCTETS = 254
"""RFC 5321 section 4.5.3.1.3: a path has 256 octets, two of them the angle brackets."""

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\.?\Z){_LABEL}\.?", re.ASCII)
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# RFC 5321 section 4.1.2: a dot-string or a quoted string
_LOCAL_PART = re.compile(r"""[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*|"(?:[ !#-\[\]-~]|\\[ -~])*\"""", re.ASCII)
_MAX_LOCAL_PART = 64

# RFC 3986 appendix A, for URIs with an authority
_PERCENT = r"%[0-9A-Fa-f]{2}"
_URL = re.compile(
    rf"""(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://
    (?:(?P<userinfo>(?:[\w.~!$&'()*+,;=:-]|{_PERCENT})*)@)?
    (?P<host>\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|{_PERCENT})+)
    (?::(?P<port>[0-9]*))?
    (?P<path>(?:/(?:[\w.~!$&'()*+,;=:@-]|{_PERCENT})*)*)
    (?:\?(?P<query>(?:[\w.~!$&'()*+,;=:@/?-]|{_PERCENT})*))?
    (?:\#(?P<fragment>(?:[\w.~!$&'()*+,;=:@/?-]|{_PERCENT})*))?""",
    re.VERBOSE | re.ASCII,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """The parts of an absolute URL: scheme and host in lower case, `port` with the scheme's default filled in, the rest as sent."""

    scheme: str
    userinfo: str | None
    host: str
    port: int | None
    path: str
    query: str | None
    fragment: str | None


def parse_url(text: str) -> Url | None:
    """The parts of `text` where it is an absolute URL with a host (RFC 3986) and a port that can be, else None."""
    if not (found := _URL.fullmatch(text)) or len(port := found["port"] or "") > _MAX_PORT_DIGITS or int(port or 0) > _MAX_PORT:
        return None
    scheme, host = found["scheme"].lower(), found["host"].lower()
    if host.startswith("[") and not isinstance(parse_ip(host), IPv6Address):  # brackets are for IPv6 (RFC 3986 section 3.2.2)
        return None
    return Url(
        scheme=scheme,
        userinfo=found["userinfo"],
        host=host,
        port=int(port) if port else _DEFAULT_PORTS.get(scheme),
        path=found["path"],
        query=found["query"],
        fragment=found["fragment"],
    )


def normal_host(text: str, to_ascii: Callable[[str], str]) -> str | None:
    """The form in which two hosts are equal: lower case, A-labels, no trailing dot. None where `text` is no host name (an address is none).

    `to_ascii` is IDNA's; it is asked only for text that is not ASCII, and may raise ValueError.
    """
    if not text.isascii():
        if len(text) > MAX_HOST_CHARACTERS + 1:
            return None
        try:
            text = to_ascii(text)
        except ValueError:  # UnicodeError, and so idna.IDNAError, is one
            return None
    return text.lower().removesuffix(".") if _is_hostname(text) else None


def normal_email(text: str, to_ascii: Callable[[str], str]) -> str | None:
    """The form in which two mailboxes are equal: local part in lower case, domain as `normal_host` has it. None where `text` is no mailbox."""
    local, _, domain = text.rpartition("@")
    host = normal_host(domain, to_ascii)
    email = f"{local.lower()}@{host}"
    return email if host is not None and not domain.endswith(".") and _is_email(email) else None


def normal_url(text: str) -> str | None:
    """The form in which two URLs are equal: scheme and host in lower case, no default port, an empty path is `/`. None where `text` is no URL."""
    if (url := parse_url(text)) is None:
        return None
    userinfo = f"{url.userinfo}@" if url.userinfo is not None else ""
    port = f":{url.port}" if url.port is not None and url.port != _DEFAULT_PORTS.get(url.scheme) else ""
    query = f"?{url.query}" if url.query is not None else ""
    fragment = f"#{url.fragment}" if url.fragment is not None else ""
    return f"{url.scheme}://{userinfo}{url.host}{port}{url.path or '/'}{query}{fragment}"


_MAX_PORT, _MAX_PORT_DIGITS = 65535, 9


def _is_hostname(text: str) -> bool:
    return len(text.removesuffix(".")) <= MAX_HOST_CHARACTERS and _HOSTNAME.fullmatch(text) is not None


def _is_fqdn(text: str) -> bool:
    return _is_hostname(text) and "." in text[:-1]


def _is_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return (
        len(text) <= MAX_EMAIL_OCTETS  # what passes the rest is ASCII
        and len(local) <= _MAX_LOCAL_PART
        and _LOCAL_PART.fullmatch(local) is not None
        and _is_fqdn(domain)
        and not domain.endswith(".")  # a name may, a mailbox may not (RFC 5321 section 4.1.2)
    )


def _is_https_url(text: str) -> bool:
    url = parse_url(text)
    return url is not None and url.scheme == "https"


FORMATS: dict[str, Callable[[str], bool]] = {
    "fqdn": _is_fqdn,
    "hostname": _is_hostname,
    "ip": lambda text: parse_ip(text) is not None,
    "email": _is_email,
    "url": lambda text: parse_url(text) is not None,
    "https_url": _is_https_url,
    "guid": lambda text: _GUID.fullmatch(text) is not None,
}
"""The formats of the rule language by name; each takes the text as sent."""
