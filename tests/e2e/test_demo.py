"""`auditor demo`: the story, and what is left of it."""

import json
import threading
from pathlib import Path

import pytest

from auditor import cli


def test_the_demo_finds_what_the_story_hides(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    threads = set(threading.enumerate())
    assert cli.run(["demo"]) == 0
    out = capsys.readouterr().out
    assert set(threading.enumerate()) == threads, "nothing is left running"
    assert str(Path("demo/report.html")) in out
    assert cli.run(["--config", "demo/auditor.yaml", "show", "prod-us", "--output", "json=-"]) == 0
    (target,) = json.loads(capsys.readouterr().out)["targets"]
    failed = {finding["rule"] for finding in target["findings"] if finding["outcome"] == "fail"}
    assert failed == {"SITE-001"}
    for words in (
        "fails SMTP-001, CFG-001, DRF-002; changed: UseSSL true → false (downgrade)",
        "prod-us UseSSL: true → false (downgrade, critical)",
        "; returned",
        r"changed by NORDWERK\jsmith",
        "prod-us Host: smtp.nordwerk-industrie.eu → smtp.nordwerk-1ndustrie.eu (redirection, critical)",
        "who did it: cannot be told from Command's audit log",
        "7 = 6 on time, 0 late, 0 failed, 1 missed",
        "7 = 3 on time, 0 late, 3 failed, 1 missed",
    ):
        assert words in out
    assert cli.run(["--config", "demo/auditor.yaml", "ledger", "verify"]) == 0
    capsys.readouterr()
    for name, outcome, verdict in (("prod-eu", "observed", "compliant"), ("lab", "forbidden", "indeterminate")):
        assert cli.run(["--config", "demo/auditor.yaml", "show", name, "--output", "json=-"]) == 0
        (target,) = json.loads(capsys.readouterr().out)["targets"]
        assert (target["observation"]["outcome"], target["verdict"]) == (outcome, verdict)
    report = Path("demo/report.html").read_text(encoding="utf-8")
    for words in ("prod-eu", "prod-us", "lab", "SITE-001", "smtp.nordwerk-1ndustrie.eu", "/system_settings/read/", "UseSSL"):
        assert words in report
    assert cli.run(["demo"]) == 0, "a second demo replaces the first"


@pytest.mark.parametrize("mine", ["auditor.yaml", "auditor.db", "policies/mine.yaml"])
def test_the_demo_never_overwrites_an_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str], mine: str) -> None:
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine", encoding="utf-8")
    assert cli.run(["demo", "-o", str(tmp_path)]) == 2
    assert "is not a demo's" in capsys.readouterr().err
    assert [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]
