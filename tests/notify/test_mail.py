"""Mail of our own, to a real SMTP server: what arrives, by which way, and what becomes of a message that is not taken."""

import logging
import socket
import ssl
import threading
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Any, Self

import pytest

from auditor.core.model import Attachment, DeliveryState, MailChannel, MailTls, NoticeKind, Receipt, SecretRef, Severity
from auditor.exchange.line import MAX_READ_BYTES
from auditor.notify import open_channel
from tests.command.far_end import Authority, Issued
from tests.notify.ends import AT, PASSWORD, Mailbox, digest, free_port, means, notice, relay

IN_CLEAR: dict[str, Any] = {"tls": MailTls.NONE}


def channel(port: int, **others: Any) -> MailChannel:
    values = {"to": ("ops@corp.example",), "host": "127.0.0.1", "timeout_s": 5.0} | others
    return MailChannel(name="mail", sender="auditor@corp.example", port=port, **values)


def sent(mailbox: Mailbox, *args: Any, **others: Any) -> Receipt:
    return open_channel(channel(mailbox.port, **(IN_CLEAR | others)), means()).send(*args or (digest(),))


def test_a_mail_tells_each_notice_in_text_and_in_html() -> None:
    over = notice("prod no longer fails CFG-002", kind=NoticeKind.FINDING_RESOLVED, severity=Severity.HIGH, owner="pki-team")
    with relay() as mailbox:
        receipt = sent(mailbox, digest(notice(detail="turn UseSSL on\nand try it"), over, link="https://reports.corp.example/1"))

    assert receipt == Receipt.delivered()
    (mail,) = mailbox.mails
    texts = [mail.get_body((kind,)).get_content() for kind in ("plain", "html")]  # type: ignore[union-attr]
    for text in texts:
        for said in (over.title, "CFG-001 Basic", "critical", "turn UseSSL on", "pki-team", "https://reports.corp.example/1", "2026-11-23 10:00 UTC"):
            assert said in text
    assert (mail["From"], mail["To"], mail["Auto-Submitted"]) == ("auditor <auditor@corp.example>", "ops@corp.example", "auto-generated")
    assert mail["Subject"] == "[auditor] prod fails CFG-001 Basic authentication runs over TLS"
    assert mail["Date"].datetime == AT


def test_a_mail_that_is_sent_twice_has_one_message_id_and_another_mail_another() -> None:
    with relay() as mailbox:
        for key in ("a", "a", "b"):
            sent(mailbox, digest(key=key))

    first, again, other = [mail["Message-ID"] for mail in mailbox.mails]
    assert first == again != other
    assert first.endswith("@corp.example>")


def test_files_travel_as_they_are_and_one_that_is_too_large_is_named() -> None:
    files = (
        Attachment(name="report.html", media_type="text/html", content=b"<p>caf\xc3\xa9</p>\r\n"),
        Attachment(name="../../evil\r\nX: 1.zip", media_type="no type", content=b"\0\1\2"),
        Attachment(name="huge.bin", media_type="application/x-huge", content=b"x" * (10 * 1024 * 1024)),
    )
    with relay() as mailbox:
        sent(mailbox, digest(attachments=files))

    (mail,) = mailbox.mails
    attached = {part.get_filename(): (part.get_content_type(), part.get_payload(decode=True)) for part in mail.iter_attachments()}
    assert attached == {
        "report.html": ("text/html", b"<p>caf\xc3\xa9</p>\r\n"),
        ".._.._evil__X__1.zip": ("application/octet-stream", b"\0\1\2"),
    }
    assert "huge.bin is too large to be sent along." in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


HOSTILE = "a\r\nBcc: thief@evil.example\r\n\r\n<script>alert(1)</script>\u202etxt.exe\u2028&\x1b[31m"


def test_hostile_texts_make_no_header_no_markup_and_no_hidden_character() -> None:
    told = notice(HOSTILE, target=HOSTILE, owner=HOSTILE, detail=HOSTILE, subject=HOSTILE)
    with relay() as mailbox:
        sent(mailbox, digest(told, collector=HOSTILE, link="javascript:alert(1)"))

    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert [mail[name] for name in ("From", "To")] == ["auditor <auditor@corp.example>", "ops@corp.example"]
    html, text = [mail.get_body((kind,)).get_content() for kind in ("html", "plain")]  # type: ignore[union-attr]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    for shown in (html, text, mail["Subject"]):
        assert not {"\u202e", "\u2028", "\x1b", "\r"} & set(shown.replace("\r\n", "\n"))
    assert "[U+202E]" in mail["Subject"]
    assert "javascript:" not in html + text


