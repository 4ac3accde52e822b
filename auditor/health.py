"""How the auditor itself is: whether reads succeed, what is overdue, what waits to be told; for a probe, and for Prometheus.

Everything is read from the record at the time of asking, so a daemon and a crontab line tell the same.
"""

import hmac
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from auditor.core.coverage import Coverage
from auditor.core.model import DeliveryState
from auditor.errors import StoreError
from auditor.report.prometheus import Family, of_targets, of_waivers

if TYPE_CHECKING:
    from auditor.core.model import Waiver
    from auditor.instance import Held, Holder
    from auditor.store.store import Store

log = logging.getLogger("auditor.health")

MAX_CALLERS = 16
MAX_CALL_S = 10.0
COVERED = timedelta(days=7)
"""The time for which coverage is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is looked at: the record, the targets that count, the waivers, and what is wrong with the configuration's file (empty: nothing).

    `lock` is the daemon's, by which it is the only one at work on the record; None where no daemon looks.
    """

    store: "Store"
    targets: tuple[str, ...]
    waivers: "tuple[Waiver, ...]" = ()
    trouble: str = ""
    lock: "Held | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether all is well, and what is not. `targets` has when each was last read well and whether it owes a read now."""

    targets: tuple[tuple[str, datetime | None, bool], ...]
    is_writable: bool
    trouble: str
    holder: "Holder | None" = None
    is_alone: bool = True

    @property
    def is_well(self) -> bool:
        """A target that cannot be read is its own trouble, and told as such.

        Ours are a record that cannot be written, a bad configuration, and a lock that no longer keeps other daemons away.
        """
        return self.is_writable and not self.trouble and self.is_alone

    def document(self) -> dict[str, Any]:
        """The state as JSON."""
        return {
            "status": "ok" if self.is_well else "trouble",
            "store_writable": self.is_writable,
            "configuration": self.trouble or "current",
            "lock": {**asdict(self.holder), "held": self.is_alone} if self.holder else None,
            "targets": [
                {"target": name, "last_success": last.astimezone(UTC).isoformat() if last else None, "overdue": overdue}
                for name, last, overdue in self.targets
            ],
        }


def look(watched: Watched, *, at: datetime) -> Health:
    """The health of what is watched, at `at`."""
    lock = watched.lock
    own = Health(
        targets=(), is_writable=False, trouble=watched.trouble, holder=lock.holder if lock else None, is_alone=lock is None or lock.is_ours()
    )
    try:
        owing = set(watched.store.due(at))
        seen = {name: watched.store.last_observed(name) for name in watched.targets}
        writable = watched.store.is_writable()
    except StoreError as failure:
        log.warning("the record cannot be read: %s", failure)
        return own
    told = tuple((name, last[0] if last else None, name in owing) for name, last in seen.items())
    return replace(own, targets=told, is_writable=writable)


def metrics(watched: Watched, *, at: datetime) -> bytes:
    """The state as Prometheus reads it, in its text format.

    Raises:
        StoreError: The record cannot be read.
    """
    registry = CollectorRegistry()
    registry.register(_Collected(list(_families(watched, at))))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _families(watched: Watched, at: datetime) -> Iterator[Metric]:
    yield from map(_gauge, of_targets(watched.store.standings(watched.targets)))
    reads = CounterMetricFamily("auditor_reads", "Reads on record", labels=["target", "outcome"])
    for target, outcome, count in watched.store.reads_by_outcome():
        if target in watched.targets:
            reads.add_metric([target, outcome.value], count)
    yield reads
    yield from _of_outbox(watched.store)
    ratio = GaugeMetricFamily("auditor_coverage_ratio", "Owed reads of the last seven days that were read well", labels=["target"])
    for name in watched.targets:
        covered: Coverage | None = watched.store.coverage(name, after=at - COVERED, until=at)
        if covered is not None and covered.total.expected:
            ratio.add_metric([name], covered.total.read / covered.total.expected)
    yield ratio
    yield _gauge(of_waivers(watched.waivers, at=at))
    yield GaugeMetricFamily("auditor_config_current", "Whether the configuration in force is that of the file", value=0 if watched.trouble else 1)


def _gauge(family: Family) -> Metric:
    told = GaugeMetricFamily(family.name, family.about, labels=list(family.labels))
    for values, figure in family.samples:
        told.add_metric(list(values), figure)
    return told


def _of_outbox(store: "Store") -> Iterator[Metric]:
    owed = store.deliveries()
    for name, text, states in (
        ("auditor_outbox_pending", "Notices that a channel is owed", (DeliveryState.PENDING, DeliveryState.CLAIMED)),
        ("auditor_outbox_parked", "Notices that were given up", (DeliveryState.PARKED,)),
    ):
        family = GaugeMetricFamily(name, text, labels=["channel"])
        for channel in dict.fromkeys(one.channel for one in owed):
            family.add_metric([channel], sum(one.channel == channel and one.state in states for one in owed))
        yield family


# --- over HTTP ----------------------------------------------------------------------------------------------------


class HealthServer:
    """Answers `/healthz` and `/metrics`, on a thread of its own. With a `token`, to whoever shows it as a bearer alone."""

    def __init__(self, host: str, port: int, watched: Callable[[], Watched], clock: Callable[[], datetime], token: str | None = None) -> None:
        self._server = _Server(host, port, _answering(watched, clock, token))
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """So many callers at once, each for so long: whoever reaches the port must not take the daemon's threads and files."""

    daemon_threads = True

    def __init__(self, host: str, port: int, answering: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._room = threading.BoundedSemaphore(MAX_CALLERS)
        super().__init__((host, port), answering)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        end = threading.Timer(MAX_CALL_S, _cut, [request])
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's own signature
        log.debug("a caller broke off", exc_info=True)  # the library would print it


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is over already
        connection.shutdown(socket.SHUT_RDWR)


def _answering(watched: Callable[[], Watched], clock: Callable[[], datetime], token: str | None) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = 10
        server_version, sys_version = "auditor", ""

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                self._send(401, "text/plain; charset=utf-8", b"a bearer token is needed\n")
            elif self.path == "/healthz":
                health = look(watched(), at=clock())
                self._send(200 if health.is_well else 503, "application/json", json.dumps(health.document()).encode() + b"\n")
            elif self.path == "/metrics":
                try:
                    self._send(200, "text/plain; version=0.0.4; charset=utf-8", metrics(watched(), at=clock()))
                except StoreError:
                    log.exception("the record cannot be read")
                    self._send(503, "text/plain; charset=utf-8", b"the record cannot be read\n")
            else:
                self._send(404, "text/plain; charset=utf-8", b"/healthz or /metrics\n")

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            log.debug(format, *args)

    return Answer
