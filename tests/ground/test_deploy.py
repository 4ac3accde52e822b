"""What `deploy/` hands to operators is sound by the tools that will read it, and its command lines are ones that the auditor takes."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
import yaml

from auditor import alerts, cli, config
from auditor.cli.check import parse_outputs
from auditor.core.model import MailChannel
from auditor.core.slots import check_cron

pytestmark = [pytest.mark.platform_only, pytest.mark.skipif(sys.platform == "win32", reason="paths there are those of POSIX")]

_DEPLOY = Path(__file__).parents[2] / "deploy"
_INSTALLED = "/opt/auditor/bin/auditor"
_UNITS = sorted(path.name for path in (_DEPLOY / "systemd").iterdir())
_SERVICES = [name for name in _UNITS if name.endswith(".service")]

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")


def run(*command: str | Path, cwd: Path) -> tuple[int, str]:
    """Exit code, and stdout with stderr."""
    done = subprocess.run([*map(str, command)], check=False, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=60)
    return done.returncode, done.stdout + done.stderr


def takes(arguments: list[str]) -> bool:
    """Whether the auditor knows the command and all its options: asked for its help it parses the line, and does nothing."""
    return cli.run([*arguments, "--help"]) == 0


def outputs_of(arguments: list[str]) -> list[Path]:
    """The files that `check` is told to write."""
    given = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--output"]
    return [path for _, path in parse_outputs(tuple(given)) if path is not None] if given else []


def unit(name: str) -> configparser.ConfigParser:
    """A unit of which no key is repeated in its section, but SystemCallFilter."""
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((_DEPLOY / "systemd" / name).read_text(encoding="utf-8"))
    return read


# --- systemd ------------------------------------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, as they would be if the auditor were installed where it stands here."""
    for name in _UNITS:
        text = (_DEPLOY / "systemd" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(_INSTALLED, str(Path(sys.executable).with_name("auditor"))), encoding="utf-8")
    return tmp_path


@needs_systemd
@pytest.mark.parametrize("name", _UNITS)
def test_systemd_has_nothing_to_say_of_a_unit(units: Path, name: str) -> None:
    assert run("systemd-analyze", "verify", units / name, cwd=units) == (0, "")


@needs_systemd
@pytest.mark.parametrize(("good", "bad"), [("ProtectSystem=strict", "ProtectSytem=strict"), ("WatchdogSec=2min", "WatchdogSec=soon")])
def test_systemd_would_say_what_is_wrong_with_a_unit(units: Path, good: str, bad: str) -> None:
    path = units / "auditor.service"
    text = path.read_text(encoding="utf-8")
    assert good in text
    path.write_text(text.replace(good, bad), encoding="utf-8")

    assert f"{path}:" in run("systemd-analyze", "verify", path, cwd=units)[1]


@needs_systemd
@pytest.mark.parametrize("name", _SERVICES)
def test_a_service_is_exposed_to_little(units: Path, name: str) -> None:
    code, said = run("systemd-analyze", "security", "--offline=true", "--threshold=25", units / name, cwd=units)

    assert code == 0, said


@needs_systemd
def test_a_service_that_is_not_confined_would_be_exposed(units: Path) -> None:
    path = units / "auditor.service"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^(Protect|Private|Restrict|Capability|SystemCall).*$", "", text, flags=re.MULTILINE), encoding="utf-8")

    assert run("systemd-analyze", "security", "--offline=true", "--threshold=25", path, cwd=units)[0] != 0


def test_both_services_are_confined_alike() -> None:
    def confined(name: str) -> str:
        text = (_DEPLOY / "systemd" / name).read_text(encoding="utf-8")
        return text[text.index("\nLoadCredential=") :].partition("[Install]")[0].rstrip()

    assert confined("auditor.service") == confined("auditor-check.service")


