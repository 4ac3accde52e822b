"""Planted secrets are found nowhere: database and WAL, logs, reports, JSON, errors."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.cli.common import FORMAT_NAMES
from auditor.cli.log import configure
from auditor.simulator.profile import Showing, stored
from tests.e2e.conftest import USER, Site


def planted(name: str) -> str:
    """A secret that is found again by its name, made at run time."""
    return f"planted-{name}-{os.urandom(6).hex()}"


def everything_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def loud(site: Site) -> tuple[Site, list[str]]:
    """A server that says too much: every place where a secret can stand holds one."""
    secrets = {name: planted(name) for name in ("password", "client", "header", "parameter", "unknown", "nested", "userinfo", "query")}
    simulator = site.simulator
    simulator.showing["RelayPassword"] = simulator.showing["ClientSecret"] = Showing.CLEAR
    with simulator.editing() as profile:
        profile.update(
            {
                "RelayAuthenticationType": 2,
                "RelayUsername": stored(r"CORP\relay"),
                "RelayPassword": stored(secrets["password"]),
                "ClientSecret": stored(secrets["client"]),
                "ClientId": {"SecretValue": None, "Parameters": {"Path": secrets["parameter"]}, "Provider": 4},
                "RequestHeaders": [{"Name": "Authorization", "Value": f"Bearer {secrets['header']}"}],
                "TokenEndpoint": f"https://user:{secrets['userinfo']}@idp.example.org/t?key={secrets['query']}",
                "BetaField": secrets["unknown"],
                "BetaObject": {"deep": [secrets["nested"]]},
            }
        )
    return site, list(secrets.values())


@pytest.mark.parametrize("verbosity", ["-v"])
def test_no_planted_secret_leaves_the_wire(loud: tuple[Site, list[str]], verbosity: str) -> None:
    site, secrets = loud
    said = ""
    for arguments in (
        [verbosity, "check", *(f"--output={form}=out/report.{form}" for form in FORMAT_NAMES)],
        [verbosity, "--log-format", "json", "check"],
        ["show", "prod", "--output", "json=-"],
        ["report"],
        ["targets", "list"],
    ):
        os.chdir(site.folder)
        code, out, err = site.run(*arguments)
        assert code in (0, 1), err
        said += out + err
    found = everything_in(site.folder)
    for secret in [*secrets, site.password]:
        assert secret not in said
        assert secret.encode() not in found
    assert b"exposed" in found, "that the server sent a password in clear is recorded, the password is not"


def test_no_error_body_is_quoted(site: Site) -> None:
    secret = planted("error")
    for status in (400, 401, 403, 404, 500, 503):
        site.simulator.recover()
        site.simulator.answer_with(
            status, {"Content-Type": "application/json"}, f'{{"Message": "{secret}", "error": "{secret}", "error_description": "{secret}"}}'.encode()
        )
        code, out, err = site.run("-v", "check", "--force", "--output", "json=-")
        assert code == 3
        assert secret not in out + err
    assert secret.encode() not in everything_in(site.folder)


def test_tokens_and_client_secrets_stay_where_they_were(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = planted("client-secret")
    monkeypatch.setenv("E2E_CLIENT_SECRET", secret)
    site.simulator.accounts.add_client("me", secret, scopes=["read"])
    site.configure(auth=f"{{type: oauth, token_url: '{site.url}/oauth2/token', client_id: me, client_secret: env:E2E_CLIENT_SECRET, scopes: [read]}}")
    code, out, err = site.run("-v", "check", "--output", "json=-")
    assert code == 0, out + err
    (token,) = site.simulator.accounts.issued_tokens
    for text in (secret, token):
        assert text not in out + err
        assert text.encode() not in everything_in(site.folder)


def test_a_bug_of_ours_does_not_quote_what_it_broke_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from auditor.command import wire

    secret = planted("crash")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr(wire, "parse", broken)
    code, out, err = site.run("-v", "check")
    assert code == 70
    assert "internal error: RuntimeError" in err
    assert secret not in out + err


def test_a_wrong_password_is_not_repeated(site: Site) -> None:
    site.simulator.accounts.add_user(USER, "another")
    code, out, err = site.run("-v", "check")
    assert code == 3
    assert site.password not in out + err


def test_what_libraries_say_while_they_debug_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level=logging.DEBUG, as_json=False)
    for library in ("urllib3.connectionpool", "httpcore.http11", "any.other"):
        logging.getLogger(library).debug("POST /services/T0KEN-in-the-path")
    logging.getLogger("auditor.alerts").debug("ours")
    err = capsys.readouterr().err
    assert "T0KEN" not in err
    assert "ours" in err


RING = """
from pathlib import Path
from keyring.backend import KeyringBackend
class Ring(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        place = Path(__file__).parent / f"{service}.{username}"
        return place.read_text(encoding="utf-8") if place.exists() else None
    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...
"""


def test_a_server_is_read_with_a_password_out_of_the_keyring(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package `keyring` itself, in a process of its own, with a keyring of files."""
    pytest.importorskip("keyring", reason="needs the extra `keyring`")
    (site.folder / "filering.py").write_text(RING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(site.folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "filering.Ring")
    site.configure(auth=f"{{type: basic, username: '{USER}', password: keyring:auditor/prod}}")

    def check() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "auditor", "--config", str(site.config), "check"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    absent = check()
    assert (absent.returncode, "keyring:auditor/prod: the keyring has no such entry" in absent.stdout) == (3, True), absent
    (site.folder / "auditor.prod").write_text(site.password, encoding="utf-8")
    found = check()
    assert found.returncode in (0, 1), found
    assert site.password not in absent.stdout + absent.stderr + found.stdout + found.stderr