def test_a_huge_message_is_cut_and_says_so() -> None:
    told = [notice("t" * 100_000, detail="d" * 100_000 + "\n" * 100_000) for _ in range(5000)]
    with relay() as mailbox:
        receipt = sent(mailbox, digest(*told))

    assert receipt == Receipt.delivered()
    assert "4800 more notices did not fit" in mailbox.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert len(mailbox.raw[0]) < 3 * 1024 * 1024


# --- the way there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [MailTls.IMPLICIT, MailTls.STARTTLS])
def test_login_and_message_go_over_tls_that_is_verified(tls: MailTls, authority: Authority, leaf: Issued) -> None:
    ours = {"tls": tls, "ca_file": str(authority.certificate), "username": "auditor", "password": SecretRef("env", "PASSWORD")}
    with relay(**{tls.value: leaf.server()}) as mailbox:
        receipt = sent(mailbox, **ours)

    assert receipt == Receipt.delivered()
    assert mailbox.logins == [(b"auditor", PASSWORD.encode())]
    assert len(mailbox.raw) == 1
    assert mailbox.was_tls == [True]


@pytest.mark.parametrize("tls", [MailTls.IMPLICIT, MailTls.STARTTLS])
@pytest.mark.parametrize(
    ("issued", "trusts", "reason"),
    [
        ({"name": "unknown"}, False, "comes from a certification authority that this machine does not know"),
        ({"name": "mail-expired", "days": -1}, True, "has expired"),
        ({"name": "mail-other", "host": "other.example"}, True, "is not for this IP address"),
        ({"name": "mail-own", "self_signed": True}, True, "is self-signed"),
    ],
    ids=["unknown authority", "expired", "another host", "self-signed"],
)
def test_no_message_and_no_password_goes_to_whom_we_cannot_verify(
    tls: MailTls, issued: dict[str, Any], trusts: bool, reason: str, authority: Authority
) -> None:
    ours = {"tls": tls, "username": "auditor", "password": SecretRef("env", "PASSWORD")} | ({"ca_file": str(authority.certificate)} if trusts else {})
    with relay(**{tls.value: authority.issue(**issued).server()}) as mailbox:
        receipt = sent(mailbox, **ours)

    assert receipt == Receipt.retry(f"the certificate of 127.0.0.1 {reason}")
    assert (mailbox.raw, mailbox.logins) == ([], [])


def test_where_starttls_is_not_offered_nothing_is_sent_in_clear() -> None:
    with relay() as mailbox:
        receipt = sent(mailbox, tls=MailTls.STARTTLS, username="auditor", password=SecretRef("env", "PASSWORD"))

    assert receipt == Receipt.retry("127.0.0.1 offers no STARTTLS, and in clear nothing is sent")
    assert (mailbox.raw, mailbox.logins) == ([], [])


class Raw:
    """A relay that says what it is told to say, line by line, and keeps what it hears."""

    def __init__(self, *lines: bytes, drip: bytes = b"", tls: ssl.SSLContext | None = None) -> None:
        self.lines, self.drip, self.tls, self.heard = lines, drip, tls, b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, suppress(OSError):
            connection.settimeout(5)
            if self.tls is None:
                self._talk(connection)
            else:
                with self.tls.wrap_socket(connection, server_side=True) as secure:
                    self._talk(secure)

    def _talk(self, connection: socket.socket) -> None:
        for line in self.lines:
            connection.sendall(line)
            self.heard += (piece := connection.recv(65536))
            if not piece:
                return
        while self.drip and not self._over.wait(0.02):
            connection.sendall(self.drip)


