"""`docs/account.md` is true of what is sent, of what is needed, and of the configurations that it shows."""

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from auditor import config
from auditor.command import auditlog, pam
from auditor.command.client import Reader
from auditor.core.model import Auth, BasicAuth, Memory, ReadOutcome, SecretRef, StaticToken, Target
from auditor.exchange.trouble import HINTS
from auditor.simulator.accounts import READ_AUDIT_LOG, READ_PAM, READ_SYSTEM_SETTINGS
from auditor.simulator.command import TOKEN_PATH, Simulator
from tests.docs.pages import blocks, named, section, text_of
from tests.factories import AT, KEY

PAGE = "account.md"
BLOCKS = blocks(PAGE)
CONFIGURATIONS = [block for block in BLOCKS if block.language == "yaml"]


def configured(folder: Path, text: str) -> Target:
    (folder / config.FILE_NAME).write_text(text, encoding="utf-8")
    (target,) = config.load(folder / config.FILE_NAME).targets
    return target


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_of_the_page_loads(block: object, tmp_path: Path) -> None:
    target = configured(tmp_path, getattr(block, "text", ""))

    assert target.backoff_s == 6 * 3600
    assert "6 hours" in section(PAGE, "Back-off")


def test_the_page_shows_every_kind_of_credential(tmp_path: Path) -> None:
    assert {type(configured(tmp_path, block.text).auth) for block in CONFIGURATIONS} == set(Auth.__args__)


def test_the_permission_is_the_one_that_the_page_and_the_auditor_name() -> None:
    assert READ_SYSTEM_SETTINGS in named(section(PAGE, "One role, one permission"))
    assert READ_SYSTEM_SETTINGS in HINTS[ReadOutcome.FORBIDDEN]


@pytest.mark.parametrize(
    ("setting", "permission", "asked_with"), [("attribution", READ_AUDIT_LOG, auditlog.PERMISSION), ("pam_providers", READ_PAM, pam.PERMISSION)]
)
def test_each_optional_permission_stands_beside_the_setting_that_needs_it(setting: str, permission: str, asked_with: str, tmp_path: Path) -> None:
    optional = section(PAGE, "Two more permissions, if you want them")
    (line,) = [line for line in optional.splitlines() if line.startswith(f"| `{setting}: true`")]

    assert permission == asked_with
    assert permission in named(line)
    assert [getattr(configured(tmp_path, block.text), setting) for block in CONFIGURATIONS].count(True) == 1


@pytest.fixture
def simulator() -> Simulator:
    simulator = Simulator(clock=lambda: AT)
    simulator.accounts.add_user(r"CORP\svc-auditor", "secret")
    simulator.accounts.add_client("smtp-auditor", "secret", scopes=["command.read"])
    return simulator


def reader(simulator: Simulator, secret: str = "secret") -> Reader:
    return Reader(
        secret=lambda _: secret,
        fingerprint=KEY.of,
        clock=lambda: datetime(AT.year, AT.month, AT.day, AT.hour, tzinfo=UTC),
        collector_host="audit01",
        collector_version="0",
        transport=lambda _: httpx.WSGITransport(app=simulator),
    )


def asked(simulator: Simulator) -> list[tuple[str, str, str | None]]:
    return [(seen.method, seen.path, seen.version) for seen in simulator.requests]


def test_command_is_sent_one_get_with_the_headers_of_the_page(simulator: Simulator, tmp_path: Path) -> None:
    (request,) = [block for block in BLOCKS if block.text.startswith("GET ")]
    target = configured(tmp_path, CONFIGURATIONS[0].text)

    observation, _ = reader(simulator).observe(target, Memory())

    (seen,) = simulator.requests
    shown = dict(line.lower().split(": ", 1) for line in request.text.splitlines()[1:])
    assert observation.outcome is ReadOutcome.OBSERVED
    assert f"{seen.method} {seen.path}" == request.text.splitlines()[0]
    assert seen.version == shown["x-keyfactor-api-version"]
    for name in seen.headers.keys() - {"host"}:
        assert re.fullmatch(re.escape(shown[name]).replace(re.escape("..."), ".+"), seen.headers[name], re.IGNORECASE)


def test_with_oauth_the_token_endpoint_is_sent_a_post_and_command_a_get(simulator: Simulator, tmp_path: Path) -> None:
    target = configured(tmp_path, CONFIGURATIONS[1].text.replace("https://idp.example.org", "https://command.example.org"))
    auditor = reader(simulator)

    _, memory = auditor.observe(target, Memory())
    auditor.observe(target, memory)

    assert asked(simulator) == [("POST", TOKEN_PATH, None), *[("GET", "/KeyfactorAPI/SMTP", "2")] * 2]


def test_a_user_at_a_domain_is_sent_as_domain_and_user(simulator: Simulator, tmp_path: Path) -> None:
    text = CONFIGURATIONS[0].text.replace(r"'CORP\svc-auditor'", "svc-auditor@CORP")
    target = configured(tmp_path, text)

    reader(simulator).observe(target, Memory())

    assert isinstance(target.auth, BasicAuth)
    assert target.auth.username == "svc-auditor@CORP"
    assert [seen.account for seen in simulator.requests] == [r"CORP\svc-auditor"]


@pytest.mark.parametrize("number", [0, 1], ids=["password", "client secret"])
def test_a_refused_credential_is_not_sent_again_until_it_changes(number: int, simulator: Simulator, tmp_path: Path) -> None:
    target = configured(tmp_path, CONFIGURATIONS[number].text.replace("https://idp.example.org", "https://command.example.org"))

    refused, memory = reader(simulator, "wrong").observe(target, Memory())
    sent = len(simulator.requests)
    held, memory = reader(simulator, "wrong").observe(target, memory)

    assert (refused.outcome, held.outcome) == (ReadOutcome.UNAUTHENTICATED, ReadOutcome.BACKING_OFF)
    assert len(simulator.requests) == sent == 1
    assert reader(simulator).observe(target, memory)[0].outcome is ReadOutcome.OBSERVED


def test_a_token_with_the_word_bearer_before_it_is_not_sent(simulator: Simulator, tmp_path: Path) -> None:
    target = configured(tmp_path, CONFIGURATIONS[2].text)

    observation, _ = reader(simulator, "Bearer abc").observe(target, Memory())

    assert target.auth == StaticToken(token=SecretRef("file", str((tmp_path / "/run/credentials/auditor/command.token").resolve())))
    assert observation.outcome is ReadOutcome.CREDENTIAL_MISSING
    assert "Bearer" in text_of(PAGE)
    assert asked(simulator) == []
