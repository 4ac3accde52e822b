"""OAuth client credentials against a token endpoint that can misbehave, and what neither logs nor observations may hold."""

import base64
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from auditor.core.model import ClientCredentials, Memory, ReadOutcome, SecretRef, TokenAuthMethod
from tests.command.far_end import COMMAND, SECRETS, Authority, FarEnd, Issued, OurEnd, Reply, Request, reply, target_at

PROFILE = '{"Host": "smtp.corp.example", "Id": 1, "Port": 587, "RelayAuthenticationType": 0, "UseSSL": true}'
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhdWRpdG9yIn0.sig"


def grant(**changes: object) -> bytes:
    return reply(200, json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600} | changes))


class Provider:
    """Command and its token endpoint on one port."""

    def __init__(self, *, token: Callable[[], Reply] = grant, smtp: Callable[[], Reply] = lambda: reply(200, PROFILE, COMMAND)) -> None:
        self.token, self.smtp = token, smtp

    def __call__(self, request: Request) -> Reply:
        return self.token() if request.line.startswith("POST /token") else self.smtp()


def lines(far_end: FarEnd) -> list[str]:
    return [request.line.split()[0] for request in far_end.requests]


def credentials(far_end: FarEnd, **changes: object) -> ClientCredentials:
    settings: dict[str, object] = {
        "token_url": f"{far_end.url}/token",
        "client_id": "smtp auditor",
        "client_secret": SecretRef("env", "CLIENT_SECRET"),
    }
    return ClientCredentials(**settings | changes)  # type: ignore[arg-type]


def test_a_token_is_bought_as_rfc_6749_says_and_used_until_its_last_minute(ours: OurEnd) -> None:
    with FarEnd(Provider()) as far_end:
        target = target_at(far_end.url, auth=credentials(far_end, scopes=("read", "write"), audience="https://command.corp.example"))
        observation, memory = ours.reader.observe(target, Memory())
        bought, used = far_end.requests
        assert bought.line == "POST /token HTTP/1.1"
        # RFC 6749 section 2.3.1: both parts form-encoded, then joined and encoded
        assert base64.b64decode(bought.headers["authorization"].removeprefix("Basic ")) == b"smtp+auditor:s3cr3t%2Bof%2Fthe%3Dclient"
        assert parse_qs(bought.body.decode()) == {
            "grant_type": ["client_credentials"],
            "scope": ["read write"],
            "audience": ["https://command.corp.example"],
        }
        assert bought.headers["content-type"] == "application/x-www-form-urlencoded"
        assert used.headers["authorization"] == f"Bearer {TOKEN}"
        assert (observation.outcome, observation.collection.attempts) == (ReadOutcome.OBSERVED, 1)
        assert (observation.collection.account, observation.collection.auth_method) == ("smtp auditor", "oauth_client_credentials")

        ours.at += timedelta(seconds=3539)
        ours.reader.observe(target, memory)
        assert lines(far_end) == ["POST", "GET", "GET"]
        ours.at += timedelta(seconds=1)
        ours.reader.observe(target, memory)
        assert lines(far_end) == ["POST", "GET", "GET", "POST", "GET"]


def test_the_client_can_show_itself_in_the_form(ours: OurEnd) -> None:
    with FarEnd(Provider()) as far_end:
        ours.reader.observe(target_at(far_end.url, auth=credentials(far_end, method=TokenAuthMethod.POST)), Memory())
        assert "authorization" not in far_end.requests[0].headers
        assert parse_qs(far_end.requests[0].body.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": ["smtp auditor"],
            "client_secret": ["s3cr3t+of/the=client"],
        }


@pytest.mark.parametrize(
    ("changes", "kept_s"),
    [
        ({"expires_in": "600"}, 540),
        ({"expires_in": None}, 240),
        ({"expires_in": 1e30}, 240),
        ({"expires_in": True}, 240),
        ({"expires_in": 10**9}, 86_340),
        ({"expires_in": 60}, 0),
        ({"expires_in": -5}, 0),
        ({"token_type": "bearer"}, 3540),
    ],
)
def test_the_lifetime_of_a_token_is_bounded(ours: OurEnd, changes: dict[str, object], kept_s: int) -> None:
    with FarEnd(Provider(token=lambda: grant(**changes))) as far_end:
        target = target_at(far_end.url, auth=credentials(far_end))
        _, memory = ours.reader.observe(target, Memory())
        ours.at += timedelta(seconds=max(kept_s - 1, 0))
        ours.reader.observe(target, memory)
        ours.at += timedelta(seconds=1)
        ours.reader.observe(target, memory)
        assert lines(far_end).count("POST") == (2 if kept_s else 3)


