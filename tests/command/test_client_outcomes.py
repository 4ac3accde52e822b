"""Every outcome that a read can end in, over real sockets; most over TLS from a private authority."""

import base64
import gzip
import hashlib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.core.model import BasicAuth, ClientCertificate, ClientCredentials, Memory, Observation, ReadOutcome, SecretRef, StaticToken, Target
from tests.command.far_end import COMMAND, PASSWORD, Authority, FarEnd, Issued, OurEnd, Reply, Request, drip, reply, target_at

PROFILE = '{"Host": "smtp.corp.example", "Id": 1, "Port": 587, "RelayAuthenticationType": 0, "UseSSL": true}'


def observe(ours: OurEnd, answer: bytes | Callable[[Request], Reply], **changes: object) -> Observation:
    with FarEnd(answer if callable(answer) else lambda _: answer) as far_end:
        return ours.reader.observe(target_at(far_end.url, **changes), Memory())[0]


def test_a_profile_is_observed_over_verified_tls_with_all_that_evidence_needs(ours: OurEnd, authority: Authority, leaf: Issued) -> None:
    headers = COMMAND | {"Date": "Mon, 04 May 2026 10:00:07 GMT"}
    with FarEnd(lambda _: reply(200, PROFILE, headers), tls=leaf.server()) as far_end:
        target = target_at(far_end.url, ca_file=str(authority.certificate))
        observation, memory = ours.reader.observe(target, Memory())

    seen = observation.collection
    assert (observation.outcome, observation.message, observation.hint) == (ReadOutcome.OBSERVED, "", "")
    assert observation.snapshot is not None
    assert observation.snapshot.facts["Host"].value == "smtp.corp.example"
    assert (seen.method, seen.url, seen.api_version, seen.status) == ("GET", f"{far_end.url}/KeyfactorAPI/SMTP", 2, 200)
    assert seen.server_date is not None
    assert (seen.server_date.isoformat(), seen.clock_offset_ms) == ("2026-05-04T10:00:07+00:00", 7000)
    assert (seen.product_version, seen.supported_versions, seen.correlation_id) == ("25.4.1+dc0db2c8", "1.0, 2", "f0a3d640-8aa2")
    der = ssl.PEM_cert_to_DER_cert(leaf.certificate.read_text())
    assert seen.tls_leaf_sha256 == hashlib.sha256(der).hexdigest()
    assert (seen.remote_address, seen.tls_version, seen.tls_verified) == ("127.0.0.1", "TLSv1.3", True)
    assert (seen.account, seen.auth_method, seen.attempts, seen.body_bytes) == ("corp.example\\auditor", "basic", 1, len(PROFILE))
    assert (seen.collector_host, seen.collector_version) == ("watcher", "1.2.3")
    assert (memory.api_version, memory.product_version, memory.denied_until) == (2, "25.4.1+dc0db2c8", None)


def test_the_request_is_the_one_that_command_documents(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(200, PROFILE)) as far_end:
        ours.reader.observe(target_at(far_end.url, api_path="/Keyfactor/API/"), Memory())
    request = far_end.requests[0]
    assert request.line == "GET /Keyfactor/API/SMTP HTTP/1.1"
    assert request.headers == {
        "host": far_end.url.removeprefix("http://"),
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": "Basic " + base64.b64encode(f"corp.example\\auditor:{PASSWORD}".encode()).decode(),
        "user-agent": "smtp-auditor/1.2.3",
        "x-keyfactor-api-version": "2",
        "x-keyfactor-requested-with": "APIClient",
    }


# --- no answer ----------------------------------------------------------------------------------------------------


def test_a_name_without_address_is_a_dns_failure(ours: OurEnd) -> None:
    observation, _ = ours.reader.observe(target_at("https://command.invalid"), Memory())
    assert observation.outcome is ReadOutcome.DNS_FAILED
    assert observation.message.startswith("command.invalid ")
    assert observation.collection.status is None


