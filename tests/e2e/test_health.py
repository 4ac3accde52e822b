"""Health and metrics: of a daemon over HTTP, of cron in a file; what they say is what is on record."""

import json
import os
import platform
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from auditor import daemon
from auditor.app import App
from auditor.config import load
from auditor.health import MAX_CALLERS, HealthServer, look, metrics
from auditor.instance import Held, only_one
from tests.e2e.conftest import Site
from tests.e2e.test_daemon import wait_for
from tests.notify.ends import free_port

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, tuple(sorted(labels.items()))]


def test_cron_leaves_metrics_in_a_file(site: Site) -> None:
    site.configure(policy="recommended")
    path = site.folder / "auditor.prom"
    site.run("check", "--metrics-textfile", str(path))
    site.simulator.smtp["UseSSL"] = False
    site.run("check", "--metrics-textfile", str(path))
    text = path.read_text(encoding="utf-8")
    assert value(text, "auditor_target_compliant", target="prod") == 0
    assert value(text, "auditor_findings_failing", target="prod", severity="critical") >= 1
    assert value(text, "auditor_findings_failing", target="prod", severity="info") == 0
    assert value(text, "auditor_drift_open", target="prod", severity="critical") == 1
    assert value(text, "auditor_reads_total", target="prod", outcome="observed") == 2
    assert value(text, "auditor_config_current") == 1
    assert datetime.now(UTC).timestamp() - value(text, "auditor_last_success_timestamp_seconds", target="prod") < 60


@contextmanager
def served(app: App, *, token: str | None = None, trouble: str = "", lock: Held | None = None) -> Iterator[str]:
    server = HealthServer("127.0.0.1", 0, lambda: app.watched(trouble, lock), app.clock, token)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.close()


