"""Our end and the far ends of channels: what a channel is given, a relay that can misbehave, a collector of syslog over TLS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from auditor.core.model import Digest, Notice, NoticeKind, SecretRef, Severity
from auditor.errors import SecretError
from auditor.exchange.connection import TlsContexts
from auditor.notify import Means

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
PASSWORD = "Tr0ub4dor&3-relay"
WEBHOOK_SECRET = "whsec+of/the=hook"
SECRETS = {"PASSWORD": PASSWORD, "WEBHOOK_SECRET": WEBHOOK_SECRET}


def means(**secrets: str) -> Means:
    known = SECRETS | secrets

    def secret(ref: SecretRef) -> str:
        if ref.name not in known:
            raise SecretError(f"{ref}: the environment variable is not set or empty")
        return known[ref.name]

    return Means(secret=secret, clock=lambda: AT, contexts=TlsContexts(), version="1.2.3")


def notice(title: str = "prod fails CFG-001 Basic authentication runs over TLS", **others: Any) -> Notice:
    values = {"kind": NoticeKind.FINDING_OPENED, "at": AT, "severity": Severity.CRITICAL, "target": "prod", "subject": "CFG-001"} | others
    return Notice(title=title, **values)


def digest(*notices: Notice, **others: Any) -> Digest:
    told = notices or (notice(),)
    return Digest(**({"key": "k" * 64, "at": AT, "title": told[0].title, "notices": told, "collector": "audit01.corp.example"} | others))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return cast(int, probe.getsockname()[1])


@dataclass
class Mailbox:
    """What a relay was given, and what it answers to whom; an answer that is not given is aiosmtpd's."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    raw: list[bytes] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    was_tls: list[bool] = field(default_factory=list)
    accepts_login: bool = True

    @property
    def mails(self) -> list[EmailMessage]:
        return [cast(EmailMessage, message_from_bytes(raw, policy=default)) for raw in self.raw]

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.was_tls.append(server.transport.get_extra_info("ssl_object") is not None)
        if "DATA" not in self.answers:
            self.raw.append(envelope.content)
        return self.answers.get("DATA", "250 OK")

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=self.accepts_login, handled=False)


@contextmanager
def relay(*, implicit: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, **others: Any) -> Iterator[Mailbox]:
    """A real SMTP server on loopback."""
    mailbox = Mailbox(port=free_port(), **others)
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=mailbox.port,
        ssl_context=implicit,
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=mailbox.authenticate,
        auth_require_tls=implicit is None and starttls is not None,
    )
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@dataclass
class Collector:
    """A collector of syslog over TLS; `resets` breaks off what it has read instead of saying goodbye."""

    tls: ssl.SSLContext
    resets: bool = False
    received: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, suppress(OSError):
            connection.settimeout(5)
            with self.tls.wrap_socket(connection, server_side=True) as secure:
                while piece := secure.recv(65536):
                    self.received += piece
                    if self.resets:
                        secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                        return
                with suppress(OSError):
                    secure.unwrap()

    def messages(self) -> list[str]:
        """The messages as an octet-counting receiver takes them apart."""
        self._thread.join()
        rest, found = bytes(self.received), []
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(rest[: int(length)].decode())
            rest = rest[int(length) :]
        return found
