"""Certificates for signers, and a time-stamping authority that is the `openssl` program behind a loopback HTTP server; it can be made to lie."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from auditor.core.model import SigningFiles, StampAuthority

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

KEYS: dict[str, Callable[[], Key]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


@dataclass
class Root:
    """A certification authority whose root lies in `folder` as NAME.pem."""

    folder: Path
    name: str = "root"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._begin(self.name, self.key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.add_extension(usage, critical=True).sign(self.key, SHA256())
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def issue(self, name: str, key: Key, *, stamps: bool = False, until: datetime | None = None) -> x509.Certificate:
        builder = self._begin(name, key, until=until).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if stamps:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        return builder.sign(self.key, SHA256())

    def signer(
        self, name: str = "Evidence signer", *, kind: str = "p256", passphrase: str = "", as_pkcs12: bool = False, until: datetime | None = None
    ) -> SigningFiles:
        """Files of a new signer; the configuration that names them has no reference to the passphrase."""
        key = KEYS[kind]()
        certificate = self.issue(name, key, until=until)
        stem = name.lower().replace(" ", "-")
        encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        if as_pkcs12:
            path = self.folder / f"{stem}.p12"
            path.write_bytes(pkcs12.serialize_key_and_certificates(b"signer", key, certificate, [self.certificate], encryption))
            return SigningFiles(pkcs12=str(path))
        (self.folder / f"{stem}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (self.folder / f"{stem}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        return SigningFiles(certificate=str(self.folder / f"{stem}.pem"), key=str(self.folder / f"{stem}.key"))

    def subordinate(self, name: str) -> "Root":
        """An authority whose certificate is by this one; it lies in the same folder as NAME.pem."""
        below = Root(self.folder, name=name)
        builder = self._begin(name, below.key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        below.certificate = builder.sign(self.key, SHA256())
        below.path.write_bytes(below.certificate.public_bytes(Encoding.PEM))
        return below

    def _begin(self, name: str, key: Key, *, until: datetime | None = None) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        until = until or now + timedelta(days=30)
        begin = min(now, until) - timedelta(days=2)
        subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, self.name))
        return x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), begin, until)


CONFIG = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
certs = {folder}/tsa-root.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Tsa:
    """`openssl ts -reply` as a server. `lie` is given the request and a function that answers one, and gives what is sent instead."""

    folder: Path
    url: str = ""
    lie: Callable[[bytes, Callable[[bytes], bytes]], bytes] | None = None
    status: int = 200
    asked: list[bytes] = field(default_factory=list)

    @property
    def authority(self) -> StampAuthority:
        return StampAuthority(url=self.url, roots=str(self.folder / "tsa-root.pem"), insecure_http=True, timeout_s=10)

    def answer(self, query: bytes) -> bytes:
        asked, given = self.folder / "q.tsq", self.folder / "r.tsr"
        asked.write_bytes(query)
        arguments = ["openssl", "ts", "-reply", "-config", str(self.folder / "tsa.cnf"), "-queryfile", str(asked), "-out", str(given)]
        subprocess.run(arguments, check=True, capture_output=True, timeout=30)
        return given.read_bytes()


@contextmanager
def stamping(folder: Path, *, kind: str = "p256") -> Iterator[Tsa]:
    """A time-stamping authority on loopback, with a root of its own."""
    folder.mkdir()
    root, key = Root(folder, name="tsa-root"), KEYS[kind]()
    (folder / "tsa.pem").write_bytes(root.issue("Time", key, stamps=True).public_bytes(Encoding.PEM))
    (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "serial").write_text("01\n", encoding="ascii")
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder.as_posix()), encoding="utf-8")
    tsa = Tsa(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            tsa.asked.append(query)
            reply = tsa.lie(query, tsa.answer) if tsa.lie else tsa.answer(query)
            self.send_response(tsa.status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    tsa.url = f"http://127.0.0.1:{server.server_address[1]}/tsa"
    try:
        yield tsa
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
