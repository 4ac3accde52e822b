"""A line of bytes to a server that does not speak HTTP, under one deadline, with TLS from the start or later on."""

import io
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import httpcore

from auditor.core.model import ReadOutcome
from auditor.exchange.connection import Deadline, Peer
from auditor.exchange.trouble import Trouble, of_failure

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

COMPLAINT_S = 0.5
"""How long the far end has to complain of what it got, before it is told that this was all."""
FAREWELL_S = 2.0
"""How long the far end may take to say goodbye; one that has read all and says nothing is no trouble."""

MAX_READ_BYTES = 256 * 1024
"""Of what the far end says to a reader of lines. smtplib keeps a reply of any number of lines; a session with a hundred recipients is far below."""


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
        """Tell the far end over TLS that this was all, and wait a moment for its goodbye: what it refused to read shows then, and only then.

        Raises:
            Trouble: It had refused us, or broke the connection off.
        """
        raw: ssl.SSLSocket = self._stream.get_extra_info("socket")
        try:
            if not self._is_silent(raw):
                raise ConnectionResetError(0, "closed by the other side")
            raw.settimeout(min(FAREWELL_S, self._deadline.left_s()))
            with suppress(TimeoutError, ssl.SSLError):  # no goodbye, or no proper one: it had no complaint before
                raw.unwrap()
        except (httpcore.TimeoutException, OSError) as error:
            failure = httpcore.ReadError()
            failure.__cause__ = error
            raise of_failure(failure, self.who) from None

    def _is_silent(self, raw: ssl.SSLSocket) -> bool:
        """Whether nothing comes for a moment. With TLS 1.3 our handshake is over before the far end has judged us: an alert would come now."""
        raw.settimeout(min(COMPLAINT_S, self._deadline.left_s()))
        try:
            return bool(raw.recv(4096))
        except TimeoutError:
            return True

    def makefile(self, mode: str) -> io.BufferedReader:
        """A reader of lines, as smtplib wants one."""
        assert mode == "rb"
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        with suppress(OSError):
            self._stream.close()


class _Reader(io.RawIOBase):
    def __init__(self, line: Line) -> None:
        self._line, self._room = line, MAX_READ_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        piece = self._line.read(len(view))
        self._room -= len(piece)
        if self._room < 0:
            raise Trouble(ReadOutcome.TOO_LARGE, f"{self._line.who} says more than {MAX_READ_BYTES} bytes")
        view[: len(piece)] = piece
        return len(piece)
