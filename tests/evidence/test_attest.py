"""What is said of a checkpoint on record: each thing that can be wrong with it, in words."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor import attest
from auditor.evidence import cms, stamp
from auditor.exchange.connection import TlsContexts
from auditor.store.checkpoints import Checkpoint, Sealed, Stamped
from tests.evidence.authorities import Root, Tsa, stamping

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    with stamping(tmp_path_factory.mktemp("authority") / "tsa") as tsa:
        yield tsa


@pytest.fixture
def good(tmp_path: Path, tsa: Tsa) -> Checkpoint:
    signer = cms.load(Root(tmp_path).signer(), secret=str)
    told = attest.statement(seq=7, link="ab" * 32, at=NOW, signer=signer, recorder={"account": "a", "host": "h"}, version="1.0")
    sealed = Sealed(seq=7, link="ab" * 32, signer=signer.fingerprint, subject=signer.subject, statement=told, signature=signer.sign(told))
    return Checkpoint(number=8, at=NOW, sealed=sealed, stamps=(stamped(tsa, sealed.signature),))


def stamped(tsa: Tsa, content: bytes) -> Stamped:
    got = stamp.ask(tsa.authority, content, contexts=TlsContexts(), version="1.0")
    return Stamped(number=9, time=got.time, reply=got.reply)


def test_what_is_signed_is_canonical_and_names_head_signer_and_collector(good: Checkpoint) -> None:
    assert json.loads(good.sealed.statement) == {
        "schema": "checkpoint/1",
        "at": NOW.isoformat().replace("+00:00", "Z"),
        "seq": 7,
        "link": "ab" * 32,
        "signer": {"subject": "CN=Evidence signer", "sha256": good.sealed.signer},
        "collector": {"version": "1.0", "account": "a", "host": "h"},
    }
    assert good.sealed.statement == json.dumps(json.loads(good.sealed.statement), sort_keys=True, separators=(",", ":")).encode()


def test_one_that_holds_says_so(good: Checkpoint, tsa: Tsa) -> None:
    assert attest.judged(good, tsa.authority).state == "signed and stamped, and holds"
    assert attest.judged(good, None).state == "signed and stamped; the time stamp is not verified: there is no `evidence.tsa`"


def test_a_record_that_names_another_head_than_was_signed_is_told(good: Checkpoint, tsa: Tsa) -> None:
    for other in (replace(good.sealed, seq=8), replace(good.sealed, link="cd" * 32)):
        found = attest.judged(replace(good, sealed=other), tsa.authority)
        assert found.faults == ("what was signed names another head than its record",)


@pytest.mark.parametrize("statement", [b"", b"[]", b"{}", b"\xff", b'{"seq":7}'])
def test_what_is_no_statement_is_told(good: Checkpoint, tsa: Tsa, statement: bytes) -> None:
    found = attest.judged(replace(good, sealed=replace(good.sealed, statement=statement)), tsa.authority)
    assert found.faults[0] == "what was signed names another head than its record"
    assert found.faults[1].startswith("the signature does not hold: openssl: ")


def test_a_stamp_of_something_else_is_told(good: Checkpoint, tsa: Tsa) -> None:
    other = stamped(tsa, b"something else")
    assert attest.judged(replace(good, stamps=(other,)), tsa.authority).faults == ("the time stamp is of something else, or of another time",)
    [own] = good.stamps
    earlier = replace(own, time=own.time - timedelta(days=1))
    assert attest.judged(replace(good, stamps=(earlier,)), tsa.authority).faults == ("the time stamp is of something else, or of another time",)
    none = replace(own, reply=b"\x30\x00")
    assert attest.judged(replace(good, stamps=(none,)), tsa.authority).faults == ("no time stamp: what the authority sent is none",)


def test_a_stamp_by_a_root_that_is_not_known_is_told(good: Checkpoint, tsa: Tsa, tmp_path: Path) -> None:
    strange = replace(tsa.authority, roots=str(Root(tmp_path, name="strange").path))
    [fault] = attest.judged(good, strange).faults
    assert fault.startswith("the time stamp does not hold: openssl: ")
