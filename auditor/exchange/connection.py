"""One HTTP exchange within hard limits: a deadline over the whole of it, raw bytes counted, TLS verified.

It uses a transport, not a client: there is nothing here that could follow a redirect, keep a cookie, or obey ~/.netrc and proxy variables.
"""

import hashlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import httpcore
import httpx
import truststore

from auditor.core.model import ReadOutcome
from auditor.exchange import trouble
from auditor.exchange.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the body is as sent, at most the limit long, and empty where an error's body could not be read."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(slots=True)
class Peer:
    """Who was at the other end of the newest connection; over a proxy the address is the proxy's.

    `chain` is the chain of certificates that was verified, in DER, leaf first and root last; the leaf alone where OpenSSL did not verify it.
    """

    address: str | None = None
    tls_leaf_sha256: str | None = None
    tls_version: str | None = None
    chain: tuple[bytes, ...] = ()


@lru_cache(maxsize=4096)
def _url(text: str) -> httpx.URL:
    """Parsed once: each target's is asked for again and again."""
    return httpx.URL(text)


class Connection:
    """The way to one server, for one thread: kept open between exchanges until `close`.

    `who` names the server in messages. `proxy_context` is for a proxy that is itself asked over https. `transport` takes the place of the network.
    """

    def __init__(
        self,
        who: str,
        *,
        context: ssl.SSLContext,
        proxy: str | None = None,
        proxy_context: ssl.SSLContext | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.who, self.peer = who, Peer()
        self._deadline = Deadline(self.peer, tls_in_tls=proxy_context is not None)
        self._transport = transport or _Transport(context, proxy, proxy_context, self._deadline)

    def exchange(
        self, method: str, url: str, *, headers: dict[str, str], content: bytes | None = None, timeout_s: float, max_body_bytes: int | None
    ) -> Answer:
        """Send one request and read its answer within `timeout_s`, name resolution and handshake included.

        Where `max_body_bytes` is None the status is the answer: the body is not read, and can be of any kind.

        Raises:
            Trouble: There was no answer, or a 200 that is too large or encoded.
        """
        watchdog = self._deadline.begin(timeout_s)
        try:
            request = httpx.Request(method, _url(url), headers={"Accept-Encoding": "identity", **headers}, content=content)
            response = self._transport.handle_request(request)
            try:
                return self._read(response, max_body_bytes)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, *_HTTPCORE_ERRORS, OSError, ValueError) as error:
            raise trouble.of_failure(httpcore.ReadTimeout() if watchdog.has_cut else error, self.who) from None
        finally:
            watchdog.cancel()

    def _read(self, response: httpx.Response, max_body_bytes: int | None) -> Answer:
        def answer(body: bytes) -> Answer:
            return Answer(response.status_code, response.headers, body)

        if max_body_bytes is None:
            return answer(b"")
        is_encoded = response.headers.get("Content-Encoding", "identity").strip().lower() != "identity"
        if response.status_code == 200 and is_encoded:
            raise Trouble(ReadOutcome.MALFORMED, f"{self.who} sent its answer encoded, though we ask for none", hint="does a proxy compress it?")
        try:
            assert isinstance(response.stream, httpx.SyncByteStream)
            body = b"" if is_encoded else _bounded(response.stream, max_body_bytes)
        except (httpx.HTTPError, *_HTTPCORE_ERRORS):
            if response.status_code == 200:
                raise
            return answer(b"")  # the status says enough
        if response.status_code == 200 and len(body) > max_body_bytes:
            raise Trouble(ReadOutcome.TOO_LARGE, f"{self.who} sent more than {max_body_bytes} bytes")
        return answer(body[:max_body_bytes])

    def close(self) -> None:
        self._transport.close()


