"""A fleet of simulated servers in a story's own time: driven through `serve_due`, faulted, restarted, and kept account of by the story itself.

What the auditor recorded is then compared with that account, of which nothing comes from the auditor.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path

import httpcore
import httpx
from sqlalchemy import func, select

from auditor import config
from auditor.app import App
from auditor.audit import Judge
from auditor.core.coverage import MissedBecause
from auditor.core.ledger import Kind
from auditor.core.model import CONFIGURED, EventState, SecretRef, Target
from auditor.errors import SecretError
from auditor.policyfile import PolicyBook
from auditor.simulator.command import NotConfigured, Simulator
from auditor.store import tables
from tests.naive import STATES, Ledgerless, Plan

USER = r"CORP\svc-auditor"
FIELDS = ("Port", "SenderName", "UseSSL")
"""What the story edits, and accounts for."""


class Crash(BaseException):
    """The process is gone, in the middle of a read."""


@dataclass(frozen=True)
class GoodRead:
    """What the story knows a read to have seen: the server's own values then, and how often each had been edited by then."""

    began: datetime
    ended: datetime
    values: dict[str, object]
    epoch: int


@dataclass
class Event:
    """A drift event as the story expects it."""

    field: str
    not_before: datetime
    not_after: datetime
    reference: object
    value: object
    state: EventState = EventState.OPEN
    ended_by: datetime | None = None
    epochs: tuple[int, int] = (0, 0)


@dataclass
class Server:
    """One server of the story, with all that the story knows of it. `key` never changes, `name` may."""

    key: str
    name: str
    simulator: Simulator
    plan: Plan
    own: Ledgerless = field(default_factory=Ledgerless)
    renamed_from: str | None = None
    is_configured: bool = True
    good: list[GoodRead] = field(default_factory=list)
    """Good reads in order; of a run that saw the same, the first and the last."""
    edits: list[tuple[datetime, int, str]] = field(default_factory=list)
    """When which field was edited, by the story's clock, and in which epoch of that clock."""
    reads: int = 0


Fault = Callable[[Server], None]