def test_a_withdrawn_token_is_renewed_once(ours: OurEnd) -> None:
    answers = iter([reply(200, PROFILE), reply(401), reply(200, PROFILE), reply(401), reply(401)])
    with FarEnd(Provider(smtp=lambda: next(answers))) as far_end:
        target = target_at(far_end.url, auth=credentials(far_end))
        _, memory = ours.reader.observe(target, Memory())
        renewed, memory = ours.reader.observe(target, memory)
        assert (renewed.outcome, renewed.collection.attempts, lines(far_end)) == (ReadOutcome.OBSERVED, 2, ["POST", "GET", "GET", "POST", "GET"])
        denied, _ = ours.reader.observe(target, memory)
        assert (denied.outcome, lines(far_end)[5:]) == (ReadOutcome.UNAUTHENTICATED, ["GET", "POST", "GET"])


def test_a_fresh_token_that_is_denied_is_not_tried_again(ours: OurEnd) -> None:
    with FarEnd(Provider(smtp=lambda: reply(401))) as far_end:
        ours.reader.observe(target_at(far_end.url, auth=credentials(far_end), attempts=3), Memory())
        assert lines(far_end) == ["POST", "GET"]


def test_a_rotated_secret_buys_a_new_token(ours: OurEnd) -> None:
    with FarEnd(Provider()) as far_end:
        target = target_at(far_end.url, auth=credentials(far_end))
        _, memory = ours.reader.observe(target, Memory())
        ours.secrets["CLIENT_SECRET"] = "another"
        ours.reader.observe(target, memory)
        assert lines(far_end) == ["POST", "GET", "POST", "GET"]


@pytest.mark.parametrize(
    ("answer", "outcome", "said", "hint"),
    [
        (
            reply(401, '{"error": "invalid_client"}'),
            ReadOutcome.UNAUTHENTICATED,
            " gave no token: it answered 401 (invalid_client)",
            "`client_secret`",
        ),
        (reply(400, '{"error": "invalid_scope"}'), ReadOutcome.UNAUTHENTICATED, " gave no token: it answered 400 (invalid_scope)", "`scopes`"),
        (reply(400, '{"error": "s3cr3t"}'), ReadOutcome.UNAUTHENTICATED, " gave no token: it answered 400", "`client_id`"),
        (reply(403, "<html>"), ReadOutcome.UNAUTHENTICATED, " gave no token: it answered 403", "`client_id`"),
        (reply(400, '{"error": {"a": 1}}'), ReadOutcome.UNAUTHENTICATED, " gave no token: it answered 400", "`client_id`"),
        (reply(404), ReadOutcome.NOT_FOUND, " answered 404: nothing is there", "`token_url`"),
        (
            reply(307, "", {"Location": "http://evil.example/"}),
            ReadOutcome.REDIRECTED,
            " answered 307 with a redirect to http://evil.example",
            "`token_url`",
        ),
        (reply(429), ReadOutcome.THROTTLED, " answered 429: too many requests", "identity provider"),
        (reply(500, '{"error": "server_error"}'), ReadOutcome.SERVER_ERROR, " answered 500", "identity provider"),
        (reply(405), ReadOutcome.REJECTED, " answered 405", "identity provider"),
        (reply(200, "<html>"), ReadOutcome.MALFORMED, " sent no bearer token", "`token_url`"),
        (reply(200, "[]"), ReadOutcome.MALFORMED, " sent no bearer token", "`token_url`"),
        (grant(access_token=None), ReadOutcome.MALFORMED, " sent no bearer token", "`token_url`"),
        (grant(access_token="a b"), ReadOutcome.MALFORMED, " sent no bearer token", "`token_url`"),
        (grant(access_token="x" * 17_000), ReadOutcome.MALFORMED, " sent no bearer token", "`token_url`"),
        (grant(token_type="mac"), ReadOutcome.MALFORMED, " sent no bearer token", "`token_url`"),
        (grant(token_type=7), ReadOutcome.MALFORMED, " sent no bearer token", "`token_url`"),
        (reply(200, b" " * 70_000), ReadOutcome.TOO_LARGE, " sent more than 65536 bytes", "profile"),
        (reply(200, "x", {"Content-Encoding": "gzip"}), ReadOutcome.MALFORMED, " sent its answer encoded, though we ask for none", "proxy"),
    ],
)
def test_trouble_at_the_token_endpoint_is_said_to_be_there(ours: OurEnd, answer: bytes, outcome: ReadOutcome, said: str, hint: str) -> None:
    with FarEnd(Provider(token=lambda: answer)) as far_end:
        observation, memory = ours.reader.observe(target_at(far_end.url, auth=credentials(far_end)), Memory())
    assert (observation.outcome, observation.message) == (outcome, f"the token endpoint {far_end.url.removeprefix('http://')}{said}")
    assert hint in observation.hint
    assert (observation.collection.status, observation.collection.attempts, lines(far_end)) == (None, 0, ["POST"])
    assert (memory.denied_as is not None) is (outcome is ReadOutcome.UNAUTHENTICATED)


