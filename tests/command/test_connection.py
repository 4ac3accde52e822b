"""The way to a server: proxies, several addresses, slow resolvers, contexts that are used again, many threads."""

import hashlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from auditor.command.session import proxy_for
from auditor.core.model import ClientCertificate, Memory, ReadOutcome
from auditor.exchange.connection import Connection, TlsContexts
from auditor.exchange.trouble import Trouble, of_failure
from tests.command.far_end import Authority, FarEnd, Issued, OurEnd, drip, reply, target_at

PROFILE = '{"Host": "smtp.corp.example", "Id": 1}'


class TunnelProxy:
    """An HTTP proxy for one CONNECT, itself over TLS if told so."""

    def __init__(self, answer: bytes, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer, self.seen, self._tls = answer, b"", tls
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(10)  # on a slow machine a client's deadline can pass before it has called
        self.url = f"{'https' if tls else 'http'}://us%40er:pass@127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            near, _ = self._server.accept()
        except TimeoutError:
            return
        near.settimeout(10)
        with suppress(OSError), near if self._tls is None else self._tls.wrap_socket(near, server_side=True) as near:
            self.seen = near.recv(65536)
            near.sendall(self.answer)
            if b" 200 " in self.answer:
                host, _, port = self.seen.split()[1].decode().partition(":")
                with socket.create_connection((host, int(port))) as far:
                    self._relay(near, far)

    @staticmethod
    def _relay(near: socket.socket, far: socket.socket) -> None:
        while True:  # in one thread, since no TLS socket may be read and written at once
            for source in select.select([near, far], [], [], 5)[0]:
                piece = source.recv(65536)
                if not piece:
                    return
                (far if source is near else near).sendall(piece)

    def close(self) -> None:
        self._thread.join()
        self._server.close()


def test_a_proxy_is_given_the_tunnel_and_nothing_of_the_credential(ours: OurEnd, leaf: Issued, authority: Authority) -> None:
    proxy = TunnelProxy(b"HTTP/1.1 200 OK\r\n\r\n")
    with FarEnd(lambda _: reply(200, PROFILE), tls=leaf.server()) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, proxy=proxy.url, ca_file=str(authority.certificate)), Memory())
    proxy.close()
    assert (observation.outcome, observation.collection.tls_version) == (ReadOutcome.OBSERVED, "TLSv1.3")
    assert proxy.seen.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXNAZXI6cGFzcw==" in proxy.seen
    assert b"\r\nAuthorization" not in proxy.seen


def test_plain_http_is_never_sent_through_a_proxy(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(200, PROFILE)) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, proxy="http://127.0.0.1:1"), Memory())  # nobody is there
    assert observation.outcome is ReadOutcome.OBSERVED


@pytest.mark.parametrize(
    ("url", "is_proxied"),
    [
        ("https://command.example.org", True),
        ("https://command.corp.example", False),
        ("https://CORP.example:8443", False),
        ("https://notcorp.example", True),
        ("http://127.0.0.1:80", False),
    ],
)
def test_hosts_named_in_no_proxy_and_those_under_them_are_asked_directly(url: str, is_proxied: bool) -> None:
    target = target_at(url, proxy="http://proxy:3128", no_proxy=("corp.example",))
    assert (proxy_for(target, url) is not None) is is_proxied


def test_a_proxy_that_refuses_is_named(ours: OurEnd) -> None:
    proxy = TunnelProxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    observation, _ = ours.reader.observe(target_at("https://command.invalid", proxy=proxy.url), Memory())
    proxy.close()
    assert (observation.outcome, observation.message) == (ReadOutcome.UNREACHABLE, "the proxy refused to connect to command.invalid")


def test_a_proxy_can_itself_be_asked_over_tls(ours: OurEnd, leaf: Issued, authority: Authority) -> None:
    proxy = TunnelProxy(b"HTTP/1.1 200 OK\r\n\r\n", tls=authority.issue("proxy").server())
    with FarEnd(lambda _: reply(200, PROFILE), tls=leaf.server()) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, proxy=proxy.url, ca_file=str(authority.certificate)), Memory())
    proxy.close()
    assert observation.outcome is ReadOutcome.OBSERVED
    der = ssl.PEM_cert_to_DER_cert(leaf.certificate.read_text())
    assert observation.collection.tls_leaf_sha256 == hashlib.sha256(der).hexdigest()