@dataclass
class Fleet:
    """Servers, the clock, and the auditor between its restarts. Everything random comes from `random`."""

    folder: Path
    at: datetime
    random: random.Random
    servers: dict[str, Server] = field(default_factory=dict)
    policy_version: int = 1
    fault: str = ""
    """What the next reads end in; good ones in nothing."""
    faults_met: dict[str, int] = field(default_factory=dict)
    epoch: int = 0
    """How often the clock was set: two instants can be compared within one epoch."""
    takes: tuple[float, float] = (0.0, 2.0)
    """How long a server takes to answer, in seconds of the story: from, to."""
    minutes: int = 0
    """How long the story is; see `Ledgerless`."""
    crash_after: int | None = None
    """After so many reads the process is gone."""
    app: App | None = None
    _reading: Server | None = None
    _ends_in: str = ""
    _is_gone: bool = False
    _begun: list[str] = field(default_factory=list)
    _denied: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    _books: dict[int, PolicyBook] = field(default_factory=dict)

    def clock(self) -> datetime:
        return self.at

    # --- the far end ----------------------------------------------------------------------------------------------

    def add(self, key: str, plan: Plan) -> Server:
        simulator = Simulator(clock=self.clock, seed=len(self.servers))
        simulator.accounts.add_user(USER, "secret")
        self.servers[key] = Server(key=key, name=key, simulator=simulator, plan=plan, own=Ledgerless(minutes=self.minutes))
        return self.servers[key]

    def edit(self, server: Server, name: str, value: object) -> None:
        """Somebody changes the profile, now."""
        server.simulator.smtp[name] = value
        server.edits.append((self.at, self.epoch, name))

    def vanish(self, server: Server, *, back: bool = False) -> None:
        server.simulator.not_configured = None if back else NotConfigured.NULL
        server.edits.append((self.at, self.epoch, CONFIGURED))

    def _secret(self, ref: SecretRef) -> str:
        """The auditor asks for a credential at the beginning of each read: here the story hears of it, and decides how the read ends."""
        if self._is_gone:
            raise Crash
        began, server = self.at, self.servers[ref.name.removeprefix("PW_")]
        since, until = self._denied.get(server.key, (began, began))
        fault = "backing_off" if since <= began < until else self.fault
        self._reading, self._ends_in = server, fault
        self._begun.append(server.name)
        server.simulator.forget_requests()  # or a year of them would be kept, where memory is measured
        self.faults_met[fault] = self.faults_met.get(fault, 0) + 1
        self.at += timedelta(seconds=self.random.uniform(*self.takes))
        if self.crash_after is not None:
            self.crash_after -= 1
            if self.crash_after < 0:
                self._is_gone = True
                raise Crash
        server.reads += 1
        server.own.read(began, is_good=fault == "")
        if fault == "credential_missing":
            raise SecretError("not there")
        if fault == "":
            self._denied.pop(server.key, None)
            is_there = server.simulator.not_configured is None
            values: dict[str, object] = {CONFIGURED: is_there} | ({name: server.simulator.smtp[name] for name in FIELDS} if is_there else {})
            seen = GoodRead(began, self.at, values, self.epoch)
            if len(server.good) > 1 and server.good[-1].values == server.good[-2].values == values:
                server.good[-1] = seen
            else:
                server.good.append(seen)
        return "secret"

    def _transport(self, target: Target) -> httpx.BaseTransport:
        server, fault = self._reading, self._ends_in
        assert server is not None
        assert target.name == server.name
        assert fault != "backing_off", "no request is made"
        raised = _RAISED.get(fault)
        if raised is not None:
            return httpx.MockTransport(_raising(raised))
        if fault in ("unauthenticated", "forbidden"):
            self._denied[server.key] = (self.at, self.at + timedelta(hours=1))
        if fault in _ANSWERED:
            return httpx.MockTransport(lambda _: _ANSWERED[fault]())
        return httpx.WSGITransport(server.simulator)  # type: ignore[arg-type]

    # --- the auditor ----------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Put the configuration and the policy on the disk, as the story has them now."""
        (self.folder / "policies").mkdir(exist_ok=True)
        policy = (
            f"policy: one\ntitle: One rule\nversion: {self.policy_version}\nrules:\n- {{id: X-001, title: The port is safe, severity: high, "
            f"require: {{Port: {{in: [465, 587, {2000 + self.policy_version}]}}}}}}\n"
        )
        (self.folder / "policies" / "one.yaml").write_text(policy, encoding="utf-8")
        targets = "".join(_target(server) for server in self.servers.values() if server.is_configured)
        settings = "defaults: {policy: one, attempts: 1, backoff: 1h}\npolicies: [policies]\nlate_after: 5m\n"
        (self.folder / "auditor.yaml").write_text(f"targets:\n{targets}{settings}", encoding="utf-8")

    def start(self) -> None:
        """The auditor starts: whoever is first to open the database accounts for what passed meanwhile."""
        self.write()
        self.app = App(config.load(self.folder / "auditor.yaml"), clock=self.clock, secret=self._secret, transport=self._transport)
        if self.policy_version not in self._books:
            self._books = {self.policy_version: self.app.judge.book}
        self.app.judge = Judge(book=self._books[self.policy_version])  # to read all shipped policies anew takes as long as a hundred reads
        self.look(lambda app: app.store)

    def look(self, act: Callable[[App], object]) -> None:
        for server in self.servers.values():
            server.own.agree(server.plan if server.is_configured else Plan(), self.at)
            server.own.look(self.at)
        assert self.app is not None
        act(self.app)

    def stand_still(self) -> None:
        """The auditor notices that its clock jumped."""
        self.look(lambda app: app.take_stock(app.store, because=MissedBecause.STANDSTILL))

    def stop(self) -> None:
        assert self.app is not None
        self.app.close()
        self.app = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def serve(self, share: float = 1.0, *, fault: str = "", crash_after: int | None = None) -> None:
        """Those that owe a read now are read, each with the probability `share` (others wait: a pool is full); one by one, so the order is fixed."""
        assert self.app is not None
        self.fault, self.crash_after, self._begun = fault, crash_after, []
        owing = {one.name for one in self.servers.values() if one.is_configured and (one.own.open_at(self.at) is not None or self._is_new(one))}
        chosen = [target for target in self.app.config.targets if self.random.random() < share]
        try:
            for _ in self.app.auditor.serve_due(chosen, clock=self.clock, workers=1):
                pass
        except Crash:
            assert crash_after is not None
            self._is_gone, self.fault, self.crash_after = False, "", None
            gone = self.app
            self.start()
            gone.close()  # a process that is killed closes nothing, and so leaves its WAL to the next; only then are its handles given back
        else:
            assert self._begun == [target.name for target in chosen if target.name in owing], "who owes a read"
            self.fault, self.crash_after = "", None

    def check_by_hand(self, server: Server) -> None:
        """Somebody runs `check` beside the schedule."""
        assert self.app is not None
        (target,) = (one for one in self.app.config.targets if one.name == server.name)
        self.app.auditor.audit(target, at=self.at)

    def _is_new(self, server: Server) -> bool:
        """A target that was never read, and of which nothing was ever owed, is read at once."""
        told = server.own.told_until
        return server.reads == 0 and server.plan.reads_on(self.at.date()) and (told is None or not any(server.own.owed(told)))

    # --- afterwards -----------------------------------------------------------------------------------------------

    def account(self, begins: datetime) -> int:
        """Compare coverage with the story's own account, for every target and day; returns how many slots were accounted for."""
        assert self.app is not None
        store, accounted = self.app.store, 0
        for server in self.servers.values():
            covered = store.coverage(server.name, after=begins - timedelta(days=2), until=self.at)
            assert covered is not None
            found = {day: {state: getattr(tally, state) for state in STATES} for day, tally in covered.days.items()}
            assert found == server.own.days(self.at), server.name
            assert covered.total.expected == sum(sum(day.values()) for day in found.values())
            accounted += covered.total.expected
        return accounted

    def records(self) -> dict[Kind, int]:
        """How many records of each kind the ledger has; it verifies."""
        assert self.app is not None
        verified = self.app.store.verify()
        assert verified.fault is None
        with self.app.store._reading() as connection:
            found = connection.execute(select(tables.ledger.c.kind, func.count()).group_by(tables.ledger.c.kind))
            counts: dict[Kind, int] = {row[0]: row[1] for row in found}
        assert verified.records == sum(counts.values())
        assert counts.get(Kind.SLOT, 0) == sum(server.own.reads for server in self.servers.values()), "a slot is in one read"
        with self.app.store._reading() as connection:
            double = "SELECT count(*) FROM (SELECT 1 FROM observations WHERE slot IS NOT NULL GROUP BY target_id, slot HAVING count(*) > 1)"
            assert connection.exec_driver_sql(double).scalar() == 0
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        return counts

    def drift(self) -> list[Event]:
        """Compare the drift events of every server with what the story did; returns all of them."""
        assert self.app is not None
        told: list[Event] = []
        for server in self.servers.values():
            expected = events_of(server)
            found = self.app.store.events(server.name, newest=10_000)
            key = _sort_key
            seen = [(e.subject, e.not_before, e.not_after, e.state, e.ended_by) for e in found]
            known = [(e.field, e.not_before, e.not_after, e.state, e.ended_by) for e in expected]
            assert sorted(seen, key=key) == sorted(known, key=key), (server.name, {*seen} - {*known}, {*known} - {*seen})
            for event in expected:
                if event.epochs[0] == event.epochs[1]:  # the clock was not set between the two reads
                    instants = [at for at, epoch, name in server.edits if (name, epoch) == (event.field, event.epochs[0])]
                    assert any(event.not_before <= at <= event.not_after for at in instants), f"{server.name}: {event}"
            told += expected
        return told


