"""`auditor doctor`: for each fault that a server or an installation can have, the line that fails is the right one and says what to do."""

import json
import re
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.checkup import Status, disk
from auditor.core.model import ReadOutcome
from auditor.exchange.trouble import WAITING
from auditor.simulator.accounts import READ_AUDIT_LOG, READ_PAM, READ_SYSTEM_SETTINGS
from auditor.simulator.command import TOKEN_PATH, NotConfigured
from auditor.simulator.profile import COMMAND_10, in_pam
from tests.command.far_end import COMMAND, Authority, FarEnd, Reply, Request, drip, reply
from tests.command.test_connection import TunnelProxy
from tests.e2e.conftest import USER, Site
from tests.e2e.test_outcomes import CASES, closed_port

STAGES = ["schedule", "secret", "certificates", "credential", "dns", "connection", "tls", "clock", "answer", "api", "login", "permission", "profile"]


@dataclass(frozen=True)
class Told:
    code: int
    checks: list[dict[str, Any]]

    def line(self, name: str, target: str = "prod") -> dict[str, Any]:
        (found,) = [check for check in self.checks if (check["name"], check["target"]) == (name, target)]
        return found

    def failed(self) -> list[str]:
        return [check["name"] for check in self.checks if check["status"] == "fail"]

    def only_failure(self) -> dict[str, Any]:
        (found,) = [check for check in self.checks if check["status"] == "fail"]
        return found


def doctor(site: Site, *arguments: str) -> Told:
    code, out, err = site.run("doctor", *arguments, "--format", "json")
    assert out, err
    document = json.loads(out)
    assert document["exit_code"] == code
    told = Told(code, document["checks"])
    for check in told.checks:
        assert bool(check["next_step"]) == (check["status"] in ("warn", "fail")), check
    assert site.password not in out + err
    return told


def test_where_all_is_fine_each_stage_has_its_line_and_one_get_was_sent(site: Site) -> None:
    told = doctor(site)
    assert (told.code, told.failed()) == (0, [])
    assert [check["name"] for check in told.checks if check["target"]] == STAGES
    assert [(seen.method, seen.path) for seen in site.simulator.requests] == [("GET", "/KeyfactorAPI/SMTP")]
    assert "trusted by ca_file" in told.line("tls")["said"]
    assert "version 2 of /SMTP" in told.line("api")["said"]
    assert "25.4" in told.line("api")["said"]
    assert told.line("login")["said"] == f"{USER} is taken"
    assert not site.database.exists(), "nothing was recorded, and no key was made"
    assert not (site.folder / "auditor.key").exists()


def test_a_person_reads_one_line_each_and_the_next_step_below(site: Site) -> None:
    site.simulator.deny()
    code, out, _ = site.run("doctor")
    assert code == 1
    (line,) = [number for number, text in enumerate(out.splitlines()) if text.startswith("fail")]
    assert out.splitlines()[line].startswith("fail    prod: permission: ")
    assert "/system_settings/read/" in out.splitlines()[line + 1]
    assert out.splitlines()[line + 1].startswith("        -> ")


# --- each outcome of a read ---------------------------------------------------------------------------------------

FAILING = {
    "dns_failed": "dns",
    "unreachable": "connection",
    "timeout": "answer",
    "tls_failed": "tls",
    "redirected": "answer",
    "unauthenticated": "login",
    "forbidden": "permission",
    "not_found": "answer",
    "rejected": "answer",
    "unsupported_version": "api",
    "throttled": "answer",
    "server_error": "answer",
    "malformed": "answer",
    "too_large": "answer",
    "credential_missing": "secret",
}
NEXT = {
    "dns_failed": "`url`",
    "unreachable": "firewall",
    "timeout": "`timeout`",
    "tls_failed": "`ca_file`",
    "redirected": "`url` and `api_path`",
    "unauthenticated": "user, password",
    "forbidden": "/system_settings/read/",
    "not_found": "`api_path`",
    "rejected": "its log",
    "unsupported_version": "out of date",
    "throttled": "schedule slower",
    "server_error": "its log",
    "malformed": "login page",
    "too_large": "in front of it",
    "credential_missing": "E2E_NO_SUCH_VARIABLE",
}


