"""Reads the SMTP profile of one Keyfactor Command server: one GET becomes one Observation.

What goes wrong with the server is the observation's outcome, never an exception: a read is recorded whatever it met.
"""

import hashlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx

from auditor.command import auditlog, auth, headers, pam, wire
from auditor.command.session import Session
from auditor.core.model import (
    AuditTrail,
    Collection,
    Fingerprint,
    Memory,
    Observation,
    ReadOutcome,
    SecretRef,
    Snapshot,
    State,
    Target,
    TrailOutcome,
)
from auditor.core.recent import Recent
from auditor.exchange.connection import Answer, Peer, TlsContexts
from auditor.exchange.trouble import Trouble

MAX_KEPT = 2048
"""Targets whose last snapshot stays at hand, for an answer that says the same again."""

_log = logging.getLogger("auditor.command")


class Reader:
    """Reads targets, from any number of threads.

    `secret` finds the value behind a reference, or raises SecretError. `clock` gives aware UTC. `jitter` gives numbers from 0 to below 1.
    `transport` takes the place of the network for a target (tests).
    """

    def __init__(
        self,
        *,
        secret: Callable[[SecretRef], str],
        fingerprint: Callable[[str, str], Fingerprint],
        clock: Callable[[], datetime],
        collector_host: str,
        collector_version: str,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        transport: Callable[[Target], httpx.BaseTransport] | None = None,
    ) -> None:
        self.secret, self.fingerprint, self.clock, self.sleep, self.jitter = secret, fingerprint, clock, sleep, jitter
        self.collector_host, self.collector_version, self.transport = collector_host, collector_version, transport
        self.contexts, self.tokens = TlsContexts(), auth.TokenCache()
        self._parsed: Recent[str, tuple[tuple[int, bytes], Snapshot]] = Recent(MAX_KEPT)

    def observe(self, target: Target, memory: Memory, *, force: bool = False) -> tuple[Observation, Memory]:
        """Read the profile of `target` once; `memory` is what the previous call gave back, and what came back now is for the next.

        After a 401 or 403 no request is made until `backoff_s` have passed, the credential or the target changes, or `force` is given.
        """
        observation, memory, _ = self.examine(target, memory, force=force)
        return observation, memory

    def examine(self, target: Target, memory: Memory, *, force: bool = False) -> tuple[Observation, Memory, Peer]:
        """The same, and who was at the other end: how far it came, and by which certificates."""
        started_at = self.clock()
        visit = _Visit(self, target)
        snapshot, message, hint = None, "", ""
        try:
            memory = visit.prepare(memory)
            if not force:
                _respect_back_off(memory, started_at)
            version, snapshot = visit.read(memory)
            pam_denied_until = memory.pam_denied_until
            if target.pam_providers:
                known, pam_denied_until = self._providers(visit, version, memory, force=force) if pam.points_at_pam(snapshot) else ({}, None)
                snapshot = pam.with_vaults(snapshot, known)
            outcome = ReadOutcome.OBSERVED if snapshot.configured else ReadOutcome.NOT_CONFIGURED
            message = "" if snapshot.configured else f"{visit.who} has no mail profile"
            memory = Memory(
                identity=memory.identity,
                api_version=version,
                product_version=visit.seen.get("product_version"),
                pam_denied_until=pam_denied_until,
            )
        except Trouble as trouble:
            outcome, message, hint = trouble.outcome, trouble.message, trouble.hint
            if outcome in (ReadOutcome.UNAUTHENTICATED, ReadOutcome.FORBIDDEN):
                now = self.clock()
                memory = replace(memory, denied_as=outcome, denied_at=now, denied_until=now + timedelta(seconds=target.backoff_s))
        finally:
            visit.close()
        observation = Observation(
            target=target.name,
            outcome=outcome,
            started_at=started_at,
            ended_at=self.clock(),
            collection=visit.collection(),
            snapshot=snapshot,
            message=message,
            hint=hint,
        )
        _note(observation)
        return observation, memory, visit.peer

    def audit_trail(self, target: Target, *, after: datetime, until: datetime, product_version: str | None = None) -> AuditTrail:
        """What Command's audit log says of the time after `after` and through `until`; no request is made unless `target.attribution`.

        `product_version`, as a Collection has it, tells which form of the query is tried first. Trouble is the trail's outcome, never raised, and a
        denial does not start the target's back-off. Whether to ask again after one is the caller's to decide: Command logs each denied call.
        """
        if not target.attribution:
            return AuditTrail(outcome=TrailOutcome.NOT_ASKED, message="`attribution` is not turned on for this target", after=after, until=until)
        session = Session(self, target)
        try:
            return auditlog.read(session, after=after, until=until, product_version=product_version)
        finally:
            session.close()

    def pam_providers(self, target: Target, *, version: int, product_version: str | None) -> Mapping[int, pam.Provider] | pam.Unseen:
        """The PAM providers of `target` by id, asked for whether or not its profile points at one. Trouble is returned, never raised."""
        session = Session(self, target)
        try:
            session.unlock()
            return pam.providers(session, version=version, product_version=product_version, within_s=target.timeout_s)
        except Trouble as trouble:
            return pam.Unseen(State.INCONCLUSIVE, trouble.message)
        finally:
            session.close()

    def parse(self, body: bytes, *, target: str, version: int) -> Snapshot | wire.Unreadable:
        """As `wire.parse`; a target that answers as it did last gives the same snapshot. The answer is known by its digest: it is not kept."""
        mark = (version, hashlib.sha256(body).digest())
        last = self._parsed.get(target)
        if last is not None and last[0] == mark:
            return last[1]
        found = wire.parse(body, api_version=version, fingerprint=self.fingerprint)
        if isinstance(found, Snapshot):
            self._parsed.put(target, (mark, found))
        return found

    def _providers(
        self, visit: "_Visit", version: int, memory: Memory, *, force: bool
    ) -> tuple[Mapping[int, pam.Provider] | pam.Unseen, datetime | None]:
        """The PAM providers, and until when they are not asked for again: after a denial `backoff_s` long, since Command logs each."""
        if not force and memory.pam_denied_until is not None and self.clock() < memory.pam_denied_until:
            return pam.NOT_PERMITTED, memory.pam_denied_until
        target = visit.target
        found = pam.providers(visit.session, version=version, product_version=visit.seen.get("product_version"), within_s=target.timeout_s)
        return found, self.clock() + timedelta(seconds=target.backoff_s) if found is pam.NOT_PERMITTED else None


