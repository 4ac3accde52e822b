"""Time stamps (RFC 3161): asks an authority for one, and reads what came.

The request is built here, since it is sixty bytes. Of the reply, status, digest, nonce and time are read; whether its signature holds is for
`openssl` to say. The reply is kept as it came.
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from auditor.core.model import StampAuthority
from auditor.errors import EvidenceError
from auditor.evidence.der import BOOLEAN, INTEGER, OCTETS, OID, SEQUENCE, DerError, Element, element, elements, integer, number, only
from auditor.exchange.connection import Connection, TlsContexts
from auditor.exchange.trouble import Trouble

MAX_REPLY_BYTES = 64 * 1024
"""A stamp with its chain is some 6 KiB."""

_SHA256 = bytes.fromhex("608648016503040201")  # 2.16.840.1.101.3.4.2.1
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2
_TST_INFO = bytes.fromhex("2a864886f70d0109100104")  # 1.2.840.113549.1.9.16.1.4
_NULL = b"\x05\x00"
_GRANTED = (0, 1)  # PKIStatus: granted, grantedWithMods
_REASONS = {0: "badAlg", 2: "badRequest", 5: "badDataFormat", 14: "timeNotAvailable", 15: "unacceptedPolicy", 16: "unacceptedExtension",
            17: "addInfoNotAvailable", 25: "systemFailure"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What an authority says: when it saw the digest `imprint`. `reply` is all that it sent; `nonce` is None where it gave none back."""

    time: datetime
    imprint: bytes
    nonce: int | None
    reply: bytes = field(repr=False)


def ask(
    authority: StampAuthority,
    content: bytes,
    *,
    contexts: TlsContexts,
    version: str,
    nonce: Callable[[], int] = lambda: secrets.randbits(63),
) -> Stamp:
    """Have `content` dated; only its SHA-256 leaves this machine. Redirects are not followed.

    Raises:
        EvidenceError: There was no answer in time, it was refused, or is for something else than was asked.
    """
    who, mine = urlsplit(authority.url).hostname or "", nonce()
    digest = hashlib.sha256(content).digest()
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply", "User-Agent": f"smtp-auditor/{version}"}
    try:
        context = contexts.get(ca_file=authority.ca_file)
        over_tls = authority.proxy is not None and authority.proxy.startswith("https:")
        connection = Connection(who, context=context, proxy=authority.proxy, proxy_context=context if over_tls else None)
        try:
            answer = connection.exchange(
                "POST",
                authority.url,
                headers=headers,
                content=request(digest, nonce=mine),
                timeout_s=authority.timeout_s,
                max_body_bytes=MAX_REPLY_BYTES,
            )
        finally:
            connection.close()
    except Trouble as trouble:
        raise EvidenceError(f"no time stamp: {trouble.message}", hint=HINT) from None
    if answer.status != 200:
        raise EvidenceError(f"no time stamp: {who} answered {answer.status}", hint=HINT)
    stamp = read(answer.body, who=who)
    if stamp.imprint != digest:
        raise EvidenceError(f"no time stamp: {who} stamped something else than it was asked to", hint=HINT)
    if stamp.nonce != mine:
        raise EvidenceError(f"no time stamp: {who} answered another request than ours (the nonce differs)", hint=HINT)
    return stamp


HINT = "is `evidence.tsa.url` a time-stamping authority (RFC 3161)? `auditor evidence stamp` tries again"


def request(digest: bytes, *, nonce: int) -> bytes:
    """A TimeStampReq for a SHA-256, which asks for the authority's certificate, too."""
    imprint = element(SEQUENCE, element(SEQUENCE, element(OID, _SHA256), _NULL), element(OCTETS, digest))
    return element(SEQUENCE, integer(1), imprint, integer(nonce), element(BOOLEAN, b"\xff"))


def read(reply: bytes, *, who: str) -> Stamp:
    """What a TimeStampResp says; `who` names the authority in messages.

    Raises:
        EvidenceError: It grants no stamp, is not one, or is not for a SHA-256.
    """
    try:
        parts = elements(only(reply, SEQUENCE))
        refusal = _refusal(parts, who)
        stamp = _stamp(_info(parts), reply) if refusal is None else None
    except DerError:
        raise EvidenceError(f"no time stamp: what {who} sent is none", hint=HINT) from None
    if stamp is None:
        raise EvidenceError(f"no time stamp: {refusal}", hint=HINT)
    return stamp


def _refusal(reply: list[Element], who: str) -> str | None:
    """What the authority says against it; None where it grants the stamp."""
    parts = elements(reply[0][1]) if reply and reply[0][0] == SEQUENCE else []
    if not parts or parts[0][0] != INTEGER:
        raise DerError("no PKIStatusInfo")
    granted = number(parts[0][1])
    if granted in _GRANTED:
        return None
    bits = next((content for tag, content in parts if tag == 0x03 and content), b"\x00")
    reasons = [word for bit, word in _REASONS.items() if bit // 8 + 1 < len(bits) and bits[bit // 8 + 1] & (0x80 >> bit % 8)]
    return f"{who} refused it (status {granted}{', ' + ', '.join(reasons) if reasons else ''})"


def _info(reply: list[Element]) -> bytes:
    """The TSTInfo in the TimeStampToken of a reply."""
    match reply:
        case [_, (0x30, token)]:
            signed = elements(only(_of_type(token, _SIGNED_DATA), SEQUENCE))
        case _:
            raise DerError("no TimeStampToken")
    match signed:
        case [_, _, (0x30, encapsulated), *_]:
            inner = elements(_of_type(encapsulated, _TST_INFO))
        case _:
            raise DerError("no SignedData")
    match inner:
        case [(0x04, content)]:
            return only(content, SEQUENCE)
        case [(0x24, pieces)]:  # as BER has it: some authorities wrap their stamp so
            return only(b"".join(piece for _, piece in elements(pieces)), SEQUENCE)
        case _:
            raise DerError("no TSTInfo")


def _of_type(content: bytes, kind: bytes) -> bytes:
    """What is explicitly wrapped in a pair of this type and content."""
    match elements(content):
        case [(0x06, found), (0xA0, wrapped)] if found == kind:
            return wrapped
        case _:
            raise DerError("another type than was to be expected")


def _stamp(info: bytes, reply: bytes) -> Stamp:
    match elements(info):
        case [(0x02, _), (0x06, _), (0x30, imprint), (0x02, _), (0x18, time), *more]:
            match elements(imprint):
                case [(0x30, algorithm), (0x04, digest)] if elements(algorithm)[:1] == [(OID, _SHA256)]:
                    pass
                case _:
                    raise DerError("not for a SHA-256")
        case _:
            raise DerError("no TSTInfo")
    nonce = next((number(content) for tag, content in more if tag == INTEGER), None)
    return Stamp(time=_instant(time), imprint=digest, nonce=nonce, reply=reply)


def _instant(text: bytes) -> datetime:
    match = re.fullmatch(rb"([0-9]{14})(?:\.([0-9]{1,6})[0-9]*)?Z", text)
    if match is None:
        raise DerError("no time in UTC")
    try:
        second = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise DerError("no time that there is") from None
    return second + timedelta(microseconds=int((match[2] or b"0").ljust(6, b"0")))
