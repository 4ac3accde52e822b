"""Tells a secret from its mask and from harmless text, at the one moment when a secret is seen: what is kept is the answer, never the value.

Pure functions on texts, in time proportional to their length. Policy examples are read by the same ones, so they mean what a server's answer means.
"""

import binascii
import math
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from auditor.core.addresses import parse_ip
from auditor.core.characters import has_bidi, has_control, has_line_break, has_space, has_zero_width
from auditor.core.formats import FORMATS
from auditor.core.model import Fact, JsonType, State

VERSION = 1
"""Stands in each snapshot: another version may see more or less in the same answer, and that is no drift."""

CUT = "***"
"""What stands where something was cut out."""

SENTINELS = frozenset({"UnsupportedPAMSecret"})
"""Words that Command sends instead of a value (v1, for a user name kept in PAM)."""


def is_mask(text: str) -> bool:
    """Whether `text` stands for a value that is not shown: three or more of one character out of `* • ● x X`, or one of `SENTINELS`."""
    return _MASK.fullmatch(text) is not None or text in SENTINELS


def header_kind(value: str) -> str:
    """What the value of a request header is, in one word; the most telling one where several would do.

    `empty` `pem` `jwt` `bearer` `basic` `api_key` (a key of a known service, or another authorization scheme) `high_entropy` `control_chars` `plain`.
    """
    if not value.strip():
        return "empty"
    scheme = _SCHEME.match(value)
    named = scheme[1].lower() if scheme else ""
    kinds = {
        "pem": _PEM.search(value),
        "jwt": _JWT.search(value),
        "bearer": named == "bearer",
        "basic": named == "basic",
        "api_key": named or _KNOWN_KEY.search(value),
        "high_entropy": _is_random(value),
        "control_chars": has_control(value),
    }
    return next((kind for kind, found in kinds.items() if found), "plain")


def length_bucket(length: int) -> str:
    """`length` to the accuracy that is kept of a secret's length: a range of characters."""
    for low, high in ((0, 0), (1, 8), (9, 16), (17, 32), (33, 64), (65, 128), (129, 256), (257, 1024)):
        if length <= high:
            return f"{low}-{high}" if high else "0"
    return "over 1024"


def header_facts(headers: Sequence[tuple[str, str]]) -> dict[str, Fact]:
    """The facts of `RequestHeaders`, given as (name, value) as sent: names, octets on the wire, faults, and forms of secrets among the values."""
    return {
        "RequestHeaders": Fact.of(State.VALUE, tuple(shown_header_name(name) for name, _ in headers), JsonType.LIST),
        "RequestHeaders.bytes": Fact.of(State.VALUE, sum(_octets(name) + _octets(value) + len(": \r\n") for name, value in headers)),
        "RequestHeaders.faults": Fact.of(State.VALUE, _header_faults(headers)),
        "RequestHeaders.secret_forms": Fact.of(State.VALUE, _secret_forms(headers)),
    }


def shown_header_name(name: str) -> str:
    """`name`, unless somebody put the secret there."""
    return CUT if looks_like_secret(name) else name


