"""One account's way to one Command server: its credential, tokens, connections, and one deadline over all that is asked."""

import hashlib
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Protocol, TypeVar, assert_never
from urllib.parse import urlsplit

import httpx

from auditor.command import auth, words
from auditor.core.canonical import digest
from auditor.core.model import Auth, BasicAuth, ClientCertificate, ClientCredentials, Fingerprint, ReadOutcome, SecretRef, StaticToken, Target
from auditor.errors import SecretError
from auditor.exchange.connection import Answer, Connection, TlsContexts
from auditor.exchange.trouble import Trouble

OVERALL_TIMEOUTS = 4
"""All requests of one session, with the waits between them, end within so many times `timeout_s`."""
MAX_RETRY_AFTER_S = 30.0
FIRST_RETRY_S = 0.5
MAX_KEPT = 2048
"""Digests of whom and what is asked with that stay at hand."""

_log = logging.getLogger("auditor.command")
_T = TypeVar("_T")


class Means(Protocol):
    """What a session needs of whoever opens it; a Reader has it."""

    secret: Callable[[SecretRef], str]
    fingerprint: Callable[[str, str], Fingerprint]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    collector_version: str
    transport: Callable[[Target], httpx.BaseTransport] | None
    contexts: TlsContexts
    tokens: auth.TokenCache


