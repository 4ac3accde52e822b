"""A place to run the command line in: a simulated Command behind real TLS, a configuration, an empty database."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor import cli
from auditor.simulator.ca import PrivateCa
from auditor.simulator.command import Simulator
from auditor.simulator.server import ServerTls, serve
from tests.e2e import hook

USER = r"CORP\svc-auditor"


@dataclass
class Site:
    """One configured target, `prod`, that is a simulator; `run` types a command."""

    folder: Path
    simulator: Simulator
    url: str
    password: str
    tls: ServerTls
    capture: pytest.CaptureFixture[str]
    extra: str = ""
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "auditor.yaml"

    @property
    def database(self) -> Path:
        return self.folder / "auditor.db"

    def configure(self, *, targets: str = "", **settings: str) -> None:
        """Write the configuration: `settings` replace those of the target `prod`, `targets` are further ones."""
        own = {
            "url": self.url,
            "auth": f"{{type: basic, username: '{USER}', password: env:E2E_PASSWORD}}",
            "ca_file": "root.pem",
            "attempts": "1",
            "timeout": "5s",
        } | settings
        lines = "".join(f"  {key}: {value}\n" for key, value in own.items() if value)
        self.config.write_text(f"targets:\n- name: prod\n{lines}{targets}{self.extra}", encoding="utf-8")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of `auditor ARGUMENTS`."""
        self.capture.readouterr()
        code = cli.run(["--config", str(self.config), *arguments])
        out, err = self.capture.readouterr()
        return code, out, err

    def check(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON of `auditor check`."""
        code, out, err = self.run("check", *arguments, "--output", "json=-")
        assert out, err
        return code, json.loads(out)


@pytest.fixture(scope="session")
def authority() -> PrivateCa:
    return PrivateCa.create(at=datetime.now(UTC))


@pytest.fixture(scope="session")
def server_tls(authority: PrivateCa) -> ServerTls:
    now = datetime.now(UTC)
    issued = authority.issue(["127.0.0.1", "localhost"], valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=1))
    return ServerTls(certificate_pem=issued.certificate_pem, key_pem=issued.key_pem)


@pytest.fixture
def site(
    tmp_path: Path, authority: PrivateCa, server_tls: ServerTls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Site]:
    password = f"pw-{os.urandom(9).hex()}"
    monkeypatch.setenv("E2E_PASSWORD", password)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("AUDITOR_CONFIG", raising=False)
    (tmp_path / "root.pem").write_bytes(authority.certificate_pem)
    simulator = Simulator(clock=lambda: datetime.now(UTC))
    simulator.accounts.add_user(USER, password)
    umask = os.umask(0o077)
    with serve(simulator, tls=server_tls) as url:
        site = Site(folder=tmp_path, simulator=simulator, url=url, password=password, tls=server_tls, capture=capsys)
        site.configure()
        yield site
    os.umask(umask)


@pytest.fixture
def far_end() -> Iterator[hook.FarEnd]:
    with hook.listening() as end:
        yield end
