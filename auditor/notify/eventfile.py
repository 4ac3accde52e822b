"""The event file: every result of every run as one line of JSON, for a SIEM that reads along. People are told of changes; this tells all.

It is opened anew each time, by its path, so whoever rotates it need tell nobody.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from auditor.core.model import Assessment, TargetText
from auditor.core.words import leaf_text
from auditor.errors import StoreError

LOCK_WAIT_S = 30
MAX_BECAUSE = 20
"""Of one finding, so many leaves are told."""


def events_of(assessment: Assessment, target: TargetText) -> Iterator[dict[str, Any]]:
    """One record for the read, then one for each finding, each drift event opened or ended.

    Each stands for itself: it names target, labels and owner, and its time as ISO 8601 text and as Unix seconds.
    """
    seen = assessment.observation
    common = {
        **_time("at", seen.ended_at),
        "target": target.name,
        "labels": dict(target.labels),
        "owner": target.owner,
        "collector": seen.collection.collector_host,
    }
    outcomes = [finding.outcome.value for finding in assessment.findings]
    yield {
        "schema": "event/1",
        "type": "observation",
        **common,
        **_time("slot", seen.slot),
        "outcome": seen.outcome.value,
        "message": seen.message,
        "hint": seen.hint,
        "verdict": assessment.verdict.value,
        "counts": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "open_drift": len(assessment.drift.open),
        "snapshot": seen.snapshot.digest if seen.snapshot else None,
        "policy": assessment.judgement.policy_digest,
        "url": seen.collection.url,
        "api_version": seen.collection.api_version,
        "status": seen.collection.status,
    }
    for finding in assessment.findings:
        yield {
            "schema": "event/1",
            "type": "finding",
            **common,
            "id": f"{target.name}/{finding.rule}",
            "rule": finding.rule,
            "outcome": finding.outcome.value,
            "severity": finding.severity.value if finding.severity else None,
            "standing": finding.standing,
            "because": [leaf_text(leaf) for leaf in finding.because[:MAX_BECAUSE]],
        }
    for event in (*assessment.drift.opened, *assessment.drift.ended):
        yield {
            "schema": "event/1",
            "type": "drift",
            **common,
            "state": event.state.value,
            "subject": event.subject,
            **_time("not_before", event.not_before),
            **_time("not_after", event.not_after),
            "severity": event.severity.value,
            "direction": event.change.direction.value,
            "before": event.change.before,
            "after": event.change.after,
        }


def append_events(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Append one line for each of `records`, and return only when they are on the disk; how many there were.

    All lines are written or none. The file is made for its owner alone; a line that a power failure tore is closed off first.

    Raises:
        StoreError: They could not be written.
        ValueError: A record is no JSON.
    """
    lines = [json.dumps(record, allow_nan=False, sort_keys=True).encode() + b"\n" for record in records]
    if not lines:
        return 0
    try:
        path.parent.stat()  # the lock would make a folder that is not there
        with FileLock(f"{path}.lock", timeout=LOCK_WAIT_S, mode=0o600):  # a daemon and a check may write at the same time
            _write(path, b"".join(lines))
    except Timeout:
        raise StoreError(f"{path}: events cannot be written: another process has held {path}.lock for {LOCK_WAIT_S} s") from None
    except OSError as failure:
        raise StoreError(f"{path}: events cannot be written: {failure.strerror or type(failure).__name__}", hint="is the disk full?") from failure
    return len(lines)


def _write(path: Path, content: bytes) -> None:
    # O_NONBLOCK: a pipe that nobody reads is refused at once. O_APPEND: who does not know of the lock is not written over.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError(f"{path}: not a file, so no events are written", hint="give `events` the path of a file")
        _append(descriptor, content)
    finally:
        os.close(descriptor)


def _append(descriptor: int, content: bytes) -> None:
    """Write all of `content` in one go, or take back what of it was written."""
    before = os.fstat(descriptor).st_size
    if before and _last_byte(descriptor, before) != b"\n":
        content = b"\n" + content
    written = 0
    try:
        while written < len(content):
            written += os.write(descriptor, content[written:])
        os.fsync(descriptor)
    except OSError:
        if os.fstat(descriptor).st_size == before + written:  # nobody else has written behind it
            os.ftruncate(descriptor, before)
        raise


def _last_byte(descriptor: int, size: int) -> bytes:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1)


def _time(name: str, at: datetime | None) -> dict[str, Any]:
    return {name: at.astimezone(UTC).isoformat() if at else None, f"{name}_unix": int(at.timestamp()) if at else None}