def test_systemd_is_told_how_the_daemon_stands_and_when_to_give_up() -> None:
    service = unit("auditor.service")["Service"]

    assert (service["Type"], service["NotifyAccess"], service["ExecReload"]) == ("notify", "main", "/bin/kill -HUP $MAINPID")
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == ["2", "75"]


def test_systemd_waits_for_a_daemon_that_ends_longer_than_that_takes() -> None:
    minutes = re.fullmatch(r"([0-9]+)min", unit("auditor.service")["Service"]["TimeoutStopSec"])
    longest_s = config.load(_DEPLOY / "auditor.yaml").grace_s + alerts.ROUND_S + MailChannel.__dataclass_fields__["timeout_s"].default

    assert minutes is not None
    assert int(minutes[1]) * 60 > longest_s


@pytest.mark.parametrize(
    ("name", "command"), [("auditor.service", ["daemon"]), ("auditor-check.service", ["check"])], ids=["the daemon", "one reading"]
)
def test_a_service_runs_a_command_line_that_the_auditor_takes(name: str, command: list[str]) -> None:
    service = unit(name)["Service"]
    program, *arguments = shlex.split(service["ExecStart"])

    assert program == _INSTALLED
    assert set(command) < set(arguments)
    assert takes(arguments)
    folder = Path("/var/lib") / service["StateDirectory"]
    assert all(path.is_relative_to(folder) for path in outputs_of(arguments)), "all the rest of the disk is read-only"


def test_a_line_that_the_auditor_does_not_take_would_be_found_out() -> None:
    assert [takes(["chek"]), takes(["check", "--outputs", "x"]), takes(["--log-format", "xml", "check"]), takes(["check"])] == [
        False,
        False,
        False,
        True,
    ]


def test_the_timer_starts_the_service_of_its_name_as_often_as_reads_are_owed() -> None:
    (target,) = config.load(_DEPLOY / "auditor.yaml").targets

    assert unit("auditor-check.timer")["Timer"]["OnCalendar"] == "*:0/15"
    assert target.schedule is not None
    assert target.schedule.every_s == 15 * 60
    assert "auditor-check.service" in _UNITS


@pytest.mark.parametrize("name", _SERVICES)
def test_the_configuration_beside_the_units_fits_them(name: str) -> None:
    service = unit(name)["Service"]
    loaded = config.load(_DEPLOY / "auditor.yaml")
    folder = Path("/var/lib") / service["StateDirectory"]
    written = [loaded.database, loaded.report_folder, Path(loaded.fingerprint_key.name)]
    credential, _, source = service["LoadCredential"].partition(":")

    assert all(path.is_relative_to(folder) for path in written)
    assert re.findall(r"credential:([\w-]+)", (_DEPLOY / "auditor.yaml").read_text(encoding="utf-8")) == [credential]
    assert PurePosixPath(source) == PurePosixPath("/etc/auditor/credentials") / credential


# --- cron and schtasks --------------------------------------------------------------------------------------------

_CRON_LINES = [
    line
    for line in (_DEPLOY / "cron" / "crontab").read_text(encoding="utf-8").splitlines()
    if line[:1] not in ("", "#") and not re.match(r"\w+=", line)
]


@pytest.mark.parametrize("line", _CRON_LINES, ids=lambda line: line.split("auditor.yaml ")[1].split(">")[0].strip())
def test_a_crontab_line_has_five_times_and_a_command_line_that_the_auditor_takes(line: str) -> None:
    *times, command = line.split(maxsplit=5)
    program, *arguments = shlex.split(re.sub(r"\s+2?>.*$", "", command))

    check_cron(" ".join(times))
    assert program == _INSTALLED
    assert takes(arguments)
    assert "%" not in line, "to cron, a percent sign ends the line"
    assert all(path.is_relative_to("/var/lib/auditor") for path in outputs_of(arguments))


def test_the_crontab_reads_reports_and_looks_after_the_record() -> None:
    assert [next(word for word in ("check", "report") if word in line.split()) for line in _CRON_LINES] == ["check", "report", "check"]


