"""What docs/evidence.md tells to type is typed, on a checkpoint of a simulated server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from auditor import config
from tests.docs.pages import text_of
from tests.e2e.conftest import Site, authority, server_tls, site
from tests.evidence.authorities import Root, stamping

__all__ = ["authority", "server_tls", "site"]  # fixtures

PAGE = text_of("evidence.md")
SETTINGS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^    (openssl .*)$", PAGE, re.MULTILINE)


def test_the_settings_of_the_page_are_understood(tmp_path: Path) -> None:
    [text] = SETTINGS
    target = "targets: [{name: prod, url: 'https://command.example.org', auth: {type: token, token: env:T}}]\n"
    (tmp_path / "auditor.yaml").write_text(target + text, encoding="utf-8")
    found = config.load(tmp_path / "auditor.yaml").evidence
    assert found is not None
    assert found.tsa is not None


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_commands_of_the_page_verify_a_checkpoint_and_refuse_another(site: Site, tmp_path: Path) -> None:
    root = Root(tmp_path, name="evidence-root")
    root.signer()
    with stamping(tmp_path / "tsa") as tsa:
        signer, roots = "{certificate: evidence-signer.pem, key: evidence-signer.key}", tsa.authority.roots
        site.extra = f"evidence:\n  signer: {signer}\n  tsa: {{url: '{tsa.url}', roots: {roots}, insecure_http: true}}\n"
        site.configure()
        assert site.run("ledger", "checkpoint")[0] == 0
    folder = tmp_path / "files"
    assert site.run("ledger", "checkpoints", "--output", str(folder))[0] == 0
    [signed] = folder.glob("*.json")
    shutil.copy(root.path, folder / "root.pem")
    shutil.copy(roots, folder / "tsa-root.pem")
    typed = [command.replace("0001234", signed.stem) for command in COMMANDS]
    assert len(typed) == 4

    def type_them() -> list[int]:
        return [subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode for command in typed]

    assert type_them() == [0, 0, 0, 0]
    signed.write_bytes(signed.read_bytes().replace(b"checkpoint/1", b"checkpoint/2"))
    assert type_them()[2] != 0
    path = signed.with_name(f"{signed.name}.p7s")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert type_them()[0] != 0
