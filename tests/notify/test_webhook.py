"""The webhook and the heartbeat, to a real HTTP server: what is sent, that it can be verified, and what each answer means."""

import hashlib
import hmac
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.core.model import Attachment, DeliveryState, Heartbeat, NoticeKind, Receipt, SecretRef, Severity, WebhookChannel
from auditor.notify import open_channel
from auditor.notify.heartbeat import beat
from auditor.notify.webhook import MAX_BODY_BYTES, body, signature
from tests.command.far_end import Authority, FarEnd, Issued, Request, drip, reply
from tests.notify.ends import AT, WEBHOOK_SECRET, digest, free_port, means, notice


def hook(url: str | SecretRef, **others: Any) -> WebhookChannel:
    values = {"insecure_http": True, "timeout_s": 5.0} | others
    return WebhookChannel(name="hook", url=url, secret=SecretRef("env", "WEBHOOK_SECRET"), **values)


def is_genuine(request: Request, secret: str) -> bool:
    """As docs/alerts.md has it."""
    parts = dict(part.split("=", 1) for part in request.headers["x-auditor-signature"].split(","))
    expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + request.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"])


def posted(answer: bytes, **others: Any) -> tuple[Receipt, list[Request]]:
    with FarEnd(lambda _: answer) as far_end:
        receipt = open_channel(hook(f"{far_end.url}/hook?x=1", **others), means()).send(digest(detail_of("turn it on")))
    return receipt, far_end.requests


def detail_of(text: str) -> Any:
    return notice(detail=text, labels=(("env", "prod"),), owner="pki-team")


def test_a_message_is_signed_json_under_an_idempotency_key() -> None:
    receipt, (request,) = posted(reply(204))

    assert receipt == Receipt.delivered()
    assert request.line == "POST /hook?x=1 HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "k" * 64
    assert request.headers["user-agent"] == "smtp-auditor/1.2.3"
    assert request.headers["x-auditor-signature"].startswith(f"t={int(AT.timestamp())},v1=")
    assert is_genuine(request, WEBHOOK_SECRET)
    assert not is_genuine(request, "another")
    assert json.loads(request.body) == {
        "schema": "digest/1",
        "key": "k" * 64,
        "at": "2026-11-23T10:00:00+00:00",
        "at_unix": 1795428000,
        "title": notice().title,
        "collector": "audit01.corp.example",
        "link": None,
        "omitted": 0,
        "attachments": [],
        "notices": [detail_of("turn it on").document()],
    }


def test_a_signature_is_of_time_and_body_byte_for_byte() -> None:
    """The figure is from `printf '1795428000.{}' | openssl dgst -sha256 -hmac secret`."""
    assert signature("secret", b"{}", at_unix=1795428000) == "t=1795428000,v1=cb9369cb180cf16174070fc614e512e6df53f9e9483f2640c30901d2cbf585cc"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_fleet_3527_any_2xx_is_success(status: int) -> None:
    assert posted(reply(status, "thanks"))[0] == Receipt.delivered()


@pytest.mark.parametrize(
    "answer",
    [reply(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}), reply(200, "x" * 1_000_000), b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbroken"],
    ids=["encoded", "large", "cut short"],
)
def test_fleet_3527_success_stays_success_whatever_comes_behind_it(answer: bytes) -> None:
    assert posted(answer)[0] == Receipt.delivered()


