"""Reads the SMTP profile of one Keyfactor Command server: one GET becomes one Observation.

What goes wrong with the server is the observation's outcome, never an exception: a read is recorded whatever it met.
"""

import hashlib
import logging
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, assert_never
from urllib.parse import urlsplit

import httpx

from auditor.command import auth, headers, wire, words
from auditor.command.connection import Answer, Connection, TlsContexts
from auditor.command.words import Trouble
from auditor.core.canonical import digest
from auditor.core.model import (
    BasicAuth,
    ClientCredentials,
    Collection,
    Fingerprint,
    Memory,
    Observation,
    ReadOutcome,
    SecretRef,
    Snapshot,
    StaticToken,
    Target,
)
from auditor.errors import SecretError

OVERALL_TIMEOUTS = 4
"""All requests of one observation, with the waits between them, end within so many times `timeout_s`."""
MAX_RETRY_AFTER_S = 30.0
FIRST_RETRY_S = 0.5

_log = logging.getLogger("auditor.command")
_T = TypeVar("_T")


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

    def observe(self, target: Target, memory: Memory, *, force: bool = False) -> tuple[Observation, Memory]:
        """Read the profile of `target` once; `memory` is what the previous call gave back, and what came back now is for the next.

        After a 401 or 403 no request is made until `backoff_s` have passed, the credential or the target changes, or `force` is given.
        """
        started_at = self.clock()
        visit = _Visit(self, target)
        snapshot, message, hint = None, "", ""
        try:
            memory = visit.prepare(memory)
            if not force:
                _respect_back_off(memory, started_at)
            version, snapshot = visit.read(memory)
            outcome = ReadOutcome.OBSERVED if snapshot.configured else ReadOutcome.NOT_CONFIGURED
            message = "" if snapshot.configured else f"{visit.who} has no mail profile"
            memory = Memory(identity=memory.identity, api_version=version, product_version=visit.seen.get("product_version"))
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
        return observation, memory


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
        self.url = f"{target.url.rstrip('/')}/{target.api_path.strip('/')}/SMTP"
        self.who = _host_of(target.url)
        self.seen: dict[str, Any] = {"attempts": 0}
        self._told: dict[int, dict[str, Any]] = {}
        self.identity = self.secret_value = ""
        self.passphrase: str | None = None
        self._ends_at = time.monotonic() + OVERALL_TIMEOUTS * target.timeout_s
        self._open = ExitStack()
        self._connections: dict[str, Connection] = {}

    def prepare(self, memory: Memory) -> Memory:
        """Get the credential at hand; `memory`, if it was made with the same credential for the same server, else an empty one.

        Raises:
            Trouble: There is no credential, or no safe way to send it.
        """
        target = self.target
        self.seen["auth_method"], self.seen["account"], reference = _account(target)
        certificate = target.client_certificate
        try:
            self.secret_value = self.reader.secret(reference)
            if certificate is not None and certificate.passphrase is not None:
                self.passphrase = self.reader.secret(certificate.passphrase)
        except SecretError as error:
            raise Trouble(ReadOutcome.CREDENTIAL_MISSING, str(error), hint=error.hint) from None
        auth.refuse_cleartext(target.url, self.who, insecure_http=target.insecure_http)
        mark = self.reader.fingerprint("credential", self.secret_value)
        asked_with = {
            "url": self.url,
            "auth": [self.seen["auth_method"], asdict(target.auth)],
            "credential": [mark.key_id, mark.mac],
            "certificate": certificate and [asdict(certificate), _file_digest(certificate.certificate)],
        }
        self.identity = digest(asked_with)
        return memory if memory.identity == self.identity else Memory(identity=self.identity)

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
                found = wire.parse(answer.body, api_version=version, fingerprint=self.reader.fingerprint)
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
                raise self._trouble(answer)

    # --- requests -------------------------------------------------------------------------------------------------

    def ask(self, version: int) -> Answer:
        """GET the profile in one API version, again while trouble may pass.

        Raises:
            Trouble: No answer came, or none but 429 or a server error.
        """
        return self._patiently(lambda: self._get(version))

    def _get(self, version: int) -> Answer:
        header, is_kept = self._authorization()
        answer = self._send(version, header)
        if answer.status == 401 and is_kept:  # the token was withdrawn before its time
            self.reader.tokens.drop(self.target.name)
            answer = self._send(version, self._authorization()[0])
        if answer.status == 429 or answer.status >= 500:
            raise self._trouble(answer)
        return answer

    def _send(self, version: int, authorization: str) -> Answer:
        sent = {
            "Accept": "application/json",
            "Authorization": authorization,
            "User-Agent": self._user_agent,
            "x-keyfactor-api-version": str(version),
            "x-keyfactor-requested-with": "APIClient",
        }
        connection = self._connection(self.who, self.url, verified=not self.target.insecure_skip_verify)
        self.seen["attempts"] += 1
        self.seen["api_version"] = version
        try:
            answer = connection.exchange("GET", self.url, headers=sent, timeout_s=self._time_left_s(), max_body_bytes=self.target.max_body_bytes)
        finally:
            peer = connection.peer
            self.seen |= {"remote_address": peer.address, "tls_leaf_sha256": peer.tls_leaf_sha256, "tls_version": peer.tls_version}
            if peer.tls_version is not None:
                self.seen["tls_verified"] = not self.target.insecure_skip_verify
        self._told[version] = {"api_version": version, **headers.told(answer, self.reader.clock())}
        self.seen |= self._told[version]
        return answer

    def _authorization(self) -> tuple[str, bool]:
        """The Authorization header, and whether it is a token that was kept from an earlier request."""
        match self.target.auth:
            case BasicAuth(username=username):
                return auth.basic(username, self.secret_value), False
            case StaticToken():
                return auth.bearer(self.secret_value), False
            case ClientCredentials() as credentials:
                kept = self.reader.tokens.get(self.target.name, self.identity, now=self.reader.clock())
                return (kept.header, True) if kept else (self._buy_token(credentials), False)
            case other:
                assert_never(other)

    def _buy_token(self, credentials: ClientCredentials) -> str:
        who = f"the token endpoint {_host_of(credentials.token_url)}"
        auth.refuse_cleartext(credentials.token_url, who, insecure_http=self.target.insecure_http)
        sent, form = auth.token_request(credentials, self.secret_value)
        answer = self._connection(who, credentials.token_url, verified=True).exchange(
            "POST",
            credentials.token_url,
            headers={"User-Agent": self._user_agent, **sent},
            content=form,
            timeout_s=self._time_left_s(),
            max_body_bytes=self.target.max_body_bytes,
        )
        token = auth.read_token(answer, who, now=self.reader.clock())
        self.reader.tokens.put(self.target.name, self.identity, token)
        return token.header

    def _connection(self, who: str, url: str, *, verified: bool) -> Connection:
        if who not in self._connections:
            target, reader = self.target, self.reader
            certificate = target.client_certificate if who == self.who else None
            if not verified:
                _log.warning(
                    "target %s: its TLS certificate is not verified (insecure_skip_verify)",
                    target.name,
                    extra={"event": "tls_not_verified", "target": target.name},
                )
            context = reader.contexts.get(
                ca_file=target.ca_file,
                certificate=certificate.certificate if certificate else None,
                key=certificate.key if certificate else None,
                passphrase=self.passphrase,
                skip_verify=not verified,
            )
            transport = reader.transport(target) if reader.transport else None
            proxy = _proxy_for(target, url)
            proxy_context = reader.contexts.get(ca_file=target.ca_file) if proxy and proxy.startswith("https:") else None
            connection = Connection(who, context=context, proxy=proxy, proxy_context=proxy_context, transport=transport)
            self._open.callback(connection.close)
            self._connections[who] = connection
        return self._connections[who]

    def _patiently(self, once: Callable[[], _T]) -> _T:
        for attempt in count(1):
            try:
                return once()
            except Trouble as trouble:
                wait_s = FIRST_RETRY_S * 2 ** (attempt - 1) * (0.5 + self.reader.jitter())
                if trouble.wait_s is not None:
                    wait_s = min(max(trouble.wait_s, 0.0), MAX_RETRY_AFTER_S) + self.reader.jitter()
                if not trouble.passes or attempt >= self.target.attempts or time.monotonic() + wait_s >= self._ends_at:
                    raise
            self.reader.sleep(wait_s)
        raise AssertionError("count() has no end")  # pragma: no cover

    def _time_left_s(self) -> float:
        return min(self.target.timeout_s, max(self._ends_at - time.monotonic(), 0.0))

    def _trouble(self, answer: Answer) -> Trouble:
        return words.of_status(answer.status, answer.headers, answer.body, self.who, now=self.reader.clock())

    @property
    def _user_agent(self) -> str:
        return f"smtp-auditor/{self.reader.collector_version}"

    # --- afterwards -----------------------------------------------------------------------------------------------

    def collection(self) -> Collection:
        return Collection(url=self.url, collector_host=self.reader.collector_host, collector_version=self.reader.collector_version, **self.seen)

    def close(self) -> None:
        self._open.close()


def _account(target: Target) -> tuple[str, str, SecretRef]:
    match target.auth:
        case BasicAuth(username=username, password=password):
            return "basic", auth.directory_user(username), password
        case ClientCredentials(client_id=client_id, client_secret=client_secret):
            return "oauth_client_credentials", client_id, client_secret
        case StaticToken(token=token):
            return "static_token", "static token", token
        case other:
            assert_never(other)


def _proxy_for(target: Target, url: str) -> str | None:
    """The proxy for `url`: none for plain http, which is loopback's alone and must not leave this machine, and none for hosts in `no_proxy`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    is_direct = any(host == name.lstrip(".") or host.endswith(f".{name.lstrip('.')}") for name in target.no_proxy)
    return None if parts.scheme != "https" or is_direct else target.proxy


def _host_of(url: str) -> str:
    """Host and port of a URL, to name it by; never its user information."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _file_digest(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None
