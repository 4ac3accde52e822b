"""A far end that can misbehave: a raw TCP server that answers byte by byte as each test says, with or without TLS from a private authority."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from auditor.command.client import Reader
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import BasicAuth, SecretRef, Target
from auditor.errors import SecretError

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
COMMAND = {"Api-Supported-Versions": "1.0, 2", "X-Keyfactor-Product-Version": "25.4.1+dc0db2c8", "X-Keyfactor-Correlation-Id": "f0a3d640-8aa2"}

Reply = bytes | Iterable[bytes]


def reply(status: int = 200, body: bytes | str = b"", headers: dict[str, str] | None = None) -> bytes:
    """One whole HTTP answer."""
    raw = body.encode() if isinstance(body, str) else body
    lines = {"Content-Length": str(len(raw)), **(headers or {})}
    return f"HTTP/1.1 {status} X\r\n".encode() + b"".join(f"{name}: {value}\r\n".encode() for name, value in lines.items()) + b"\r\n" + raw


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FarEnd:
    """Answers each request by `answer`; an iterable is sent piece by piece until the client has had enough."""

    answer: Callable[[Request], Reply]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with suppress(OSError):  # wakes accept
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def wait(self, seconds: float) -> bool:
        """True once the test is over."""
        return self._stopped.wait(seconds)

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._stopped.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            connection.settimeout(10)
            try:
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                while request := self._read(connection):
                    self.requests.append(request)
                    answer = self.answer(request)
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        connection.sendall(piece)
                    if not isinstance(answer, bytes):
                        break
            finally:
                connection.close()

    def _read(self, connection: socket.socket) -> Request | None:
        raw = b""
        while b"\r\n\r\n" not in raw:
            piece = connection.recv(65536)
            if not piece:
                return None
            raw += piece
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
        return Request(first, headers, body)


def drip(far_end: FarEnd, head: bytes, piece: bytes = b"x", every_s: float = 0.02) -> Iterator[bytes]:
    yield head
    while not far_end.wait(every_s):
        yield piece


# --- certificates -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Issued:
    certificate: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """A private certification authority in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test CA {folder.name}")])
        self.certificate = folder / "ca.pem"
        root = self._build(self._name, self._key, days=3650).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate.write_bytes(root.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str = "leaf",
        *,
        host: str = "127.0.0.1",
        days: int = 30,
        not_before_days: int = -60,
        self_signed: bool = False,
        passphrase: bytes | None = None,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        try:
            san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            san = x509.DNSName(host)
        builder = self._build(subject, key, days=days, not_before_days=not_before_days, issuer=subject if self_signed else None)
        leaf = builder.add_extension(x509.SubjectAlternativeName([san]), critical=False).sign(key if self_signed else self._key, hashes.SHA256())
        issued = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        issued.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        issued.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
        return issued

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int, not_before_days: int = -60, issuer: x509.Name | None = None
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=not_before_days))
            .not_valid_after(now + timedelta(days=days))
        )


# --- our end ------------------------------------------------------------------------------------------------------

PASSWORD = "Tr0ub4dor&3-relay"
SECRETS = {"PASSWORD": PASSWORD, "CLIENT_SECRET": "s3cr3t+of/the=client", "TOKEN": "static.token.value", "PASSPHRASE": "open sesame"}


@dataclass
class OurEnd:
    """A Reader with a clock that only `sleep` moves, and what it slept."""

    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    slept: list[float] = field(default_factory=list)
    at: datetime = NOW

    def __post_init__(self) -> None:
        self.key = FingerprintKey(b"k" * 32)
        self.reader = Reader(
            secret=self.secret,
            fingerprint=self.key.of,
            clock=lambda: self.at,
            sleep=self.sleep,
            jitter=lambda: 0.5,
            collector_host="watcher",
            collector_version="1.2.3",
        )

    def secret(self, reference: SecretRef) -> str:
        if reference.name not in self.secrets:
            raise SecretError(f"{reference}: not set", hint="set it")
        return self.secrets[reference.name]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


def target_at(url: str, **changes: object) -> Target:
    settings: dict[str, object] = {
        "name": "command-prod",
        "url": url,
        "auth": BasicAuth(username="auditor@corp.example", password=SecretRef("env", "PASSWORD")),
        "insecure_http": True,
        "timeout_s": 5.0,
        "attempts": 1,
    }
    return Target(**settings | changes)  # type: ignore[arg-type]