def _respect_back_off(memory: Memory, now: datetime) -> None:
    if memory.denied_as is None or memory.denied_at is None or memory.denied_until is None or not memory.denied_at <= now < memory.denied_until:
        return
    since, until = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (memory.denied_at, memory.denied_until))
    raise Trouble(
        ReadOutcome.BACKING_OFF, f"no request was made: access was denied ({memory.denied_as.value}) on {since}, the next try is due on {until}"
    )


def _note(observation: Observation) -> None:
    duration_ms = (observation.ended_at - observation.started_at) // timedelta(milliseconds=1)
    figures = {"status": observation.collection.status, "attempts": observation.collection.attempts, "duration_ms": duration_ms}
    level = logging.INFO if observation.outcome.is_observed else logging.WARNING
    _log.log(
        level,
        "read %s: %s",
        observation.target,
        observation.outcome.value,
        extra={"event": "read", "target": observation.target, "outcome": observation.outcome.value, **figures},
    )


class _Visit:
    """One observation under way: the requests it takes, and what it learns on the way (`seen`, for the Collection)."""

    def __init__(self, reader: Reader, target: Target) -> None:
        self.reader, self.target = reader, target
        self.session = Session(reader, target)
        self.url, self.who = f"{self.session.base}/SMTP", self.session.who
        self.seen: dict[str, Any] = {"attempts": 0, "auth_method": self.session.auth_method, "account": self.session.account}
        self.peer = Peer()
        self._told: dict[int, dict[str, Any]] = {}

    def prepare(self, memory: Memory) -> Memory:
        """Get the credential at hand; `memory`, if it was made with the same credential for the same server, else an empty one.

        Raises:
            Trouble: There is no credential, or no safe way to send it.
        """
        identity = self.session.unlock()
        return memory if memory.identity == identity else Memory(identity=identity)

    def read(self, memory: Memory) -> tuple[int, Snapshot]:
        """The profile, and the API version that gave it: version 2 unless only 1 worked before and Command is still the same edition.

        Raises:
            Trouble: The profile was not seen.
        """
        version, other = (1, 2) if memory.api_version == 1 else (2, 1)
        answer = self.ask(version)
        if headers.is_unsupported(answer, version):
            version, answer = other, self.ask(other)
            if headers.is_unsupported(answer, version):
                listed = f" (it lists {self.seen['supported_versions']})" if self.seen.get("supported_versions") else ""
                raise Trouble(ReadOutcome.UNSUPPORTED_VERSION, f"{self.who} offers neither version 2 nor 1 of its SMTP profile{listed}")
        elif version == 1 and answer.status == 200 and self.seen.get("product_version") != memory.product_version:
            newer = self.ask(2)
            if not headers.is_unsupported(newer, 2):
                version, answer = 2, newer
        return version, self.judge(answer, version)

    def judge(self, answer: Answer, version: int) -> Snapshot:
        """What `answer` says of the profile.

        Raises:
            Trouble: It says nothing of a profile.
        """
        self.seen |= self._told[version]
        match answer.status:
            case 200:
                found = self.reader.parse(answer.body, target=self.target.name, version=version)
                if isinstance(found, wire.Unreadable):
                    raise Trouble(ReadOutcome.MALFORMED, f"{self.who} sent what is no SMTP profile: {found.reason}")
                return found
            case 204:
                return wire.not_configured(version)
            case 404 if headers.are_commands(answer):
                return wire.not_configured(version)
            case 404:
                raise Trouble(ReadOutcome.NOT_FOUND, f"{self.who} answered 404, and nothing in the answer is Command's")
            case _:
                raise self.session.trouble(answer)

    # --- requests -------------------------------------------------------------------------------------------------

    def ask(self, version: int) -> Answer:
        """GET the profile in one API version, again while trouble may pass.

        Raises:
            Trouble: No answer came, or none but 429 or a server error.
        """
        return self.session.patiently(lambda: self._get(version))

    def _get(self, version: int) -> Answer:
        answer = self.session.authorized(lambda header: self._send(version, header))
        if answer.status == 429 or answer.status >= 500:
            raise self.session.trouble(answer)
        return answer

    def _send(self, version: int, authorization: str) -> Answer:
        connection = self.session.connection()
        self.peer = connection.peer
        self.seen["attempts"] += 1
        self.seen["api_version"] = version
        try:
            answer = self.session.get(self.url, authorization, version=version, max_body_bytes=self.target.max_body_bytes)
        finally:
            peer = connection.peer
            self.seen |= {"remote_address": peer.address, "tls_leaf_sha256": peer.tls_leaf_sha256, "tls_version": peer.tls_version}
            if peer.tls_version is not None:
                self.seen["tls_verified"] = not self.target.insecure_skip_verify
        self._told[version] = {"api_version": version, **headers.told(answer, self.reader.clock())}
        self.seen |= self._told[version]
        return answer

    # --- afterwards -----------------------------------------------------------------------------------------------

    def collection(self) -> Collection:
        return Collection(url=self.url, collector_host=self.reader.collector_host, collector_version=self.reader.collector_version, **self.seen)

    def close(self) -> None:
        self.session.close()
