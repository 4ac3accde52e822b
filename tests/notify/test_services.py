"""Services through apprise, to a real HTTP server of its generic kind; and what is said where the package is missing."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from auditor.core.model import AppriseChannel, NoticeKind, Receipt, SecretRef, Severity
from auditor.errors import ConfigError
from auditor.notify import open_channel
from tests.command.far_end import FarEnd, reply
from tests.notify.ends import digest, means, notice

# One of its services imports a module that Python 3.13 leaves out.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")

TOKEN = "t0k3n-of-the-service"
CHANNEL = AppriseChannel(name="chat", url=SecretRef("env", "URL"), timeout_s=20.0)


def sent(url: str, *notices: Any, config: AppriseChannel = CHANNEL) -> Receipt:
    return open_channel(config, means(URL=url)).send(digest(*notices))


def test_a_message_reaches_the_service() -> None:
    with FarEnd(lambda _: reply(200)) as far_end:
        receipt = sent(
            f"json://user:{TOKEN}@127.0.0.1:{far_end.port}/path", notice("a *b* _c_ :smile: \\n"), notice("d", kind=NoticeKind.DRIFT_ENDED)
        )

    assert receipt == Receipt.delivered()
    heard = json.loads(far_end.requests[0].body)
    assert (heard["title"], heard["type"]) == ("a *b* _c_ :smile: \\n", "failure")
    assert heard["message"] == "[critical] a *b* _c_ :smile: \\n\n[over] d\nsent by auditor on audit01.corp.example"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (notice("x", severity=Severity.MEDIUM), "warning"),
        (notice("x", severity=Severity.INFO, kind=NoticeKind.TEST), "info"),
        (notice("x", kind=NoticeKind.FINDING_RESOLVED), "success"),
    ],
)
def test_how_bad_it_is_is_told_in_the_services_own_words(told: Any, kind: str) -> None:
    with FarEnd(lambda _: reply(200)) as far_end:
        sent(f"json://127.0.0.1:{far_end.port}", told)

    assert json.loads(far_end.requests[0].body)["type"] == kind


@pytest.mark.parametrize("status", [302, 400, 401, 404, 500, 503])
def test_a_failure_has_no_reason_and_is_tried_again(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FarEnd(lambda _: reply(status, TOKEN, {"Location": f"/elsewhere/{TOKEN}"})) as far_end:
        receipt = sent(f"json://user:{TOKEN}@127.0.0.1:{far_end.port}/{TOKEN}?retry=0")

    assert receipt == Receipt.retry("the service did not take the message; apprise does not say why")
    assert {request.line.split("?")[0] for request in far_end.requests} == {f"POST /{TOKEN} HTTP/1.1"}
    assert TOKEN not in "".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))


def test_a_service_that_dawdles_holds_us_up_for_one_timeout() -> None:
    config = AppriseChannel(name="chat", url=SecretRef("env", "URL"), timeout_s=0.5)
    with FarEnd(lambda _: (b"" for _ in range(1) if not far_end.wait(3))) as far_end:
        receipt = sent(f"json://127.0.0.1:{far_end.port}", config=config)

    assert receipt == Receipt.retry("the service did not take the message in time")


@pytest.mark.parametrize("url", [f"nosuch://{TOKEN}", TOKEN, f"json://[{TOKEN}", f"mailto://{TOKEN}"])
def test_a_url_that_apprise_does_not_know_is_named_by_its_reference(url: str) -> None:
    assert sent(url) == Receipt.retry("env:URL holds no URL that apprise knows")


def test_a_url_that_switches_verification_off_is_not_used() -> None:
    with FarEnd(lambda _: reply(200)) as far_end:
        receipt = sent(f"json://127.0.0.1:{far_end.port}?verify=no")

    assert receipt == Receipt.retry("env:URL says verify=no: certificates are always verified")
    assert far_end.requests == []


def test_many_notices_are_counted_and_a_huge_one_is_cut() -> None:
    with FarEnd(lambda _: reply(200)) as far_end:
        receipt = sent(f"json://127.0.0.1:{far_end.port}", *[notice("t" * 100_000)] * 100)

    assert receipt == Receipt.delivered()
    message = json.loads(far_end.requests[0].body)["message"]
    assert len(message) < 9000
    assert "… and 80 more" in message


def test_a_secret_that_is_not_there_is_tried_again() -> None:
    assert open_channel(CHANNEL, means()).send(digest()) == Receipt.retry("env:URL: the environment variable is not set or empty")


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "apprise", raising=False)

    with pytest.raises(ConfigError, match="the channel chat is of type apprise, and the package apprise is not installed") as caught:
        open_channel(CHANNEL, means())

    assert caught.value.hint == 'pip install "smtp-auditor[apprise]"'
