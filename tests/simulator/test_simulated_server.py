"""The simulator on a loopback port: TLS, clients that stall or vanish, and what is left afterwards."""

import datetime as dt
import gc
import itertools
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from auditor.simulator.ca import PrivateCa
from auditor.simulator.command import Simulator
from auditor.simulator.server import ServerTls, serve

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
CA = PrivateCa.create(at=NOW)
SERVER = CA.issue(["127.0.0.1", "localhost"], valid_from=NOW - DAY, valid_until=NOW + DAY)
TLS = ServerTls(certificate_pem=SERVER.certificate_pem, key_pem=SERVER.key_pem)
BOTH = pytest.mark.parametrize("tls", [None, TLS], ids=["http", "https"])
ASKED = {"Authorization": "Bearer a-token", "x-keyfactor-requested-with": "APIClient", "x-keyfactor-api-version": "2"}


@pytest.fixture
def simulator() -> Simulator:
    simulator = Simulator()
    simulator.accounts.add_token("a-token")
    return simulator


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before
    gc.collect()  # an unclosed socket warns here, and a warning is an error


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=CA.certificate_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def read(url: str, context: ssl.SSLContext | None = None) -> httpx.Response:
    with httpx.Client(verify=context or trusting(), trust_env=False, timeout=20) as client:
        return client.get(f"{url}/KeyfactorAPI/SMTP", headers=ASKED)


def dial(url: str) -> socket.socket:
    return socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=20)


@BOTH
def test_the_wire_says_what_the_application_says(simulator: Simulator, tls: ServerTls | None) -> None:
    with httpx.Client(transport=httpx.WSGITransport(simulator)) as client:
        in_process = client.get("https://command.test/KeyfactorAPI/SMTP", headers=ASKED)
    with serve(simulator, tls=tls) as url:
        assert url.startswith("https://127.0.0.1:" if tls else "http://127.0.0.1:")
        answer = read(url)
    assert (answer.status_code, answer.json()) == (200, in_process.json())
    assert [name for name, _ in answer.headers.multi_items()] == [name for name, _ in in_process.headers.multi_items()]
    assert answer.headers["date"] == "Mon, 16 Mar 2026 07:00:00 GMT"


@BOTH
def test_a_token_is_had_and_used_over_the_wire(simulator: Simulator, tls: ServerTls | None) -> None:
    simulator.accounts.add_client("client", "secret")
    with serve(simulator, tls=tls) as url, httpx.Client(verify=trusting(), trust_env=False) as client:
        form = {"grant_type": "client_credentials", "client_id": "client", "client_secret": "secret"}
        token = client.post(f"{url}/oauth2/token", data=form).json()["access_token"]
        answer = client.get(f"{url}/KeyfactorAPI/SMTP", headers={**ASKED, "Authorization": f"Bearer {token}"})
    assert (answer.status_code, simulator.requests[-1].account) == (200, "client")


@BOTH
def test_a_body_without_a_length_ends_in_good_order(simulator: Simulator, tls: ServerTls | None) -> None:
    simulator.answer_with(200, {}, lambda: iter([b"one ", b"two"]))
    with serve(simulator, tls=tls) as url:
        assert read(url).text == "one two"


def test_headers_are_sent_as_given_even_hostile_ones(simulator: Simulator) -> None:
    simulator.answer_with(299, {"X-Odd": "\x1b[31m\x00", "Connection": "odd"}, b"")
    with serve(simulator) as url, dial(url) as client:
        client.sendall(b"GET /KeyfactorAPI/SMTP HTTP/1.1\r\n\r\n")
        assert client.recv(4096) == b"HTTP/1.0 299 Unknown\r\nX-Odd: \x1b[31m\x00\r\nConnection: odd\r\nContent-Length: 0\r\n\r\n"


def test_an_error_names_the_url_that_was_asked(simulator: Simulator) -> None:
    with serve(simulator, tls=TLS, host="127.0.0.1") as url:
        with httpx.Client(verify=trusting(), trust_env=False) as client:
            answer = client.get(f"{url}/KeyfactorAPI/SMTP", headers={**ASKED, "x-keyfactor-api-version": "9"})
        assert f"'{url}/KeyfactorAPI/SMTP'" in answer.json()["error"]["message"]


