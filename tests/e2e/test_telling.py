"""What is found reaches people: a whole `auditor check` and a daemon, with a real webhook, a file of events and a heartbeat."""

import json
import os
import signal
import socket
from datetime import timedelta

import pytest

from auditor.app import App
from auditor.config import load
from auditor.core.model import Memory
from auditor.daemon import Reads
from tests.e2e.conftest import Site
from tests.e2e.hook import FarEnd
from tests.e2e.test_daemon import process_of, wait_for
from tests.notify.ends import relay

SECRET = "whsec+of/the=hook"
WAIVERS = """waivers:
- {rule: CFG-001, reason: the relay is replaced, owner: pki@corp.example, approved_by: ciso@corp.example, expires: 2026-01-31}
"""


@pytest.fixture
def told(site: Site, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    site.extra = f"""
alerts:
  channels:
  - {{name: hook, type: webhook, url: 'http://127.0.0.1:{far_end.port}/hook', insecure_http: true, secret: env:HOOK_SECRET, attempts: 2}}
events: events.ndjson
heartbeat: {{url: 'http://127.0.0.1:{far_end.port}/beat', insecure_http: true}}
"""
    site.configure(policy="recommended")
    return site


def test_a_check_tells_where_a_target_stands_and_then_only_what_is_new(told: Site, far_end: FarEnd) -> None:
    told.run("check")
    assert far_end.kinds() == [["initial"]]
    told.run("check")
    assert len(far_end.messages) == 1, "nothing is new"
    with told.simulator.editing() as profile:
        profile["UseSSL"] = not profile["UseSSL"]
    told.run("check")
    assert "drift_opened" in far_end.kinds()[1]
    assert far_end.beats == 3
    assert len(set(far_end.keys)) == 2


def test_a_check_by_a_part_of_the_rules_says_nothing_of_the_rest(told: Site, far_end: FarEnd) -> None:
    told.extra = told.extra.replace("alerts:", "alerts:\n  minimum: info")
    told.configure(policy="recommended")
    for arguments in ([], ["--framework", "hipaa"], []):
        told.run("check", *arguments)
    assert far_end.kinds() == [["initial"]]


def test_a_read_of_one_server_by_hand_is_no_sweep(told: Site, far_end: FarEnd) -> None:
    told.run("check", "prod")
    assert (far_end.kinds(), far_end.beats) == ([["initial"]], 0)


def test_events_that_cannot_be_written_keep_neither_record_nor_alerts(told: Site, far_end: FarEnd) -> None:
    (told.folder / "events.ndjson").mkdir()
    code, _, err = told.run("check")
    assert code == 74
    assert "events.ndjson: events cannot be written" in err
    assert (far_end.kinds(), far_end.beats) == ([["initial"]], 0)
    with App(load(told.config)) as app:
        assert app.store.latest("prod") is not None


def test_every_result_of_every_run_is_a_line_for_the_siem(told: Site) -> None:
    told.run("check")
    told.run("check")
    lines = [json.loads(line) for line in (told.folder / "events.ndjson").read_text(encoding="utf-8").splitlines()]
    assert [line["type"] for line in lines].count("observation") == 2
    assert {line["target"] for line in lines} == {"prod"}


def test_what_is_not_delivered_is_listed_given_up_after_the_channels_own_attempts_and_tried_again(told: Site, far_end: FarEnd) -> None:
    far_end.status = 503
    _, _, err = told.run("check")
    assert "alerts: 1 not delivered" in err
    _, out, _ = told.run("alerts", "list", "--format", "json")
    (owed,) = json.loads(out)
    assert (owed["channel"], owed["state"], owed["attempts"]) == ("hook", "pending", 1)
    with App(load(told.config)) as app:
        later = app.clock().replace(year=2027)
        app.clock = lambda: later
        assert app.deliver().parked == 1, "two attempts are this channel's, whatever others have"
    far_end.status = 200
    code, out, _ = told.run("alerts", "retry", "hook")
    assert (code, out) == (0, "1 notices are tried again; 1 messages delivered, 0 not\n")
    assert told.run("alerts", "list")[1] == "nothing is owed\n"
    assert len(set(far_end.keys)) == 1, "it is the same message each time"


def test_a_channel_is_tried_by_hand(told: Site, far_end: FarEnd) -> None:
    assert told.run("alerts", "test")[:2] == (0, "hook: delivered\n")
    assert far_end.kinds() == [["test"]]
    far_end.status = 404
    code, out, _ = told.run("alerts", "test", "hook")
    assert code == 1
    assert "404" in out
    code, _, err = told.run("alerts", "test", "hok")
    assert code == 2
    assert "hook" in err


def test_what_some_recipients_did_not_take_is_said(told: Site) -> None:
    with relay(answers={"b@corp.example": "550 unknown"}) as mailbox:
        by = f"type: mail, host: 127.0.0.1, port: {mailbox.port}, tls: none, from: c@corp.example, to: [a@corp.example, b@corp.example]"
        told.extra = f"\nalerts:\n  channels:\n  - {{name: mail, {by}}}\n"
        told.configure(policy="recommended")
        assert told.run("alerts", "test")[:2] == (1, "mail: delivered, but 127.0.0.1 refused 1 of 2 recipients (550)\n")
        _, _, err = told.run("check")
    assert "delivered in part channel=mail" in err
    assert len(mailbox.mails) == 2


def test_a_waiver_that_has_ended_is_told_once(told: Site, far_end: FarEnd) -> None:
    (told.folder / "waivers.yaml").write_text(WAIVERS, encoding="utf-8")
    told.run("check")
    told.run("check")
    assert sum(kinds.count("waiver_expired") for kinds in far_end.kinds()) == 1


def test_low_coverage_of_a_week_is_told_once_when_the_week_is_over(told: Site, far_end: FarEnd) -> None:
    told.extra = told.extra.replace("alerts:", "alerts:\n  coverage_below: 95")
    told.configure(policy="recommended", schedule="{every: 15m}")
    told.run("check")
    with App(load(told.config)) as app:
        next_week = app.clock() + timedelta(days=8)
        app.clock = lambda: next_week
        app.deliver()
        app.deliver()
    told_of = [notice for message in far_end.messages for notice in message["notices"] if notice["kind"] == "coverage_low"]
    assert [notice["target"] for notice in told_of] == ["prod"]
    assert "slots of" in told_of[0]["title"]


def test_a_channel_that_is_new_is_told_where_targets_stand(told: Site, far_end: FarEnd) -> None:
    with_channels, told.extra = told.extra, ""
    told.configure(policy="recommended")
    told.run("check")
    told.extra = with_channels
    told.configure(policy="recommended")
    told.run("check")
    assert far_end.kinds() == [["initial"]]


def test_mail_through_the_relay_that_is_audited_is_warned_of(told: Site) -> None:
    with told.simulator.editing() as profile:
        profile["Host"] = "smtp.corp.example"
    told.extra = "\nalerts:\n  minimum: critical\n  channels:\n"
    told.extra += "  - {name: mail, type: mail, host: SMTP.corp.example., from: a@corp.example, to: [b@corp.example]}\n"
    told.configure(policy="recommended")
    told.run("check", "--force")
    _, _, err = told.run("alerts", "list")
    assert "the channel mail sends through SMTP.corp.example." in err


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be sent to a process there")
def test_a_daemon_delivers_and_calls_the_heartbeat(told: Site, far_end: FarEnd) -> None:
    told.configure(policy="recommended", schedule="{every: 15m}")
    with process_of(told) as process:
        wait_for(lambda: far_end.beats == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert far_end.kinds() == [["initial"]], "what the last reads found is sent before it ends"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or os.name == "nt", reason="systemd is not there")
def test_systemd_is_told_how_the_daemon_stands(told: Site, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    told.configure(policy="recommended", schedule="{every: 15m}")
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = f"\0auditor-test-{os.getpid()}"
        manager.bind(address)
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{address[1:]}")
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")

        def hear(wanted: str) -> None:
            while not any(wanted in message for message in heard):
                heard.append(manager.recv(4096).decode())

        with process_of(told) as process:
            hear("READY=1")
            hear("WATCHDOG=1")
            told.config.write_text("targets: [", encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            hear("RELOADING=1")
            hear("the old configuration stays")
            process.send_signal(signal.SIGTERM)
            hear("STOPPING=1")
            assert process.wait(20) == 0
    assert heard[0] == "READY=1\nSTATUS=1 targets"
    assert far_end.beats >= 1


def test_a_read_that_is_not_on_record_keeps_the_heartbeat_still(told: Site, far_end: FarEnd) -> None:
    told.configure(policy="recommended", schedule="{every: 15m}")
    (told.folder / "events.ndjson").mkdir()  # every read ends in trouble with a file
    with App(load(told.config)) as app:
        reads = Reads(app)
        reads.serve_due()
        wait_for(lambda: app.store.latest("prod") is not None and not reads._running)
        assert far_end.beats == 0
        (told.folder / "events.ndjson").rmdir()
        reads._begin(app.config.targets[0], Memory())
        wait_for(lambda: far_end.beats == 1)
        reads.close(5)


def test_no_message_and_no_event_holds_the_secret_of_a_hook(told: Site, far_end: FarEnd) -> None:
    told.run("check")
    assert far_end.messages
    assert SECRET not in json.dumps(far_end.messages) + (told.folder / "events.ndjson").read_text(encoding="utf-8")


def test_of_an_address_that_alerts_go_to_the_record_keeps_the_host_alone(told: Site) -> None:
    told.extra = told.extra.replace("/hook", "/services/T0KEN-in-the-path").replace("/beat", "/ping/T0KEN-of-ours")
    told.configure(policy="recommended")
    told.run("check")
    kept = b"".join(path.read_bytes() for path in told.folder.glob("auditor.db*"))
    assert b"T0KEN" not in kept
    assert b"http://127.0.0.1" in kept
