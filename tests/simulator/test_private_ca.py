"""The private authority's certificates, as OpenSSL's strict verification sees them, and the server that shows them."""

import contextlib
import datetime as dt
import socket
import ssl
import stat
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509

from auditor.simulator.ca import Issued, PrivateCa
from auditor.simulator.server import ServerTls, write_pem

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
NAMES = ("command.nordwerk.test", "localhost", "127.0.0.1", "::1")


@pytest.fixture(scope="module")
def ca() -> PrivateCa:
    return PrivateCa.create(at=NOW)


def greet(issued: Issued, folder: Path, trust: bytes, name: str) -> str:
    """The TLS version agreed on between a server that shows `issued` and a strict client that looks for `name`."""
    near, far = socket.socketpair()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(write_pem(folder / "certificate.pem", issued.certificate_pem), write_pem(folder / "key.pem", issued.key_pem))
    client = ssl.create_default_context(cadata=trust.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13's default

    def shake() -> None:
        with contextlib.suppress(OSError), server.wrap_socket(far, server_side=True) as served:
            served.recv(1)

    thread = threading.Thread(target=shake)
    thread.start()
    try:
        with near, client.wrap_socket(near, server_hostname=name) as greeted:
            return greeted.version() or ""
    finally:
        near.close()
        thread.join()
        far.close()


@pytest.mark.parametrize("name", NAMES)
def test_strict_verification_accepts_what_it_issues(ca: PrivateCa, tmp_path: Path, name: str) -> None:
    issued = ca.issue(NAMES, valid_from=NOW - DAY, valid_until=NOW + DAY)
    assert greet(issued, tmp_path, ca.certificate_pem, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["other.nordwerk.test", "127.0.0.2"])
def test_a_name_that_was_not_asked_for_is_not_in_it(ca: PrivateCa, tmp_path: Path, name: str) -> None:
    issued = ca.issue(NAMES, valid_from=NOW - DAY, valid_until=NOW + DAY)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        greet(issued, tmp_path, ca.certificate_pem, name)


@pytest.mark.parametrize(("first", "last", "message"), [(-3, -2, "expired"), (2, 3, "not yet valid")])
def test_validity_is_what_was_handed_in(ca: PrivateCa, tmp_path: Path, first: int, last: int, message: str) -> None:
    valid_from, valid_until = NOW + first * DAY, NOW + last * DAY
    issued = ca.issue(["localhost"], valid_from=valid_from, valid_until=valid_until)
    certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
    assert certificate.not_valid_before_utc == valid_from.replace(microsecond=0)
    assert certificate.not_valid_after_utc == valid_until.replace(microsecond=0)
    with pytest.raises(ssl.SSLCertVerificationError, match=message):
        greet(issued, tmp_path, ca.certificate_pem, "localhost")


def test_another_authority_is_not_trusted(ca: PrivateCa, tmp_path: Path) -> None:
    issued = ca.issue(["localhost"], valid_from=NOW - DAY, valid_until=NOW + DAY)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self.signed|signature failure"):
        greet(issued, tmp_path, PrivateCa.create(at=NOW).certificate_pem, "localhost")


def test_no_key_is_in_a_repr(ca: PrivateCa) -> None:
    issued = ca.issue(["localhost"], valid_from=NOW, valid_until=NOW + DAY)
    tls = ServerTls(certificate_pem=issued.certificate_pem, key_pem=issued.key_pem)
    assert (repr(issued), repr(ca), repr(tls)) == ("Issued(...)", "PrivateCa()", "ServerTls()")


def test_a_file_is_its_owner_s_alone_and_never_written_over(tmp_path: Path) -> None:
    path = write_pem(tmp_path / "key.pem", b"a key\n")
    assert path.read_bytes() == b"a key\n"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_pem(path, b"another")
