r"""The simulated Keyfactor Command: a WSGI application that answers `GET /SMTP` as the vendor's does, and can be edited while it serves.

    simulator = Simulator()
    simulator.accounts.add_user(r"NORDWERK\auditor", "secret")
    simulator.smtp["UseSSL"] = False
    simulator.fail_with(503, times=2, retry_after=1)
    with simulator.editing(user=r"NORDWERK\jsmith") as profile:   # and the audit log has it
        profile["Host"] = "smtp.example.net"

It answers an auditor's calls and refuses those that would change something. Times come from `clock`, never from the machine.
"""

import json
import random
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from http.client import responses
from typing import Any, Literal, get_args
from wsgiref.types import StartResponse, WSGIEnvironment
from xml.sax.saxutils import escape

from auditor.core.model import SECRET_FIELDS, Shape
from auditor.simulator import auditlog
from auditor.simulator.accounts import READ_AUDIT_LOG, READ_PAM, READ_SYSTEM_SETTINGS, Account, Accounts
from auditor.simulator.auditlog import AuditLog, QueryRefused
from auditor.simulator.profile import COMMAND_25_4, V1_OF_A_PROVIDER, Profile, Release, Showing, good_profile, pam_provider, shown

STORY_BEGINS = datetime(2026, 3, 16, 7, 0, tzinfo=UTC)
"""What the clock says until somebody sets it; it stands still."""

TOKEN_PATH = "/oauth2/token"
MAX_BODY_BYTES = 64 * 1024

Where = Literal["smtp", "token", "audit", "validate", "pam"]
Body = bytes | Callable[[], Iterable[bytes]]
"""A body, or what makes its chunks one by one: a drip, an endless one."""


class Unsupported(StrEnum):
    """The three likely forms of *this version is not offered*; none has been recorded (command-api section 3)."""

    ERROR_OBJECT = "error_object"
    PASCAL_CASE = "pascal_case"
    PROBLEM_DETAILS = "problem_details"


class NotConfigured(StrEnum):
    """The ways in which a Command without a mail profile may say so (semantics section 2)."""

    NO_CONTENT = "no_content"
    EMPTY = "empty"
    NULL = "null"
    NOT_FOUND = "not_found"
    """404 with Command's own headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came in, without its secrets: no query, no body, no credential.

    `version` is the API version as asked for, None if none was. `account` is None for a stranger. `headers` are those of
    `RECORDED_HEADERS` that were sent, by name in lower case.
    """

    at: datetime
    method: str
    path: str
    version: str | None
    account: str | None
    status: int
    headers: Mapping[str, str]


RECORDED_HEADERS = ("accept", "accept-encoding", "host", "user-agent", "x-keyfactor-requested-with")


