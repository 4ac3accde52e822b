"""The event file: every result of every run on a line of its own, on the disk, whole or not at all."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from auditor.core.model import (
    Assessment,
    Direction,
    Drift,
    DriftEvent,
    FieldChange,
    Finding,
    Judgement,
    Leaf,
    Level,
    Observation,
    ReadOutcome,
    RuleOutcome,
    Severity,
    State,
    TargetText,
    Verdict,
)
from auditor.errors import StoreError
from auditor.notify.eventfile import append_events, events_of
from tests.factories import AT, observation, snapshot

TARGET = TargetText(name="prod", url="https://command.example.org", labels=(("env", "prod"),), owner="pki-team")


def finding(rule: str, outcome: RuleOutcome, **others: object) -> Finding:
    return Finding(rule=rule, outcome=outcome, as_of=AT.date(), **others)  # type: ignore[arg-type]


def assessed(seen: Observation, *findings: Finding, drift: Drift | None = None) -> Assessment:
    judgement = Judgement(key="j", policy_digest="p" * 64, findings=findings)
    return Assessment(observation=seen, judgement=judgement, verdict=Verdict.NON_COMPLIANT, drift=drift or Drift())


FAILED = finding(
    "CFG-001",
    RuleOutcome.FAIL,
    severity=Severity.CRITICAL,
    because=(Leaf(at="require", fact="Port", operator="in", expected=[465, 587], level=Level.FALSE, state=State.VALUE, actual=25),),
)


def test_wazuh_7429_each_result_of_each_run_is_told_the_good_ones_too() -> None:
    seen = observation(snapshot(Port=25), slot=AT)

    read, failed, passed = events_of(assessed(seen, FAILED, finding("CFG-002", RuleOutcome.PASS)), TARGET)

    common = {
        "schema": "event/1",
        "at": "2026-11-23T10:00:00.040000+00:00",
        "at_unix": 1795428000,
        "target": "prod",
        "labels": {"env": "prod"},
        "owner": "pki-team",
        "collector": "audit01",
    }
    assert seen.snapshot is not None
    assert read == common | {
        "type": "observation",
        "slot": "2026-11-23T10:00:00+00:00",
        "slot_unix": 1795428000,
        "outcome": "observed",
        "message": "",
        "hint": "",
        "verdict": "non_compliant",
        "counts": {"fail": 1, "pass": 1},
        "open_drift": 0,
        "snapshot": seen.snapshot.digest,
        "policy": "p" * 64,
        "url": "https://command.example.org/KeyfactorAPI/SMTP",
        "api_version": 2,
        "status": 200,
    }
    assert failed == common | {
        "type": "finding",
        "id": "prod/CFG-001",
        "rule": "CFG-001",
        "outcome": "fail",
        "severity": "critical",
        "standing": False,
        "because": ["Port: expected 465 or 587, got 25"],
    }
    assert (passed["id"], passed["outcome"], passed["severity"]) == ("prod/CFG-002", "pass", None)


def test_a_read_that_came_to_nothing_is_a_result_too() -> None:
    (read,) = events_of(assessed(observation(outcome=ReadOutcome.TIMEOUT, message="no answer")), TARGET)

    assert (read["outcome"], read["message"], read["snapshot"], read["slot"], read["slot_unix"]) == ("timeout", "no answer", None, None, None)


def test_drift_that_opened_or_ended_is_told() -> None:
    change = FieldChange(field="Port", kind="value", direction=Direction.DOWNGRADE, before="587", after="25", severity=Severity.HIGH)
    was, now = snapshot(Port=587).field("Port"), snapshot(Port=25).field("Port")
    event = DriftEvent(target="prod", change=change, reference=was, value=now, is_deviation=False, is_change=True, not_before=None, not_after=AT)

    _, drifted = events_of(assessed(observation(snapshot()), drift=Drift(opened=(event,), open=(event,))), TARGET)

    told = ("type", "state", "subject", "severity", "direction", "before", "after", "not_before", "not_before_unix", "not_after", "not_after_unix")
    assert {key: drifted[key] for key in told} == {
        "type": "drift",
        "state": "open",
        "subject": "Port",
        "severity": "high",
        "direction": "downgrade",
        "before": "587",
        "after": "25",
        "not_before": None,
        "not_before_unix": None,
        "not_after": "2026-11-23T10:00:00+00:00",
        "not_after_unix": 1795428000,
    }


# --- the file -----------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_records_follow_each_other_one_a_line_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    os.umask(0)

    assert append_events(path, [{"a": 1}, {"b": "two\nlines\u2028\u202e"}]) == 2
    assert append_events(path, [{"c": None}]) == 1

    assert path.read_bytes().isascii()
    assert lines(path) == [{"a": 1}, {"b": "two\nlines\u2028\u202e"}, {"c": None}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_record_makes_no_file(tmp_path: Path) -> None:
    assert append_events(tmp_path / "events.ndjson", []) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    append_events(path, [{"a": 1}])
    path.rename(tmp_path / "events.1")
    append_events(path, [{"a": 2}])

    assert (lines(tmp_path / "events.1"), lines(path)) == ([{"a": 1}], [{"a": 2}])


def test_a_line_that_a_power_failure_tore_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text('{"a": 1}\n{"torn', encoding="utf-8")

    append_events(path, [{"a": 2}])

    assert path.read_text(encoding="utf-8").splitlines() == ['{"a": 1}', '{"torn', '{"a": 2}']


def test_writers_at_the_same_time_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.touch()
    writers = [threading.Thread(target=append_events, args=(path, [{"writer": n, "pad": "x" * 5000}] * 20)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(lines(path)) == 160


_FULL = """
import resource, signal, sys
from pathlib import Path
from auditor.errors import StoreError
from auditor.notify.eventfile import append_events
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = Path(sys.argv[1])
append_events(path, [{"a": 1}])
try:
    append_events(path, [{"pad": "x" * 500}] * 20)
except StoreError as error:
    print(error)
"""


def test_a_disk_that_is_full_gets_all_lines_or_none(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"

    run = subprocess.run([sys.executable, "-c", _FULL, str(path)], check=True, capture_output=True, text=True, timeout=60)

    assert run.stdout == f"{path}: events cannot be written: {os.strerror(errno.EFBIG)}\n"
    assert lines(path) == [{"a": 1}]


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "nowhere"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "events.ndjson"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/null")
        case _:
            path = tmp_path / "no" / "events.ndjson"

    with pytest.raises(StoreError, match=r"events\.ndjson: (not a file|events cannot be written)"):
        append_events(path, [{"a": 1}])