def test_a_label_too_long_for_any_name_is_a_dns_failure(ours: OurEnd) -> None:
    observation, _ = ours.reader.observe(target_at(f"https://{'a' * 64}.example"), Memory())
    assert observation.outcome is ReadOutcome.DNS_FAILED


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_refused_connection_is_tried_again_and_then_unreachable(ours: OurEnd) -> None:
    port = free_port()
    observation, _ = ours.reader.observe(target_at(f"https://127.0.0.1:{port}", attempts=3), Memory())
    assert observation.outcome is ReadOutcome.UNREACHABLE
    assert observation.message.startswith(f"no connection to 127.0.0.1:{port}: ")
    assert (observation.collection.attempts, ours.slept) == (3, [0.5, 1.0])


@pytest.mark.parametrize(
    ("answer", "message"),
    [(b"", "closed the connection without an answer"), ([b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{"], "broke off in its answer")],
)
def test_a_server_that_hangs_up_is_no_profile(ours: OurEnd, answer: Reply, message: str) -> None:
    observation = observe(ours, lambda _: [answer] if isinstance(answer, bytes) else answer)
    assert observation.outcome in (ReadOutcome.UNREACHABLE, ReadOutcome.MALFORMED)
    assert observation.message.endswith(message)


def test_a_reset_in_the_middle_of_an_answer_is_unreachable(ours: OurEnd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{")
            time.sleep(0.05)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        observation, _ = ours.reader.observe(target_at(f"http://127.0.0.1:{server.getsockname()[1]}"), Memory())
        thread.join()
    assert observation.outcome is ReadOutcome.UNREACHABLE
    assert " broke: " in observation.message


def observe_drip(
    ours: OurEnd, head: bytes, *, tls: ssl.SSLContext | None = None, piece: bytes = b"x", **changes: object
) -> tuple[Observation, float]:
    with FarEnd(lambda _: drip(far_end, head, piece), tls=tls) as far_end:
        started = time.monotonic()
        observation, _ = ours.reader.observe(target_at(far_end.url, timeout_s=0.3, **changes), Memory())
        return observation, time.monotonic() - started


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n{", b"x", id="body"),
        pytest.param(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", id="chunks"),
        pytest.param(b"HTTP/1.1 200 X\r\nX-Slow: ", b"x", id="header"),
        pytest.param(b"", b"HTTP/1.1 103 X\r\n\r\n", id="interim answers"),
        pytest.param(b"", b"", id="nothing"),
    ],
)
def test_a_dripping_server_is_left_at_the_deadline(ours: OurEnd, head: bytes, piece: bytes) -> None:
    observation, took_s = observe_drip(ours, head, piece=piece)
    assert observation.outcome is ReadOutcome.TIMEOUT
    assert took_s < 1


def test_a_body_dripped_over_tls_is_left_at_the_deadline(ours: OurEnd, authority: Authority, leaf: Issued) -> None:
    head = b"HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n{"
    observation, took_s = observe_drip(ours, head, tls=leaf.server(), ca_file=str(authority.certificate))
    assert observation.outcome is ReadOutcome.TIMEOUT
    assert took_s < 1


def test_a_handshake_dripped_byte_by_byte_is_left_at_the_deadline(ours: OurEnd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopped = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"\x16\x03\x03\x40\x00")  # a handshake record of 16 KiB begins
                while not stopped.wait(0.02):
                    connection.sendall(b"\x00")

        thread = threading.Thread(target=serve)
        thread.start()
        started = time.monotonic()
        observation, _ = ours.reader.observe(target_at(f"https://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.3), Memory())
        took_s = time.monotonic() - started
        stopped.set()
        thread.join()
    assert observation.outcome in (ReadOutcome.TIMEOUT, ReadOutcome.TLS_FAILED)
    assert took_s < 1


# --- TLS ----------------------------------------------------------------------------------------------------------


def observe_tls(ours: OurEnd, issued: Issued, **changes: object) -> Observation:
    with FarEnd(lambda _: reply(200, PROFILE, COMMAND), tls=issued.server()) as far_end:
        return ours.reader.observe(target_at(far_end.url.replace("127.0.0.1", str(changes.pop("host", "127.0.0.1"))), **changes), Memory())[0]


def test_each_fault_of_a_certificate_is_named_with_what_to_do(ours: OurEnd, authority: Authority, leaf: Issued, tmp_path: Path) -> None:
    trusted = {"ca_file": str(authority.certificate)}
    cases = [
        (leaf, {}, "comes from a certification authority that this machine does not know", "`ca_file`"),
        (authority.issue("expired", days=-1), trusted, "has expired", "renewed"),
        (authority.issue("other", host="command.corp.example"), trusted, "is not for this IP address", "as `url`"),
        (authority.issue("named", host="command.corp.example"), trusted | {"host": "localhost"}, "is for another host name", "as `url`"),
        (authority.issue("self", self_signed=True), trusted, "is self-signed", "`ca_file`"),
        (authority.issue("future", days=30, not_before_days=1), trusted, "is not valid yet", "clocks"),
    ]
    for issued, changes, said, hint in cases:
        observation = observe_tls(ours, issued, **changes)
        assert observation.outcome is ReadOutcome.TLS_FAILED
        assert said in observation.message
        assert hint in observation.hint
        assert observation.snapshot is None


def test_a_self_signed_certificate_can_be_named_as_ca_file(ours: OurEnd, authority: Authority) -> None:
    issued = authority.issue("pinned", self_signed=True)
    assert observe_tls(ours, issued, ca_file=str(issued.certificate)).outcome is ReadOutcome.OBSERVED


def test_without_verification_a_profile_is_observed_and_marked(ours: OurEnd, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    observation = observe_tls(ours, authority.issue("self2", self_signed=True), insecure_skip_verify=True)
    assert (observation.outcome, observation.collection.tls_verified) == (ReadOutcome.OBSERVED, False)
    assert observation.collection.tls_leaf_sha256 is not None
    assert "target command-prod: its TLS certificate is not verified (insecure_skip_verify)" in caplog.messages


def test_plain_http_on_a_tls_port_is_told_from_a_bad_certificate(ours: OurEnd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        observation, _ = ours.reader.observe(target_at(f"https://127.0.0.1:{server.getsockname()[1]}"), Memory())
        thread.join()
    assert observation.outcome is ReadOutcome.TLS_FAILED
    assert observation.message.endswith("does not speak TLS on this port")


def test_a_server_with_tls_1_1_alone_is_refused(ours: OurEnd, authority: Authority, leaf: Issued) -> None:
    context = leaf.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with FarEnd(lambda _: reply(200, PROFILE), tls=context) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, ca_file=str(authority.certificate)), Memory())
    assert observation.outcome is ReadOutcome.TLS_FAILED
    assert observation.message.endswith("offers nothing newer than TLS 1.1")


def mutual(leaf: Issued, authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = leaf.server()
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_client_certificate_says_so_and_takes_ours(
    ours: OurEnd, authority: Authority, leaf: Issued, version: ssl.TLSVersion
) -> None:
    client = authority.issue("client", passphrase=b"open sesame")
    certificate = ClientCertificate(certificate=str(client.certificate), key=str(client.key), passphrase=SecretRef("env", "PASSPHRASE"))
    with FarEnd(lambda _: reply(200, PROFILE), tls=mutual(leaf, authority, version)) as far_end:
        target = target_at(far_end.url, ca_file=str(authority.certificate))
        without, _ = ours.reader.observe(target, Memory())
        shown, _ = ours.reader.observe(target_at(far_end.url, ca_file=str(authority.certificate), client_certificate=certificate), Memory())
    assert without.outcome is ReadOutcome.TLS_FAILED
    assert "client_certificate" in without.hint
    assert shown.outcome is ReadOutcome.OBSERVED


@pytest.mark.parametrize(
    ("changes", "outcome", "message"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, ReadOutcome.TLS_FAILED, "ca_file /nowhere/ca.pem cannot be read: No such file or directory"),
        ({"ca_file": __file__}, ReadOutcome.TLS_FAILED, f"ca_file {__file__} holds no certificate in PEM form"),
        (
            {"client_certificate": ClientCertificate(certificate="/nowhere/c.pem")},
            ReadOutcome.CREDENTIAL_MISSING,
            "the client certificate /nowhere/c.pem cannot be used: No such file or directory",
        ),
        (
            {"client_certificate": ClientCertificate(certificate=__file__)},
            ReadOutcome.CREDENTIAL_MISSING,
            f"the client certificate {__file__} cannot be used: certificate, key and passphrase do not go together",
        ),
    ],
)
def test_a_file_that_is_no_certificate_is_named(ours: OurEnd, changes: dict[str, object], outcome: ReadOutcome, message: str) -> None:
    observation, _ = ours.reader.observe(target_at("https://127.0.0.1:1", **changes), Memory())
    assert (observation.outcome, observation.message, observation.collection.attempts) == (outcome, message, 0)


def test_a_locked_key_without_passphrase_asks_nobody(ours: OurEnd, authority: Authority) -> None:
    client = authority.issue("locked", passphrase=b"open sesame")
    certificate = ClientCertificate(certificate=str(client.certificate), key=str(client.key))
    observation, _ = ours.reader.observe(target_at("https://127.0.0.1:1", client_certificate=certificate), Memory())
    assert observation.outcome is ReadOutcome.CREDENTIAL_MISSING


@pytest.mark.parametrize(
    ("url", "insecure_http"),
    [("http://command.corp.example", True), ("http://127.0.0.1:1", False), ("ftp://127.0.0.1", True), ("http://10.0.0.1", True)],
)
def test_a_credential_never_travels_in_clear(ours: OurEnd, url: str, insecure_http: bool) -> None:
    observation, _ = ours.reader.observe(target_at(url, insecure_http=insecure_http), Memory())
    assert (observation.outcome, observation.collection.attempts) == (ReadOutcome.TLS_FAILED, 0)
    assert "would travel in clear" in observation.message


# --- answers ------------------------------------------------------------------------------------------------------

BOMB = gzip.compress(b" " * 10_000_000)


@pytest.mark.parametrize(
    ("answer", "outcome", "message"),
    [
        (reply(204), ReadOutcome.NOT_CONFIGURED, "has no mail profile"),
        (reply(200, ""), ReadOutcome.NOT_CONFIGURED, "has no mail profile"),
        (reply(200, " null\n"), ReadOutcome.NOT_CONFIGURED, "has no mail profile"),
        (reply(404, "{}", COMMAND), ReadOutcome.NOT_CONFIGURED, "has no mail profile"),
        (reply(404, "", {"X-Keyfactor-Product-Version": "10.4"}), ReadOutcome.NOT_CONFIGURED, "has no mail profile"),
        (reply(404, "<html>"), ReadOutcome.NOT_FOUND, "answered 404, and nothing in the answer is Command's"),
        (reply(302, "", {"Location": "https://sso.corp.example/login?token=abc"}), ReadOutcome.REDIRECTED, "redirect to https://sso.corp.example"),
        (reply(302, "", {"Location": "/KeyfactorAPI/"}), ReadOutcome.REDIRECTED, "answered 302 with a redirect"),
        (reply(301, "", {"Location": "https://["}), ReadOutcome.REDIRECTED, "answered 301 with a redirect"),
        (
            reply(401, "<html>" + PASSWORD, {"WWW-Authenticate": 'Negotiate, Basic realm="x, y"'}),
            ReadOutcome.UNAUTHENTICATED,
            "answered 401: it does not take our credential (it asks for Negotiate, Basic)",
        ),
        (reply(401), ReadOutcome.UNAUTHENTICATED, "answered 401: it does not take our credential"),
        (
            reply(403, '{"ErrorCode": "0xA0140002", "Message": "User x"}', COMMAND),
            ReadOutcome.FORBIDDEN,
            "answered 403: our account may not read the SMTP profile (Command's error code 0xA0140002)",
        ),
        (reply(400, '{"ErrorCode": "0xA0110002", "Message": "m"}', COMMAND), ReadOutcome.REJECTED, "answered 400 (Command's error code 0xA0110002)"),
        (reply(405), ReadOutcome.REJECTED, "answered 405"),
        (reply(418), ReadOutcome.REJECTED, "answered 418"),
        (reply(429), ReadOutcome.THROTTLED, "answered 429: too many requests"),
        (reply(500, "<html>stack trace"), ReadOutcome.SERVER_ERROR, "answered 500"),
        (reply(503), ReadOutcome.SERVER_ERROR, "answered 503"),
        (reply(206, PROFILE), ReadOutcome.MALFORMED, "answered 206, which is no way to answer this request"),
        (reply(200, "<html>login"), ReadOutcome.MALFORMED, "sent what is no SMTP profile: not JSON from line 1 column 1"),
        (reply(200, "[]"), ReadOutcome.MALFORMED, "sent what is no SMTP profile: a list of 0"),
        (reply(200, f"[{PROFILE}, {PROFILE}]"), ReadOutcome.MALFORMED, "sent what is no SMTP profile: a list of 2"),
        (reply(200, f"[{PROFILE}]"), ReadOutcome.OBSERVED, ""),
        (reply(200, '{"ErrorCode": "x"}'), ReadOutcome.MALFORMED, "an object without any field of an SMTP profile"),
        (reply(200, BOMB, {"Content-Encoding": "gzip"}), ReadOutcome.MALFORMED, "sent its answer encoded, though we ask for none"),
        (reply(200, PROFILE, {"Content-Encoding": "identity"}), ReadOutcome.OBSERVED, ""),
        (reply(403, BOMB, {"Content-Encoding": "gzip"}), ReadOutcome.FORBIDDEN, "answered 403: our account may not read the SMTP profile"),
        (reply(200, b" " * 70_000), ReadOutcome.TOO_LARGE, "sent more than 65536 bytes"),
        (reply(403, b" " * 70_000), ReadOutcome.FORBIDDEN, "answered 403: our account may not read the SMTP profile"),
        (reply(200, PROFILE, {"X-Long": "x" * 200_000}), ReadOutcome.TOO_LARGE, "sent more than 100 KiB of response headers"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", ReadOutcome.MALFORMED, "does not speak proper HTTP, or broke off in its answer"),
        (
            reply(200, PROFILE, {"Content-Length": "12", "content-length": "13"}),
            ReadOutcome.MALFORMED,
            "does not speak proper HTTP, or broke off in its answer",
        ),
    ],
)
def test_each_answer_has_its_outcome_and_its_words(ours: OurEnd, answer: bytes, outcome: ReadOutcome, message: str) -> None:
    observation = observe(ours, answer)
    assert observation.outcome is outcome
    assert observation.message.endswith(message)
    assert PASSWORD not in repr(observation)
    assert bool(observation.hint) is not outcome.is_observed
    assert (observation.snapshot is not None) is outcome.is_observed


def test_the_forbidden_hint_names_the_permission(ours: OurEnd) -> None:
    assert "`/system_settings/read/`" in observe(ours, reply(403)).hint


def test_a_denial_whose_body_never_ends_is_still_a_denial(ours: OurEnd) -> None:
    observation, took_s = observe_drip(ours, b"HTTP/1.1 403 X\r\nContent-Length: 5000\r\n\r\n{")
    assert observation.outcome is ReadOutcome.FORBIDDEN
    assert took_s < 1


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Date", "yesterday"),
        ("Date", "Mon, 99 May 2026 10:00:07 GMT"),
        ("X-Keyfactor-Product-Version", "25.4 <script>"),
        ("X-Keyfactor-Correlation-Id", "x" * 65),
        ("Api-Supported-Versions", "\u202e"),
    ],
)
def test_hostile_response_headers_are_left_out(ours: OurEnd, header: str, value: str) -> None:
    seen = observe(ours, reply(200, PROFILE, {header: value})).collection
    assert (seen.server_date, seen.clock_offset_ms, seen.product_version, seen.correlation_id, seen.supported_versions) == (
        None,
        None,
        None,
        None,
        None,
    )


def test_a_date_without_zone_is_utc(ours: OurEnd) -> None:
    assert observe(ours, reply(200, PROFILE, {"Date": "Mon, 04 May 2026 09:59:00 -0000"})).collection.clock_offset_ms == -60_000


# --- credentials --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "missing", "message"),
    [
        (BasicAuth(username="u", password=SecretRef("env", "PASSWORD")), "PASSWORD", "env:PASSWORD: not set"),
        (StaticToken(token=SecretRef("file", "TOKEN")), "TOKEN", "file:TOKEN: not set"),
        (
            ClientCredentials(token_url="https://127.0.0.1:1/t", client_id="c", client_secret=SecretRef("env", "CLIENT_SECRET")),
            "CLIENT_SECRET",
            "env:CLIENT_SECRET: not set",
        ),
    ],
)
def test_a_missing_credential_is_one_targets_trouble_and_names_the_reference(ours: OurEnd, auth: object, missing: str, message: str) -> None:
    del ours.secrets[missing]
    remembered = Memory(identity="as before", api_version=1)
    observation, memory = ours.reader.observe(target_at("https://127.0.0.1:1", auth=auth), remembered)
    assert (observation.outcome, observation.message, observation.hint) == (ReadOutcome.CREDENTIAL_MISSING, message, "set it")
    assert (observation.collection.attempts, memory) == (0, remembered)


@pytest.mark.parametrize("token", ["", "two words", "line\r\nX-Injected: 1", "t\u00f6ken", "x" * 20_000])
def test_a_token_that_no_header_can_carry_is_not_sent(ours: OurEnd, token: str) -> None:
    ours.secrets["TOKEN"] = token
    observation, _ = ours.reader.observe(target_at("https://127.0.0.1:1", auth=StaticToken(token=SecretRef("env", "TOKEN"))), Memory())
    assert (observation.outcome, observation.collection.attempts) == (ReadOutcome.CREDENTIAL_MISSING, 0)
    assert "Bearer" in observation.hint


def test_a_static_token_is_sent_as_it_is(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(200, PROFILE)) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, auth=StaticToken(token=SecretRef("env", "TOKEN"))), Memory())
    assert far_end.requests[0].headers["authorization"] == "Bearer static.token.value"
    assert (observation.collection.account, observation.collection.auth_method) == ("static token", "static_token")


@pytest.mark.parametrize(
    ("username", "sent"),
    [
        ("auditor@corp.example", "corp.example\\auditor"),
        ("CORP\\auditor", "CORP\\auditor"),
        ("CORP\\a@b", "CORP\\a@b"),
        ("auditor", "auditor"),
        ("@x", "@x"),
    ],
)
def test_a_user_at_a_domain_becomes_the_directorys_form(ours: OurEnd, username: str, sent: str) -> None:
    target: Target = target_at("https://127.0.0.1:1", auth=BasicAuth(username=username, password=SecretRef("env", "PASSWORD")))
    assert ours.reader.observe(target, Memory())[0].collection.account == sent