@pytest.mark.parametrize("outcome", CASES)
def test_each_outcome_of_a_read_fails_the_line_that_it_belongs_to(site: Site, outcome: str) -> None:
    CASES[outcome][0](site)
    told = doctor(site)
    failure = told.only_failure()
    assert (told.code, failure["target"], failure["name"]) == (1, "prod", FAILING[outcome])
    assert NEXT[outcome] in failure["next_step"]
    assert WAITING not in failure["next_step"], "nothing waits for what the doctor was denied"
    names = [check["name"] for check in told.checks]
    later = [check["status"] for check in told.checks[names.index(failure["name"]) + 1 :] if check["name"] not in ("clock", "certificates")]
    assert set(later) <= {"skipped"}, "what needs the failed stage is not called fine"


def test_every_outcome_has_its_line() -> None:
    assert {*FAILING, "observed", "not_configured", "backing_off"} == {outcome.value for outcome in ReadOutcome}
    assert FAILING.keys() == NEXT.keys()


@pytest.mark.parametrize("form", NotConfigured)
def test_a_server_without_a_profile_is_a_warning_that_names_the_rule(site: Site, form: NotConfigured) -> None:
    site.simulator.not_configured = form
    told = doctor(site)
    assert (told.code, told.line("profile")["status"]) == (0, "warn")
    assert "CFG-035" in told.line("profile")["next_step"]


def test_a_server_with_version_1_alone_is_fine_after_two_requests(site: Site) -> None:
    site.simulator.release = COMMAND_10
    told = doctor(site)
    assert (told.code, [seen.version for seen in site.simulator.requests]) == (0, ["2", "1"])
    assert "version 1 of /SMTP" in told.line("api")["said"]


def test_trouble_that_may_pass_is_not_tried_again(site: Site) -> None:
    site.configure(attempts="3")
    site.simulator.fail_with(503)
    assert doctor(site).failed() == ["answer"]
    assert len(site.simulator.requests) == 1


@pytest.mark.parametrize(("hours", "status"), [(0, "ok"), (1, "warn"), (-1, "warn")])
def test_a_clock_that_is_off_is_named_and_does_not_fail(site: Site, hours: int, status: str) -> None:
    site.simulator.clock = lambda: datetime.now(UTC) + timedelta(hours=hours)
    told = doctor(site)
    assert (told.code, told.line("clock")["status"]) == (0, status)
    assert ("NTP" in told.line("clock")["next_step"]) == (status == "warn")
    if hours:
        assert ("ahead of" if hours > 0 else "behind") in told.line("clock")["said"]


# --- OAuth --------------------------------------------------------------------------------------------------------


def oauth(site: Site, url: str = "") -> None:
    site.simulator.accounts.add_client("auditor", site.password, scopes=["read"])
    token_url = url or f"{site.url}{TOKEN_PATH}"
    site.configure(auth=f"{{type: oauth, token_url: '{token_url}', client_id: auditor, client_secret: env:E2E_PASSWORD}}")


def test_the_token_has_a_line_of_its_own(site: Site) -> None:
    oauth(site)
    assert doctor(site).line("token")["status"] == "ok"
    site.simulator.accounts.remove("auditor")
    failure = doctor(site).only_failure()
    assert (failure["name"], "client_secret" in failure["next_step"]) == ("token", True)


@pytest.mark.parametrize("url", ["https://idp.invalid/token", f"{closed_port()}/token"], ids=["no such name", "nobody listens"])
def test_trouble_of_the_token_endpoint_is_not_laid_to_the_server(site: Site, url: str) -> None:
    oauth(site, url)
    told = doctor(site)
    assert told.failed() == ["token"]
    assert {told.line(name)["status"] for name in ("dns", "connection", "tls", "answer")} == {"skipped"}


def test_a_client_that_command_does_not_let_in_fails_at_the_permission(site: Site) -> None:
    oauth(site)
    site.simulator.deny()
    told = doctor(site)
    assert (told.failed(), told.line("token")["status"]) == (["permission"], "ok")


# --- hostile servers ----------------------------------------------------------------------------------------------


