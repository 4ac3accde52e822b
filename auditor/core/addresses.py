"""What a text means as an IP address to a resolver, how far that address reaches, and which URLs credentials may be sent to.

All functions take any text, raise nothing, and take time in proportion to its length.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

IpAddress = IPv4Address | IPv6Address


def parse_ip(text: str) -> IpAddress | None:
    """The address that a resolver makes of `text` without asking anybody, None where it would ask.

    Taken are dotted IPv4, its short forms (`127.1`), decimal, octal and hexadecimal numbers (as `inet_aton` reads them), IPv6 with or without zone,
    in brackets or not, and the `IPv6:` of a mail address literal. Full-width digits and dots are read as the plain ones: IDNA maps them.
    """
    if len(text) > _MAX_IP_CHARACTERS:
        return None
    text = text.translate(_FULL_WIDTH)
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    if ":" in text:
        try:
            return IPv6Address(text)
        except AddressValueError:
            return None
    return _parse_ipv4(text.removesuffix("."))


def ip_scope(text: str) -> str:
    """How far the address in `text` reaches: `loopback` `link_local` `private` `public`, or `none` where it is no address.

    An IPv4-mapped IPv6 address reaches as far as the IPv4 address in it.
    """
    address = parse_ip(text)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address is None:
        return "none"
    return next((scope for scope, networks in _SCOPES.items() if any(address in network for network in networks)), "public")


def url_fault(text: str, *, insecure_http: bool) -> str:
    """What makes `text` no address that credentials may be sent to; empty where nothing does. Never quotes the text: it may hold a password."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if not host or not text.isascii() or any(character.isspace() for character in text):
        return "is not a URL with a host in ASCII"
    if "@" in parts.netloc:
        return "has a user or password in it"
    if parts.scheme == "http":
        return "" if insecure_http and is_loopback(host) else "is not https"
    return "" if parts.scheme == "https" else "is not https"


def proxy_fault(text: str) -> str:
    """What makes `text` no proxy that can be used; empty where nothing does. Never quotes the text: it may hold a password."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or not text.isascii() or any(character.isspace() for character in text) or parts.scheme not in ("http", "https") or "@" in text:
        return "a proxy is http://HOST:PORT or https://HOST:PORT, with no user or password in it"
    return ""


def is_loopback(host: str) -> bool:
    """Whether `host`, as it stands in a URL, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_MAX_IP_CHARACTERS = 128  # an IPv6 address has 45 at most; the rest is room for a zone, and for leading zeros
_FULL_WIDTH = {0xFF01 + n: 0x21 + n for n in range(94)} | {0x3002: ".", 0xFF61: "."}
_IPV4_PART = re.compile(r"0[xX](?P<hex>[0-9A-Fa-f]+)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")


def _parse_ipv4(text: str) -> IPv4Address | None:
    """IPv4 as `inet_aton` has it: one to four numbers, the last of which fills all octets that are left."""
    parts = text.split(".")
    if len(parts) > 4:
        return None
    value = 0
    for place, part in enumerate(parts, start=1):
        if not (found := _IPV4_PART.fullmatch(part)):
            return None
        number = int(part, 0) if found["octal"] is None else int(part, 8)
        width = 8 if place < len(parts) else 8 * (5 - len(parts))
        if number >= 1 << width:
            return None
        value = value << width | number
    return IPv4Address(value)


# IANA's special-purpose address registries (RFC 6890 and its updates), as of 2025: what is not reachable over the internet. Python's own
# `is_private` means something else from one release to the next. An unspecified address is connected to as loopback.
_SCOPES = {
    scope: tuple(ip_network(network) for network in networks.split())
    for scope, networks in {
        "loopback": "127.0.0.0/8 0.0.0.0/32 ::1/128 ::/128",
        "link_local": "169.254.0.0/16 fe80::/10",
        "private": "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24"
        " 203.0.113.0/24 224.0.0.0/3 64:ff9b:1::/48 100::/64 2001:db8::/32 3fff::/20 5f00::/16 fc00::/7 fec0::/10 ff00::/8",
    }.items()
}