def test_the_certificate_of_a_proxy_is_not_taken_for_that_of_the_server(ours: OurEnd, authority: Authority) -> None:
    proxy = TunnelProxy(b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n", tls=authority.issue("proxy2").server())
    observation, _ = ours.reader.observe(target_at("https://command.invalid", proxy=proxy.url, ca_file=str(authority.certificate)), Memory())
    proxy.close()
    assert (observation.outcome, observation.collection.tls_leaf_sha256, observation.collection.tls_verified) == (ReadOutcome.UNREACHABLE, None, None)


def test_a_drip_through_a_tls_proxy_is_left_at_the_deadline(ours: OurEnd, leaf: Issued, authority: Authority) -> None:
    proxy = TunnelProxy(b"HTTP/1.1 200 OK\r\n\r\n", tls=authority.issue("proxy3").server())
    with FarEnd(lambda _: drip(far_end, b"HTTP/1.1 200 X\r\nX-Slow: "), tls=leaf.server()) as far_end:
        started = time.monotonic()
        target = target_at(far_end.url, proxy=proxy.url, ca_file=str(authority.certificate), timeout_s=0.5)
        observation, _ = ours.reader.observe(target, Memory())
        took_s = time.monotonic() - started
    proxy.close()
    assert observation.outcome is ReadOutcome.TIMEOUT
    assert took_s < 1.5


def test_surroundings_are_not_obeyed(ours: OurEnd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login planted password planted\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with FarEnd(lambda _: reply(200, PROFILE)) as far_end:
        assert ours.reader.observe(target_at(far_end.url), Memory())[0].outcome is ReadOutcome.OBSERVED


def test_every_address_of_a_name_is_tried(ours: OurEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["127.0.0.2", "127.0.0.1"]
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: entries if host == "localhost" else real(host, *rest, **more))
    with FarEnd(lambda _: reply(200, PROFILE)) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url.replace("127.0.0.1", "localhost")), Memory())
    assert (observation.outcome, observation.collection.remote_address) == (ReadOutcome.OBSERVED, "127.0.0.1")