def test_a_client_that_does_not_trust_the_authority_gets_nothing(simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    with serve(simulator, tls=TLS) as url, pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        read(url, ssl.create_default_context())
    assert (simulator.requests, capfd.readouterr()) == ((), ("", ""))


def test_a_client_certificate_is_demanded_where_one_is_expected(simulator: Simulator, tmp_path: Path) -> None:
    mine = CA.issue(["auditor"], valid_from=NOW - DAY, valid_until=NOW + DAY)
    (tmp_path / "mine.pem").write_bytes(mine.certificate_pem + mine.key_pem)
    known = trusting()
    known.load_cert_chain(tmp_path / "mine.pem")
    tls = ServerTls(certificate_pem=SERVER.certificate_pem, key_pem=SERVER.key_pem, client_ca_pem=CA.certificate_pem)
    with serve(simulator, tls=tls) as url:
        assert read(url, known).status_code == 200
        with pytest.raises(httpx.TransportError):
            read(url)
    assert len(simulator.requests) == 1


def test_the_server_s_key_stays_on_no_disk(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serve(simulator, tls=TLS) as url:
        assert list(tmp_path.iterdir()) == []
        assert read(url).status_code == 200


@BOTH
def test_stalled_clients_hold_up_nobody(simulator: Simulator, tls: ServerTls | None, capfd: pytest.CaptureFixture[str]) -> None:
    with serve(simulator, tls=tls) as url:
        stalled = [dial(url) for _ in range(5)]
        stalled[0].sendall(b"GET /Keyf" if tls is None else b"\x16\x03\x01")
        assert read(url).status_code == 200
        began = time.monotonic()
    assert time.monotonic() - began < 5
    for client in stalled:
        assert _rest_of(client) == b""
        client.close()
    assert capfd.readouterr() == ("", "")


@BOTH
def test_clients_that_vanish_are_no_news(simulator: Simulator, tls: ServerTls | None, capfd: pytest.CaptureFixture[str]) -> None:
    simulator.answer_with(200, {}, lambda: itertools.repeat(b" " * 65536))
    with serve(simulator, tls=tls) as url:
        dial(url).close()
        with dial(url) as client:
            client.sendall(b"no HTTP at all\r\n\r\n")
        with httpx.Client(verify=trusting(), trust_env=False) as client, client.stream("GET", f"{url}/KeyfactorAPI/SMTP", headers=ASKED) as answer:
            next(answer.iter_raw())
        simulator.recover()
        assert read(url).status_code == 200
    assert capfd.readouterr() == ("", "")


@BOTH
def test_stopping_cuts_an_endless_answer(simulator: Simulator, tls: ServerTls | None, capfd: pytest.CaptureFixture[str]) -> None:
    def drip() -> Iterator[bytes]:
        for _ in itertools.count():
            time.sleep(0.01)
            yield b" "

    simulator.answer_with(200, {}, drip)
    with httpx.Client(verify=trusting(), trust_env=False) as client:
        with serve(simulator, tls=tls) as url:
            answer = client.send(client.build_request("GET", f"{url}/KeyfactorAPI/SMTP", headers=ASKED), stream=True)
            assert next(answer.iter_raw()) == b" "
            began = time.monotonic()
        assert time.monotonic() - began < 5
        answer.close()
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_begins_while_it_stops_is_cut_too(simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(10):
        with serve(simulator, tls=TLS) as url:
            clients = [dial(url) for _ in range(8)]
        for client in clients:
            client.close()
    assert capfd.readouterr() == ("", "")


def test_a_bug_of_the_application_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(environ: Any, start_response: Any) -> Any:
        raise ZeroDivisionError

    with serve(broken) as url, pytest.raises(httpx.RemoteProtocolError):
        read(url)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_fixed_port_can_be_had_again_at_once(simulator: Simulator) -> None:
    with serve(simulator) as url:
        assert read(url).status_code == 200
    with serve(simulator, port=urlsplit(url).port or 0) as again:
        assert (again, read(again).status_code) == (url, 200)


def test_nothing_listens_afterwards_even_if_the_body_raised(simulator: Simulator) -> None:
    urls = []

    def break_off() -> None:
        with serve(simulator, tls=TLS) as url:
            urls.append(url)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    with pytest.raises(ConnectionRefusedError):
        dial(urls[0])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc")
@pytest.mark.platform_only
def test_no_file_descriptor_is_left(simulator: Simulator) -> None:
    def once() -> int:
        with serve(simulator, tls=TLS) as url, dial(url):
            read(url)
        return len(list(Path("/proc/self/fd").iterdir()))

    assert once() == once()


def test_many_clients_at_once_all_get_their_answer(simulator: Simulator) -> None:
    statuses: list[int] = []
    context = trusting()
    with serve(simulator, tls=TLS) as url:
        threads = [threading.Thread(target=lambda: statuses.append(read(url, context).status_code)) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (statuses, len(simulator.requests)) == ([200] * 30, 30)


@BOTH
def test_a_refused_write_with_a_body_is_answered(simulator: Simulator, tls: ServerTls | None) -> None:
    with serve(simulator, tls=tls) as url, httpx.Client(verify=trusting(), trust_env=False) as client:
        answer = client.put(f"{url}/KeyfactorAPI/SMTP", headers=ASKED, json={"Host": "x" * 10_000})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_the_process_s_environment_does_not_reach_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def look(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("204 No Content", [])
        return []

    monkeypatch.setenv("HTTP_AUTHORIZATION", "Bearer planted")
    with serve(look, tls=TLS) as url, httpx.Client(verify=trusting(), trust_env=False) as client:
        assert client.get(url).status_code == 204
    assert "planted" not in str({name: value for name, value in seen.items() if name.startswith("HTTP_")})
    assert seen["wsgi.url_scheme"] == "https"


def _rest_of(client: socket.socket) -> bytes:
    try:
        return client.recv(4096)
    except ConnectionResetError:
        return b""
