"""Time stamps of the openssl program behind a loopback server: asked for, read, verified; and of an authority that lies, or is no authority."""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import EvidenceError
from auditor.evidence import openssl, stamp
from auditor.evidence.der import DerError, element, elements, integer, number
from auditor.exchange.connection import TlsContexts
from tests.evidence.authorities import KEYS, Root, Tsa, stamping

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

CONTENT = b"a signature"


@pytest.fixture(scope="module")
def contexts() -> TlsContexts:
    return TlsContexts()


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[Tsa]:
    with stamping(tmp_path / "tsa") as tsa:
        yield tsa


def ask(tsa: Tsa, contexts: TlsContexts) -> stamp.Stamp:
    return stamp.ask(tsa.authority, CONTENT, contexts=contexts, version="1.0")


@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_a_stamp_says_when_and_openssl_verifies_it(tmp_path: Path, contexts: TlsContexts, kind: str) -> None:
    with stamping(tmp_path / "tsa", kind=kind) as tsa:
        before = datetime.now(UTC) - timedelta(seconds=2)
        got = ask(tsa, contexts)
        assert before <= got.time <= datetime.now(UTC) + timedelta(seconds=2)
        assert got.imprint == sha256(CONTENT).digest()
        program, roots = openssl.program(), tsa.authority.roots
        assert program
        assert openssl.stamp_fault(program, CONTENT, got.reply, roots=roots) == ""
        assert openssl.stamp_fault(program, CONTENT, got.reply, roots=roots, at=got.time) == ""
        assert "openssl: " in openssl.stamp_fault(program, CONTENT + b".", got.reply, roots=roots)
        assert "openssl: " in openssl.stamp_fault(program, CONTENT, got.reply, roots=str(Root(tmp_path, name="other").path))
        assert "openssl: " in openssl.stamp_fault(program, CONTENT, got.reply, roots=roots, at=got.time + timedelta(days=40))


def test_certificates_that_an_authority_leaves_out_are_taken_from_its_chain(tsa: Tsa, contexts: TlsContexts) -> None:
    root = Root(tsa.folder, name="upper-root")
    issuing = root.subordinate("issuing")
    key = KEYS["p256"]()
    (tsa.folder / "tsa.pem").write_bytes(issuing.issue("Time", key, stamps=True).public_bytes(Encoding.PEM))
    (tsa.folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    got, program = ask(tsa, contexts), openssl.program()
    assert program
    assert "openssl: " in openssl.stamp_fault(program, CONTENT, got.reply, roots=str(root.path))
    assert openssl.stamp_fault(program, CONTENT, got.reply, roots=str(root.path), chain=str(issuing.path)) == ""


def test_an_openssl_that_hangs_or_is_gone_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "openssl"
    slow.write_text("#!/bin/sh\nexec sleep 30\n", encoding="ascii")
    slow.chmod(0o700)
    monkeypatch.setattr(openssl, "TIMEOUT_S", 0.2)
    assert openssl.stamp_fault(str(slow), CONTENT, b"", roots="r") == "openssl did not end within 0.2 s"
    assert "cannot be started" in openssl.stamp_fault(str(tmp_path / "none"), CONTENT, b"", roots="r")


def test_each_request_has_another_nonce_and_the_digest_alone(tsa: Tsa, contexts: TlsContexts) -> None:
    ask(tsa, contexts)
    ask(tsa, contexts)
    first, second = tsa.asked
    assert first != second
    assert CONTENT not in first
    assert sha256(CONTENT).digest() in first


def wrong_imprint(query: bytes, answer: object) -> bytes:
    return answer(query.replace(sha256(CONTENT).digest(), sha256(b"other").digest()))  # type: ignore[operator,no-any-return]


def wrong_nonce(query: bytes, answer: object) -> bytes:
    return answer(stamp.request(sha256(CONTENT).digest(), nonce=7))  # type: ignore[operator,no-any-return]


def no_nonce(query: bytes, answer: object) -> bytes:
    version, imprint, _, _ = elements(elements(query)[0][1])
    return answer(element(0x30, *(element(tag, content) for tag, content in (version, imprint)), element(1, b"\xff")))  # type: ignore[operator,no-any-return]


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (wrong_imprint, "stamped something else than it was asked to"),
        (wrong_nonce, "answered another request than ours"),
        (no_nonce, "answered another request than ours"),
        (lambda query, answer: b"<html>log in</html>", "is none"),
        (lambda query, answer: b"", "is none"),
        (lambda query, answer: answer(query)[:-1], "is none"),
        (lambda query, answer: element(0x30, element(0x30, integer(0))), "is none"),
        (lambda query, answer: element(0x30, element(0x30, integer(2), element(3, b"\x02\x04"))), r"refused it \(status 2, badDataFormat\)"),
        (lambda query, answer: element(0x30, element(0x30, integer(5))), r"refused it \(status 5\)"),
        (lambda query, answer: b"\x00" * (stamp.MAX_REPLY_BYTES + 1), "sent more than 65536 bytes"),
        (lambda query, answer: b"\x30\x84\xff\xff\xff\xff" + b"0", "is none"),
    ],
    ids=["imprint", "nonce", "no nonce", "a page", "nothing", "cut off", "granted without stamp", "refusal", "warning", "huge", "absurd length"],
)
def test_what_is_no_stamp_for_the_request_is_refused(tsa: Tsa, contexts: TlsContexts, lie: object, said: str) -> None:
    tsa.lie = lie  # type: ignore[assignment]
    with pytest.raises(EvidenceError, match=said):
        ask(tsa, contexts)


