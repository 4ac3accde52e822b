"""What a person types: each command by its exit code and what it says."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor import cli, config
from auditor.core.model import MailChannel, ReportMail, SyslogChannel, WebhookChannel
from auditor.errors import SchemaError, StoreError
from auditor.simulator.profile import COMMAND_24_4, Showing, stored
from tests.e2e.conftest import USER, Site
from tests.factories import body

NOT_GOOD = {"fail", "not_evaluated", "error"}


def bad(report: dict[str, object]) -> list[tuple[str, str]]:
    (target,) = report["targets"]  # type: ignore[misc]
    return [(finding["rule"], finding["outcome"]) for finding in target["findings"] if finding["outcome"] in NOT_GOOD and not finding["standing"]]


def test_a_good_oauth_profile_is_compliant(site: Site) -> None:
    code, report = site.check()
    assert (code, bad(report)) == (0, [])


def test_a_good_v1_profile_is_compliant_and_its_limits_are_named(site: Site) -> None:
    site.simulator.release = COMMAND_24_4
    basic = {"Host": "smtp.nordwerk-industrie.eu", "RelayAuthenticationType": 2, "RelayUsername": stored(r"CORP\relay")}
    site.simulator.smtp = {**site.simulator.smtp, **basic}
    code, report = site.check()
    assert (code, bad(report)) == (0, [])
    assert report["targets"][0]["standing_limits"] or "v1" in report["verdict"]["sentence"]
    assert site.check("--count-limits")[0] == (4 if report["counts"]["standing_limits"] else 0)


def test_a_withheld_password_is_compliant(site: Site) -> None:
    site.simulator.smtp = {**site.simulator.smtp, "RelayAuthenticationType": 2, "RelayUsername": stored("u"), "RelayPassword": stored("p")}
    site.simulator.smtp["Host"] = "smtp.nordwerk-industrie.eu"
    for name in ("ClientId", "ClientSecret", "TokenEndpoint", "Scope"):
        site.simulator.smtp[name] = None
    site.simulator.showing["RelayPassword"] = Showing.WITHHELD
    code, report = site.check()
    assert (code, bad(report)) == (0, [])
    assert report["targets"][0]["profile"]["snapshot"]["facts"]["RelayPassword"]["state"] == "not_offered"


def test_tls_turned_off_is_found_and_the_change_is_told(site: Site) -> None:
    assert site.check()[0] == 0
    site.simulator.smtp["UseSSL"] = False
    code, out, _ = site.run("check")
    assert code == 1
    for word in ("SMTP-001", "UseSSL", "true", "false", "CFG-002"):
        assert word in out
    assert site.check("--fail-on", "critical")[0] == 1
    site.simulator.smtp["UseSSL"] = True
    site.simulator.smtp["SenderName"] = "x" * 65
    assert site.check("--fail-on", "high")[0] == 0


def test_unchanged_reads_store_one_snapshot_and_one_judgement(site: Site) -> None:
    import sqlite3

    for _ in range(3):
        assert site.run("check")[0] == 0
    with sqlite3.connect(site.database) as connection:
        counts = [connection.execute(f"select count(*) from {table}").fetchone()[0] for table in ("snapshots", "judgements", "observations")]
    connection.close()
    assert counts == [1, 2, 3]  # the first read had nothing to be compared with, and was judged on that


def test_formats_go_where_they_are_told(site: Site) -> None:
    folder = site.folder / "deep" / "er"
    code, out, _ = site.run("check", "--output", f"html={folder}/r.html", "--output", f"json={folder}/r.json")
    assert code == 0
    assert "prod" in out, "text still goes to stdout"
    assert (folder / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads((folder / "r.json").read_text(encoding="utf-8"))["schema_version"] == 1
    if os.name == "posix":
        assert (folder / "r.html").stat().st_mode & 0o077 == 0
    path = Path(site.run("report", "-o", str(folder))[1].strip())
    first = path.read_bytes()
    assert site.run("report", "-o", str(folder))[1].strip() == str(path)
    assert path.read_bytes() == first, "the same data gives the same bytes"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc"], "did you mean 'check'"),
        (["check", "prd"], "did you mean 'prod'"),
        (["check", "--output", "htlm=x"], "did you mean 'html'"),
        (["check", "--output", "html"], "say where to"),
        (["check", "--output", "html=-", "--output", "json=-"], "two formats"),
        (["check", "--label", "env"], "KEY=VALUE"),
        (["check", "--label", "env=none"], "no target is selected"),
        (["check", "--fail-on", "hihg"], "hihg"),
        (["check", "--policy", "x"], "--policy goes with --input"),
        (["check", "prod", "--input", "x"], "--input judges one saved answer"),
        (["show", "lab"], "no target is called 'lab'"),
        (["show"], "TARGET"),
        (["policy", "list", "recomended"], "did you mean 'recommended'"),
        (["policy", "test", "nothing"], "no policy is called"),
        (["policy", "fields", "Hostt"], "no fact has 'Hostt'"),
        (["daemon"], "no target has a schedule"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_suggestion(site: Site, arguments: list[str], said: str) -> None:
    code, _, err = site.run(*arguments)
    assert code == 2
    assert said in err
    assert site.simulator.requests == ()


def test_a_typo_in_a_policy_or_the_configuration_stops_before_any_request(site: Site) -> None:
    folder = site.folder / "ours"
    folder.mkdir()
    (folder / "ours.yaml").write_text(
        "policy: ours\ntitle: Ours\nversion: 1\nrules:\n- {id: X-1, title: t, severity: high, require: {UseSLL: true}}\n", encoding="utf-8"
    )
    site.extra = "policies: [ours]\n"
    site.configure()
    code, _, err = site.run("check")
    assert code == 2
    assert "ours.yaml:5" in err
    assert "UseSSL" in err
    site.extra = "polices: [ours]\n"
    site.configure()
    code, _, err = site.run("check")
    assert code == 2
    assert "did you mean 'policies'" in err
    site.extra = ""
    site.configure(policy="recomended")
    code, _, err = site.run("check")
    assert code == 2
    assert "did you mean 'recommended'" in err
    site.configure(vars="{alowed_ports: [25]}")
    code, _, err = site.run("check")
    assert code == 2
    assert "allowed_ports" in err
    assert site.simulator.requests == ()


def test_vars_of_the_installation_and_of_a_target_reach_the_policy(site: Site) -> None:
    site.simulator.smtp["Port"] = 2525
    assert {rule for rule, _ in bad(site.check()[1])} == {"SMTP-002", "CFG-006", "CFG-033"}
    site.configure(vars="{allowed_ports: [2525]}")
    assert {rule for rule, _ in bad(site.check()[1])} == {"SMTP-002", "CFG-033"}


def saved(site: Site, content: bytes) -> str:
    path = site.folder / "profile.json"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (json.dumps(body()).encode(), 0),
        (json.dumps(body(UseSSL=False)).encode(), 1),
        (json.dumps(body(UseSSL="true")).encode(), 1),
        (b"null", 1),
        (b"{}", 3),
        (b"not json", 3),
        (None, 3),
        (b'{"Host": "' + b"x" * 70_000 + b'"}', 3),
    ],
)
def test_a_saved_answer_is_judged_offline_and_nothing_is_stored(site: Site, content: bytes | None, expected: int) -> None:
    path = saved(site, content) if content is not None else "missing.json"
    code, out, err = site.run("check", "--input", path, "--output", "json=-")
    assert code == expected, out + err
    assert json.loads(out)["targets"][0]["name"] == "saved"
    assert not site.database.exists()
    assert site.simulator.requests == ()


def test_no_configured_target_lends_a_saved_answer_its_policy(site: Site) -> None:
    (site.folder / "ours").mkdir()
    (site.folder / "ours" / "p.yaml").write_text(
        "policy: ours\ntitle: Ours\nversion: 1\nrules:\n- {id: X-1, title: t, severity: high, require: {Port: 587}}\n", encoding="utf-8"
    )
    site.extra = "policies: [ours]\n"
    site.configure(targets=f"- {{name: saved, url: {site.url}, policy: ours, auth: {{type: token, token: env:E2E_PASSWORD}}}}\n")
    code, out, _ = site.run("check", "--input", saved(site, json.dumps(body(UseSSL=False)).encode()), "--policy", "recommended")
    assert code == 1
    assert "SMTP-001" in out


@pytest.mark.skipif(os.name != "posix", reason="needs named pipes and links")
def test_a_device_pipe_or_link_is_written_through_and_never_replaced(site: Site) -> None:
    (site.folder / "real.html").write_bytes(b"old")
    (site.folder / "link.html").symlink_to(site.folder / "real.html")
    os.mkfifo(site.folder / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((site.folder / "pipe").read_bytes()))
    reader.start()
    assert (
        site.run("check", "--output", f"json={site.folder}/pipe", "--output", f"html={site.folder}/link.html", "--output", "text=/dev/null")[0] == 0
    )
    reader.join()
    assert json.loads(got[0])["schema_version"] == 1
    assert (site.folder / "pipe").is_fifo()
    assert (site.folder / "link.html").is_symlink()
    assert (site.folder / "real.html").read_bytes().startswith(b"<!doctype html>")
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(os.name != "posix", reason="the environment is text on Windows")
def test_a_password_that_is_not_utf_8_is_one_targets_trouble(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_LATIN", os.fsdecode(b"p\xe4ss"))
    site.configure(
        auth=r"{type: basic, username: 'CORP\u', password: env:E2E_LATIN}",
        targets=f"- {{name: good, url: {site.url}, ca_file: root.pem, auth: {{type: basic, username: '{USER}', password: env:E2E_PASSWORD}}}}\n",
    )
    code, report = site.check()
    assert code == 4
    assert [target["observation"]["outcome"] for target in report["targets"]] == ["observed", "credential_missing"]


def test_a_saved_answer_is_judged_by_the_policy_asked_for(site: Site) -> None:
    code, _, err = site.run("check", "--input", saved(site, b"null"), "--policy", "recomended")
    assert code == 2
    assert "did you mean 'recommended'" in err


def test_targets_list_says_where_each_value_came_from_and_no_secret(site: Site) -> None:
    code, out, _ = site.run("targets", "list", "--format", "json")
    (target,) = json.loads(out)["targets"]
    assert code == 0
    assert target["values"]["timeout"] == {"value": "5s", "from": "auditor.yaml:7"}
    assert [target["values"][key] for key in ("attribution", "pam_providers")] == [{"value": False, "from": "default"}] * 2
    assert target["values"]["policy"] == {"value": "recommended", "from": "default"}
    assert "env:E2E_PASSWORD" in target["values"]["auth"]["value"]
    code, out, _ = site.run("targets", "list")
    assert "auditor.yaml:7" in out
    assert site.password not in out


@pytest.mark.parametrize(
    "auth",
    [
        "{type: oauth, token_url: 'https://idp.example.org/t', client_id: me, client_secret: file:s}",
        "{type: token, token: env:T}",
    ],
)
def test_targets_list_describes_every_login(site: Site, auth: str) -> None:
    site.configure(auth=auth, schedule="{cron: '0 6 * * mon'}")
    code, out, _ = site.run("targets", "list")
    assert code == 0
    assert "0 6 * * mon (UTC)" in out


def test_no_colour_is_sent_against_the_readers_wish(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (["targets", "list"], ["check"], ["show", "prod"], ["policy", "list"]):
        assert "\x1b" not in "".join(site.run(*command)[1:])


def test_switching_checks_off_by_environment_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYFACTOR_SKIP_VERIFY", "true")
    code, _, err = site.run("check")
    assert code == 2
    assert "insecure_skip_verify" in err
    assert site.simulator.requests == ()


def test_a_path_in_nobodys_home_is_a_mistake_and_no_crash(site: Site) -> None:
    site.extra = "database: ~nobody-of-that-name/x.db\n"
    site.configure()
    code, _, err = site.run("check")
    assert code == 2
    assert "nobody" in err


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_does_not_wait_for_a_slow_server(site: Site) -> None:
    def drip() -> Iterator[bytes]:
        while True:
            yield b" "
            time.sleep(0.1)

    site.configure(timeout="60s")
    site.simulator.answer_with(200, None, drip)
    with subprocess.Popen(
        [sys.executable, "-m", "auditor", "--config", str(site.config), "check"],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - in the background it would be ignored
    ) as process:
        while not site.simulator.requests:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert b"interrupted" in process.stderr.read()


_SETTING = re.compile(r"( *)# ((?: *- ?)?[ ]*(?:[{]|[a-z_]+:(?: |$)).*)")
"""A line of the example that is a setting behind a `#`; prose begins otherwise."""


def test_every_setting_that_init_comments_out_is_understood_when_it_is_no_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["init", str(tmp_path)]) == 0
    capsys.readouterr()
    path = tmp_path / "auditor.yaml"
    written = path.read_text(encoding="utf-8")
    found = {line: _SETTING.fullmatch(line) for line in written.splitlines()}
    settings = {line: f"{match[1]}{match[2]}" for line, match in found.items() if match}
    logins = [line for line in settings if settings[line].lstrip().startswith("auth:")]
    (tmp_path / "approved").mkdir()
    (tmp_path / "waivers.yaml").write_text("waivers: []\n", encoding="utf-8")
    path.write_text("\n".join(line if line in logins else settings.get(line, line) for line in written.splitlines()), encoding="utf-8")
    loaded = config.load(path)
    assert (loaded.health, loaded.retention, loaded.heartbeat, loaded.events) != (None, None, None, None)
    assert [type(channel) for channel in loaded.alerts.channels] == [MailChannel, WebhookChannel, SyslogChannel]
    assert isinstance(loaded.alerts.channels[0], MailChannel)
    assert loaded.alerts.channels[0].report is ReportMail.ATTACHED
    told = {key.partition(":")[0].strip(" -{") for key in settings.values()}
    assert {"alerts", "health", "retention", "events", "heartbeat", "report", "quiet_hours", "proxy", "policy", "paused_until"} <= told
    for line in logins:
        before, _, after = written.partition("  auth:\n")
        path.write_text(f"{before}{settings[line]}\n{after.partition('scopes: []')[2]}", encoding="utf-8")
        assert config.load(path).targets[0].auth is not None
    assert len(logins) == 2


def test_init_writes_what_check_understands_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["init"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"auditor.yaml", "auditor.schema.json", "waivers.schema.json", "auditor.key"}
    assert cli.run(["targets", "list"]) == 0
    assert "https://command.example.org" in capsys.readouterr().out
    before = (tmp_path / "auditor.yaml").read_bytes()
    assert cli.run(["init"]) == 2
    assert (tmp_path / "auditor.yaml").read_bytes() == before
    assert cli.run(["init", "other"]) == 0
    assert (tmp_path / "other" / "auditor.key").read_text() != (tmp_path / "auditor.key").read_text()


def test_db_status_and_upgrade(site: Site) -> None:
    code, out, _ = site.run("db", "status")
    assert (code, "missing" in out) == (0, True)
    code, out, _ = site.run("db", "upgrade")
    assert code == 0
    code, out, _ = site.run("db", "status")
    assert (code, "current" in out) == (0, True)


def test_policies_are_listed_linted_and_tested(site: Site) -> None:
    code, out, _ = site.run("policy", "list")
    assert (code, "recommended" in out) == (0, True)
    code, out, _ = site.run("policy", "list", "recommended", "--format", "json")
    assert {"SMTP-001", "SMTP-002", "SMTP-003", "CFG-001", "CFG-035"} <= {row["rule"] for row in json.loads(out)}
    assert site.run("policy", "lint") == (0, "", site.run("policy", "lint")[2])
    assert site.run("policy", "lint", "--format", "json")[1].strip() == "[]"
    code, out, err = site.run("policy", "test")
    assert (code, out) == (0, "")
    assert "0 wrong" in err
    assert all(row["ok"] for row in json.loads(site.run("policy", "test", "recommended", "--format", "json")[1]))
    code, out, _ = site.run("policy", "fields", "port")
    assert (code, "Port" in out) == (0, True)


def test_an_example_that_does_not_hold_gives_exit_1(site: Site) -> None:
    (site.folder / "ours").mkdir()
    (site.folder / "ours" / "p.yaml").write_text(
        "policy: ours\ntitle: Ours\nversion: 1\nrules:\n"
        "- {id: X-1, title: t, severity: high, require: {UseSSL: true}, examples: [{passes: {UseSSL: false}}, {fails: {UseSSL: false}}]}\n",
        encoding="utf-8",
    )
    site.extra = "policies: [ours]\n"
    site.configure()
    code, out, _ = site.run("policy", "test", "ours")
    assert code == 1
    assert "X-1" in out
    assert "p.yaml:5" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["completion", shell]) == 0
    assert "_AUDITOR_COMPLETE" in capsys.readouterr().out


def test_a_shell_gets_its_completions() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auditor"],
        env={**os.environ, "_AUDITOR_COMPLETE": "bash_complete", "COMP_WORDS": "auditor po", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "policy" in done.stdout, done.stderr


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    for code in ("0", "1", "2", "3", "4", "70", "74", "75", "130"):
        assert re.search(rf"^ +{code}  ", out, re.MULTILINE)


RAISED: list[tuple[Callable[[], BaseException], int]] = [
    (lambda: StoreError("the disk is full", hint="make room"), 74),
    (lambda: SchemaError("older", hint="auditor db upgrade"), 2),
    (lambda: PermissionError(13, "Permission denied", "x.db"), 74),
    (KeyboardInterrupt, 130),
    (lambda: ZeroDivisionError("hidden words"), 70),
]


@pytest.mark.parametrize(("fault", "expected"), RAISED)
@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["show", "prod"],
        ["report"],
        ["policy", "list"],
        ["policy", "lint"],
        ["policy", "test"],
        ["policy", "explain", "CFG-001", "--target", "prod"],
        ["policy", "diff", "recommended", "strict"],
        ["policy", "controls"],
        ["policy", "schema"],
        ["targets", "list"],
        ["daemon"],
    ],
)
def test_every_command_maps_every_error_to_its_exit_code(
    site: Site, monkeypatch: pytest.MonkeyPatch, command: list[str], fault: Callable[[], BaseException], expected: int
) -> None:
    from auditor import app
    from auditor.app import judging

    def broken(*_: object, **__: object) -> None:
        raise fault()

    for room in (app, judging):
        monkeypatch.setattr(room, "load_judge", broken)
    code, _, err = site.run(*command)
    assert code == expected
    assert "hidden words" not in err


def test_a_reader_that_leaves_early_is_no_crash(site: Site) -> None:
    command = [sys.executable, "-m", "auditor", "--config", str(site.config), "policy", "fields"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait() in (74, 0)
    assert b"Traceback" not in said


@pytest.mark.parametrize("place", ["env", "cwd", "user"])
def test_the_configuration_is_found_where_it_may_stand(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(elsewhere / "xdg"))
    match place:
        case "env":
            monkeypatch.setenv("AUDITOR_CONFIG", str(site.config))
        case "cwd":
            monkeypatch.chdir(site.folder)
        case "user":
            (elsewhere / "xdg" / "auditor").mkdir(parents=True)
            (elsewhere / "xdg" / "auditor" / "auditor.yaml").write_bytes(site.config.read_bytes())
    assert cli.run(["targets", "list"]) == 0
    assert "configuration: " in site.capture.readouterr().err


def test_no_configuration_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert cli.run(["check"]) == 2
    err = capsys.readouterr().err
    assert "auditor init" in err
    assert "auditor.yaml" in err
    assert cli.run(["policy", "list"]) == 0, "the shipped policies need none"
    assert cli.run(["--config", "nowhere.yaml", "policy", "list"]) == 2


def test_every_recorded_change_is_told_the_newest_first_with_its_interval(site: Site) -> None:
    from auditor.app import App
    from auditor.config import load

    for change in ({}, {"UseSSL": False}, {}, {"Host": "smtp.nordwerk-1ndustrie.eu", "Port": 25}):
        site.simulator.smtp = {**site.simulator.smtp, **change}
        site.run("check")
    with App(load(site.config)) as app:
        (standing,) = app.store.standings(["prod"])
    assert [[change.field for change in moved.changes] for moved in standing.moved] == [["Host", "Port"], ["UseSSL"]]
    assert all(moved.not_before is not None and moved.not_before < moved.not_after for moved in standing.moved)