@pytest.fixture
def private(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


@contextmanager
def far_end(private: Authority, answer: Callable[[Request], Reply], **issued: Any) -> Iterator[FarEnd]:
    leaf = private.issue(**issued)
    with FarEnd(answer, tls=leaf.server()) as server:
        yield server


def at(site: Site, url: str, private: Authority, **settings: str) -> Told:
    site.configure(url=url, ca_file=str(private.certificate), **settings)
    return doctor(site)


def fine(_: Request) -> Reply:
    return reply(200, '{"Host": "mail.corp.example"}', COMMAND)


@pytest.mark.parametrize(
    ("issued", "host", "said", "step"),
    [
        ({"days": -1}, "127.0.0.1", "has expired", "renewed"),
        ({"days": 30, "not_before_days": 1}, "127.0.0.1", "is not valid yet", "clocks"),
        ({"host": "command.corp.example"}, "127.0.0.1", "is not for this IP address", "as `url`"),
        ({"host": "command.corp.example"}, "localhost", "is for another host name", "as `url`"),
        ({"self_signed": True}, "127.0.0.1", "is self-signed", "`ca_file`"),
    ],
)
def test_each_fault_of_a_certificate_fails_at_tls(site: Site, private: Authority, issued: dict[str, Any], host: str, said: str, step: str) -> None:
    with far_end(private, fine, **issued) as server:
        told = at(site, server.url.replace("127.0.0.1", host), private)
    failure = told.only_failure()
    assert failure["name"] == "tls"
    assert said in failure["said"]
    assert step in failure["next_step"]
    assert told.line("connection")["status"] == "ok"


@pytest.mark.parametrize(("days", "status"), [(10, "warn"), (30, "ok")])
def test_a_certificate_that_ends_soon_is_named(site: Site, private: Authority, days: int, status: str) -> None:
    with far_end(private, fine, name="leaf-7", days=days) as server:
        line = at(site, server.url, private).line("tls")
    assert line["status"] == status
    assert f"CN=leaf-7, {days - 1} days left; trusted by ca_file {private.certificate}" in line["said"]


def test_a_root_that_the_system_trusts_is_told_from_one_of_ca_file(site: Site, private: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(private.certificate))
    other = site.folder / "other"
    other.mkdir()
    with far_end(private, fine) as server:
        site.configure(url=server.url, ca_file=str(Authority(other).certificate))
        said = doctor(site).line("tls")["said"]
    assert "trusted by the system's roots" in said


def test_a_server_that_is_not_verified_is_a_warning(site: Site, private: Authority) -> None:
    with far_end(private, fine, self_signed=True) as server:
        told = at(site, server.url, private, insecure_skip_verify="true")
    assert (told.code, told.line("tls")["status"]) == (0, "warn")
    assert "not verified" in told.line("tls")["said"]
    assert "ca_file" in told.line("tls")["next_step"]


def test_a_server_that_wants_a_certificate_of_ours_fails_at_tls(site: Site, private: Authority) -> None:
    context = private.issue().server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(private.certificate)
    with FarEnd(fine, tls=context) as server:
        failure = at(site, server.url, private).only_failure()
    assert (failure["name"], "client_certificate" in failure["next_step"]) == ("tls", True)


@contextmanager
def raw(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server below TLS, for one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stopped = threading.Event()

        def run() -> None:
            connection, _ = listening.accept()
            with connection:
                serve(connection, stopped)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        stopped.set()
        thread.join()


def test_a_port_without_tls_fails_at_tls(site: Site, private: Authority) -> None:
    def plain(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with raw(plain) as url:
        failure = at(site, url, private).only_failure()
    assert (failure["name"], "the port" in failure["next_step"]) == ("tls", True)


def test_a_handshake_that_never_ends_fails_at_tls_within_the_timeout(site: Site, private: Authority) -> None:
    def silent(_: socket.socket, stopped: threading.Event) -> None:
        stopped.wait(10)

    with raw(silent) as url:
        failure = at(site, url, private, timeout="1s").only_failure()
    assert (failure["name"], "`timeout`" in failure["next_step"]) == ("tls", True)


HOSTILE: dict[str, Callable[[FarEnd], Reply]] = {
    "hangs up": lambda _: [],
    "drips its body": lambda server: drip(server, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
    "drips its head": lambda server: drip(server, b"HTTP/1.1 200 OK\r\nX: "),
    "speaks no HTTP": lambda _: b"220 smtp.corp.example ESMTP\r\n\r\n",
    "compresses": lambda _: reply(200, b"x", {"Content-Encoding": "gzip"}),
    "is a login page": lambda _: reply(200, "<html>Sign in</html>", {"Content-Type": "text/html"}),
    "is a list": lambda _: reply(200, "[1, 2]", COMMAND),
    "sends no known field": lambda _: reply(200, '{"Hello": 1}', COMMAND),
    "sends endless headers": lambda _: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000,
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_what_does_not_answer_like_command_fails_at_the_answer(site: Site, private: Authority, fault: str) -> None:
    with far_end(private, lambda request: HOSTILE[fault](server)) as server:
        told = at(site, server.url, private, timeout="1s")
    failure = told.only_failure()
    assert (told.code, failure["name"]) == (1, "answer")
    assert told.line("tls")["status"] in ("ok", "warn")
    assert told.line("login")["status"] == "skipped"


def test_an_answer_without_a_date_is_a_warning(site: Site, private: Authority) -> None:
    with far_end(private, fine) as server:
        told = at(site, server.url, private)
    assert (told.code, told.line("clock")["status"]) == (0, "warn")


def test_a_proxy_that_refuses_fails_at_the_connection(site: Site) -> None:
    with FarEnd(lambda _: reply(403)) as proxy:
        site.configure(proxy=f"http://127.0.0.1:{proxy.port}")
        failure = doctor(site).only_failure()
    assert (failure["name"], "`proxy`" in failure["next_step"]) == ("connection", True)


@pytest.mark.parametrize("over_tls", [False, True])
def test_through_a_proxy_the_certificate_is_the_servers(site: Site, private: Authority, over_tls: bool) -> None:
    leaf = private.issue(name="proxy").server() if over_tls else None
    proxy = TunnelProxy(b"HTTP/1.1 200 Connection established\r\n\r\n", tls=leaf)
    with far_end(private, fine, name="server", days=30) as server:
        told = at(site, server.url, private, proxy=re.sub("//.*@", "//", proxy.url))
    proxy.close()
    assert told.code == 0
    assert told.line("connection")["said"] == "through the proxy 127.0.0.1"
    assert "CN=server, 29 days left; trusted by ca_file" in told.line("tls")["said"]


# --- permissions that settings need -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "permission", "line", "named"),
    [("attribution", READ_AUDIT_LOG, "audit log", "Auditing: Read"), ("pam_providers", READ_PAM, "pam providers", "PAM: Read")],
)
def test_a_permission_that_a_setting_needs_is_asked_for_where_it_is_on(site: Site, setting: str, permission: str, line: str, named: str) -> None:
    site.configure(**{setting: "true"})
    told = doctor(site)
    assert (told.code, told.failed()) == (1, [line])
    assert named in told.line(line)["next_step"]
    assert permission in told.line(line)["next_step"]
    assert setting in told.line(line)["next_step"]
    site.simulator.accounts.add_user(USER, site.password, permissions=(READ_SYSTEM_SETTINGS, permission))
    told = doctor(site)
    assert (told.code, told.line(line)["status"]) == (0, "ok")


@pytest.mark.parametrize(("setting", "where", "line"), [("attribution", "audit", "audit log"), ("pam_providers", "pam", "pam providers")])
def test_a_list_that_cannot_be_read_says_how_to_do_without_it(site: Site, setting: str, where: Any, line: str) -> None:
    site.simulator.accounts.add_user(USER, site.password, permissions=(READ_SYSTEM_SETTINGS, READ_AUDIT_LOG, READ_PAM))
    site.configure(**{setting: "true"})
    site.simulator.fail_with(503, where=where)
    told = doctor(site)
    assert told.failed() == [line]
    assert f"turn `{setting}` off" in told.line(line)["next_step"]


# --- back-off and the record --------------------------------------------------------------------------------------


def test_a_denial_of_the_doctor_holds_no_audit_back(site: Site) -> None:
    site.simulator.deny()
    assert doctor(site).failed() == ["permission"]
    site.simulator.recover()
    assert site.check()[0] == 0


@pytest.mark.parametrize(("trouble", "line"), [("deny", "permission"), ("remove", "login")])
def test_a_back_off_on_record_is_heeded_and_not_ended(site: Site, trouble: str, line: str) -> None:
    if trouble == "deny":
        site.simulator.deny()
    else:
        site.simulator.accounts.remove(USER)
    site.check()
    before = dump(site.database)
    site.simulator.forget_requests()
    told = doctor(site)
    failure = told.only_failure()
    assert (failure["name"], "--force" in failure["next_step"]) == (line, True)
    assert site.simulator.requests == ()
    assert {told.line(name)["status"] for name in ("dns", "connection", "tls", "answer")} == {"skipped"}
    assert dump(site.database) == before
    site.simulator.recover()
    site.simulator.accounts.add_user(USER, site.password)
    assert doctor(site, "--force").code == 0
    assert site.check()[1]["targets"][0]["observation"]["outcome"] == "backing_off", "a success of the doctor ends nothing"


def test_a_pam_list_that_was_denied_lately_is_not_asked_for(site: Site) -> None:
    site.configure(pam_providers="true")
    site.simulator.smtp["RelayPassword"] = in_pam(1)
    site.check()
    site.simulator.forget_requests()
    told = doctor(site)
    assert told.failed() == ["pam providers"]
    assert "not asked" in told.line("pam providers")["said"]
    assert [seen.path for seen in site.simulator.requests] == ["/KeyfactorAPI/SMTP"]
    doctor(site, "--force")
    assert "/KeyfactorAPI/PamProviders" in [seen.path for seen in site.simulator.requests]


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        said = list(connection.iterdump())
    connection.close()
    return said


def test_nothing_of_a_database_is_changed(site: Site) -> None:
    site.check()
    before, digest = dump(site.database), site.database.read_bytes()
    assert doctor(site).code == 0
    assert (dump(site.database), site.database.read_bytes()) == (before, digest)


# --- the installation ---------------------------------------------------------------------------------------------


def installation(told: Told) -> dict[str, str]:
    return {check["name"]: check["status"] for check in told.checks if not check["target"]}


def test_offline_no_server_is_asked_and_what_is_written_is_checked(site: Site) -> None:
    site.configure(schedule="{every: 15m}")
    told = doctor(site, "--offline")
    assert (told.code, site.simulator.requests) == (0, ())
    names = ("configuration", "policies", "waivers", "baselines", "fingerprint key", "store", "disk", "schedules", "retention")
    assert installation(told) == dict.fromkeys(names, "ok")
    assert [check["name"] for check in told.checks if check["target"]] == ["schedule", "secret", "certificates"]


def break_configuration(site: Site) -> None:
    site.configure(polcy="recommended")


def break_policies(site: Site) -> None:
    site.configure(policy="recomended")


def break_waivers(site: Site) -> None:
    (site.folder / "waivers.yaml").write_text("waivers:\n- rule: CFG-999\n", encoding="utf-8")


def break_baselines(site: Site) -> None:
    (site.folder / "approved").mkdir()
    (site.folder / "approved" / "prod.yaml").write_text("approvals: 1\n", encoding="utf-8")
    site.extra = "baselines: approved\n"
    site.configure()


@pytest.mark.parametrize("arguments", [[], ["--offline"]], ids=["online", "offline"])
@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (break_configuration, "configuration"),
        (break_policies, "policies"),
        (break_waivers, "waivers"),
        (break_baselines, "baselines"),
    ],
)
def test_what_is_written_wrong_gives_exit_2_and_no_server_is_asked(
    site: Site, fault: Callable[[Site], None], line: str, arguments: list[str]
) -> None:
    fault(site)
    told = doctor(site, *arguments)
    assert (told.code, told.failed(), site.simulator.requests) == (2, [line], ())


def test_a_misspelt_target_is_a_usage_error(site: Site) -> None:
    code, out, err = site.run("doctor", "prodd")
    assert (code, out) == (2, "")
    assert "did you mean 'prod'?" in err


def test_only_the_targets_that_are_named_are_checked(site: Site) -> None:
    site.configure(targets=f"- name: lost\n  url: {closed_port()}\n  auth: {{type: token, token: env:E2E_PASSWORD}}\n")
    assert doctor(site, "prod").code == 0
    told = doctor(site)
    assert [(check["target"], check["name"]) for check in told.checks if check["status"] == "fail"] == [("lost", "connection")]


@pytest.mark.parametrize("content", ["not hexadecimal", "", "abcd"])
def test_a_file_that_is_no_fingerprint_key_fails_and_no_server_is_asked(site: Site, content: str) -> None:
    (site.folder / "auditor.key").write_text(content, encoding="utf-8")
    (site.folder / "auditor.key").chmod(0o600)
    told = doctor(site)
    assert (told.code, told.failed(), site.simulator.requests) == (1, ["fingerprint key"], ())
    assert told.line("server")["status"] == "skipped"


def test_a_key_that_is_lost_or_open_to_others_is_a_warning(site: Site) -> None:
    site.check()
    key = site.folder / "auditor.key"
    key.chmod(0o644)
    assert "chmod 600" in doctor(site).line("fingerprint key", "")["next_step"]
    key.unlink()
    line = doctor(site).line("fingerprint key", "")
    assert (line["status"], "backup" in line["next_step"]) == ("warn", True)


def older(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE auditor_schema SET version_num = '0001'")
    connection.close()


STORES: dict[str, tuple[Callable[[Path], object], str]] = {
    "an older schema": (older, "auditor db upgrade"),
    "no database": (lambda path: path.write_bytes(b"no database at all" * 100), "right file"),
}


@pytest.mark.parametrize("fault", STORES)
def test_a_database_that_cannot_be_used_fails_and_says_how_to_mend_it(site: Site, fault: str) -> None:
    site.check()
    STORES[fault][0](site.database)
    failure = doctor(site, "--offline").only_failure()
    assert (failure["name"], STORES[fault][1] in failure["next_step"]) == ("store", True)


def test_a_database_in_a_folder_that_is_not_there_fails(site: Site) -> None:
    site.extra = "database: nowhere/auditor.db\n"
    site.configure()
    told = doctor(site, "--offline")
    assert (told.code, told.failed()) == (1, ["store"])
    assert not (site.folder / "nowhere").exists()


def test_an_empty_file_is_a_database_that_is_not_made_yet(site: Site) -> None:
    site.database.touch()
    line = doctor(site, "--offline").line("store", "")
    assert (line["status"], site.database.read_bytes()) == ("ok", b"")


@pytest.mark.parametrize(("low", "none", "status"), [(0, 0, Status.OK), (10**18, 0, Status.WARN), (10**18, 10**18, Status.FAIL)])
def test_a_disk_that_is_nearly_full_is_named(tmp_path: Path, low: int, none: int, status: Status) -> None:
    found = disk(tmp_path / "not" / "there", low=low, none=none)
    assert (found.status, "prune" in found.next_step) == (status, status is not Status.OK)


def test_that_nothing_is_owed_is_warned_of(site: Site) -> None:
    other = f"- name: other\n  url: {site.url}\n  auth: {{type: token, token: env:E2E_PASSWORD}}\n"
    site.configure(targets=other)
    bare = doctor(site, "--offline").line("schedules", "")
    assert (bare["status"], "no target has one" in bare["said"]) == ("warn", True)
    site.configure(targets=other, schedule="{every: 15m}")
    assert doctor(site, "--offline").line("schedules", "") == {
        "target": "", "name": "schedules", "status": "ok", "said": "1 of 2 targets has one", "next_step": ""
    }  # fmt: skip
    retired = other + "  schedule: {every: 15m}\n  retired_on: 2026-01-01\n"
    site.configure(targets=retired)
    assert doctor(site, "--offline").line("schedules", "")["status"] == "warn", "a retired target is not read"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "none: it is read when"),
        ({"schedule": "{every: 15m}"}, "next read at "),
        ({"schedule": "{every: 15m}", "paused_until": "2999-12-31", "paused_reason": "moved"}, "paused through 2999-12-31: moved"),
        ({"retired_on": "2020-01-01"}, "retired on 2020-01-01"),
    ],
)
def test_the_schedule_says_when_the_next_read_is(site: Site, settings: dict[str, str], said: str) -> None:
    site.configure(**settings)
    assert said in doctor(site, "--offline", "prod").line("schedule")["said"]


