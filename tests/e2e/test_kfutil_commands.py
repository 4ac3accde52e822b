"""The commands for whoever uses the vendor's tools: without an auditor.yaml, by KEYFACTOR_* or a command_config.json, over real HTTPS."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from auditor import cli, config
from tests.e2e.conftest import USER, Site


@pytest.fixture
def place(site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with a home of its own and nothing of ours in either."""
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(site.folder / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    here = site.folder / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def run(site: Site, *arguments: str) -> tuple[int, str, str]:
    site.capture.readouterr()
    code = cli.run(arguments)
    out, err = site.capture.readouterr()
    return code, out, err


def by_environment(site: Site, monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    host = urlsplit(site.url)
    wanted = {
        "HOSTNAME": f"{host.hostname}",
        "PORT": f"{host.port}",
        "USERNAME": "svc-auditor@CORP",
        "PASSWORD": site.password,
        "CA_CERT": str(site.folder / "root.pem"),
    }
    for name, value in (wanted | changes).items():
        monkeypatch.setenv(f"KEYFACTOR_{name}", value)


def by_file(site: Site, path: Path, **changes: object) -> Path:
    profile = {"host": site.url, "username": USER, "password": site.password, "ca_cert_path": str(site.folder / "root.pem"), **changes}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"servers": {"default": {"host": "nobody.invalid"}, "lab": profile}}), encoding="utf-8")
    path.chmod(0o600)
    return path


def test_variables_alone_make_a_check_work_and_keep_its_record(site: Site, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_environment(site, monkeypatch)
    code, out, err = run(site, "check", "--output", "json=-")
    assert (code, json.loads(out)["targets"][0]["observation"]["outcome"]) == (0, "observed"), err
    assert err.startswith("configuration: the environment (KEYFACTOR_HOSTNAME); target 127.0.0.1, database ")
    (database,) = (site.folder / "home").rglob("auditor.db")
    assert database.with_name("auditor.key").is_file()
    assert site.password.encode() not in b"".join(path.read_bytes() for path in database.parent.iterdir())
    assert list(place.iterdir()) == []
    assert run(site, "show", "127.0.0.1")[0] == 0


def test_a_certificate_in_a_variable_is_trusted_too(site: Site, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_environment(site, monkeypatch, CA_CERT=(site.folder / "root.pem").read_text(encoding="utf-8"))
    assert run(site, "check")[0] == 0
    monkeypatch.setenv("KEYFACTOR_CA_CERT", "")
    assert run(site, "check")[0] == 3


def test_a_profile_makes_a_check_work_and_its_password_is_read_each_time(site: Site, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = by_file(site, site.folder / "home" / ".keyfactor" / "command_config.json")
    monkeypatch.setenv("KEYFACTOR_AUTH_CONFIG_PROFILE", "lab")
    code, _, err = run(site, "check")
    assert (code, "target lab" in err) == (0, True), err
    by_file(site, path, password="wrong")
    assert run(site, "check")[0] == 3


def test_a_configuration_of_ours_goes_before_the_vendors(site: Site, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_environment(site, monkeypatch, HOSTNAME="nobody.invalid")
    monkeypatch.setenv("AUDITOR_CONFIG", str(site.config))
    assert run(site, "check")[0] == 0


def test_a_switch_that_turns_verification_off_is_refused(site: Site, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_environment(site, monkeypatch, SKIP_VERIFY="true")
    for command in (["check"], ["init", "--from-kfutil"]):
        code, _, err = run(site, *command)
        assert (code, "KEYFACTOR_SKIP_VERIFY is set" in err) == (2, True)
    assert site.simulator.requests == ()


def test_init_turns_a_profile_into_a_configuration_with_references(site: Site, place: Path) -> None:
    path = by_file(site, site.folder / "home" / ".keyfactor" / "command_config.json")
    code, _, err = run(site, "init", "--from-kfutil", "--profile", "lab")
    assert code == 0, err
    text = (place / "auditor.yaml").read_text(encoding="utf-8")
    assert site.password not in text
    assert f"kfutil:lab/password@{path}" in text
    (target,) = config.load(place / "auditor.yaml").targets
    assert (target.name, target.url, target.schedule and target.schedule.every_s) == ("lab", site.url, 900)
    code, _, err = run(site, "check")
    assert code == 0, err
    assert run(site, "init", "--from-kfutil", "--profile", "lab")[0] == 2, "nothing is overwritten"


def test_init_puts_a_certificate_of_the_environment_beside_the_configuration(site: Site, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_environment(site, monkeypatch, CA_CERT=(site.folder / "root.pem").read_text(encoding="utf-8"))
    assert run(site, "init", "--from-kfutil")[0] == 0
    assert "env:KEYFACTOR_PASSWORD" in (place / "auditor.yaml").read_text(encoding="utf-8")
    assert [path.read_bytes() for path in place.glob("*.pem")] == [(site.folder / "root.pem").read_bytes()]
    assert run(site, "check")[0] == 0


def test_init_without_anything_of_the_vendors_writes_nothing(site: Site, place: Path) -> None:
    code, _, err = run(site, "init", "--from-kfutil")
    assert (code, "neither KEYFACTOR_HOSTNAME" in err, list(place.iterdir())) == (2, True, [])
    assert run(site, "init", "--profile", "lab")[0] == 2
    code, _, err = run(site, "check")
    assert (code, "KEYFACTOR_*" in err) == (2, True)
