"""Makes checkpoints: signs the ledger's head, has the signature dated, keeps both; and says of each on record whether it still holds."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from auditor.core.canonical import canonical
from auditor.core.model import StampAuthority
from auditor.errors import EvidenceError

if TYPE_CHECKING:
    from auditor.evidence.cms import Signer
    from auditor.evidence.stamp import Stamp
    from auditor.store.checkpoints import Checkpoint
    from auditor.store.store import Store

Ask = Callable[[StampAuthority, bytes], "Stamp"]
"""What asks an authority to date some bytes."""


def statement(*, seq: int, link: str, at: datetime, signer: "Signer", recorder: Mapping[str, str], version: str) -> bytes:
    """What is signed of a head, as canonical JSON; its last byte is the closing brace."""
    told = {
        "schema": "checkpoint/1",
        "at": at.isoformat().replace("+00:00", "Z"),
        "seq": seq,
        "link": link,
        "signer": {"subject": signer.subject, "sha256": signer.fingerprint},
        "collector": {"version": version, **recorder},
    }
    return canonical(told).encode()


def checkpoint(store: "Store", signer: "Signer", *, at: datetime, recorder: Mapping[str, str], version: str) -> int:
    """Sign the head that the ledger has now, and record it; returns the number of the checkpoint. It is not dated yet.

    Raises:
        EvidenceError: The certificate is not valid at `at`.
        StoreError: It cannot be recorded.
    """
    from auditor.store.checkpoints import Sealed

    signer.require_valid(at)
    seq, link = store.head()
    told = statement(seq=seq, link=link.hex(), at=at, signer=signer, recorder=recorder, version=version)
    sealed = Sealed(seq=seq, link=link.hex(), signer=signer.fingerprint, subject=signer.subject, statement=told, signature=signer.sign(told))
    return store.seal(sealed, at=at, recorder=recorder)


def stamp_missing(
    store: "Store", authority: StampAuthority, ask: Ask, *, clock: Callable[[], datetime], recorder: Mapping[str, str]
) -> dict[int, str]:
    """Have every checkpoint dated that is not; says of each why it could not be, or nothing. The first that fails ends it: so would the others.

    A stamp is verified with openssl, where that is there, before it counts. That one failed is recorded as well.

    Raises:
        StoreError: It cannot be recorded.
    """
    done: dict[int, str] = {}
    by = urlsplit(authority.url).hostname or ""
    for one in store.checkpoints():
        if one.stamps:
            continue
        try:
            stamp = _dated(one.sealed.signature, authority, ask)
        except EvidenceError as failure:
            done[one.number] = str(failure)
            if str(failure) != one.trouble:  # said once, however often it is tried
                store.stamp_failed(one.number, str(failure), by=by, at=clock(), recorder=recorder)
            break
        store.stamp(one.number, stamp.reply, stamp.time, by=by, at=clock(), recorder=recorder)
        done[one.number] = ""
    return done


def _dated(signature: bytes, authority: StampAuthority, ask: Ask) -> "Stamp":
    stamp = ask(authority, signature)
    if fault := _stamp_fault(signature, stamp.reply, authority, at=None):
        raise EvidenceError(f"no time stamp: what {urlsplit(authority.url).hostname} sent does not verify: {fault}")
    return stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A checkpoint on record and what was found: `faults` are what does not hold, `unverified` what could not be looked at, and why."""

    checkpoint: "Checkpoint"
    faults: tuple[str, ...]
    unverified: tuple[str, ...]

    @property
    def state(self) -> str:
        """In words: that it holds, or what keeps it from that."""
        if self.faults:
            return "; ".join(self.faults)
        missing = () if self.checkpoint.stamps else ("not stamped: " + (self.checkpoint.trouble or "nobody was asked"),)
        held = "signed and stamped" if self.checkpoint.stamps else "signed"
        return "; ".join([held if self.unverified else f"{held}, and holds", *missing, *self.unverified])


def judge(store: "Store", authority: StampAuthority | None, *, number: int | None = None) -> list[Judged]:
    """Every checkpoint on record, the oldest first, or the one of this `number`: signature and stamps verified with openssl where that is there.

    A signature is held against the fingerprint on record, a stamp against the roots of `authority`, at the time that it says.

    Raises:
        StoreError: One is not as it was recorded.
    """
    return [judged(one, authority) for one in store.checkpoints() if number in (None, one.number)]


def judged(one: "Checkpoint", authority: StampAuthority | None) -> Judged:
    """One checkpoint, as `judge` has it."""
    from auditor.evidence import openssl, stamp

    program = openssl.program()
    sealed, faults, unverified = one.sealed, [], []
    if _head_of(sealed.statement) != (sealed.seq, sealed.link):
        faults.append("what was signed names another head than its record")
    if program is None:
        unverified.append("not verified: this machine has no openssl")
    elif fault := openssl.signature_fault(program, sealed.statement, sealed.signature, signer=sealed.signer):
        faults.append(f"the signature does not hold: {fault}")
    for given in one.stamps:
        try:
            read = stamp.read(given.reply, who="the authority")
        except EvidenceError as failure:
            faults.append(str(failure))
            continue
        if read.imprint != hashlib.sha256(sealed.signature).digest() or read.time != given.time:
            faults.append("the time stamp is of something else, or of another time")
        elif authority is None:
            unverified.append("the time stamp is not verified: there is no `evidence.tsa`")
        elif fault := _stamp_fault(sealed.signature, given.reply, authority, at=given.time):
            faults.append(f"the time stamp does not hold: {fault}")
    return Judged(checkpoint=one, faults=tuple(faults), unverified=tuple(dict.fromkeys(unverified)))


def _head_of(told: bytes) -> tuple[int, str] | None:
    """The head that a statement names; None where it is none."""
    try:
        document = json.loads(told)
        return document["seq"], document["link"]
    except (ValueError, KeyError, TypeError):
        return None


def _stamp_fault(signature: bytes, reply: bytes, authority: StampAuthority, *, at: datetime | None) -> str:
    from auditor.evidence import openssl

    program = openssl.program()
    return openssl.stamp_fault(program, signature, reply, roots=authority.roots, chain=authority.chain, at=at) if program else ""
