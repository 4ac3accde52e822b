"""Signs: CMS (RFC 5652), detached, DER, SHA-256, with a key of EC P-256, P-384 or RSA out of a file.

What it makes, `openssl cms -verify -binary` verifies. It needs `cryptography`, which takes a moment to import: import this module late.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, pkcs7, pkcs12

from auditor.core.model import SecretRef, SigningFiles
from auditor.errors import EvidenceError

MAX_FILE_BYTES = 256 * 1024
"""Of a key, a certificate, a chain: each is a few KiB."""
MIN_RSA_BITS = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1)

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key with its certificate, and the certificates between that one and a root."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    _key: SigningKey = field(repr=False)

    @property
    def subject(self) -> str:
        """Whom the certificate names, as RFC 4514 writes it."""
        return self.certificate.subject.rfc4514_string()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, 64 hexadecimal digits."""
        return fingerprint(self.certificate)

    @property
    def is_self_signed(self) -> bool:
        return self.certificate.issuer == self.certificate.subject

    def require_valid(self, at: datetime) -> None:
        """Refuse to sign outside the time that the certificate is good for.

        Raises:
            EvidenceError: It has ended, or has not begun.
        """
        begin, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if not begin <= at <= end:
            word, moment = ("is not valid before", begin) if at < begin else ("has expired on", end)
            hint = "have it renewed, or compare this machine's clock"
            raise EvidenceError(f"the signer's certificate ({self.subject}) {word} {moment:%Y-%m-%d %H:%M}Z", hint=hint)

    def sign(self, content: bytes) -> bytes:
        """The detached signature of `content`, byte for byte, with the certificates in it; another one each time."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(self.certificate, self._key, SHA256())
        for certificate in self.chain:
            builder = builder.add_certificate(certificate)
        # without Binary, lines would be signed as if they ended in CR LF
        options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]
        return builder.sign(Encoding.DER, options)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, 64 hexadecimal digits."""
    return certificate.fingerprint(SHA256()).hex()


def load(files: SigningFiles, *, secret: Callable[[SecretRef], str]) -> Signer:
    """The signer in `files`, whose key fits its certificate.

    Raises:
        EvidenceError: A file cannot be read or used, the passphrase is wrong, or the key is of a kind that is not taken.
        SecretError: The passphrase is not where it should be.
    """
    passphrase = secret(files.passphrase).encode() if files.passphrase else None
    more = certificates(files.chain) if files.chain else []
    if files.pkcs12:
        key, certificate, own_chain = _of_pkcs12(files.pkcs12, passphrase)
        place, more = files.pkcs12, [*own_chain, *more]
    else:
        assert files.certificate is not None
        assert files.key is not None
        certificate, *own_chain = certificates(files.certificate)
        key, place, more = _of_pem(files.key, passphrase), files.key, [*own_chain, *more]
    taken = _taken(key, place)
    if _public(taken.public_key()) != _public(certificate.public_key()):
        raise EvidenceError(f"{place}: the key is not that of the certificate ({certificate.subject.rfc4514_string()})", hint="do both go together?")
    chain = {fingerprint(one): one for one in more}
    chain.pop(fingerprint(certificate), None)
    return Signer(certificate=certificate, chain=tuple(chain.values()), _key=taken)


def _of_pkcs12(path: str, passphrase: bytes | None) -> tuple[object, x509.Certificate, list[x509.Certificate]]:
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(_content(path), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # of the content, nothing is to be told
        raise EvidenceError(f"{path}: the passphrase does not open it, or it is no PKCS#12 file", hint="is `passphrase` the right one?") from None
    if key is None or certificate is None:
        raise EvidenceError(f"{path}: it holds no key with its certificate", hint="export both into it")
    return key, certificate, chain


def _of_pem(path: str, passphrase: bytes | None) -> object:
    try:
        return load_pem_private_key(_content(path), passphrase)
    except TypeError:
        said = "is not encrypted, and there is a `passphrase`" if passphrase else "is encrypted, and there is no `passphrase`"
        raise EvidenceError(f"{path}: the key {said}", hint="give `passphrase` where the key has one, and only there") from None
    except (ValueError, UnsupportedAlgorithm):
        raise EvidenceError(f"{path}: the passphrase does not open it, or it is no private key in PEM form", hint="is this the right file?") from None


def _taken(key: object, path: str) -> SigningKey:
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, CURVES):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
        return key
    raise EvidenceError(f"{path}: a key of this kind is not taken", hint=f"EC P-256, EC P-384, or RSA of at least {MIN_RSA_BITS} bits")


def _public(key: object) -> bytes:
    assert hasattr(key, "public_bytes")
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def certificates(path: str) -> list[x509.Certificate]:
    """The certificates in a PEM file.

    Raises:
        EvidenceError: It cannot be read, or holds none.
    """
    try:
        return x509.load_pem_x509_certificates(_content(path))
    except ValueError:
        raise EvidenceError(f"{path}: holds no certificate in PEM form", hint="is this the right file?") from None


def _content(path: str) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as failure:
        raise EvidenceError(f"{path}: cannot be read: {failure.strerror}", hint="may the account that runs the auditor read it?") from None
    if len(content) > MAX_FILE_BYTES:
        raise EvidenceError(f"{path}: larger than {MAX_FILE_BYTES} bytes", hint="is this the right file?")
    return content
