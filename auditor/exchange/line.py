"""A line of bytes to a server that does not speak HTTP, under one deadline, with TLS from the start or later on."""

import io
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import httpcore

from auditor.exchange.connection import Deadline, Peer
from auditor.exchange.trouble import of_failure

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FAREWELL_S = 2.0
"""How long the far end may take to say goodbye; one that has read all and says nothing is no trouble."""


class Line:
    """A TCP connection whose every wait ends `timeout_s` after it was asked for: name look-up, handshake, drips and all. Close it.

    `who` names the server in messages. It has what smtplib asks of a socket.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float, who: str) -> None:
        """Connect.

        Raises:
            Trouble: Nobody answers there.
        """
        self.who = who
        self._deadline = Deadline(Peer(), tls_in_tls=False)
        self._deadline.begin(timeout_s)
        try:
            self._stream = self._deadline.connect_tcp(host, port)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError, ValueError) as error:
            raise of_failure(error, who) from None

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on over TLS, with whom `context` takes for `host`.

        Raises:
            Trouble: There is no TLS, or none with that host.
        """
        try:
            self._stream = self._stream.start_tls(context, host)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError, ValueError) as error:
            raise of_failure(error, self.who) from None

    def read(self, max_bytes: int) -> bytes:
        """What came, at least one byte unless the far end is done.

        Raises:
            Trouble: It broke, or time is up.
        """
        try:
            return self._stream.read(max_bytes)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            raise of_failure(error, self.who) from None

    def sendall(self, content: bytes) -> None:
        """Send all of it.

        Raises:
            Trouble: It broke, or time is up.
        """
        try:
            self._stream.write(content)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            raise of_failure(error, self.who) from None

    def finish(self) -> None:
        """Tell the far end that this was all, and wait a moment for its goodbye: what it refused to read shows then, and only then.

        Raises:
            Trouble: It broke the connection off instead.
        """
        raw: socket.socket = self._stream.get_extra_info("socket")
        try:
            raw.settimeout(min(FAREWELL_S, self._deadline.left_s()))
            if isinstance(raw, ssl.SSLSocket):
                raw.unwrap()
            else:
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        except (TimeoutError, httpcore.TimeoutException, ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
            return  # it said nothing, or just went: it had no complaint
        except ssl.SSLError as error:
            if error.reason and ("ALERT" in error.reason or "BAD_" in error.reason):
                raise of_failure(error, self.who) from None
        except OSError as error:
            raise of_failure(httpcore.ReadError(str(error)), self.who) from error

    def makefile(self, mode: str) -> io.BufferedReader:
        """A reader of lines, as smtplib wants one."""
        assert mode == "rb"
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        with suppress(OSError):
            self._stream.close()


class _Reader(io.RawIOBase):
    def __init__(self, line: Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        piece = self._line.read(len(view))
        view[: len(piece)] = piece
        return len(piece)
