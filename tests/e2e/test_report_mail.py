"""The report reaches people by mail: once, whole, whatever dies or is down between writing and sending, to a real relay."""

import hashlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from auditor import alerts, daemon
from auditor.app import App
from auditor.config import load
from auditor.core.model import DeliveryState
from tests.e2e.conftest import Site
from tests.e2e.test_daemon import wait_for
from tests.notify.ends import Mailbox, free_port, relay

FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
"""The report's time, unless it is configured."""
WEEK, MINUTE = timedelta(days=7), timedelta(minutes=1)


def configure(site: Site, port: int, settings: str) -> None:
    by = f"type: mail, host: 127.0.0.1, port: {port}, tls: none, from: auditor@corp.example, to: [pki@corp.example], timeout: 5s"
    site.extra = f"\nalerts:\n  minimum: critical\n  channels:\n  - {{name: mail, {by}, {settings}}}\n"
    site.configure(policy="recommended", schedule="{every: 1h}")


@contextmanager
def at(site: Site, moment: datetime) -> Iterator[App]:
    site.simulator.clock = lambda: moment
    with App(load(site.config), clock=lambda: moment) as app:
        yield app


def read(site: Site, moment: datetime = FRIDAY) -> None:
    """A first read, and what it is worth telling out of the way."""
    with at(site, moment) as app:
        app.auditor.audit(app.config.targets[0], at=moment)
        app.deliver()


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def files_of(mail: EmailMessage) -> dict[str | None, bytes]:
    return {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}  # type: ignore[misc]


def reports(mailbox: Mailbox) -> list[EmailMessage]:
    return [mail for mail in mailbox.mails if "report of" in str(mail["Subject"])]


def test_the_daemons_report_is_mailed_once_with_its_verdict_its_gaps_and_a_head_that_verifies(site: Site) -> None:
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        read(site)
        site.simulator.smtp["UseSSL"] = False
        read(site, MONDAY - timedelta(days=1))
        site.simulator.smtp["UseSSL"] = True
        read(site, MONDAY)  # all is well again by the time of the report, which is on the week before
        for moment in (MONDAY + MINUTE, MONDAY + 2 * MINUTE):
            with at(site, moment) as app:
                daemon.Daemon(app)._report()
                app.deliver()
        (mail,) = reports(mailbox)
        (path,) = (site.folder / "reports").glob("smtp-report-*")
        assert files_of(mail) == {path.name: path.read_bytes()}
        assert mail["Subject"] == "[auditor] report of 2026-W47: 1 non-compliant"
        said = text_of(mail)
        assert "\r\n  First report: prod does not meet the policy: 4 rules fail" in said
        assert "\r\n  Period: week 47 of 2026, 16 to 22 November 2026 (UTC).\r\n" in said
        assert "\r\n  Changed in the period: 1 field.\r\n  - prod: UseSSL from true to false (downgrade), between " in said
        assert "\r\n  Drift that is open: 1 event." in said
        assert "\r\n  Coverage: 2 of 60 owed reads came to something.\r\n  - prod: 58 of 60 did not\r\n" in said
        assert f"SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}\r\n" in said
        found = re.search(r"auditor ledger verify --expect-head ([0-9]+:[0-9a-f]{64})", said)
        assert found is not None
        assert site.run("ledger", "verify", "--expect-head", found[1])[0] == 0
        ended = re.search(r"at the end of the period, as in the report:\s+([0-9]+:[0-9a-f]{64})", said)
        assert ended is not None
        assert f"<code>{ended[1]}</code>" in path.read_text(encoding="utf-8")
        with at(site, MONDAY + WEEK) as app:
            daemon.Daemon(app)._report()
            app.deliver()
        first, second = reports(mailbox)
        assert first["Message-ID"] != second["Message-ID"], "next week has a report of its own, though it says the same"


def test_a_report_that_no_channel_asks_for_is_written_and_mailed_to_nobody(site: Site) -> None:
    with relay() as mailbox:
        configure(site, mailbox.port, "report: none")
        read(site)
        with at(site, MONDAY) as app:
            daemon.Daemon(app)._report()
            app.deliver()
        assert len(list((site.folder / "reports").glob("smtp-report-*"))) == 1
        assert reports(mailbox) == []


def test_a_relay_that_is_down_gets_the_report_as_it_was_written_when_it_is_back(site: Site) -> None:
    port = free_port()
    configure(site, port, "report: attached")
    read(site)
    with at(site, MONDAY) as app:
        daemon.Daemon(app)._report()
        written = app.config.report_folder / "smtp-report-2026-W47.html"
        content = written.read_bytes()
        assert app.deliver().retried == 1
    written.unlink()
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        for minutes in (5, 6, 60):
            with at(site, MONDAY + minutes * MINUTE) as app:
                app.deliver()
        (mail,) = reports(mailbox)
        assert files_of(mail) == {written.name: content}
        with at(site, MONDAY + 61 * MINUTE) as app, app.store._reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM enclosures").scalar() == 0, "what was delivered is not kept"