@pytest.mark.parametrize(
    ("error", "message", "attempts"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "busy"), "cannot be resolved at the moment: the name server did not answer", 2),
        (socket.gaierror(socket.EAI_NONAME, "none"), "has no address: no such name, or no name at all", 1),
    ],
)
def test_a_busy_name_server_is_asked_again(
    ours: OurEnd, monkeypatch: pytest.MonkeyPatch, error: socket.gaierror, message: str, attempts: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    observation, _ = ours.reader.observe(target_at("https://command.corp.example", attempts=2), Memory())
    assert (observation.outcome, observation.message) == (ReadOutcome.DNS_FAILED, f"command.corp.example {message}")
    assert observation.collection.attempts == attempts


def test_a_silent_name_server_is_left_at_the_deadline(ours: OurEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def hang(*_: object, **__: object) -> None:
        done.wait(5)
        raise socket.gaierror(socket.EAI_NONAME, "none")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    observation, _ = ours.reader.observe(target_at("https://command.corp.example", timeout_s=0.2), Memory())
    took_s = time.monotonic() - started
    done.set()
    assert (observation.outcome, observation.message) == (
        ReadOutcome.DNS_FAILED,
        "command.corp.example was not resolved in time: the name server did not answer",
    )
    assert took_s < 1


def test_all_requests_of_one_observation_share_one_end(ours: OurEnd) -> None:
    def slowly() -> Iterator[bytes]:
        far_end.wait(0.15)
        yield b"HTTP/1.1 503 X\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 0\r\n\r\n"

    ours.reader.jitter = lambda: 0.0
    with FarEnd(lambda _: slowly()) as far_end:
        started = time.monotonic()
        observation, _ = ours.reader.observe(target_at(far_end.url, timeout_s=0.2, attempts=50), Memory())
        took_s = time.monotonic() - started
    # a loaded machine may also meet the reset with which this far end closes
    assert observation.outcome in (ReadOutcome.SERVER_ERROR, ReadOutcome.TIMEOUT, ReadOutcome.UNREACHABLE)
    assert observation.collection.attempts < 50, "the end came before the attempts were used up"
    assert took_s < 7, "each on its own, 50 attempts would have taken longer"


def test_no_time_left_is_a_timeout_before_any_request() -> None:
    with FarEnd(lambda _: reply(200, PROFILE)) as far_end:
        connection = Connection("here", context=ssl.create_default_context())
        with pytest.raises(Trouble) as caught:
            connection.exchange("GET", far_end.url, headers={}, timeout_s=0, max_body_bytes=100)
    assert (caught.value.outcome, far_end.requests) == (ReadOutcome.TIMEOUT, [])


# --- contexts -----------------------------------------------------------------------------------------------------


def test_a_context_verifies_and_is_used_again_until_a_file_changes(authority: Authority, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.certificate.read_bytes())
    contexts = TlsContexts()
    first = contexts.get(ca_file=str(ca_file))
    assert (first.verify_mode, first.check_hostname, first.minimum_version) == (ssl.CERT_REQUIRED, True, ssl.TLSVersion.TLSv1_2)
    assert contexts.get(ca_file=str(ca_file)) is first
    assert contexts.get() is not first
    os.utime(ca_file, (1, 1))
    assert contexts.get(ca_file=str(ca_file)) is not first


def test_a_sweep_that_begins_makes_one_context_for_all_with_the_same_roots_and_certificate(
    ours: OurEnd, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []
    load = ssl.SSLContext.load_verify_locations

    def slowly(context: ssl.SSLContext, **files: str) -> None:
        made.append(context)
        time.sleep(0.05)
        load(context, **files)

    monkeypatch.setattr("ssl.SSLContext.load_verify_locations", slowly)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    certificate = ClientCertificate(certificate=str(authority.issue("shared").certificate), key=str(authority.folder / "shared.key"))
    plain = [target_at("https://127.0.0.1:1", name=f"t{n}", ca_file=str(authority.certificate)) for n in range(8)]
    showing = [target_at(one.url, name=f"c{one.name}", ca_file=one.ca_file, client_certificate=certificate) for one in plain]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda target: ours.reader.observe(target, Memory()), plain + showing))
    ours_alone = [context for context in made if any("Test CA" in str(root["subject"]) for root in context.get_ca_certs())]
    assert len(ours_alone) == 2, "one that shows the certificate, and one that does not"


def test_a_wrong_passphrase_does_not_get_the_context_that_the_right_one_made(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("locked")
    key = load_pem_private_key(issued.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right")))
    contexts = TlsContexts()
    files = {"certificate": str(issued.certificate), "key": str(locked)}
    assert contexts.get(**files, passphrase="right") is contexts.get(**files, passphrase="right")
    with pytest.raises(Trouble) as caught:
        contexts.get(**files, passphrase="wrong")
    assert caught.value.outcome is ReadOutcome.CREDENTIAL_MISSING


def test_contexts_of_files_that_were_renewed_are_let_go_in_time(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.certificate.read_bytes())
    contexts, hour = TlsContexts(), iter(range(0, 10_000_000, 1801))
    monkeypatch.setattr("auditor.exchange.connection.time.monotonic", lambda: float(next(hour)))
    for second in range(1, 11):
        os.utime(ca_file, (second, second))
        contexts.get(ca_file=str(ca_file))
    assert len(contexts._kept) <= 2


def test_the_roots_of_the_operating_system_count_beside_the_ca_file(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.certificate.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    other = Authority(tmp_path)
    subjects = {
        dict(pair for rdn in root["subject"] for pair in rdn)["commonName"]
        for root in TlsContexts().get(ca_file=str(other.certificate)).get_ca_certs()
    }
    assert {f"Test CA {authority.folder.name}", f"Test CA {tmp_path.name}"} <= subjects


def test_many_targets_are_read_at_once_and_a_slow_handshake_holds_up_no_other(ours: OurEnd, leaf: Issued, authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, FarEnd(lambda _: reply(200, PROFILE), tls=leaf.server()) as far_end:
        silent_url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        urls = [silent_url] + [far_end.url] * 12
        targets = [target_at(url, name=f"t{n}", ca_file=str(authority.certificate), timeout_s=2.0) for n, url in enumerate(urls)]
        with ThreadPoolExecutor(8) as pool:
            observations = list(pool.map(lambda target: ours.reader.observe(target, Memory())[0], targets))
    assert [observation.outcome for observation in observations] == [ReadOutcome.TIMEOUT] + [ReadOutcome.OBSERVED] * 12
    assert [observation.target for observation in observations] == [target.name for target in targets]


def test_a_certificate_is_not_shown_to_the_token_endpoint_but_read_for_the_target(ours: OurEnd, authority: Authority) -> None:
    certificate = ClientCertificate(certificate=str(authority.issue("shown").certificate), key=str(authority.folder / "shown.key"))
    observation, _ = ours.reader.observe(target_at("https://127.0.0.1:1", client_certificate=certificate), Memory())
    assert observation.outcome is ReadOutcome.UNREACHABLE


# --- in process ---------------------------------------------------------------------------------------------------


def test_a_transport_takes_the_place_of_the_network() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=str(request.url)))
    connection = Connection("here", context=ssl.create_default_context(), transport=transport)
    answer = connection.exchange("GET", "https://command.corp.example/x", headers={}, timeout_s=1, max_body_bytes=100)
    assert (answer.status, answer.body, connection.peer.address) == (200, b"https://command.corp.example/x", None)


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (httpx.ReadTimeout("x"), ReadOutcome.TIMEOUT, "here did not answer in time"),
        (httpx.UnsupportedProtocol("x"), ReadOutcome.UNREACHABLE, "no answer from here (UnsupportedProtocol)"),
        (ValueError("planted"), ReadOutcome.UNREACHABLE, "no answer from here (ValueError)"),
    ],
)
def test_any_failure_becomes_trouble(error: Exception, outcome: ReadOutcome, message: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    connection = Connection("here", context=ssl.create_default_context(), transport=httpx.MockTransport(fail))
    with pytest.raises(Trouble) as caught:
        connection.exchange("GET", "https://command.corp.example/x", headers={}, timeout_s=1, max_body_bytes=100)
    assert (caught.value.outcome, caught.value.message) == (outcome, message)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("CERTIFICATE_UNKNOWN", "TLS with here failed (CERTIFICATE_UNKNOWN)"),
        (None, "TLS with here failed (connection closed in the handshake)"),
    ],
)
def test_other_tls_trouble_is_named_by_openssls_word(reason: str | None, said: str) -> None:
    error = ssl.SSLError(1, "[SSL] planted")
    error.reason = reason  # type: ignore[assignment]
    assert of_failure(error, "here").message == said


def test_a_verification_code_without_words_of_ours_is_given_in_those_of_the_library() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = 26, "unsuitable certificate purpose\u202e"
    assert of_failure(error, "here").message == "the certificate of here is not trusted: unsuitable certificate purpose?"