def test_the_spread_is_told(site: Site) -> None:
    site.extra = "spread: 60s\n"
    site.configure(schedule='{cron: "0 6 * * mon", timezone: Europe/Berlin}')
    assert "s after its time, by `spread`" in doctor(site, "--offline").line("schedule")["said"]


def test_a_ca_file_or_certificate_that_cannot_be_used_fails_offline_already(site: Site) -> None:
    site.configure(ca_file="none.pem")
    told = doctor(site, "--offline")
    assert (told.code, told.failed()) == (1, ["certificates"])
    site.configure(client_certificate="{certificate: root.pem, passphrase: env:E2E_NO_SUCH}")
    assert doctor(site, "--offline").failed() == ["secret"]
    site.configure(client_certificate="{certificate: root.pem}")
    told = doctor(site)
    assert (told.failed(), site.simulator.requests) == (["certificates"], ())


def test_a_token_that_no_header_can_carry_fails_at_the_credential(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_PASSWORD", f"Bearer {site.password}")
    site.configure(auth="{type: token, token: env:E2E_PASSWORD}")
    failure = doctor(site).only_failure()
    assert (failure["name"], "without `Bearer`" in failure["next_step"]) == ("credential", True)


def test_what_channels_health_and_heartbeat_refer_to_is_looked_for(site: Site) -> None:
    site.extra = """
alerts: {channels: [{name: hook, type: webhook, url: env:NO_URL, secret: env:NO_SECRET}]}
health: {listen: "127.0.0.1:9464", token: env:NO_TOKEN}
heartbeat: env:NO_BEAT
"""
    site.configure()
    code, out, _ = site.run("doctor", "--offline")
    assert code == 1
    assert [name for name in ("NO_URL", "NO_SECRET", "NO_TOKEN", "NO_BEAT") if f"env:{name}: the environment variable is not set" not in out] == []
    assert "channels: hook;" in out


@pytest.mark.parametrize(
    ("retention", "status", "said"),
    [
        ("", "ok", "nothing is removed unless somebody runs `auditor db prune`"),
        ("retention: {keep_reads: 400d}\n", "ok", "a daemon removes reads and reports after 400 days, delivered notices after 90"),
        ("retention: {keep_reads: 366d}\n", "ok", "a daemon removes reads and reports after 366 days, delivered notices after 90"),
        (
            "retention: {keep_reads: 365d, keep_delivered: 7d}\n",
            "warn",
            "a daemon removes reads and reports after 365 days, delivered notices after 7",
        ),
    ],
)
def test_what_is_removed_by_itself_is_told_offline(site: Site, retention: str, status: str, said: str) -> None:
    site.extra = retention
    site.configure()
    line = doctor(site, "--offline").line("retention", "")
    assert (line["status"], line["said"]) == (status, said)


def test_certificates_of_channels_are_looked_at_offline(site: Site) -> None:
    def told(settings: str) -> Told:
        site.extra = f"alerts: {{channels: [{{name: siem, type: syslog, host: log.corp.example, {settings}}}]}}\n"
        site.configure()
        return doctor(site, "--offline")

    assert "env:NO_PHRASE" in told("client_certificate: {certificate: none.pem, passphrase: 'env:NO_PHRASE'}").only_failure()["said"]
    assert "none.pem cannot be used" in told("client_certificate: {certificate: none.pem}").only_failure()["said"]
    assert told("ca_file: root.pem").line("certificates", "")["status"] == "ok"


@pytest.mark.parametrize(("place", "name"), [("_key_there", "fingerprint key"), ("_store_there", "store")])
def test_what_may_not_be_looked_at_is_a_failing_line_and_no_end(site: Site, monkeypatch: pytest.MonkeyPatch, place: str, name: str) -> None:
    def refused(_: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr(f"auditor.checkup.{place}", refused)
    code, out, _ = site.run("doctor", "--offline")
    assert code == 1
    assert f"fail    {name}: " in out
    assert "run this as the account that runs the auditor" in out
    assert "disk: " in out