def get(url: str, token: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_health_says_when_each_target_was_read_and_what_is_overdue(site: Site) -> None:
    site.configure(schedule="{every: 1h}")
    site.run("check")
    with App(load(site.config)) as app:
        with served(app) as url:
            status, body = get(f"{url}/healthz")
            told = json.loads(body)
            assert (status, told["status"], told["store_writable"], told["configuration"]) == (200, "ok", True, "current")
            assert [(target["target"], target["overdue"]) for target in told["targets"]] == [("prod", False)]
            assert get(f"{url}/metrics")[0] == 200
            assert get(f"{url}/")[0] == 404
        later = look(app.watched(), at=app.clock() + timedelta(hours=3))
        assert [overdue for _, _, overdue in later.targets] == [True]


def test_a_bad_configuration_shows(site: Site) -> None:
    site.configure()
    site.run("check")
    with App(load(site.config)) as app, served(app, trouble="auditor.yaml:3: nothing is called 'shedule' here") as url:
        status, body = get(f"{url}/healthz")
        assert (status, "shedule" in json.loads(body)["configuration"]) == (503, True)
        assert value(get(f"{url}/metrics")[1], "auditor_config_current") == 0


def test_the_lock_shows_with_its_holder_and_trouble_is_said_once_it_keeps_nobody_away(site: Site) -> None:
    site.configure(schedule="{every: 1h}")
    site.run("check")
    with App(load(site.config)) as app, only_one(site.database, at=NOON) as lock:
        with served(app, lock=lock) as url:
            status, body = get(f"{url}/healthz")
            ours = {"pid": os.getpid(), "host": platform.node(), "since": "2026-11-23T12:00:00+00:00"}
            assert (status, json.loads(body)["lock"]) == (200, ours | {"held": True})
            note = site.folder / "auditor.db.daemon"
            said = note.read_text(encoding="utf-8")
            note.write_text(said.replace(f'"pid": {os.getpid()}', '"pid": 1'), encoding="utf-8")
            status, body = get(f"{url}/healthz")
            assert (status, json.loads(body)["status"], json.loads(body)["lock"]["held"]) == (503, "trouble", False), "somebody else is there"
            note.write_text(said, encoding="utf-8")
            assert get(f"{url}/healthz")[0] == 200
        with served(app) as url:
            assert json.loads(get(f"{url}/healthz")[1])["lock"] is None, "no daemon looks"


@pytest.mark.skipif(os.name != "posix", reason="Windows removes no file that is locked")
def test_a_lock_whose_file_was_removed_is_ours_no_more_and_the_note_of_who_came_after_stays(site: Site) -> None:
    with only_one(site.database, at=NOON) as first:
        (site.folder / "auditor.db.lock").unlink()
        assert not first.is_ours()
        second = only_one(site.database, at=NOON + timedelta(hours=1))
        held = second.__enter__()
        assert (held.is_ours(), first.is_ours()) == (True, False)
    assert held.is_ours(), "whoever was first takes nothing with it"
    second.__exit__(None, None, None)
    assert not (site.folder / "auditor.db.daemon").exists()


def test_with_a_token_only_who_shows_it_is_answered(site: Site) -> None:
    site.configure()
    site.run("check")
    with App(load(site.config)) as app, served(app, token="s3cret-token") as url:
        assert [get(f"{url}/healthz", token)[0] for token in (None, "wrong", "s3cret-token")] == [401, 401, 200]


@pytest.mark.parametrize(
    ("health", "message"),
    [
        ("{listen: 0.0.0.0:9464}", "that needs a token"),
        ("{listen: '127.0.0.1:99999'}", "there is no port 99999"),
        ("{listen: nonsense}", "health.listen"),
        ("{port: 9464}", "nothing is called 'port' here"),
        ("{listen: '0.0.0.0:9464', token: s3cret-value}", "by reference only"),
    ],
)
def test_a_health_that_would_be_open_to_everybody_is_refused(site: Site, health: str, message: str) -> None:
    site.extra = f"health: {health}\n"
    site.configure()
    code, _, err = site.run("targets", "list")
    assert (code, message in err, "s3cret" in err) == (2, True, False), err


def test_the_daemon_answers_while_it_runs_and_holds_its_lock(site: Site) -> None:
    site.extra = f"health: {{listen: '127.0.0.1:{free_port()}'}}\n"
    site.configure(schedule="{every: 1h}")
    with App(load(site.config)) as app:
        assert app.config.health is not None
        url, stop = f"http://127.0.0.1:{app.config.health.port}", threading.Event()
        thread = threading.Thread(target=daemon.serve, args=(app,), kwargs={"stop": stop})
        thread.start()
        try:
            wait_for(lambda: answers(url))
            lock = json.loads(get(f"{url}/healthz")[1])["lock"]
            assert (lock["pid"], lock["held"]) == (os.getpid(), True)
        finally:
            stop.set()
            thread.join()


def test_hostile_names_break_no_line(site: Site) -> None:
    site.configure(labels="{env: 'a\"b'}")
    site.run("check")
    with App(load(site.config)) as app:
        assert b"\n\n" not in metrics(app.watched(), at=app.clock())


def answers(url: str) -> bool:
    try:
        return get(f"{url}/healthz")[0] == 200
    except OSError:
        return False


def test_callers_are_few_and_each_is_heard_for_a_while_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.health.MAX_CALL_S", 1.0)
    with App(load(site.config)) as app, served(app) as url, ExitStack() as calls:
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        callers = [calls.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(MAX_CALLERS)]
        for caller in callers:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as one_more:
            assert one_more.recv(1) == b"", "there is no room"
        assert [caller.recv(1) for caller in callers] == [b""] * MAX_CALLERS, "whoever says nothing for so long is cut off"
        wait_for(lambda: answers(url))


def test_health_listens_on_ipv6_too_and_says_where_it_cannot(site: Site) -> None:
    HealthServer("::1", 0, lambda: None, lambda: None)._server.server_close()  # type: ignore[arg-type, return-value]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.extra = f"health: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n"
        site.configure(schedule="{every: 15m}")
        code, _, err = site.run("daemon")
    assert code == 2
    assert re.search(r"auditor\.yaml:\d+: nothing can listen there: Address already in use", err)