def test_who_dies_after_sending_sends_the_same_message_again(site: Site) -> None:
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        read(site)
        with at(site, MONDAY) as app:
            daemon.Daemon(app)._report()
            batch = app.store.claim("mail", at=MONDAY, lease=alerts.LEASE)
            while batch is not None and not batch.enclosures:
                app.store.settle(batch, DeliveryState.DELIVERED, next_at=MONDAY)
                batch = app.store.claim("mail", at=MONDAY, lease=alerts.LEASE)
            assert batch is not None
            alerts._send(Forgetful(app.store), app.channels["mail"], batch, app.alerting, app.clock, 10, None)  # type: ignore[arg-type]
        with at(site, MONDAY + alerts.LEASE) as app:
            app.deliver()
        first, second = reports(mailbox)
        assert first["Message-ID"] == second["Message-ID"]
        assert (files_of(first), text_of(first).split("-- ")[0]) == (files_of(second), text_of(second).split("-- ")[0])


class Forgetful:
    """The store of a process that dies before it writes down what became of a message."""

    def __init__(self, store: object) -> None:
        self.store = store

    def settle(self, *_: object, **__: object) -> None:
        pass


def test_who_dies_between_writing_and_owing_owes_it_after_the_next_start_and_once(site: Site) -> None:
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        read(site)
        with at(site, MONDAY) as app:
            app.write_report(asked="last-week")  # and there it ended
        for minutes in (10, 20):
            with at(site, MONDAY + minutes * MINUTE) as app:
                daemon.Daemon(app)._report_late()
                app.deliver()
        assert len(reports(mailbox)) == 1


def test_a_channel_that_is_new_is_owed_no_report_of_a_time_before_it(site: Site) -> None:
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        with at(site, MONDAY + MINUTE) as app:
            daemon.Daemon(app)._report_late()
            assert app.report_slot_owed() is None
            app.deliver()
        assert not (site.folder / "reports").exists()
        assert reports(mailbox) == []


def test_a_daemon_that_was_down_at_the_time_of_the_report_makes_up_for_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "REPORT_LATE_AFTER", timedelta(0))
    monkeypatch.setattr(daemon, "DELIVER_EVERY_S", 1)
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        read(site, datetime.now(UTC) - timedelta(days=8))
        site.simulator.clock = lambda: datetime.now(UTC)
        stop = threading.Event()
        with App(load(site.config)) as app:
            running = threading.Thread(target=daemon.serve, args=(app,), kwargs={"stop": stop})
            running.start()
            try:
                wait_for(lambda: bool(reports(mailbox)))
            finally:
                stop.set()
                running.join()
            assert app.report_slot_owed() is None
        assert len(reports(mailbox)) == 1


@pytest.mark.parametrize("is_too_large", [False, True])
def test_a_report_can_be_linked_or_is_when_it_is_too_large(site: Site, monkeypatch: pytest.MonkeyPatch, is_too_large: bool) -> None:
    link = "report_link: 'https://reports.corp.example/smtp'"
    if is_too_large:
        monkeypatch.setattr("auditor.app.MAX_ATTACHED_BYTES", 1000)
    with relay() as mailbox:
        configure(site, mailbox.port, f"report: {'attached' if is_too_large else 'linked'}, {link}")
        read(site)
        with at(site, MONDAY) as app:
            daemon.Daemon(app)._report()
            app.deliver()
        (mail,) = reports(mailbox)
        assert files_of(mail) == {}
        said = text_of(mail)
        assert "More: https://reports.corp.example/smtp/smtp-report-2026-W47.html" in said
        assert ("smtp-report-2026-W47.html is too large to be sent along." in said) is is_too_large


def test_by_hand_a_report_is_mailed_once_a_day_as_long_as_it_says_the_same(site: Site) -> None:
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        read(site, datetime.now(UTC) - MINUTE)
        code, out, err = site.run("report", "--mail")
        assert (code, Path(out.strip()).parent.name, "mail: " in err) == (0, "reports", False), err
        code, _, err = site.run("report", "--mail")
        assert (code, "mailed today already" in err) == (0, True)
        assert len(reports(mailbox)) == 1
    code, _, err = site.run("report", "--mail")
    assert code == 0
    site.simulator.smtp["SenderName"] = "another"
    read(site, datetime.now(UTC))
    _, _, err = site.run("report", "--mail")
    assert "messages not delivered; `auditor alerts list` says why" in err
    assert "report of" in site.run("alerts", "list")[1]


def test_mailing_a_report_that_nobody_asks_for_is_refused_before_it_is_written(site: Site) -> None:
    site.run("check")
    code, _, err = site.run("report", "--mail")
    assert (code, "no mail channel asks for the report" in err) == (2, True)
    assert not (site.folder / "reports").exists()


def test_a_process_that_is_killed_while_it_mails_a_report_leaves_it_to_the_next(site: Site) -> None:
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        read(site, datetime.now(UTC) - MINUTE)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configure(site, silent.getsockname()[1], "report: attached")
        command = [sys.executable, "-m", "auditor", "--config", str(site.config), "report", "--mail"]
        silent.settimeout(30)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            connection, _ = silent.accept()
            process.kill()
            process.wait()
            connection.close()
    with relay() as mailbox:
        configure(site, mailbox.port, "report: attached")
        for hours in (1, 2):
            with at(site, datetime.now(UTC) + timedelta(hours=hours)) as app:
                app.deliver()
        assert len(reports(mailbox)) == 1
