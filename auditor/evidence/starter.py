"""Makes a key and a self-signed certificate to begin with. It needs `cryptography`: import this module late."""

from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

VALID = timedelta(days=2 * 366)


class Starter(NamedTuple):
    """A certificate and its private key, both PEM, and the certificate's SHA-256 in hexadecimal."""

    certificate_pem: bytes
    key_pem: bytes
    fingerprint: str

    def __repr__(self) -> str:
        return f"Starter({self.fingerprint})"


def make(name: str, *, at: datetime, passphrase: str | None) -> Starter:
    """A new EC P-256 key, and a certificate that says it belongs to `name`, valid for two years; the key is encrypted with `passphrase`, if any."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    begin = at.replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder(own, own, key.public_key(), x509.random_serial_number(), begin, begin + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return Starter(certificate.public_bytes(Encoding.PEM), key_pem, certificate.fingerprint(SHA256()).hex())
