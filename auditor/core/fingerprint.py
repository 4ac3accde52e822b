"""Keyed fingerprints: whether two values are equal, for whoever must not keep the values."""

import hashlib
import hmac
from dataclasses import dataclass, field

from auditor.core.model import Fingerprint

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class FingerprintKey:
    """The installation's secret key, `KEY_BYTES` long. Its id can be shown; it says nothing of the key."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a fingerprint key has {KEY_BYTES} bytes, this one {len(self.secret)}")

    @property
    def id(self) -> str:
        """Eight hexadecimal digits that tell this key from others."""
        return hmac.new(self.secret, b"auditor fingerprint key id", hashlib.sha256).hexdigest()[:8]

    def of(self, field_name: str, value: str) -> Fingerprint:
        """The fingerprint of `value` as found in `field_name`; the same value in another field has another one."""
        message = field_name.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        return Fingerprint(self.id, hmac.new(self.secret, message, hashlib.sha256).hexdigest()[:32])