_TASK_LINES = [line for line in (_DEPLOY / "windows" / "tasks.cmd").read_text(encoding="ascii").splitlines() if line.startswith("schtasks")]


def windows_words(line: str) -> list[str]:
    r"""A command line as Windows programs take it apart: words in double quotes, in which `\"` stands for a quote."""
    return [re.sub(r'\\"', "\0", word).replace('"', "").replace("\0", '"') for word in re.findall(r'(?:"(?:\\"|[^"])*"|[^\s"])+', line)]


@pytest.mark.parametrize("line", _TASK_LINES, ids=["check", "report"])
def test_a_scheduled_task_is_one_that_schtasks_makes_and_the_auditor_takes(line: str) -> None:
    program, create, force, *rest = windows_words(line)
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    auditor, *arguments = windows_words(given["/TR"])

    assert (program, create, force) == ("schtasks", "/Create", "/F")
    assert (given.keys() - {"/MO", "/D", "/ST"}) == {"/TN", "/SC", "/RU", "/TR"}
    assert (given["/SC"], given.get("/MO"), given.get("/D"), given.get("/ST")) in [("MINUTE", "15", None, None), ("WEEKLY", None, "MON", "06:00")]
    assert len(given["/TR"]) <= 261, "schtasks takes no longer one"
    assert auditor == r"C:\Program Files\auditor\Scripts\auditor.exe"
    assert "%" not in line, "the prompt and a .cmd file differ about it"
    assert takes(arguments)
    assert [path.name for path in outputs_of(arguments)] in (
        [r"C:\ProgramData\auditor\data\latest.html", r"C:\ProgramData\auditor\data\latest.json"],
        [],
    )


# --- Prometheus ---------------------------------------------------------------------------------------------------

