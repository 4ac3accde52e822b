"""Factories for what a run concludes: each gives a whole value, of which a test names only what matters to it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from auditor.core.canonical import digest
from auditor.core.model import (
    Assessment,
    Collection,
    Fact,
    Finding,
    JsonType,
    Judgement,
    Leaf,
    Level,
    Memory,
    Observation,
    ReadOutcome,
    RuleOutcome,
    Severity,
    Shape,
    Snapshot,
    State,
    TargetText,
    Verdict,
)
from auditor.store.store import Store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
POLICY = {
    "name": "recommended",
    "title": "What every mail profile should keep to",
    "version": 3,
    "vars": {"approved_hosts": ["smtp.corp.example"]},
    "rules": [
        {
            "id": "SMTP-001",
            "title": "TLS is on",
            "rationale": "Пароль уходит открытым текстом",
            "remediation": "Turn UseSSL on",
            "references": ["https://www.rfc-editor.org/rfc/rfc8314"],
            "controls": {"nist-800-53": ["SC-8"]},
        }
    ],
}


def snapshot(*, port: int = 587) -> Snapshot:
    return Snapshot(
        configured=True,
        shape=Shape.V2_OAUTH,
        facts={
            "Host": Fact(State.VALUE, "smtp.corp.example", JsonType.TEXT),
            "Port": Fact(State.VALUE, port, JsonType.INTEGER),
            "UseSSL": Fact(State.VALUE, True, JsonType.BOOLEAN),
            "RelayPassword": Fact(State.NOT_OFFERED, reason="withheld"),
        },
    )


def finding(*, port: int = 587, at: datetime = NOON) -> Finding:
    fails = port not in (465, 587)
    leaf = Leaf(
        at="require/Port",
        fact="Port",
        operator="in",
        expected=[465, 587],
        level=Level.FALSE if fails else Level.TRUE,
        state=State.VALUE,
        actual=port,
        sent=JsonType.INTEGER,
    )
    return Finding(
        rule="SMTP-002",
        outcome=RuleOutcome.FAIL if fails else RuleOutcome.PASS,
        severity=Severity.MEDIUM if fails else None,
        as_of=at.date(),
        because=(leaf,),
    )


def collection(**given: Any) -> Collection:
    return Collection(
        **{
            "url": "https://command.corp.example/KeyfactorAPI/SMTP",
            "api_version": 2,
            "status": 200,
            "server_date": NOON + timedelta(seconds=1),
            "clock_offset_ms": 1000,
            "product_version": "25.1.1",
            "supported_versions": "1.0, 2.0",
            "correlation_id": "3f0a1b2c-93a4-4f10-9d1e-6a1f2b3c4d5e",
            "remote_address": "192.0.2.10:443",
            "tls_leaf_sha256": "ab" * 32,
            "tls_version": "TLSv1.3",
            "tls_verified": True,
            "account": r"CORP\auditor",
            "auth_method": "basic",
            "collector_host": "audit01",
            "collector_version": "0.1.0",
            "attempts": 1,
            "body_bytes": 912,
            **given,
        }
    )


def assessment(target: str = "cmd-01", *, port: int = 587, at: datetime = NOON, **given: Any) -> Assessment:
    """A read that saw the profile, judged; `given` are further fields of the Assessment."""
    seen = snapshot(port=port)
    found = (finding(port=port, at=at),)
    return Assessment(
        **{
            "observation": Observation(
                target=target,
                outcome=ReadOutcome.OBSERVED,
                started_at=at,
                ended_at=at + timedelta(milliseconds=212, microseconds=345),
                collection=collection(server_date=at + timedelta(seconds=1)),
                snapshot=seen,
                slot=at.replace(second=0, microsecond=0),
            ),
            "judgement": Judgement(key=f"{seen.digest}/{digest(POLICY)}/1", policy_digest=digest(POLICY), findings=found),
            "verdict": Verdict.COMPLIANT if found[0].outcome is RuleOutcome.PASS else Verdict.NON_COMPLIANT,
            **given,
        }
    )


def trouble(target: str = "cmd-01", *, at: datetime = NOON, outcome: ReadOutcome = ReadOutcome.FORBIDDEN, **given: Any) -> Assessment:
    read = Observation(
        target=target,
        outcome=outcome,
        started_at=at,
        ended_at=at + timedelta(seconds=30),
        collection=Collection(url="https://command.corp.example/KeyfactorAPI/SMTP", status=403, attempts=1),
        message="Command answered 403",
        hint="grant /system_settings/read/ to the account",
    )
    unseen = Finding(rule="SMTP-002", outcome=RuleOutcome.NOT_EVALUATED, severity=Severity.MEDIUM, as_of=at.date())
    judged = Judgement(key=f"{outcome}/{digest(POLICY)}/1", policy_digest=digest(POLICY), findings=(unseen,))
    return Assessment(**{"observation": read, "judgement": judged, "verdict": Verdict.INDETERMINATE, **given})


def record(store: Store, concluded: Assessment, *, memory: Memory | None = None, **text: Any) -> int:
    name = concluded.observation.target
    target = TargetText(name=name, url="https://command.corp.example", **text)
    return store.record(concluded, target=target, policy_document=POLICY, memory=memory or Memory())


def follow(store: Store, concluded: Assessment) -> Assessment:
    """`concluded` as it stands after what `store` has seen last."""
    before = store.last_observed(concluded.observation.target)
    return concluded if before is None else replace(concluded, previous_at=before[0], previous_digest=before[1].digest)


def in_child(act: Callable[[], object]) -> int:
    """Run `act` in a process of its own; returns how it ended, a signal as a negative number. Quicker than starting Python anew."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            os._exit(70)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def made() -> SimpleNamespace:
    names = (snapshot, finding, collection, assessment, trouble, record, follow, in_child)
    return SimpleNamespace(noon=NOON, policy=POLICY, **{made.__name__: made for made in names})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "auditor.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path.as_posix()}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, create=True) as opened:
        yield opened
