"""How we show ourselves: HTTP Basic, a bearer token, and the OAuth 2.0 client credentials that buy one (RFC 6749 section 4.4).

Tokens live here, in memory, until shortly before they expire; nothing of them is logged or stored.
"""

import base64
import ipaddress
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from auditor.command import strictjson, words
from auditor.core.model import ClientCredentials, ReadOutcome, TokenAuthMethod
from auditor.exchange.connection import Answer
from auditor.exchange.trouble import Trouble

RENEW_BEFORE_S = 60
"""A token is not used in its last minute: it could expire on the way."""
UNSTATED_LIFETIME_S = 300
MAX_LIFETIME_S = 24 * 3600
"""RFC 6749 lets `expires_in` out, and sets it no bound."""
MAX_TOKEN_CHARACTERS = 16 * 1024


def basic(username: str, password: str) -> str:
    """The Authorization header for a user of the directory (RFC 7617, in UTF-8)."""
    return "Basic " + _base64(f"{directory_user(username)}:{password}")


def directory_user(username: str) -> str:
    """`user@domain` as Command's own tools send it, `domain\\user`; any other form as it is."""
    user, at, domain = username.rpartition("@")
    return f"{domain}\\{user}" if at and user and "\\" not in username else username


def bearer(token: str) -> str:
    """The Authorization header for an access token.

    Raises:
        Trouble: It holds what no header can carry.
    """
    if not _is_token(token):
        raise Trouble(
            ReadOutcome.CREDENTIAL_MISSING,
            "the access token is empty, too long, or holds blanks or other characters that no header can carry",
            hint="give the token alone, without `Bearer` and without quotation marks",
        )
    return f"Bearer {token}"


def _is_token(text: str) -> bool:
    return len(text) <= MAX_TOKEN_CHARACTERS and re.fullmatch("[!-~]+", text) is not None


def refuse_cleartext(url: str, who: str, *, insecure_http: bool) -> None:
    """No credential goes to a URL that is not https; http to this machine itself only where the configuration says so.

    Raises:
        Trouble: It would.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and insecure_http and _is_loopback(parts.hostname or "")):
        return
    raise Trouble(ReadOutcome.TLS_FAILED, f"{who} is not asked: its URL is not https, and our credential would travel in clear", hint="use https")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- client credentials -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, good until `renew_at`."""

    header: str = field(repr=False)
    renew_at: datetime


def token_request(credentials: ClientCredentials, secret: str) -> tuple[dict[str, str], bytes]:
    """Headers and form of the request that asks for a token."""
    form = {"grant_type": "client_credentials"}
    if credentials.scopes:
        form["scope"] = " ".join(credentials.scopes)
    if credentials.audience is not None:
        form["audience"] = credentials.audience
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if credentials.method is TokenAuthMethod.POST:
        form |= {"client_id": credentials.client_id, "client_secret": secret}
    else:  # each part form-encoded first (RFC 6749 section 2.3.1)
        headers["Authorization"] = "Basic " + _base64(f"{quote_plus(credentials.client_id)}:{quote_plus(secret)}")
    return headers, urlencode(form).encode("ascii")


def read_token(answer: Answer, who: str, *, now: datetime) -> Token:
    """The token in the answer of the token endpoint that `who` names.

    Raises:
        Trouble: There is none in it.
    """
    try:
        document = strictjson.loads(answer.body) if answer.status in (200, 400, 401, 403) else None
    except strictjson.StrictJsonError:
        document = None
    fields: dict[str, Any] = document if isinstance(document, dict) else {}
    if answer.status != 200:
        raise _refusal(answer, fields, who, now)
    token, kind, lifetime = fields.get("access_token"), fields.get("token_type", "Bearer"), fields.get("expires_in")
    if not isinstance(token, str) or not isinstance(kind, str) or kind.lower() != "bearer" or not _is_token(token):
        raise Trouble(ReadOutcome.MALFORMED, f"{who} sent no bearer token", hint="is `token_url` a token endpoint?")
    if isinstance(lifetime, str) and re.fullmatch(r"[0-9]{1,9}", lifetime):  # some endpoints quote it
        lifetime = int(lifetime)
    if not isinstance(lifetime, int) or isinstance(lifetime, bool):
        lifetime = UNSTATED_LIFETIME_S
    return Token(bearer(token), now + timedelta(seconds=min(max(lifetime, 0), MAX_LIFETIME_S) - RENEW_BEFORE_S))


_REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "invalid_client": "check `client_id` and `client_secret`; has the secret expired?",
        "unauthorized_client": "the client may not use the client credentials grant: allow it at the identity provider",
        "invalid_scope": "check `scopes`: the identity provider does not know one, or does not grant it to this client",
        "invalid_target": "check `audience`: the identity provider does not know it, or does not grant it to this client",
        "invalid_grant": "the identity provider does not grant this client a token",
        "unsupported_grant_type": "the identity provider does not offer the client credentials grant at this URL: is `token_url` right?",
        "invalid_request": "the identity provider misses something in the request: does it want `scopes`, `audience`, or the other `method`?",
        "access_denied": "the identity provider denies this client",
    }
)
"""The error codes of RFC 6749 section 5.2 and RFC 8707, with what to do. Any other text of the endpoint is not repeated: it could be anything."""


def _refusal(answer: Answer, fields: Mapping[str, Any], who: str, now: datetime) -> Trouble:
    code = fields.get("error")
    if answer.status in (400, 401, 403):
        known = code if isinstance(code, str) and code in _REFUSALS else None
        said = f" ({known})" if known else ""
        hint = _REFUSALS[known] if known else "check `client_id`, `client_secret`, `scopes` and `audience` against the identity provider"
        return Trouble(ReadOutcome.UNAUTHENTICATED, f"{who} gave no token: it answered {answer.status}{said}", hint=hint)
    if answer.status == 404:
        return Trouble(ReadOutcome.NOT_FOUND, f"{who} answered 404: nothing is there", hint="is `token_url` right?")
    trouble = words.of_status(answer.status, answer.headers, b"", who, now=now)
    is_redirect = trouble.outcome is ReadOutcome.REDIRECTED
    hint = "put the final address into `token_url`" if is_redirect else "look at the identity provider behind `token_url`"
    return Trouble(trouble.outcome, trouble.message, hint=hint, passes=trouble.passes, wait_s=trouble.wait_s)


class TokenCache:
    """The newest token of each target. For many threads."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[str, Token]] = {}
        self._lock = threading.Lock()

    def get(self, target: str, identity: str, *, now: datetime) -> Token | None:
        """The token of `target`, if it is good at `now` and was bought with the same `identity`."""
        with self._lock:
            bought_as, token = self._tokens.get(target, ("", None))
        return token if token and bought_as == identity and now < token.renew_at else None

    def put(self, target: str, identity: str, token: Token) -> None:
        with self._lock:
            self._tokens[target] = (identity, token)

    def drop(self, target: str) -> None:
        with self._lock:
            self._tokens.pop(target, None)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")