def test_fleet_3527_a_body_that_never_ends_does_not_undo_success() -> None:
    with FarEnd(lambda _: drip(far_end, b"HTTP/1.1 201 X\r\nContent-Length: 100000\r\n\r\n")) as far_end:
        assert open_channel(hook(far_end.url, timeout_s=2.0), means()).send(digest()) == Receipt.delivered()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_can_pass_is_tried_again(status: int) -> None:
    assert posted(reply(status, "secret stack trace"))[0] == Receipt.retry(f"127.0.0.1 answered {status}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
def test_what_will_never_be_taken_is_parked(status: int) -> None:
    assert posted(reply(status, "secret stack trace"))[0] == Receipt.parked(f"127.0.0.1 answered {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with FarEnd(lambda _: reply(200)) as elsewhere:
        receipt, requests = posted(reply(status, headers={"Location": f"{elsewhere.url}/?token=t0ken"}))

    assert receipt == Receipt.parked(f"127.0.0.1 answered {status}: redirects are not followed")
    assert (len(requests), elsewhere.requests) == (1, [])


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("120", timedelta(minutes=2)),
        ("Mon, 23 Nov 2026 10:05:00 GMT", timedelta(minutes=5)),
        ("999999999", timedelta(hours=6)),
        ("0", None),
        ("-5", None),
        ("Mon, 23 Nov 2026 09:00:00 GMT", None),
        ("soon", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_within_six_hours(status: int, text: str, after: timedelta | None) -> None:
    assert posted(reply(status, headers={"Retry-After": text}))[0] == Receipt.retry(f"127.0.0.1 answered {status}", after=after)


def test_a_far_end_that_drips_costs_one_timeout() -> None:
    with FarEnd(lambda _: drip(far_end, b"HTTP/1.1 200 OK\r\nX: ")) as far_end:
        receipt = open_channel(hook(far_end.url, timeout_s=0.4), means()).send(digest())

    assert receipt == Receipt.retry("127.0.0.1 did not answer in time")


def test_a_far_end_that_is_not_there_is_tried_again() -> None:
    receipt = open_channel(hook(f"http://127.0.0.1:{free_port()}"), means()).send(digest())

    assert (receipt.state, receipt.reason) == (DeliveryState.PENDING, "no connection to 127.0.0.1: Connection refused")


def test_a_private_authority_is_trusted_where_it_is_named_and_not_elsewhere(authority: Authority, leaf: Issued) -> None:
    with FarEnd(lambda _: reply(200), tls=leaf.server()) as far_end:
        named = open_channel(hook(far_end.url, ca_file=str(authority.certificate)), means()).send(digest())
        unnamed = open_channel(hook(far_end.url), means()).send(digest())

    assert named == Receipt.delivered()
    assert unnamed == Receipt.retry("the certificate of 127.0.0.1 comes from a certification authority that this machine does not know")
    assert len(far_end.requests) == 1


def test_a_proxy_is_asked_where_one_is_configured() -> None:
    with FarEnd(lambda _: reply(202)) as proxy:
        receipt = open_channel(hook("http://127.0.0.1:9/hook", proxy=proxy.url), means()).send(digest())

    assert receipt == Receipt.delivered()
    assert proxy.requests[0].line == "POST http://127.0.0.1:9/hook HTTP/1.1"


# --- secrets ------------------------------------------------------------------------------------------------------

TOKEN = "T00K3N-in-the-path"


@pytest.mark.parametrize(
    "answer",
    [reply(200), reply(302, headers={"Location": f"/{TOKEN}"}), reply(404, TOKEN), reply(500, TOKEN), b"no HTTP " + TOKEN.encode() + b"\r\n\r\n"],
)
def test_a_secret_url_and_the_signing_secret_show_nowhere(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FarEnd(lambda _: answer) as far_end:
        receipt = open_channel(hook(SecretRef("env", "URL")), means(URL=f"{far_end.url}/{TOKEN}\n")).send(digest())

    assert far_end.requests[0].line == f"POST /{TOKEN} HTTP/1.1"
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("auditor"))
    for secret in (TOKEN, WEBHOOK_SECRET):
        assert secret not in receipt.reason + ours


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        (f"http://chat.example/{TOKEN}", "is not https"),
        (f"https://user:{TOKEN}@chat.example/", "has a user or password in it"),
        (f"{TOKEN}", "is not a URL with a host in ASCII"),
        (f"https://chat.example:{TOKEN}/", "is not a URL"),
    ],
)
def test_a_secret_that_is_no_safe_url_is_parked_and_not_shown(url: str, fault: str) -> None:
    receipt = open_channel(hook(SecretRef("env", "URL")), means(URL=url)).send(digest())

    assert receipt == Receipt.parked(f"the URL in env:URL {fault}")


@pytest.mark.parametrize("missing", ["url", "secret"])
def test_a_secret_that_is_not_there_is_tried_again(missing: str) -> None:
    gone = SecretRef("env", "GONE")
    config = WebhookChannel(name="hook", **({"url": "https://hook.example", "secret": SecretRef("env", "WEBHOOK_SECRET")} | {missing: gone}))  # type: ignore[arg-type]

    assert open_channel(config, means()).send(digest()) == Receipt.retry("env:GONE: the environment variable is not set or empty")


# --- size and safety ----------------------------------------------------------------------------------------------


def test_a_huge_message_is_bounded_and_counts_what_it_leaves_out() -> None:
    many = [notice("\u202e" * 100_000, detail=("\u202e" * 1000 + "\n") * 100, subject=str(number)) for number in range(1000)]

    content = body(digest(*many))

    told = json.loads(content)
    assert len(content) <= MAX_BODY_BYTES
    assert told["notices"]
    assert len(told["notices"]) + told["omitted"] == 1000
    assert "\\u202e" not in content.decode()


def test_files_are_named_and_not_sent() -> None:
    told = json.loads(body(digest(attachments=(Attachment(name="r.html", media_type="text/html", content=b"12345"),))))

    assert told["attachments"] == [{"name": "r.html", "media_type": "text/html", "bytes": 5}]


def test_a_test_notice_is_sent_like_any_other() -> None:
    with FarEnd(lambda _: reply(200)) as far_end:
        receipt = open_channel(hook(far_end.url), means()).send(digest(notice("t", kind=NoticeKind.TEST, severity=Severity.INFO, target=None)))

    assert receipt == Receipt.delivered()
    assert json.loads(far_end.requests[0].body)["notices"][0]["kind"] == "test"


# --- the heartbeat ------------------------------------------------------------------------------------------------


def test_the_heartbeat_is_a_get_that_tells_nothing() -> None:
    with FarEnd(lambda _: reply(200)) as far_end:
        receipt = beat(Heartbeat(url=SecretRef("env", "URL"), insecure_http=True), means(URL=f"{far_end.url}/ping/{TOKEN}"))

    assert receipt == Receipt.delivered()
    assert [(request.line, request.body) for request in far_end.requests] == [(f"GET /ping/{TOKEN} HTTP/1.1", b"")]


def test_a_heartbeat_that_nobody_hears_is_no_error_of_ours(tmp_path: Path) -> None:
    receipt = beat(Heartbeat(url=f"http://127.0.0.1:{free_port()}/", insecure_http=True), means())

    assert receipt.state is DeliveryState.PENDING
