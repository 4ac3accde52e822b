"""The ledger's form: one append-only chain of records, in which each link follows from all before it. Pure.

`link = SHA-256(previous link || SHA-256(record))`, over the raw 32 bytes of each; a record is the canonical JSON of its body. The digest of each
record stands beside its link, so that a change shows at its own row, and so that the chain still verifies where a body was pruned.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from auditor.core.canonical import canonical

ORIGIN = bytes(32)
"""What the first link follows from."""


class Kind(StrEnum):
    """What a record is about. `SLOT` and `CHECK` are reads, with and without a slot; their bodies are the observations themselves."""

    BEGIN = "begin"
    SLOT = "slot"
    CHECK = "check"
    MISSED = "missed"
    POLICY = "policy"
    WAIVERS = "waivers"
    APPROVAL = "approval"
    REVOCATION = "revocation"
    CONFIGURATION = "configuration"
    TARGET = "target"
    DRIFT = "drift"
    ATTRIBUTION = "attribution"
    NOTE = "note"
    CHECKPOINT = "checkpoint"
    PRUNE = "prune"
    EXPORT = "export"
    INSPECTION = "inspection"
    STAMP = "stamp"

    @property
    def is_read(self) -> bool:
        return self in (Kind.SLOT, Kind.CHECK)


def record_digest(body: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical JSON of a record's body, 32 bytes."""
    return hashlib.sha256(canonical(body).encode()).digest()


def link(previous: bytes, digest: bytes) -> bytes:
    """The link of a record with this digest behind the link `previous`, 32 bytes."""
    return hashlib.sha256(previous + digest).digest()
