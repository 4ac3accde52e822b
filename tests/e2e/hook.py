"""The far end of a webhook and of a heartbeat: an HTTP server on loopback that keeps what it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FarEnd:
    """The hook's messages, how often the heartbeat came, and what is answered to the hook, after how long."""

    port: int = 0
    status: int = 204
    takes_s: float = 0.0
    beats: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def kinds(self) -> list[list[str]]:
        return [[notice["kind"] for notice in message["notices"]] for message in self.messages]


@contextmanager
def listening() -> Iterator[FarEnd]:
    """Such a server, until the end of the block."""
    end = FarEnd()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            end.beats += 1
            self.answer(200)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with suppress(ValueError):  # cut short: who sent it was killed
                end.messages.append(json.loads(body))
                end.keys.append(self.headers["Idempotency-Key"])
            time.sleep(end.takes_s)
            self.answer(end.status)

        def answer(self, status: int) -> None:
            with suppress(OSError):  # who asked is gone
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        end.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield end
        server.shutdown()
        thread.join()