class Simulator:
    """One Keyfactor Command server. Every attribute may be set, and every method called, from any thread while it serves.

    A stranger gets 401, so give it an account first. `seed` makes correlation ids and tokens the same in each run.
    """

    def __init__(
        self,
        profile: Mapping[str, Any] | None = None,
        *,
        release: Release = COMMAND_25_4,
        api_path: str = "KeyfactorAPI",
        clock: Callable[[], datetime] = lambda: STORY_BEGINS,
        seed: int | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._random = random.Random(seed)  # noqa: S311  ids and tokens of a rehearsal, reproducible on purpose
        self._smtp = Profile(good_profile() if profile is None else profile, self._lock)
        self._planned: dict[Where, deque[_Planned]] = {where: deque() for where in get_args(Where)}
        self._denied: Callable[[str], bool] = _nobody
        self._seen: deque[Seen] = deque(maxlen=10_000)
        self.api_path = api_path.strip("/")
        self.release = release
        self.clock = clock
        self.accounts = Accounts(self._lock, lambda: f"sim.{self._random.getrandbits(192):048x}")
        self.showing: dict[str, Showing] = dict.fromkeys(SECRET_FIELDS, Showing.MASKED)
        """How each of the four secret fields looks in v2."""
        self.not_configured: NotConfigured | None = None
        """None while there is a profile; else how its absence is told."""
        self.unsupported_form = Unsupported.ERROR_OBJECT
        self.unsupported_status = 400
        self.audit_log = AuditLog(self._lock)
        self.pam_providers: list[dict[str, Any]] = [pam_provider(1, "Vault", SecretServerUrl="https://vault.nordwerk-industrie.eu")]
        """As v2 shows them, with real parameters in them."""
        self.strict_queries = False
        """Whether a query parameter of another edition is refused, or passed over as ASP.NET does."""
        self.total_count = True
        """Whether lists carry `X-Total-Count`, as one of 25.4.1 did."""

    @property
    def smtp(self) -> Profile:
        """The stored profile, with real secrets in it; assigning a mapping replaces it whole."""
        return self._smtp

    @smtp.setter
    def smtp(self, profile: Mapping[str, Any]) -> None:
        self._smtp = Profile(profile, self._lock)

    @contextmanager
    def editing(self, *, user: str | None = None, operation: int = auditlog.UPDATED) -> Iterator[Profile]:
        """Several edits that no answer may fall between; also the way to edit inside a value. With a `user`, the audit log has it.

        Like Command's, the entry's message holds the state before and after; here with everything in it, so that a test can look for it elsewhere.
        """
        with self._lock:
            before = json.dumps(dict(self._smtp), default=str)
            yield self._smtp
            if user is not None:
                message = f"<Change><Before>{escape(before)}</Before><After>{escape(json.dumps(dict(self._smtp), default=str))}</After></Change>"
                self.audit_log.add(at=self.clock(), user=user, operation=operation, identifier="SMTP Configuration", message=message)

    def fail_with(self, status: int, *, times: int | None = None, retry_after: int | str | None = None, where: Where = "smtp") -> None:
        """Answer `status` in the form it has in the field, for the next `times` requests, or until `recover()`.

        401, 404, 429 and 5xx come from IIS or a proxy (HTML, without Command's headers), all others from Command. Calls queue up
        behind those with `times`; one without is replaced by the next. `retry_after` is in seconds or an HTTP date.
        """
        extra = () if retry_after is None else (("Retry-After", str(retry_after)),)
        self._plan(where, times, lambda at, account: self._failure(status, at, account, extra))

    def answer_with(
        self, status: int, headers: Mapping[str, str] | None = None, body: Body = b"", *, times: int | None = None, where: Where = "smtp"
    ) -> None:
        """Answer exactly this; `headers` None are those that Command sends with JSON. Queues up as `fail_with` does.

        Nothing is added but a Content-Length where `body` is bytes and `headers` has none.
        """
        self._plan(where, times, lambda at, _: _Answer(status, tuple(headers.items()) if headers is not None else self._headers(at), body))

    def deny(self, *accounts: str) -> None:
        """Take `/system_settings/read/` away from those accounts, or from everybody if none is named, until `recover()`."""
        names = frozenset(name.casefold() for name in accounts)
        self._denied = (lambda name: name.casefold() in names) if names else _everybody

    def recover(self) -> None:
        """End all that `fail_with`, `answer_with` and `deny` began."""
        with self._lock:
            for planned in self._planned.values():
                planned.clear()
            self._denied = _nobody

    @property
    def requests(self) -> tuple[Seen, ...]:
        """The last 10 000 requests, oldest first, those to the token endpoint included."""
        with self._lock:
            return tuple(self._seen)

    def forget_requests(self) -> None:
        """Begin the record anew."""
        with self._lock:
            self._seen.clear()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        sent = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), MAX_BODY_BYTES))
        with self._lock:
            at = self.clock().astimezone(UTC)
            account = self.accounts.who(environ.get("HTTP_AUTHORIZATION", ""), at=at)
            answer = self._answer(environ, sent, account, at)
            self._seen.append(_seen(environ, account, answer.status, at))
        headers = list(answer.headers)
        if isinstance(answer.body, bytes) and answer.status != 204 and not any(name.casefold() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(answer.body))))
        start_response(f"{answer.status} {responses.get(answer.status, 'Unknown')}", headers)
        return [answer.body] if isinstance(answer.body, bytes) else answer.body()

    def _answer(self, environ: WSGIEnvironment, sent: bytes, account: Account | None, at: datetime) -> "_Answer":
        path = environ["PATH_INFO"].casefold()
        if path == TOKEN_PATH:
            return self._next_planned("token", at, account) or self._token(environ, sent, at)
        if path in (smtp := f"/{self.api_path}/SMTP".casefold(), f"{smtp}/test"):
            return self._next_planned("smtp", at, account) or self._smtp_answer(environ, account, at)
        if path == f"/{self.api_path}/Audit".casefold():
            return self._next_planned("audit", at, account) or self._list_answer(environ, account, at, READ_AUDIT_LOG)
        if validated := re.fullmatch(re.escape(f"/{self.api_path}/Audit".casefold()) + r"/([0-9]{1,10})/validate", path):
            return self._next_planned("validate", at, account) or self._validation(environ, account, at, int(validated[1]))
        if path == f"/{self.api_path}/PamProviders".casefold():
            return self._next_planned("pam", at, account) or self._list_answer(environ, account, at, READ_PAM)
        return self._failure(404, at, account)

    def _refusal(
        self, environ: WSGIEnvironment, account: Account | None, at: datetime, permission: str, versions: tuple[str, ...]
    ) -> "_Answer | None":
        """What a request is sent away with before its content counts; None where it is not."""
        if (method := environ["REQUEST_METHOD"]) != "GET":
            return self._of_command(405, _error(f"The requested resource does not support http method '{method}'."), at, (("Allow", "GET"),))
        if account is None:
            return self._failure(401, at, account)
        if not environ.get("HTTP_X_KEYFACTOR_REQUESTED_WITH"):
            return self._of_command(400, _error("The header X-Keyfactor-Requested-With is required."), at)
        asked = environ.get("HTTP_X_KEYFACTOR_API_VERSION") or "1"
        if _VERSIONS.get(asked) not in versions:
            return self._unsupported(environ, asked, at, versions)
        is_denied = permission == READ_SYSTEM_SETTINGS and self._denied(account.name)
        return self._failure(403, at, account) if permission not in account.permissions or is_denied else None

    def _list_answer(self, environ: WSGIEnvironment, account: Account | None, at: datetime, permission: str) -> "_Answer":
        is_audit = permission == READ_AUDIT_LOG
        versions = _AUDIT_VERSIONS if is_audit else self.release.api_versions
        if (refusal := self._refusal(environ, account, at, permission, versions)) is not None:
            return refusal
        names = auditlog.DOTTED if self.release.dotted_query else auditlog.PLAIN
        everything = self.audit_log.entries() if is_audit else self.pam_providers
        try:
            page = auditlog.page_of(everything, environ.get("QUERY_STRING", ""), names=names, strict=self.strict_queries)
        except QueryRefused as refused:
            return self._of_command(400, _error(f"The query is invalid: {refused}."), at, versions=versions)
        total = (("X-Total-Count", str(page.total)),) if self.total_count else ()
        return self._of_command(200, [self._listed(item, environ, is_audit=is_audit) for item in page.items], at, total, versions=versions)

    def _listed(self, item: dict[str, Any], environ: WSGIEnvironment, *, is_audit: bool) -> dict[str, Any]:
        if is_audit:
            return self.audit_log.shown(item)
        is_v1 = _VERSIONS.get(environ.get("HTTP_X_KEYFACTOR_API_VERSION") or "1") == "1.0"
        return {**item, **V1_OF_A_PROVIDER} if is_v1 else item

    def _validation(self, environ: WSGIEnvironment, account: Account | None, at: datetime, id_: int) -> "_Answer":
        if (refusal := self._refusal(environ, account, at, READ_AUDIT_LOG, _AUDIT_VERSIONS)) is not None:
            return refusal
        holds = self.audit_log.holds(id_)
        if holds is None:
            return self._of_command(404, _error("The audit log entry was not found."), at, versions=_AUDIT_VERSIONS)
        return self._of_command(200, holds, at, versions=_AUDIT_VERSIONS)

    def _smtp_answer(self, environ: WSGIEnvironment, account: Account | None, at: datetime) -> "_Answer":
        if (refusal := self._refusal(environ, account, at, READ_SYSTEM_SETTINGS, self.release.api_versions)) is not None:
            return refusal
        offered = _VERSIONS[environ.get("HTTP_X_KEYFACTOR_API_VERSION") or "1"]
        match self.not_configured:
            case None:
                shape = Shape.V1 if offered == "1.0" else self.release.v2_shape
                return self._of_command(200, shown(self._smtp, shape, self.showing), at)
            case NotConfigured.NULL:
                return self._of_command(200, None, at)
            case NotConfigured.EMPTY:
                return _Answer(200, self._headers(at), b"")
            case NotConfigured.NO_CONTENT:
                return _Answer(204, self._headers(at)[1:], b"")
            case NotConfigured.NOT_FOUND:
                return self._of_command(404, _error("The SMTP profile was not found."), at)

    def _token(self, environ: WSGIEnvironment, sent: bytes, at: datetime) -> "_Answer":
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        if environ["REQUEST_METHOD"] != "POST":
            status, said = 405, {"error": "invalid_request", "error_description": "POST a form"}
        else:
            status, said = self.accounts.issue_token(authorization, environ.get("CONTENT_TYPE", ""), sent, at=at)
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), _date(at), ("Server", "identity"))
        asks_back = (("WWW-Authenticate", 'Basic realm="token"'),) if status == 401 and authorization else ()
        return _Answer(status, headers + asks_back, _json(said))

    def _unsupported(self, environ: WSGIEnvironment, asked: str, at: datetime, versions: tuple[str, ...]) -> "_Answer":
        uri = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', 'localhost')}{environ['PATH_INFO']}"
        message = f"The HTTP resource that matches the request URI '{uri}' does not support the API version '{asked}'."
        match self.unsupported_form:
            case Unsupported.ERROR_OBJECT:
                said: Any = {"error": {"code": "UnsupportedApiVersion", "message": message, "innerError": None}}
            case Unsupported.PASCAL_CASE:
                said = {"Error": {"Code": "UnsupportedApiVersion", "Message": message, "InnerError": None}}
            case Unsupported.PROBLEM_DETAILS:
                problem = {"type": "https://docs.api-versioning.org/problems#unsupported", "title": "Unsupported API version"}
                said = {**problem, "status": self.unsupported_status, "detail": message, "code": "UnsupportedApiVersion"}
                headers = self._headers(at, "application/problem+json; charset=utf-8", versions)
                return _Answer(self.unsupported_status, headers, _json(said))
        return self._of_command(self.unsupported_status, said, at, versions=versions)

    def _failure(self, status: int, at: datetime, account: Account | None, extra: "_Headers" = ()) -> "_Answer":
        if status == 401:
            extra = (*extra, *(("WWW-Authenticate", scheme) for scheme in self.accounts.schemes()))
        if status in (401, 404):
            return _Answer(status, (_HTML, _date(at), ("Server", "Microsoft-IIS/10.0"), *extra), _page(status, "Server Error"))
        if status == 429 or status >= 500:
            return _Answer(status, (_HTML, _date(at), ("Server", "nginx"), *extra), _page(status, "nginx"))
        if status == 403:
            name = account.name if account else "<user-id>"
            said = {"ErrorCode": "0xA0140002", "Message": f"User {name} doesn't have the required permission"}
            return self._of_command(403, said, at, extra)
        return self._of_command(status, _error("The request is invalid."), at, extra)

    def _of_command(self, status: int, said: Any, at: datetime, extra: "_Headers" = (), versions: tuple[str, ...] | None = None) -> "_Answer":
        return _Answer(status, (*self._headers(at, versions=versions), *extra), _json(said))

    def _headers(self, at: datetime, content_type: str = "application/json; charset=utf-8", versions: tuple[str, ...] | None = None) -> "_Headers":
        """The header set recorded from Command 25.4.1 behind its proxy; the content type comes first."""
        correlation_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        product = (("X-Keyfactor-Product-Version", self.release.product_version),) if self.release.product_version else ()
        return (
            ("Content-Type", content_type),
            ("Api-Supported-Versions", ", ".join(self.release.api_versions if versions is None else versions)),
            _date(at),
            ("Server", "istio-envoy"),
            ("X-Envoy-Upstream-Service-Time", "49"),
            ("X-Keyfactor-Correlation-Id", correlation_id),
            *product,
        )

    def _plan(self, where: Where, times: int | None, answer: "Callable[[datetime, Account | None], _Answer]") -> None:
        with self._lock:
            queue = self._planned[where]
            if queue and queue[-1].times is None:
                queue.pop()
            queue.append(_Planned(answer, times))

    def _next_planned(self, where: Where, at: datetime, account: Account | None) -> "_Answer | None":
        queue = self._planned[where]
        if not queue:
            return None
        planned = queue[0]
        if planned.times is not None:
            planned.times -= 1
            if planned.times == 0:
                queue.popleft()
        return planned.answer(at, account)


