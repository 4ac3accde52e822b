"""Checkpoints on schedule, by the daemon; and in the report and the mail that brings it, so that every reader is a witness."""

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor import daemon, publish
from auditor.app import App, evidence
from auditor.config import load
from tests.e2e.conftest import Site
from tests.evidence.authorities import Root, Tsa, stamping

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def tsa(site: Site, tmp_path: Path) -> Iterator[Tsa]:
    """An authority, and a site that is configured to sign daily and to ask it."""
    Root(tmp_path, name="evidence-root").signer()
    with stamping(tmp_path / "tsa") as tsa:
        site.extra = (
            "evidence:\n  signer: {certificate: evidence-signer.pem, key: evidence-signer.key}\n  checkpoint: {every: 1d}\n"
            f"  tsa: {{url: '{tsa.url}', roots: {tsa.authority.roots}, insecure_http: true}}\n"
        )
        site.configure(schedule="{every: 15m}")
        yield tsa


def test_a_checkpoint_is_made_once_for_each_slot_of_its_schedule(site: Site, tsa: Tsa) -> None:
    at = NOW
    with App(load(site.config), clock=lambda: at) as app:
        made, dated = evidence.serve_due(app)
        assert made is not None
        assert dated == {made: ""}
        assert evidence.serve_due(app) == (None, {})
        at = (NOW + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
        again, dated = evidence.serve_due(app)
        assert again is not None
        assert dated == {again: ""}
        assert evidence.serve_due(app) == (None, {})
        at = NOW - 3 * DAY  # a clock that is set back owes nothing twice
        assert evidence.serve_due(app) == (None, {})
        assert [one.number for one in app.store.checkpoints()] == [made, again]
        assert app.store.verify().fault is None


def test_without_evidence_nothing_is_due(site: Site) -> None:
    site.configure(schedule="{every: 15m}")
    with App(load(site.config)) as app:
        assert evidence.serve_due(app) == (None, {})


def test_the_daemon_tries_again_after_a_while_and_at_once_with_a_new_configuration(site: Site, tsa: Tsa, caplog: pytest.LogCaptureFixture) -> None:
    tsa.status = 503
    caplog.set_level(logging.INFO)
    with App(load(site.config)) as app:
        running = daemon.Daemon(app)
        running._attest()
        assert "checkpoint made" in caplog.messages
        assert "a checkpoint could not be dated" in caplog.messages
        tsa.status = 200
        running._attest()
        assert len(tsa.asked) == 1, "it waits for an hour"
        running.reload()
        running._attest()
        assert [len(one.stamps) for one in app.store.checkpoints()] == [1]
        running._attest()
        assert len(tsa.asked) == 2, "what is dated is not dated again"


def test_a_signer_that_cannot_be_used_is_logged_and_ends_nothing(site: Site, tsa: Tsa, caplog: pytest.LogCaptureFixture) -> None:
    (site.folder / "evidence-signer.key").unlink()
    with App(load(site.config)) as app:
        running = daemon.Daemon(app)
        running._attest()
        running._attest()
        assert caplog.messages.count("the checkpoint failed") == 1
        assert app.store.checkpoints() == []


def test_report_and_mail_print_the_newest_checkpoint_beside_the_head(site: Site, tsa: Tsa) -> None:
    site.run("check")
    with App(load(site.config)) as app:
        assert "Checkpoint of" not in app.report_bytes((), {}, asked="", form="html").decode()
        evidence.make_checkpoint(app)
        undated = app.report_bytes((), {}, asked="", form="html").decode()
        assert ", not stamped." in undated
        assert set(evidence.stamp_missing(app).values()) == {""}
        evidence.make_checkpoint(app)
        evidence.stamp_missing(app)
        [_, newest] = app.store.checkpoints()
        said = f"{newest.sealed.seq}:{newest.sealed.link}, signed by CN=Evidence signer (certificate SHA-256 {newest.sealed.signer}), time stamp of "
        page = app.report_bytes((), {}, asked="", form="html").decode()
        assert page.count(said) == 1
        assert page == app.report_bytes((), {}, asked="", form="html").decode()
        edition = publish.edition_on(app.store, app._commission((), {}, "", ""))
        told = publish.summary_of(app.store, edition, named="r.html", content=b"")
        [line] = [line for line in told.lines if line.startswith("Checkpoint of ")]
        assert said in line


def test_a_checkpoint_that_was_made_after_the_period_is_not_in_its_report(site: Site, tsa: Tsa) -> None:
    site.run("check")
    with App(load(site.config)) as app:
        app.report_bytes((), {}, asked="last-week", form="html")
        evidence.make_checkpoint(app)
        assert "Checkpoint of" not in app.report_bytes((), {}, asked="last-week", form="html").decode()