_METRICS = {
    "auditor_target_compliant",
    "auditor_target_read",
    "auditor_results",
    "auditor_findings_failing",
    "auditor_drift_open",
    "auditor_last_success_timestamp_seconds",
    "auditor_reads_total",
    "auditor_read_duration_seconds",
    "auditor_coverage_ratio",
    "auditor_waiver_days_left",
    "auditor_outbox_pending",
    "auditor_outbox_parked",
    "auditor_config_current",
    "auditor_last_sweep_timestamp_seconds",
}
_RULES = [rule for group in yaml.safe_load((_DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def test_alerts_and_their_page_speak_of_the_metrics_that_there_are() -> None:
    asked = {name for rule in _RULES for name in re.findall(r"\bauditor_\w+", rule["expr"])}
    explained = set(re.findall(r"`(auditor_\w+)", (_DEPLOY / "README.md").read_text(encoding="utf-8")))

    assert asked <= _METRICS
    assert explained == _METRICS
    sources = [(_DEPLOY.parent / "auditor" / name).read_text(encoding="utf-8") for name in ("health.py", "report/prometheus.py")]
    told = {name for source in sources for name in re.findall(r'"(auditor_\w+)"', source)}
    assert {name.removesuffix("_total") for name in _METRICS} == told


@needs_promtool
def test_prometheus_takes_the_rules_and_the_scrape(tmp_path: Path) -> None:
    shutil.copytree(_DEPLOY / "prometheus", tmp_path / "prometheus")
    code, said = run("promtool", "check", "rules", "alerts.yml", cwd=tmp_path / "prometheus")
    assert code == 0, said
    assert f"SUCCESS: {len(_RULES)} rules found" in said
    assert run("promtool", "check", "config", "prometheus.yml", cwd=tmp_path / "prometheus")[0] == 0
    (job,) = yaml.safe_load((_DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert job["job_name"] == "auditor", "the rule that misses it asks for this name"


_WELL = {
    'up{job="auditor"}': "1x1600",
    'auditor_target_compliant{target="prod"}': "1x1600",
    'auditor_findings_failing{target="prod",severity="critical"}': "0x1600",
    'auditor_drift_open{target="prod",severity="high"}': "0x1600",
    'auditor_last_success_timestamp_seconds{target="prod"}': "0+60x1600",
    'auditor_reads_total{target="prod",outcome="observed"}': "0+1x1600",
    'auditor_coverage_ratio{target="prod"}': "1x1600",
    'auditor_waiver_days_left{rule="CFG-001"}': "30x1600",
    'auditor_outbox_pending{channel="mail"}': "0x1600",
    'auditor_outbox_parked{channel="mail"}': "0x1600",
    "auditor_config_current": "1x1600",
    "auditor_last_sweep_timestamp_seconds": "0+60x1600",
}
"""More than a day, minute by minute, in which nothing happened."""


_TROUBLES: list[tuple[dict[str, str | None], set[str]]] = [
    ({}, set()),
    ({'up{job="auditor"}': "0x1600"}, {"AuditorIsDown"}),
    ({'up{job="auditor"}': None}, {"AuditorIsDown"}),
    ({'auditor_findings_failing{target="prod",severity="critical"}': "0x1590 2x10"}, {"MailProfileBreaksPolicy"}),
    ({'auditor_findings_failing{target="prod",severity="low"}': "2x1600"}, set()),
    ({'auditor_target_compliant{target="prod"}': "1x600 0x1000"}, set()),
    ({'auditor_target_compliant{target="prod"}': "0x1600"}, {"MailProfileIsNotCompliant"}),
    ({'auditor_drift_open{target="prod",severity="high"}': "0x1590 1x10"}, {"MailProfileDrifted"}),
    ({'auditor_waiver_days_left{rule="CFG-001"}': "14x1590 13x10"}, {"WaiverEndsSoon"}),
    ({"auditor_last_sweep_timestamp_seconds": "60x1600"}, {"AuditorReadsNothing"}),
    ({'auditor_last_success_timestamp_seconds{target="prod"}': "60x1600"}, {"MailProfileIsNotSeen"}),
    ({'auditor_coverage_ratio{target="prod"}': "0.94x1600"}, {"AuditorCoverageIsLow"}),
    ({"auditor_config_current": "0x1600"}, {"AuditorRunsOnOldConfiguration"}),
    ({'auditor_reads_total{target="prod",outcome="forbidden"}': "0x1590 1x10"}, {"AuditorIsRefused"}),
    ({'auditor_reads_total{target="prod",outcome="timeout"}': "0x1590 1x10"}, set()),
    ({'auditor_outbox_parked{channel="mail"}': "0x1590 1x10"}, {"AuditorGaveUpNotices"}),
    ({'auditor_outbox_pending{channel="mail"}': "1x1600"}, {"AuditorNoticesWait"}),
    ({'auditor_outbox_pending{channel="mail"}': "0x1590 1x10"}, set()),
]


@needs_promtool
@pytest.mark.parametrize(("trouble", "fires"), _TROUBLES)
def test_an_alert_fires_for_its_own_trouble_and_for_no_other(tmp_path: Path, trouble: dict[str, str | None], fires: set[str]) -> None:
    shutil.copy(_DEPLOY / "prometheus" / "alerts.yml", tmp_path)
    series = {name: values for name, values in (_WELL | trouble).items() if values is not None}
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in fires]
    story = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "1600m", "exp_samples": expected}],
    }
    (tmp_path / "story.yml").write_text(
        yaml.safe_dump({"rule_files": ["alerts.yml"], "evaluation_interval": "5m", "tests": [story]}), encoding="utf-8"
    )

    code, said = run("promtool", "test", "rules", "story.yml", cwd=tmp_path)

    assert code == 0, said


def test_each_alert_has_a_trouble_of_its_own() -> None:
    assert {rule["alert"] for rule in _RULES} == {name for _, fires in _TROUBLES for name in fires}
