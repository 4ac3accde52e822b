"""Signatures, verified with the openssl program as an auditor would."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from auditor.core.model import SecretRef, SigningFiles
from auditor.errors import EvidenceError
from auditor.evidence import cms, openssl
from tests.evidence.authorities import Root

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

REF = SecretRef("env", "SIGNER_PASSPHRASE")
CONTENT = b'{"a":1}\n\r\n\x00\xff lines must not be touched\n'


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def load(files: SigningFiles, passphrase: str = "") -> cms.Signer:
    if passphrase:
        files = SigningFiles(certificate=files.certificate, key=files.key, pkcs12=files.pkcs12, chain=files.chain, passphrase=REF)
    return cms.load(files, secret=lambda _: passphrase)


def openssl_says(folder: Path, content: bytes, signature: bytes, root: Path) -> tuple[int, str]:
    """Exit code and words of the command that docs/evidence.md has for an auditor."""
    (folder / "c").write_bytes(content)
    (folder / "c.p7s").write_bytes(signature)
    arguments = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(folder / "c.p7s"), "-content", str(folder / "c")]
    done = subprocess.run([*arguments, "-CAfile", str(root), "-purpose", "any", "-out", str(folder / "out")], capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("as_pkcs12", [False, True], ids=["PEM", "PKCS#12"])
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
def test_openssl_verifies_what_was_signed(root: Root, tmp_path: Path, kind: str, as_pkcs12: bool) -> None:
    signer = load(root.signer(kind=kind, as_pkcs12=as_pkcs12, passphrase="pass Ж"), "pass Ж")
    signature = signer.sign(CONTENT)
    assert openssl_says(tmp_path, CONTENT, signature, root.path)[0] == 0
    assert openssl_says(tmp_path, CONTENT + b" ", signature, root.path)[0] != 0
    assert openssl_says(tmp_path, CONTENT, signature, Root(tmp_path, name="other").path)[0] != 0
    program = openssl.program()
    assert program
    assert openssl.signature_fault(program, CONTENT, signature, signer=signer.fingerprint) == ""
    assert "openssl" in openssl.signature_fault(program, CONTENT[:-1], signature, signer=signer.fingerprint)


def test_a_signature_by_somebody_else_is_told(root: Root) -> None:
    mine, other = load(root.signer()), load(root.signer("Somebody else"))
    program = openssl.program()
    assert program
    assert openssl.signature_fault(program, CONTENT, other.sign(CONTENT), signer=mine.fingerprint) == (
        "it was signed by another certificate than is on record"
    )
    assert "openssl: " in openssl.signature_fault(program, CONTENT, b"no signature", signer=mine.fingerprint)


def test_certificates_between_signer_and_root_go_along(tmp_path: Path) -> None:
    root = Root(tmp_path)
    issuing = root.subordinate("issuing")
    files = issuing.signer()
    with_chain = SigningFiles(certificate=files.certificate, key=files.key, chain=str(issuing.path))
    assert openssl_says(tmp_path, CONTENT, load(with_chain).sign(CONTENT), root.path)[0] == 0
    assert openssl_says(tmp_path, CONTENT, load(files).sign(CONTENT), root.path)[0] != 0


@pytest.mark.parametrize("as_pkcs12", [False, True], ids=["PEM", "PKCS#12"])
@pytest.mark.parametrize("given", ["", "Xq7-other"], ids=["none", "another"])
def test_a_wrong_passphrase_opens_nothing_and_is_not_quoted(root: Root, as_pkcs12: bool, given: str) -> None:
    files = root.signer(passphrase="Jkw9-mine", as_pkcs12=as_pkcs12)
    with pytest.raises(EvidenceError) as refused:
        load(files, given)
    said = f"{refused.value} {refused.value.hint}"
    assert "passphrase" in said
    assert "Xq7-other" not in said
    assert "Jkw9-mine" not in said
    assert refused.value.__cause__ is None


def test_a_passphrase_for_a_key_that_has_none_is_refused(root: Root) -> None:
    with pytest.raises(EvidenceError, match="is not encrypted, and there is a `passphrase`"):
        load(root.signer(), "needless")


def test_the_key_of_another_certificate_is_refused(root: Root) -> None:
    mine, other = root.signer(), root.signer("Somebody else")
    with pytest.raises(EvidenceError, match="the key is not that of the certificate"):
        load(SigningFiles(certificate=mine.certificate, key=other.key))


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP521R1()), ec.generate_private_key(ec.SECP256K1()), rsa.generate_private_key(65537, 1024)],
    ids=["P-521", "secp256k1", "RSA 1024"],
)
def test_a_key_of_another_kind_is_refused(root: Root, tmp_path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    files = root.signer()
    (tmp_path / "odd.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(EvidenceError, match="a key of this kind is not taken"):
        load(SigningFiles(certificate=files.certificate, key=str(tmp_path / "odd.key")))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"", "no private key"), (b"\x00" * (cms.MAX_FILE_BYTES + 1), "larger than")],
    ids=["not there", "empty", "huge"],
)
def test_a_file_that_is_no_key_is_named(root: Root, tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "no.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EvidenceError, match=said) as refused:
        load(SigningFiles(certificate=root.signer().certificate, key=str(path)))
    assert str(path) in str(refused.value)


def test_a_certificate_signs_from_its_first_to_its_last_second(root: Root) -> None:
    until = datetime(2026, 3, 11, 12, tzinfo=UTC)
    signer = load(root.signer(until=until))
    second = timedelta(seconds=1)
    signer.require_valid(until)
    signer.require_valid(until - timedelta(days=2))
    with pytest.raises(EvidenceError, match="has expired on 2026-03-11 12:00Z"):
        signer.require_valid(until + second)
    with pytest.raises(EvidenceError, match="is not valid before 2026-03-09 12:00Z"):
        signer.require_valid(until - timedelta(days=2) - second)


def test_the_key_does_not_show(root: Root) -> None:
    assert "_key" not in repr(load(root.signer()))
