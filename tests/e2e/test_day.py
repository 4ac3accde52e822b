"""A day in the life, by real processes: the daemon, a Command, a webhook, a relay, Prometheus; its hours take seconds (`tests.e2e.pace`)."""

import json
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from auditor.simulator.server import ServerTls
from tests.e2e import pace
from tests.e2e.conftest import Site
from tests.e2e.hook import FarEnd
from tests.e2e.test_daemon import events_of, wait_for
from tests.e2e.test_health import get, value
from tests.notify.ends import free_port, relay

QUARTER = timedelta(minutes=15)


def past_the_slot(now: datetime) -> timedelta:
    """How far `now` is behind the second minute after the last quarter of an hour: a story that begins there is over before the next."""
    into = timedelta(minutes=now.minute % 15, seconds=now.second)
    return into - timedelta(minutes=1) if into > timedelta(minutes=1) else into + timedelta(minutes=14)


def tls_of(issued: ServerTls, folder: Path) -> ssl.SSLContext:
    """For a relay, the certificate that the simulator has."""
    pem = folder / "relay.pem"
    pem.write_bytes(issued.certificate_pem + issued.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.skipif(os.name != "posix", reason="SIGHUP and SIGTERM cannot be sent to a process there")
def test_a_day_in_the_life(site: Site, far_end: FarEnd, server_tls: ServerTls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "whsec+of/the=hook")
    clock, health = pace.Clock(site.folder / "clock"), f"http://127.0.0.1:{free_port()}"
    clock.ahead = -past_the_slot(datetime.now(UTC))
    site.simulator.clock = clock
    with relay(starttls=tls_of(server_tls, site.folder)) as mailbox:
        site.extra = f"""
alerts:
  channels:
  - {{name: hook, type: webhook, url: 'http://127.0.0.1:{far_end.port}/hook', insecure_http: true, secret: env:HOOK_SECRET}}
  - {{name: mail, type: mail, host: 127.0.0.1, port: {mailbox.port}, ca_file: root.pem, from: a@corp.example, to: [b@corp.example]}}
health: {{listen: '{health.removeprefix("http://")}'}}
heartbeat: {{url: 'http://127.0.0.1:{far_end.port}/beat', insecure_http: true}}
"""
        site.configure(policy="recommended", schedule="{every: 15m}")
        good = site.config.read_text(encoding="utf-8")

        def told(messages: int) -> Callable[[], bool]:
            return lambda: len(far_end.messages) >= messages and len(mailbox.raw) >= messages

        def a_quarter_later() -> None:
            """The machine's clock shows the next slot's time; the daemon finds that out within a second."""
            clock.ahead += QUARTER

        def metric(name: str, **labels: str) -> float:
            return value(get(f"{health}/metrics")[1], name, **labels)

        with (site.folder / "daemon.log").open("wb") as log:
            process = pace.spawn(clock, 0.2, "--log-format", "json", "--config", str(site.config), "daemon", log=log.fileno())
        try:
            # The daemon starts, reads at once, and says where the target stands.
            wait_for(told(1))
            assert far_end.kinds() == [["initial"]]
            assert "prod" in str(mailbox.mails[0]["Subject"])
            assert json.loads(get(f"{health}/healthz")[1])["status"] == "ok"
            assert (metric("auditor_target_compliant", target="prod"), metric("auditor_drift_open", target="prod", severity="critical")) == (1, 0)

            # The next slot: nothing has happened, and nobody is told so.
            a_quarter_later()
            wait_for(lambda: metric("auditor_reads_total", target="prod", outcome="observed") == 2)

            # The next: somebody has turned TLS off: one alert at each.
            with site.simulator.editing() as profile:
                profile["UseSSL"] = False
            a_quarter_later()
            wait_for(told(2))
            assert set(far_end.kinds()[1]) == {"finding_opened", "drift_opened"}
            assert "UseSSL" in plain(mailbox.mails[1])
            assert (metric("auditor_target_compliant", target="prod"), metric("auditor_drift_open", target="prod", severity="critical")) == (0, 1)
            assert metric("auditor_findings_failing", target="prod", severity="critical") >= 1

            # It still is off, which is no news; then it is on again.
            a_quarter_later()
            wait_for(lambda: metric("auditor_reads_total", target="prod", outcome="observed") == 4)
            with site.simulator.editing() as profile:
                profile["UseSSL"] = True
            a_quarter_later()
            wait_for(told(3))
            assert set(far_end.kinds()[2]) == {"finding_resolved", "drift_ended"}
            assert (metric("auditor_target_compliant", target="prod"), metric("auditor_drift_open", target="prod", severity="critical")) == (1, 0)

            # A configuration with a typo: the old one stays, and that shows.
            site.config.write_text(good.replace("schedule:", "shedule:"), encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: get(f"{health}/healthz")[0] == 503)
            assert "did you mean 'schedule'?" in json.loads(get(f"{health}/healthz")[1])["configuration"]
            assert metric("auditor_config_current") == 0
            site.config.write_text(good.replace("policy: recommended", "policy: recommended\n  owner: pki@corp.example"), encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: get(f"{health}/healthz")[0] == 200)
            assert metric("auditor_config_current") == 1

            # SIGTERM meets a read that has found something: it is recorded, and told at each, before the daemon ends.
            asked, is_asked, goes_on = len(site.simulator.requests), threading.Event(), threading.Event()

            def in_no_hurry() -> datetime:
                is_asked.set()
                goes_on.wait(5)
                return clock()

            site.simulator.smtp["Port"] = 25
            site.simulator.clock = in_no_hurry
            a_quarter_later()
            assert is_asked.wait(10)
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: "stopping: running reads are finished first" in events_of(site))
            goes_on.set()
            assert process.wait(20) == 0
            assert len(site.simulator.requests) == asked + 1
        finally:
            process.kill()
            process.wait()

    # Each was told four times, of the same things, and nothing is owed.
    assert [len(far_end.messages), len(mailbox.raw), len(set(far_end.keys))] == [4, 4, 4]
    assert "drift_opened" in far_end.kinds()[3]
    assert [
        all(notice["title"] in " ".join(plain(mail).split()) for notice in message["notices"])
        for message, mail in zip(far_end.messages, mailbox.mails, strict=True)
    ]
    assert mailbox.was_tls == [True] * 4
    assert far_end.beats == 6, "after each sweep"
    assert site.run("alerts", "list")[1] == "nothing is owed\n"
    assert site.run("ledger", "verify")[0] == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(health.rsplit(":", 1)[1]))) != 0, "health is over, too"