def shown_text(text: str, *, limit: int) -> str:
    """A text from a server as it may be kept and shown: on one line, what is not seen spelt out, cut to `limit` characters, and no live secret."""
    if looks_like_secret(text[: 4 * limit]):
        return CUT
    shown = "".join(_spelt(character) for character in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _spelt(character: str) -> str:
    is_hidden = not character.isprintable() or has_control(character) or has_bidi(character) or has_zero_width(character)
    return f"[U+{ord(character):04X}]" if is_hidden else character


def token_endpoint_faults(url: str) -> tuple[str, ...]:
    """What is wrong with `url` as a place to send a client secret to (RFC 6749 section 3.2), before anything is cut out of it.

    `relative` `userinfo` `fragment` `secret_in_query` `not_fqdn` (nor an address) `ip_literal` `special_use` `dot_segment` `control` (white space
    and invisible characters included), in this order. The parts are found as RFC 3986 appendix B has it, so that no text is too odd to be judged.
    """
    found = _URL_PARTS.fullmatch(url)
    assert found is not None  # the expression takes any text
    authority, path, query = found["authority"] or "", found["path"], found["query"] or ""
    host = _PORT.sub("", authority.rpartition("@")[2])
    address = parse_ip(host) is not None
    faults = {
        "relative": not found["scheme"] or not host,
        "userinfo": "@" in authority,
        "fragment": found["fragment"] is not None,
        "secret_in_query": _holds_secret(query),
        "not_fqdn": bool(host) and not address and not FORMATS["fqdn"](host),
        "ip_literal": address,
        "special_use": is_special_use(host),
        "dot_segment": any(segment in (".", "..") for segment in _ENCODED_DOT.sub(".", path).replace("\\", "/").split("/")),
        "control": has_control(url) or has_space(url) or has_zero_width(url) or has_bidi(url),
    }
    return tuple(fault for fault, there in faults.items() if there)


def is_special_use(host: str) -> bool:
    """Whether `host` is a name that no public server can have (RFC 2606, 6761, 6762, 8375, ICANN's `.internal`). `example.com` is not among them."""
    labels = host.lower().removesuffix(".").split(".")
    return labels[-1] in _SPECIAL_USE or labels[-2:] == ["home", "arpa"]


def masked_url(url: str) -> str:
    """`url` with user information, query values and fragment cut out; total on any text, and the same again when done again.

    A text in which readers of URLs would find different passwords and hosts is cut out as a whole: what is left must not name a host that it did not.
    """
    found = _URL_PARTS.fullmatch(url)
    assert found is not None
    authority, path, query = found["authority"] or "", found["path"], found["query"]
    if "@" in authority:
        if authority.count("@") > 1 or "\\" in authority or "@" in path:
            return CUT
        userinfo, _, host = authority.partition("@")
        authority = (CUT if userinfo else "") + "@" + host
    elif "@" in url and not _PLAIN_AUTHORITY.fullmatch(authority):
        return CUT
    head = url[: found.start("slashes")] + "//" + authority if found["slashes"] else url[: found.start("path")]
    tail = "?" + "&".join(_cut_value(pair) for pair in query.split("&")) if query is not None else ""
    fragment = "#" + (CUT if found["fragment"] else "") if found["fragment"] is not None else ""
    return head + _LIVE.sub(CUT, path) + tail + fragment


def looks_like_secret(text: str) -> bool:
    """Whether a live secret stands in `text`, by its form: a token, private key, key of a known service, HTTP credential, or a password in a URL.

    Rather misses a secret without form than takes a host, GUID, scope or mailbox for one; a mask is none.
    """
    return (
        _LIVE.search(text) is not None
        or _PRIVATE_KEY.search(text) is not None
        or any(_is_basic(found[1]) for found in _BASIC.finditer(text))
        or any(_is_random(found[1]) or _mixed(found[1]) for found in _BEARER.finditer(text))
        or any(not is_mask(found[1]) for found in _URL_PASSWORD.finditer(text))
        or any(_holds_secret(found[1]) for found in _QUERY.finditer(text))
    )


# --- forms ----------------------------------------------------------------------------------------------------------

_MASK = re.compile(r"\*{3,}|•{3,}|●{3,}|x{3,}|X{3,}")
_TOKEN_EDGE = r"(?<![A-Za-z0-9_~.-])"
_JWT = re.compile(_TOKEN_EDGE + r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*")  # RFC 7519: a JSON object in base64url begins so
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----")  # RFC 7468
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----")
_KNOWN_KEY = re.compile(
    _TOKEN_EDGE
    + r"""(?: (?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])          # AWS access key
    | gh[opsur]_[A-Za-z0-9]{36,255} | github_pat_[A-Za-z0-9_]{40,255} | glpat-[A-Za-z0-9_-]{20,}
    | xox[abeprs]-[A-Za-z0-9-]{20,}                             # Slack
    | SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{20,}                # SendGrid
    | xkeysib-[0-9a-f]{32,} | key-[0-9a-f]{32}(?![0-9A-Za-z])   # Brevo, Mailgun
    | AIza[A-Za-z0-9_-]{35} | ya29\.[A-Za-z0-9_-]{20,} | GOCSPX-[A-Za-z0-9_-]{20,}   # Google
    | [A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}           # Entra client secret
    | hv[bs]\.[A-Za-z0-9_-]{24,}                                # HashiCorp Vault
    | [rs]k_live_[A-Za-z0-9]{20,} | sk-(?:[a-z0-9]{1,8}-){0,2}[A-Za-z0-9_]{24,} | npm_[A-Za-z0-9]{36} | pypi-[A-Za-z0-9_-]{40,} | dop_v1_[0-9a-f]{64}
    )""",
    re.VERBOSE,
)
_LIVE = re.compile(f"(?:{_JWT.pattern})|(?:{_KNOWN_KEY.pattern})", re.VERBOSE)
_SCHEME = re.compile(r"\s*(basic|bearer|digest|negotiate|ntlm|apikey|token|sharedaccesssignature|aws4-hmac-sha256)\s+\S", re.IGNORECASE)
_BASIC = re.compile(r"\bbasic\s+([A-Za-z0-9+/]{6,}={0,2})", re.IGNORECASE)
_BEARER = re.compile(r"\bbearer\s+([A-Za-z0-9._~+/-]{16,}=*)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://[^\s/?#@:]*:([^\s/?#@]+)@")
_QUERY = re.compile(r"\?([^\s#?]+)")
_SECRET_NAME = re.compile(
    r"(?:client|access|refresh|id|auth|api|subscription|shared|private|bearer)?[_.-]?(?:secret|token|key|assertion)|pass(?:word|wd|phrase)?|pwd|sig(?:nature)?|sas",
    re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9+/_~-]{20,}")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")

_URL_PARTS = re.compile(
    r"(?:(?P<scheme>[^:/?#]+):)?(?:(?P<slashes>//)(?P<authority>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?", re.DOTALL
)
_PLAIN_AUTHORITY = re.compile(r"(?:\[[^\]]*\]|[^:\\]+)(?::[0-9]*)?")
_PORT = re.compile(r":[0-9]*\Z")
_ENCODED_DOT = re.compile("%2e", re.IGNORECASE)
_SPECIAL_USE = frozenset({"alt", "example", "internal", "invalid", "local", "localdomain", "localhost", "onion", "test"})

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.1: a token


def _header_faults(headers: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    texts = [text for header in headers for text in header]
    names = [name.lower() for name, _ in headers]
    faults = {
        "line_break": any(has_line_break(text) for text in texts),
        "control": any(has_control(text.replace("\t", " ")) for text in texts),  # a tab is white space in a header (RFC 9110 section 5.5)
        "bad_name": any(_HEADER_NAME.fullmatch(name) is None for name in names),
        "duplicate": len(set(names)) < len(names),
    }
    return tuple(fault for fault, there in faults.items() if there)


def _secret_forms(headers: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Which forms of secrets are among the values, or among the names, where one would be no better kept."""
    texts = [text for header in headers for text in header]
    forms = {
        "authorization": any(_SCHEME.match(value) for value in texts),
        "jwt": any(_JWT.search(text) for text in texts),
        "pem": any(_PEM.search(text) for text in texts),
        "known_key": any(_KNOWN_KEY.search(text) for text in texts),
        "high_entropy": any(_is_random(value) for _, value in headers),
    }
    return tuple(form for form, there in forms.items() if there)


def _is_random(text: str) -> bool:
    """Whether a run of 20 characters or more in `text` looks drawn by lot: over 3.5 bits a character, and to and fro between kinds of character.

    Words joined by hyphens have the entropy but not the to and fro; a GUID names something and is no secret.
    """
    return any(_entropy(run) > 3.5 and _mixed(run) for run in _RUN.findall(text) if not FORMATS["guid"](run))


def _mixed(run: str) -> bool:
    kinds = ["upper" if c.isupper() else "lower" if c.islower() else "digit" for c in run if c.isalnum()]
    return "digit" in kinds and len(set(kinds)) > 1 and sum(a != b for a, b in pairwise(kinds)) >= 5


def _entropy(run: str) -> float:
    """Shannon's entropy in bits a character, of the characters of `run` themselves."""
    return -sum(count / len(run) * math.log2(count / len(run)) for count in Counter(run).values())


def _is_basic(credential: str) -> bool:
    """Whether `credential` is what HTTP Basic sends: `user:password` in base64 (RFC 7617)."""
    try:
        plain = b64decode(credential, validate=True)
    except binascii.Error:
        return False
    return b":" in plain and plain.isascii() and plain.decode("ascii").isprintable()


def _holds_secret(query: str) -> bool:
    """Whether a parameter of `query` (the part of a URL behind `?`) is named like a secret, or has the form of one."""
    for pair in re.split("[&;]", query):
        name, _, value = _PERCENT.sub(lambda found: chr(int(found[0][1:], 16)), pair).partition("=")
        if value and not is_mask(value) and (_SECRET_NAME.fullmatch(name) or _LIVE.search(value) or _is_random(value)):
            return True
    return False


def _cut_value(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return CUT if name else ""
    return name + equals + (CUT if value else "")


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