def events_of(server: Server) -> list[Event]:
    """The drift events that the good reads of a server come to, told anew: one open event a field, against the value before the first change."""
    done: list[Event] = []
    opened: dict[str, Event] = {}
    shown: dict[str, tuple[object, GoodRead]] = {}
    for read in server.good:
        for name, value in read.values.items():
            last = shown.get(name)
            event = opened.get(name)
            if event is not None and value == event.reference:
                event.state, event.ended_by = EventState.RETURNED, read.ended
                done.append(opened.pop(name))
            elif last is not None and value != last[0]:
                reference = last[0]
                if event is not None:
                    reference = event.reference
                    event.state, event.ended_by = EventState.SUPERSEDED, read.ended
                    done.append(opened.pop(name))
                epochs = (last[1].epoch, read.epoch)
                opened[name] = Event(name, last[1].began, read.ended, reference, value, epochs=epochs)
            shown[name] = (value, read)
    return [*done, *opened.values()]


def _sort_key(row: tuple[str, datetime | None, datetime, EventState, datetime | None]) -> tuple[str, ...]:
    return tuple(str(part) for part in row)


# --- how a read can end -------------------------------------------------------------------------------------------

_RAISED: dict[str, Callable[[], Exception]] = {
    "timeout": lambda: httpcore.ReadTimeout("slow"),
    "unreachable": lambda: httpcore.ReadError("reset"),
    "malformed_http": lambda: httpcore.RemoteProtocolError("illegal status line"),
}
_ANSWERED: dict[str, Callable[[], httpx.Response]] = {
    "redirected": lambda: httpx.Response(302, headers={"Location": "https://elsewhere.test"}),
    "unauthenticated": lambda: httpx.Response(401),
    "forbidden": lambda: httpx.Response(403, headers={"X-Keyfactor-Product-Version": "25.4.1"}),
    "not_found": lambda: httpx.Response(404),
    "rejected": lambda: httpx.Response(400, content=b"{}"),
    "throttled": lambda: httpx.Response(429),
    "server_error": lambda: httpx.Response(500),
    "malformed": lambda: httpx.Response(200, content=b"<html>"),
    "too_large": lambda: httpx.Response(200, content=b" " * 70_000),
    "unsupported_version": lambda: httpx.Response(400, json={"error": {"code": "UnsupportedApiVersion"}}),
}
FAULTS = (*_RAISED, *_ANSWERED, "credential_missing")
"""Each outcome that a read can be made to end in without a socket; DNS and TLS have tests of their own, and `backing_off` follows from a denial."""


def _raising(error: Callable[[], Exception]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error()

    return answer


def _target(server: Server) -> str:
    plan, lines = server.plan, [f"name: {server.name}", f"url: 'https://{server.key}.test'"]
    lines.append(f"auth: {{type: basic, username: '{USER}', password: env:PW_{server.key}}}")
    if plan.every_min is not None:
        lines.append(f"schedule: {{every: {plan.every_min}m}}")
    if plan.local:
        lines.append(f"schedule: {{cron: '{crontab(plan.local)}', timezone: {plan.zone}}}")
    if plan.paused_until is not None:
        lines += [f"paused_until: {plan.paused_until}", "paused_reason: moved to another hall"]
    if plan.retired_on is not None:
        lines.append(f"retired_on: {plan.retired_on}")
    if server.renamed_from is not None:
        lines.append(f"renamed_from: {server.renamed_from}")
    return "- " + "\n  ".join(lines) + "\n"


def crontab(times: tuple[time, ...]) -> str:
    """The crontab line of local times that are all combinations of some minutes and hours."""
    minutes, hours = sorted({one.minute for one in times}), sorted({one.hour for one in times})
    assert len(times) == len(minutes) * len(hours)
    return f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