_Headers = tuple[tuple[str, str], ...]
_HTML = ("Content-Type", "text/html")
_AUDIT_VERSIONS = ("1.0",)
"""There is no v2 of `/Audit`."""
_VERSIONS = {"1": "1.0", "1.0": "1.0", "2": "2", "2.0": "2"}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: _Headers
    body: Body


@dataclass(slots=True)
class _Planned:
    answer: Callable[[datetime, Account | None], _Answer]
    times: int | None


def _nobody(_: str) -> bool:
    return False


def _everybody(_: str) -> bool:
    return True


def _seen(environ: WSGIEnvironment, account: Account | None, status: int, at: datetime) -> Seen:
    sent = {name: environ.get(f"HTTP_{name.replace('-', '_').upper()}") for name in RECORDED_HEADERS}
    return Seen(
        at=at,
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        version=environ.get("HTTP_X_KEYFACTOR_API_VERSION"),
        account=account.name if account else None,
        status=status,
        headers={name: value for name, value in sent.items() if value is not None},
    )


def _date(at: datetime) -> tuple[str, str]:
    return "Date", format_datetime(at, usegmt=True)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _error(message: str) -> dict[str, str]:
    return {"ErrorCode": "0xA0110002", "Message": message}


def _page(status: int, foot: str) -> bytes:
    title = f"{status} {responses.get(status, 'Unknown')}"
    return f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1>\r\n<hr>{foot}\r\n</body>\r\n</html>\r\n".encode("ascii")