class Session:
    """Requests to one target, for one thread, from when it is made until `close`. `who` names the server in messages."""

    def __init__(self, means: Means, target: Target) -> None:
        self.means, self.target = means, target
        self.base = f"{target.url.rstrip('/')}/{target.api_path.strip('/')}"
        self.who = _host_of(target.url)
        self.auth_method, self.account, self._reference = _account(target)
        self.identity = self._secret_value = ""
        self._passphrase: str | None = None
        self._ends_at = time.monotonic() + OVERALL_TIMEOUTS * target.timeout_s
        self._open = ExitStack()
        self._connections: dict[str, Connection] = {}

    def unlock(self) -> str:
        """Get the credential at hand; returns a digest of whom and what is asked with, which another credential or server changes.

        Raises:
            Trouble: There is no credential, or no safe way to send it.
        """
        target = self.target
        certificate = target.client_certificate
        try:
            self._secret_value = self.means.secret(self._reference)
            if certificate is not None and certificate.passphrase is not None:
                self._passphrase = self.means.secret(certificate.passphrase)
        except SecretError as error:
            raise Trouble(ReadOutcome.CREDENTIAL_MISSING, str(error), hint=error.hint) from None
        auth.refuse_cleartext(target.url, self.who, insecure_http=target.insecure_http)
        mark = self.means.fingerprint("credential", self._secret_value)
        shown = _file_digest(certificate.certificate) if certificate is not None else None
        self.identity = _identity(f"{self.base}/SMTP", self.auth_method, target.auth, mark, certificate, shown)
        return self.identity

    # --- requests -------------------------------------------------------------------------------------------------

    def authorized(self, send: Callable[[str], Answer]) -> Answer:
        """What `send`, given an Authorization header, comes back with; with a new token where a kept one was withdrawn before its time.

        Raises:
            Trouble: There is no token to be had, or no answer.
        """
        header, is_kept = self._authorization()
        answer = send(header)
        if answer.status == 401 and is_kept:
            self.means.tokens.drop(self.target.name)
            answer = send(self._authorization()[0])
        return answer

    def get(self, url: str, authorization: str, *, version: int, max_body_bytes: int, within_s: float | None = None) -> Answer:
        """GET `url` of the server in one API version, once, within `within_s` at most.

        Raises:
            Trouble: There was no answer, or a 200 that is too large or encoded.
        """
        sent = {
            "Accept": "application/json",
            "Authorization": authorization,
            "User-Agent": self._user_agent,
            "x-keyfactor-api-version": str(version),
            "x-keyfactor-requested-with": "APIClient",
        }
        left_s = self.time_left_s()
        return self.connection().exchange(
            "GET", url, headers=sent, timeout_s=left_s if within_s is None else min(left_s, within_s), max_body_bytes=max_body_bytes
        )

    def patiently(self, once: Callable[[], _T], *, left_s: Callable[[], float] | None = None) -> _T:
        """What `once` gives, again while trouble may pass and there is time: that of the session, or less where `left_s` tells how much.

        Raises:
            Trouble: It did not pass.
        """
        for attempt in count(1):
            try:
                return once()
            except Trouble as trouble:
                wait_s = FIRST_RETRY_S * 2 ** (attempt - 1) * (0.5 + self.means.jitter())
                if trouble.wait_s is not None:
                    wait_s = min(max(trouble.wait_s, 0.0), MAX_RETRY_AFTER_S) + self.means.jitter()
                if not trouble.passes or attempt >= self.target.attempts or wait_s >= (left_s or self._left_s)():
                    raise
            self.means.sleep(wait_s)
        raise AssertionError("count() has no end")  # pragma: no cover

    def connection(self) -> Connection:
        """The connection to the server itself; one for the whole session."""
        return self._connection(self.who, self.target.url, verified=not self.target.insecure_skip_verify)

    def time_left_s(self) -> float:
        """How long the next request may take."""
        return min(self.target.timeout_s, max(self._left_s(), 0.0))

    def _left_s(self) -> float:
        return self._ends_at - time.monotonic()

    def countdown(self, within_s: float | None) -> Callable[[], float]:
        """What tells how long the next of several requests may take that are to end within `within_s` from now, and with the session."""
        ends_at = self._ends_at if within_s is None else min(self._ends_at, time.monotonic() + within_s)
        return lambda: min(self.target.timeout_s, max(ends_at - time.monotonic(), 0.0))

    def trouble(self, answer: Answer) -> Trouble:
        """What it means that the server answered so."""
        return words.of_status(answer.status, answer.headers, answer.body, self.who, now=self.means.clock())

    def close(self) -> None:
        self._open.close()

    # --- on the way -----------------------------------------------------------------------------------------------

    def _authorization(self) -> tuple[str, bool]:
        """The Authorization header, and whether it is a token that was kept from an earlier request."""
        match self.target.auth:
            case BasicAuth(username=username):
                return auth.basic(username, self._secret_value), False
            case StaticToken():
                return auth.bearer(self._secret_value), False
            case ClientCredentials() as credentials:
                kept = self.means.tokens.get(self.target.name, self.identity, now=self.means.clock())
                return (kept.header, True) if kept else (self._buy_token(credentials), False)
            case other:
                assert_never(other)

    def _buy_token(self, credentials: ClientCredentials) -> str:
        who = f"the token endpoint {_host_of(credentials.token_url)}"
        auth.refuse_cleartext(credentials.token_url, who, insecure_http=self.target.insecure_http)
        sent, form = auth.token_request(credentials, self._secret_value)
        answer = self._connection(who, credentials.token_url, verified=True).exchange(
            "POST",
            credentials.token_url,
            headers={"User-Agent": self._user_agent, **sent},
            content=form,
            timeout_s=self.time_left_s(),
            max_body_bytes=self.target.max_body_bytes,
        )
        token = auth.read_token(answer, who, now=self.means.clock())
        self.means.tokens.put(self.target.name, self.identity, token)
        return token.header

    def _connection(self, who: str, url: str, *, verified: bool) -> Connection:
        if who not in self._connections:
            target, means = self.target, self.means
            certificate = target.client_certificate if who == self.who else None
            if not verified:
                _log.warning(
                    "target %s: its TLS certificate is not verified (insecure_skip_verify)",
                    target.name,
                    extra={"event": "tls_not_verified", "target": target.name},
                )
            context = means.contexts.get(
                ca_file=target.ca_file,
                certificate=certificate.certificate if certificate else None,
                key=certificate.key if certificate else None,
                passphrase=self._passphrase,
                skip_verify=not verified,
            )
            transport = means.transport(target) if means.transport else None
            proxy = proxy_for(target, url)
            proxy_context = means.contexts.get(ca_file=target.ca_file) if proxy and proxy.startswith("https:") else None
            connection = Connection(who, context=context, proxy=proxy, proxy_context=proxy_context, transport=transport)
            self._open.callback(connection.close)
            self._connections[who] = connection
        return self._connections[who]

    @property
    def _user_agent(self) -> str:
        return f"smtp-auditor/{self.means.collector_version}"


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


def proxy_for(target: Target, url: str) -> str | None:
    """The proxy for `url`: none for plain http, which is loopback's alone and must not leave this machine, and none for hosts in `no_proxy`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    is_direct = any(host == name.lstrip(".") or host.endswith(f".{name.lstrip('.')}") for name in target.no_proxy)
    return None if parts.scheme != "https" or is_direct else target.proxy


@lru_cache(maxsize=MAX_KEPT)
def _identity(url: str, auth_method: str, asked_as: Auth, credential: Fingerprint, certificate: ClientCertificate | None, shown: str | None) -> str:
    return digest(
        {
            "url": url,
            "auth": [auth_method, asdict(asked_as)],
            "credential": [credential.key_id, credential.mac],
            "certificate": certificate and [asdict(certificate), shown],
        }
    )


def _host_of(url: str) -> str:
    """Host and port of a URL, to name it by; never its user information."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _file_digest(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None