def _bounded(chunks: Iterable[bytes], at_most: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > at_most:
            break
    return bytes(body)


# --- TLS ----------------------------------------------------------------------------------------------------------

_OPENSSL_VERIFIES = sys.platform not in ("win32", "darwin")
_CONTEXT_KEPT_S = 3600
"""How long a context is used again: then roots that the operating system has got since count, too."""
_WRITE_BYTES = 64 * 1024


class TlsContexts:
    """Makes TLS contexts, and keeps one for each set of roots and client certificate: to read the operating system's roots costs 20 ms.

    For many threads: those that ask for the same one at once wait for it, and get it.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[float, ssl.SSLContext]] = {}
        self._lock = threading.Lock()

    def get(
        self,
        *,
        ca_file: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        passphrase: str | None = None,
        skip_verify: bool = False,
    ) -> ssl.SSLContext:
        """A context for TLS 1.2 or newer that trusts the operating system's roots and those in `ca_file`, and shows `certificate`.

        Raises:
            Trouble: One of the files cannot be used.
        """
        if not _OPENSSL_VERIFIES:
            return _made(ca_file, certificate, key, passphrase, skip_verify=skip_verify)
        # the passphrase counts by its salted hash: who gives a wrong one must not get the context of who gave the right one
        asked = (*(_stamp(path) for path in (ca_file, certificate, key)), hash(passphrase), skip_verify)
        with self._lock:  # held while one is made: a sweep that begins would make one for each thread
            oldest = time.monotonic() - _CONTEXT_KEPT_S
            if asked not in self._kept or self._kept[asked][0] < oldest:
                context = _made(ca_file, certificate, key, passphrase, skip_verify=skip_verify)
                still = {one: kept for one, kept in self._kept.items() if kept[0] >= oldest}  # a renewed file leaves its predecessor's behind
                self._kept = still | {asked: (time.monotonic(), context)}
            return self._kept[asked][1]


def _made(ca_file: str | None, certificate: str | None, key: str | None, passphrase: str | None, *, skip_verify: bool) -> ssl.SSLContext:
    context = _unverified() if skip_verify else _verified(ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        _show(context, certificate, key, passphrase)
    return context


def _stamp(path: str | None) -> tuple[object, ...]:
    """Tells a file from its later edition: a renewed certificate is used without a restart."""
    if path is None:
        return ()
    with suppress(OSError):
        status = Path(path).stat()
        return (path, status.st_mtime_ns, status.st_size)
    return (path,)


def _verified(ca_file: str | None) -> ssl.SSLContext:
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if _OPENSSL_VERIFIES:
        # truststore 0.10 reads the roots anew for each handshake and holds a lock over it: 30 ms each time, and a server that dawdles would
        # hold up all others. Where OpenSSL verifies, what it has set up is all there is to it. Elsewhere contexts are not shared (`get`).
        context = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost").context
        context.sslsocket_class = ssl.SSLSocket
    if not context.check_hostname or context.verify_mode is not ssl.CERT_REQUIRED:
        raise AssertionError("a TLS context that does not verify")
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            said = "holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
            raise Trouble(ReadOutcome.TLS_FAILED, f"ca_file {ca_file} {said}", hint="it is to hold root certificates in PEM form") from None
    return context


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str | None, passphrase: str | None) -> None:
    try:
        # A password is always given: without one OpenSSL asks for it at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: passphrase or "")
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "certificate, key and passphrase do not go together"
        hint = "give paths of PEM files; the certificate's own chain comes after it"
        raise Trouble(ReadOutcome.CREDENTIAL_MISSING, f"the client certificate {certificate} cannot be used: {said}", hint=hint) from None


# --- below HTTP: one deadline for everything ----------------------------------------------------------------------

_HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


class Deadline(httpcore.NetworkBackend):
    """Sockets whose every wait ends at one time, however slowly the other side drips.

    httpx has timeouts for each single read, and the `trace` extension with a timer that shuts the socket down does not reach connecting to several
    addresses, nor the handshake, during which the traced socket is already detached.
    """

    def __init__(self, peer: Peer, *, tls_in_tls: bool) -> None:
        self.peer, self.tls_in_tls = peer, tls_in_tls
        self.socket: Any = None
        self._expires_at = 0.0
        self._sockets = httpcore.SyncBackend()

    def begin(self, timeout_s: float) -> "_Watchdog | _NoWatchdog":
        """Let everything from now on end within `timeout_s`; the caller cancels what it is given once the exchange is over."""
        self._expires_at = time.monotonic() + timeout_s
        if not self.tls_in_tls:
            return _NO_WATCHDOG
        watchdog = _Watchdog(timeout_s, self)
        watchdog.start()
        return watchdog

    def left_s(self) -> float:
        left = self._expires_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _addresses(host, port, within_s=self.left_s())
        failure: Exception = trouble.of_dns(host, OSError())
        for tried, address in enumerate(addresses):
            share_s = self.left_s() / (len(addresses) - tried)  # an address that swallows everything leaves time for the next
            try:
                stream = self._sockets.connect_tcp(address, port, share_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self.peer.address = address
                self.socket = stream.get_extra_info("socket")
                return _Stream(stream, self)
        raise failure


class _Watchdog(threading.Timer):
    """Shuts the socket down when time is up: httpcore's TLS within TLS waits anew for each record, so only this ends a drip there."""

    def __init__(self, timeout_s: float, deadline: Deadline) -> None:
        super().__init__(timeout_s, self._cut)
        self.daemon = True
        self.has_cut = False
        self._deadline = deadline

    def _cut(self) -> None:
        self.has_cut = True
        with suppress(OSError, ValueError, AttributeError):  # closed already, or never opened
            self._deadline.socket.shutdown(socket.SHUT_RDWR)


class _NoWatchdog:
    """Where every wait has a time of its own, none is needed."""

    has_cut = False

    def cancel(self) -> None:
        pass


_NO_WATCHDOG = _NoWatchdog()


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._deadline.left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        for start in range(0, len(buffer), _WRITE_BYTES):  # in pieces: the stream below allows the whole time for each time the socket takes some
            self._stream.write(buffer[start : start + _WRITE_BYTES], self._deadline.left_s())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left_s())
        self._deadline.socket = stream.get_extra_info("socket")
        is_with_proxy = self._deadline.tls_in_tls and self._stream.get_extra_info("ssl_object") is None
        if not is_with_proxy:
            tls = stream.get_extra_info("ssl_object")
            leaf = tls.getpeercert(True)
            self._deadline.peer.tls_leaf_sha256 = hashlib.sha256(leaf).hexdigest() if leaf else None
            self._deadline.peer.tls_version = tls.version()
            self._deadline.peer.chain = _verified_chain(tls, ssl_context) or ((leaf,) if leaf else ())
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _verified_chain(tls: Any, context: ssl.SSLContext) -> tuple[bytes, ...]:
    """The chain that OpenSSL verified; empty where it verified nothing.

    httpcore gives what lies below ssl.SSLSocket, or an SSLObject within TLS of a proxy; the first has had the method since 3.10, undocumented.
    """
    below: Any = tls if hasattr(tls, "get_verified_chain") else getattr(tls, "_sslobj", None)
    if not _OPENSSL_VERIFIES or context.verify_mode is not ssl.CERT_REQUIRED or not hasattr(below, "get_verified_chain"):
        return ()
    found = below.get_verified_chain()
    return tuple(each if isinstance(each, bytes) else ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in found)


