"""`docs/alerts.md`: its configuration is understood, its ways to verify a signature do, an old one is refused."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor import config
from auditor.notify.webhook import signature
from tests.docs.pages import blocks

SECRET, BODY, NOW = "whsec+of/the=hook", b'{"title": "a\\nb"}\n\n', 1795428000
HEADER = signature(SECRET, BODY, at_unix=NOW)

PAGE = "alerts.md"
TARGETS = "targets: [{name: a, url: https://a.example, auth: {type: token, token: env:T}}]\n"


def code(says: str) -> str:
    return next(block.text for block in blocks(PAGE) if block.mark == "verifies" and block.says == says)


def test_the_configuration_of_the_page_is_understood(tmp_path: Path) -> None:
    first, more = [block.text for block in blocks(PAGE) if block.language == "yaml"]
    path = tmp_path / "auditor.yaml"
    path.write_text(TARGETS + first.replace("events:", more + "events:"), encoding="utf-8")

    loaded = config.load(path)

    assert [channel.name for channel in loaded.alerts.channels] == ["operators", "ticket-system", "chat"]


def verified_in_python(header: str, body: bytes, secret: str, folder: Path) -> bool:
    scope: dict[str, Callable[..., bool]] = {}
    exec(code("python"), scope)
    return scope["is_genuine"](header, body, secret, NOW + 60)


def verified_in_a_shell(header: str, body: bytes, secret: str, folder: Path) -> bool:
    (folder / "body").write_bytes(body)
    environment = {"header": header, "secret": secret, "PATH": "/usr/bin:/bin"}
    run = subprocess.run(["sh", "-c", code("sh")], check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=30)
    assert run.stderr == ""
    return run.stdout == "genuine\n"


@pytest.mark.parametrize("verified", [verified_in_python, verified_in_a_shell])
def test_the_ways_to_verify_a_signature_tell_a_genuine_one_from_another(verified: Callable[..., bool], tmp_path: Path) -> None:
    if verified is verified_in_a_shell and shutil.which("openssl") is None:
        pytest.skip("needs openssl")

    assert verified(HEADER, BODY, SECRET, tmp_path)
    assert not verified(HEADER, BODY + b" ", SECRET, tmp_path)
    assert not verified(HEADER, BODY, "another", tmp_path)
    assert not verified(HEADER.replace(f"t={NOW}", f"t={NOW + 1}"), BODY, SECRET, tmp_path)


def test_a_signature_that_is_old_is_refused() -> None:
    scope: dict[str, Callable[..., bool]] = {}
    exec(code("python"), scope)

    assert not scope["is_genuine"](HEADER, BODY, SECRET, NOW + 300)