def test_a_busy_token_endpoint_is_asked_again(ours: OurEnd) -> None:
    answers = iter([reply(503), grant()])
    with FarEnd(Provider(token=lambda: next(answers))) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, auth=credentials(far_end), attempts=2), Memory())
    assert (observation.outcome, lines(far_end), ours.slept) == (ReadOutcome.OBSERVED, ["POST", "POST", "GET"], [0.5])


def test_the_token_endpoint_is_verified_even_where_the_target_is_not(ours: OurEnd, leaf: Issued, authority: Authority) -> None:
    with FarEnd(Provider(), tls=leaf.server()) as far_end:
        target = target_at(far_end.url, auth=credentials(far_end), insecure_skip_verify=True)
        unknown, _ = ours.reader.observe(target, Memory())
        known, _ = ours.reader.observe(target_at(far_end.url, auth=credentials(far_end), ca_file=str(authority.certificate)), Memory())
    assert unknown.outcome is ReadOutcome.TLS_FAILED
    assert unknown.message.startswith("the certificate of the token endpoint 127.0.0.1")
    assert known.outcome is ReadOutcome.OBSERVED


@pytest.mark.parametrize("url", ["http://login.corp.example/token", "http://127.0.0.1.evil.example/token"])
def test_a_client_secret_never_travels_in_clear(ours: OurEnd, url: str) -> None:
    with FarEnd(Provider()) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, auth=credentials(far_end, token_url=url)), Memory())
    assert (observation.outcome, far_end.requests) == (ReadOutcome.TLS_FAILED, [])


def test_tokens_of_two_targets_are_kept_apart(ours: OurEnd) -> None:
    tokens = iter("ABC")
    with FarEnd(Provider(token=lambda: grant(access_token=next(tokens)))) as far_end:
        for name in ("one", "two", "one", "two"):
            ours.reader.observe(target_at(far_end.url, name=name, auth=credentials(far_end)), Memory())
        sent = [request.headers["authorization"] for request in far_end.requests if request.line.startswith("GET")]
    assert sent == ["Bearer A", "Bearer B", "Bearer A", "Bearer B"]


# --- secrecy ------------------------------------------------------------------------------------------------------


def test_neither_debug_logs_nor_observations_hold_a_secret(ours: OurEnd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = PROFILE[:-1] + ', "RelayPassword": {"SecretValue": "planted-relay", "Parameters": {}, "Provider": null}, "Extra": "planted-extra"}'
    answers = iter([reply(200, body), reply(401), reply(403, "planted-error"), reply(400, "planted-error"), reply(200, "planted-error")])
    with FarEnd(Provider(smtp=lambda: next(answers))) as far_end:
        oauth = target_at(far_end.url, auth=credentials(far_end))
        basic = target_at(far_end.url)
        seen = [ours.reader.observe(target, Memory())[0] for target in (oauth, oauth, basic, basic)]
    logged = "\n".join(record.getMessage() + str(record.__dict__) for record in caplog.records)
    assert "httpcore" in logged  # or nothing would be shown
    assert [observation.outcome.value for observation in seen] == ["observed", "forbidden", "rejected", "malformed"]
    for secret in (*SECRETS.values(), TOKEN, "planted-relay", "planted-extra", "planted-error", "Authorization", "authorization"):
        assert secret not in logged
        assert secret not in repr(seen)


def test_what_is_logged_is_event_target_outcome_and_figures(ours: OurEnd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "auditor.command")
    with FarEnd(lambda _: reply(403)) as far_end:
        ours.reader.observe(target_at(far_end.url), Memory())
    [record] = caplog.records
    logged = {key: record.__dict__[key] for key in ("event", "target", "outcome", "status", "attempts", "duration_ms")}
    assert (record.levelname, record.getMessage()) == ("WARNING", "read command-prod: forbidden")
    assert logged == {"event": "read", "target": "command-prod", "outcome": "forbidden", "status": 403, "attempts": 1, "duration_ms": 0}