def test_a_relay_that_drips_costs_one_timeout_and_no_more() -> None:
    with Raw(b"220 hi\r\n", drip=b"250-") as far_end:
        start = monotonic()
        receipt = open_channel(channel(far_end.port, tls=MailTls.NONE, timeout_s=0.5), means()).send(digest())
        took = monotonic() - start

    assert receipt == Receipt.retry("127.0.0.1 did not answer in time")
    assert took < 2


def test_what_a_relay_said_before_tls_counts_for_nothing_after_it(authority: Authority) -> None:
    """CVE-2011-0411 the other way round: answers put into the clear stream behind `220` must not answer what we ask over TLS."""
    with Raw(b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n250-AUTH PLAIN\r\n250 OK\r\n235 OK\r\n") as far_end:
        ours = channel(far_end.port, ca_file=str(authority.certificate), username="auditor", password=SecretRef("env", "PASSWORD"))
        receipt = open_channel(ours, means()).send(digest())

    assert receipt.state is DeliveryState.PENDING
    assert b"AUTH" not in far_end.heard


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "127.0.0.1 broke off"),
        ((b"HTTP/1.1 400 Bad Request\r\n",), "127.0.0.1 answered -1 to our connection"),
        ((b"421 4.3.2 too busy " + PASSWORD.encode() + b"\r\n",), "127.0.0.1 answered 421 4.3.2 to our connection"),
    ],
    ids=["silent end", "another protocol", "busy"],
)
def test_a_relay_that_does_not_greet_us_is_tried_again(lines: tuple[bytes, ...], reason: str) -> None:
    with Raw(*lines) as far_end:
        receipt = open_channel(channel(far_end.port, tls=MailTls.NONE), means()).send(digest())

    assert receipt == Receipt.retry(reason)


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        (b"454 4.7.0 not now\r\n", Receipt.retry("127.0.0.1 answered 454 4.7.0 to our greeting")),
        (b"502 never\r\n", Receipt.parked("127.0.0.1 answered 502 to our greeting")),
    ],
)
def test_where_starttls_is_offered_and_refused_nothing_is_sent_in_clear(answer: bytes, receipt: Receipt) -> None:
    with Raw(b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", answer) as far_end:
        assert open_channel(channel(far_end.port), means()).send(digest()) == receipt

    assert b"MAIL" not in far_end.heard


def test_a_relay_that_offers_no_login_is_parked_where_one_is_configured(authority: Authority, leaf: Issued) -> None:
    with Raw(b"220 hi\r\n", b"250-hi\r\n250 SIZE\r\n", tls=leaf.server()) as far_end:
        ours = {"tls": MailTls.IMPLICIT, "ca_file": str(authority.certificate), "username": "auditor", "password": SecretRef("env", "PASSWORD")}
        receipt = open_channel(channel(far_end.port, **ours), means()).send(digest())

    assert receipt == Receipt.parked("127.0.0.1 offers no login that we know, and one is configured")


@pytest.mark.parametrize("mechanisms", [b"NTLM XOAUTH2", b"CRAM-MD5"])
def test_a_relay_with_no_login_but_those_that_we_do_not_use_is_parked(authority: Authority, leaf: Issued, mechanisms: bytes) -> None:
    with Raw(b"220 hi\r\n", b"250-hi\r\n250 AUTH " + mechanisms + b"\r\n", tls=leaf.server()) as far_end:
        ours = {"tls": MailTls.IMPLICIT, "ca_file": str(authority.certificate), "username": "auditor", "password": SecretRef("env", "PASSWORD")}
        receipt = open_channel(channel(far_end.port, **ours), means()).send(digest())

    assert receipt == Receipt.parked("127.0.0.1 offers no login that we know, and one is configured")


def test_a_challenge_that_is_none_is_tried_again_and_not_raised(authority: Authority, leaf: Issued) -> None:
    with Raw(b"220 hi\r\n", b"250-hi\r\n250 AUTH LOGIN\r\n", b"334 abc\r\n", tls=leaf.server()) as far_end:
        ours = {"tls": MailTls.IMPLICIT, "ca_file": str(authority.certificate), "username": "auditor", "password": SecretRef("env", "PASSWORD")}
        receipt = open_channel(channel(far_end.port, **ours), means()).send(digest())

    assert receipt == Receipt.retry("127.0.0.1 asks for our login in a way that cannot be understood")


def test_a_relay_that_never_stops_talking_is_not_listened_to() -> None:
    with Raw(b"220-" + b"A" * 1000 + b"\r\n" + (b"220-" + b"A" * 1000 + b"\r\n") * 400) as far_end:
        receipt = open_channel(channel(far_end.port, tls=MailTls.NONE), means()).send(digest())

    assert receipt == Receipt.retry(f"127.0.0.1 says more than {MAX_READ_BYTES} bytes")


def test_a_relay_that_is_not_there_is_tried_again() -> None:
    receipt = open_channel(channel(free_port(), tls=MailTls.NONE), means()).send(digest())

    assert receipt.state is DeliveryState.PENDING
    assert receipt.reason.startswith("no connection to 127.0.0.1: ")


# --- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "receipt"),
    [
        ({"MAIL": "451 4.7.1 later"}, Receipt.retry("127.0.0.1 answered 451 4.7.1 to our sender address")),
        ({"MAIL": "550 5.7.1 no"}, Receipt.parked("127.0.0.1 answered 550 5.7.1 to our sender address")),
        ({"DATA": "452 full"}, Receipt.retry("127.0.0.1 answered 452 to the message")),
        ({"DATA": "554 5.6.0 spam: <b>you</b>"}, Receipt.parked("127.0.0.1 answered 554 5.6.0 to the message")),
        ({"a@corp.example": "450 greylisted"}, Receipt.retry("127.0.0.1 refused 1 of 2 recipients (450)")),
        ({"a@corp.example": "550 unknown"}, Receipt.delivered("127.0.0.1 refused 1 of 2 recipients (550)")),
        ({"a@corp.example": "550 x", "b@corp.example": "550 x"}, Receipt.parked("127.0.0.1 refused 2 of 2 recipients (550)")),
        ({"a@corp.example": "550 x", "b@corp.example": "450 x"}, Receipt.retry("127.0.0.1 refused 2 of 2 recipients (450, 550)")),
    ],
)
def test_a_4xx_reply_may_pass_and_a_5xx_will_not(answers: dict[str, str], receipt: Receipt) -> None:
    with relay(answers=answers) as mailbox:
        assert sent(mailbox, to=("a@corp.example", "b@corp.example")) == receipt


