"""A private certification authority, for TLS on the loopback interface; what it issues passes OpenSSL's strict verification.

Not for anything that lasts: nothing is ever revoked. It needs `cryptography`, which takes a moment to import: import this module late.
"""

import contextlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Issued(NamedTuple):
    """A certificate and its private key, both PEM; good for a server and for a client."""

    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "Issued(...)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateCa:
    """One self-signed root and its key; `certificate_pem` is what a client has to trust."""

    certificate_pem: bytes = field(repr=False)
    _name: x509.Name = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, *, at: datetime) -> "PrivateCa":
        """A new authority, valid from a day before `at` until a year after."""
        key, name = ec.generate_private_key(ec.SECP256R1()), _common_name("Private CA of a simulated Command")
        builder = _begin(name, name, key, key, at - timedelta(days=1), at + timedelta(days=365), is_ca=True)
        return cls(certificate_pem=builder.sign(key, SHA256()).public_bytes(Encoding.PEM), _name=name, _key=key)

    def issue(self, names: Sequence[str], *, valid_from: datetime, valid_until: datetime) -> Issued:
        """A certificate for those DNS names and IP addresses; a TLS client holds its validity against the machine's clock, not the story's."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(self._name, _common_name(names[0]), self._key, key, valid_from, valid_until, is_ca=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        signed = builder.add_extension(purposes, critical=False).sign(self._key, SHA256())
        return Issued(signed.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _begin(
    issuer: x509.Name,
    subject: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    subject_key: ec.EllipticCurvePrivateKey,
    valid_from: datetime,
    valid_until: datetime,
    *,
    is_ca: bool,
) -> x509.CertificateBuilder:
    """What every certificate has; OpenSSL's strict mode asks for both key identifiers, and for critical constraints and usage in a CA."""
    usage = x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder(issuer, subject, subject_key.public_key(), x509.random_serial_number(), valid_from, valid_until)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)
