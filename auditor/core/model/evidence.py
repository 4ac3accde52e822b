"""With what the record is signed, and who dates it: as the configuration has them. Keys and passphrases stand in it by reference."""

from dataclasses import dataclass

from auditor.core.model.target import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningFiles:
    """Where the signer's key and certificate are: `certificate` and `key` as PEM files, or both in `pkcs12`. Paths are absolute.

    `chain` is a PEM file of the certificates between the signer and the root; `passphrase` opens the key.
    """

    certificate: str | None = None
    key: str | None = None
    pkcs12: str | None = None
    passphrase: SecretRef | None = None
    chain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAuthority:
    """A time-stamping authority (RFC 3161) at `url`, whose certificate comes from a root in the PEM file `roots`.

    `chain` is a PEM file of certificates between the two, where its answers leave them out. `ca_file` is for TLS with it. It is given `timeout_s`
    for all of its answer.
    """

    url: str
    roots: str
    chain: str | None = None
    ca_file: str | None = None
    proxy: str | None = None
    timeout_s: float = 30
    insecure_http: bool = False