def _addresses(host: str, port: int, *, within_s: float) -> list[str]:
    """The addresses of `host`; a name is asked for in a thread of its own: no resolver call can be given a deadline.

    Raises:
        Trouble: None was found, or not in time.
    """
    with suppress(ValueError):
        return [str(ip_address(host))]
    found: Queue[list[str] | Exception] = Queue()

    def ask() -> None:
        try:
            found.put(list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label past 63 characters, from Python's IDNA codec
            found.put(error)

    threading.Thread(target=ask, daemon=True, name="resolve").start()
    try:
        answer = found.get(timeout=within_s)
    except Empty:
        raise trouble.of_dns(host, None) from None
    if isinstance(answer, Exception):
        raise trouble.of_dns(host, answer)
    return answer


class _Transport(httpx.BaseTransport):
    """httpx.HTTPTransport, over sockets of our own: httpx has no option for these."""

    def __init__(self, context: ssl.SSLContext, proxy: str | None, proxy_context: ssl.SSLContext | None, backend: httpcore.NetworkBackend) -> None:
        if proxy is None:
            self._pool: httpcore.ConnectionPool = httpcore.ConnectionPool(ssl_context=context, network_backend=backend)
        else:
            way = httpx.Proxy(proxy)
            self._pool = httpcore.HTTPProxy(
                httpcore.URL(scheme=way.url.raw_scheme, host=way.url.raw_host, port=way.url.port, target=b"/"),
                proxy_auth=way.raw_auth,
                ssl_context=context,
                proxy_ssl_context=proxy_context,
                network_backend=backend,
            )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path)
        answer = self._pool.handle_request(httpcore.Request(request.method, url, headers=request.headers.raw, content=request.read()))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
