"""Puts a WSGI application on a loopback port, with TLS if wanted, and takes it away again without a trace."""

import contextlib
import os
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

MAX_REQUEST_LINE_BYTES = 64 * 1024
_FAREWELL_S = 1.0
"""How long the client's own end-of-TLS is awaited before the connection is closed all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """What the server shows, as PEM; with `client_ca_pem` it also demands a certificate that this authority issued."""

    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    client_ca_pem: bytes | None = field(default=None, repr=False)


@contextlib.contextmanager
def serve(app: WSGIApplication, *, host: str = "127.0.0.1", port: int = 0, tls: ServerTls | None = None) -> Iterator[str]:
    """Serve `app` from threads of its own, and give its URL, without a slash at the end; port 0 takes a free one.

    At the end every connection is cut, whatever it was doing, and no thread or socket is left. A body that the application makes
    chunk by chunk ends at its next chunk.
    """
    server = _Server(host, port, app, _context(tls) if tls else None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"simulator-{server.server_port}")
    thread.start()
    try:
        yield f"{server.scheme}://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.cut_connections()
        server.server_close()
        thread.join()


def write_pem(path: Path, pem: bytes) -> Path:
    """Write a new file that only its owner may read, whatever the umask; returns `path`.

    Raises:
        FileExistsError: Something is there already.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return path


def _context(tls: ServerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:  # OpenSSL takes a key from a file, and from nowhere else
        certificate = write_pem(Path(folder, "certificate.pem"), tls.certificate_pem)
        key = write_pem(Path(folder, "key.pem"), tls.key_pem)
        context.load_cert_chain(certificate, key)
    if tls.client_ca_pem is not None:
        context.load_verify_locations(cadata=tls.client_ca_pem.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a connection; the handshake happens there, so that a client that stalls holds up nobody else."""

    request_queue_size = 128

    def __init__(self, host: str, port: int, app: WSGIApplication, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self._is_cut = False
        super().__init__((host, port), _Request)
        self.set_app(app)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own looks the host up in DNS, which can take seconds
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._tls else "http"

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls is None:
            with self._cuttable(request):
                super().finish_request(request, client_address)
            return
        with self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secure, self._cuttable(secure):
            secure.do_handshake()
            super().finish_request(secure, client_address)
            secure.settimeout(_FAREWELL_S)
            with contextlib.suppress(OSError):
                secure.unwrap()  # without it, a body that ends with the connection looks cut off

    def cut_connections(self) -> None:
        """End every connection, and each that is still to begin."""
        with self._open_lock:
            self._is_cut = True
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client may have gone a moment ago
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # not the TLS socket's own, which would go on in clear text

    @contextlib.contextmanager
    def _cuttable(self, connection: socket.socket) -> Iterator[None]:
        with self._open_lock:
            if self._is_cut:
                raise ConnectionAbortedError
            self._open.add(connection)
        try:
            yield
        finally:
            with self._open_lock:
                self._open.remove(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that goes away is no news, a bug of ours is
            super().handle_error(request, client_address)


class _Request(WSGIRequestHandler):
    """Sends the application's head as it is: no `Date` or `Server` of this machine, and no look at what it says (wsgiref's own refuses some)."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline(MAX_REQUEST_LINE_BYTES)
        if not self.parse_request():
            return
        server = cast("_Server", self.server)
        asked = {"wsgi.version": (1, 0), "wsgi.url_scheme": server.scheme, "wsgi.input": self.rfile, "wsgi.errors": sys.stderr}
        how = {"wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False}
        body = cast("WSGIApplication", server.get_app())({**self.get_environ(), **asked, **how}, self._begin)
        for chunk in body:
            self.wfile.write(chunk)

    def _begin(self, status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Callable[[bytes], object]:
        head = [f"HTTP/1.0 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        self.wfile.write("\r\n".join(head).encode("latin-1"))
        return self.wfile.write

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the application records what it is asked."""