def test_a_login_that_is_refused_is_parked_and_its_password_shows_nowhere(
    authority: Authority, leaf: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "auditor")
    with relay(starttls=leaf.server(), accepts_login=False) as mailbox:
        receipt = sent(mailbox, tls=MailTls.STARTTLS, ca_file=str(authority.certificate), username="auditor", password=SecretRef("env", "PASSWORD"))

    assert receipt == Receipt.parked("127.0.0.1 answered 535 5.7.8 to our login")
    assert PASSWORD not in caplog.text


def test_a_password_that_smtp_cannot_carry_is_named_as_such_and_not_shown(authority: Authority, leaf: Issued) -> None:
    with relay(starttls=leaf.server()) as mailbox:
        ours = channel(mailbox.port, ca_file=str(authority.certificate), username="auditor", password=SecretRef("env", "ODD"))
        receipt = open_channel(ours, means(ODD="pässwörd")).send(digest())

    assert receipt == Receipt.parked("user or password for 127.0.0.1 have characters that SMTP cannot carry")


def test_a_secret_that_is_not_there_is_tried_again_since_it_is_read_anew_each_time() -> None:
    receipt = open_channel(channel(1, username="auditor", password=SecretRef("env", "GONE")), means()).send(digest())

    assert receipt == Receipt.retry("env:GONE: the environment variable is not set or empty")


def test_a_root_certificate_that_is_not_there_is_trouble_that_can_pass() -> None:
    receipt = open_channel(channel(1, ca_file="/nowhere/root.pem"), means()).send(digest())

    assert receipt == Receipt.retry("ca_file /nowhere/root.pem cannot be read: No such file or directory")


def test_a_test_notice_is_sent_like_any_other() -> None:
    with relay() as mailbox:
        receipt = sent(mailbox, digest(notice("a test", kind=NoticeKind.TEST, severity=Severity.INFO, target=None, at=AT + timedelta(hours=1))))

    assert receipt == Receipt.delivered()
    assert "[info] a test" in mailbox.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