def test_another_status_than_200_is_told(tsa: Tsa, contexts: TlsContexts) -> None:
    tsa.status = 503
    with pytest.raises(EvidenceError, match=r"no time stamp: 127\.0\.0\.1 answered 503"):
        ask(tsa, contexts)


def test_an_authority_that_is_down_is_told(tsa: Tsa, contexts: TlsContexts) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = replace(tsa.authority, url=f"http://127.0.0.1:{taken.getsockname()[1]}/tsa")
        with pytest.raises(EvidenceError, match="no time stamp: no connection to"):
            stamp.ask(nobody, CONTENT, contexts=contexts, version="1.0")


def test_an_authority_that_says_nothing_is_given_up_in_time(tsa: Tsa, contexts: TlsContexts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        authority = replace(tsa.authority, url=f"http://127.0.0.1:{silent.getsockname()[1]}/tsa", timeout_s=0.3)
        with pytest.raises(EvidenceError, match="did not answer in time"):
            stamp.ask(authority, CONTENT, contexts=contexts, version="1.0")


def test_a_stamp_that_is_wrapped_in_pieces_is_read(tsa: Tsa) -> None:
    reply = tsa.answer(stamp.request(sha256(CONTENT).digest(), nonce=5))
    status, token = elements(elements(reply)[0][1])
    kind, wrapped = elements(token[1])
    version, algorithms, encapsulated, *rest = elements(elements(wrapped[1])[0][1])
    type_, inner = elements(encapsulated[1])
    info = elements(inner[1])[0][1]
    pieces = element(0x24, element(4, info[:10]), element(4, info[10:]))

    def made(*parts: tuple[int, bytes] | bytes) -> bytes:
        return b"".join(part if isinstance(part, bytes) else element(*part) for part in parts)

    signed = element(0x30, made(version, algorithms, element(0x30, made(type_, element(0xA0, pieces))), *rest))
    whole = element(0x30, made(status, element(0x30, made(kind, element(0xA0, signed)))))
    assert stamp.read(whole, who="tsa").time == stamp.read(reply, who="tsa").time
    assert stamp.read(whole, who="tsa").nonce == 5


@pytest.mark.parametrize(("text", "microsecond"), [(b"20260305060708Z", 0), (b"20260305060708.5Z", 500_000), (b"20260305060708.1234567Z", 123_456)])
def test_the_time_has_its_fraction(text: bytes, microsecond: int) -> None:
    assert stamp._instant(text) == datetime(2026, 3, 5, 6, 7, 8, microsecond, tzinfo=UTC)


@pytest.mark.parametrize("text", [b"20260305060708", b"20260230060708Z", b"20260305060708+0100", b"260305060708Z"])
def test_a_time_of_another_form_is_none(text: bytes) -> None:
    with pytest.raises(DerError):
        stamp._instant(text)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_stamp_or_refused(reply: bytes) -> None:
    with pytest.raises(EvidenceError):
        stamp.read(reply, who="tsa")


def test_a_reply_that_was_changed_anywhere_is_read_or_refused_and_never_more(tsa: Tsa) -> None:
    reply = tsa.answer(stamp.request(sha256(CONTENT).digest(), nonce=5))
    for place in range(0, len(reply), 3):
        changed = bytearray(reply)
        changed[place] ^= 0xFF
        try:
            stamp.read(bytes(changed), who="tsa")
        except EvidenceError:
            continue


@given(st.integers(0, 2**70))
def test_a_number_is_read_as_it_was_written(value: int) -> None:
    [(tag, content)] = elements(integer(value))
    assert (tag, number(content)) == (2, value)


@given(st.binary(max_size=70_000))
def test_an_element_is_read_as_it_was_written(content: bytes) -> None:
    assert elements(element(4, content)) == [(4, content)]
