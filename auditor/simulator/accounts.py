"""Who may speak to the simulated Command: Basic users, OAuth clients with a token endpoint of their own, static tokens."""

import base64
import binascii
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote_plus

READ_SYSTEM_SETTINGS = "/system_settings/read/"
"""The permission that `GET /SMTP` needs."""

READ_AUDIT_LOG = "/auditing/read/"
READ_PAM = "/pam/read/"

CLIENT_SECRET_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody known to Command, by the name that its messages and audit log use."""

    name: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    account: Account
    secret: str = field(repr=False)
    scopes: frozenset[str]
    audience: str | None
    methods: frozenset[str]


class Accounts:
    """The accounts of one simulated Command; each operation is safe while it serves. Adding a name again replaces it."""

    token_lifetime_s: int = 3600
    """How long a token of the token endpoint is good, by the simulator's clock."""

    def __init__(self, lock: AbstractContextManager[Any], new_token: Callable[[], str]) -> None:
        self._lock = lock
        self._new_token = new_token
        self._users: dict[str, tuple[Account, str]] = {}
        self._clients: dict[str, _Client] = {}
        self._static: dict[str, Account] = {}
        self._issued: dict[str, tuple[Account, datetime]] = {}

    def add_user(self, name: str, password: str, *, permissions: Collection[str] = (READ_SYSTEM_SETTINGS,)) -> None:
        r"""Let a Basic user in. `name` is `DOMAIN\user`, the one form accepted; its case does not matter."""
        with self._lock:
            self._users[name.casefold()] = (Account(name, frozenset(permissions)), password)

    def add_client(
        self,
        client_id: str,
        secret: str,
        *,
        scopes: Collection[str] = (),
        audience: str | None = None,
        methods: Collection[str] = CLIENT_SECRET_METHODS,
        permissions: Collection[str] = (READ_SYSTEM_SETTINGS,),
    ) -> None:
        """Let an OAuth client have tokens. It may ask for `scopes` and no others, and must name `audience` where one is set."""
        account = Account(client_id, frozenset(permissions))
        with self._lock:
            self._clients[client_id] = _Client(
                account=account, secret=secret, scopes=frozenset(scopes), audience=audience, methods=frozenset(methods)
            )

    def add_token(self, token: str, *, account: str = "static-token", permissions: Collection[str] = (READ_SYSTEM_SETTINGS,)) -> None:
        """Accept a bearer token that never expires."""
        with self._lock:
            self._static[token] = Account(account, frozenset(permissions))

    def remove(self, name: str) -> None:
        """Forget the user or client of that name, and every token that speaks for it."""
        with self._lock:
            self._users.pop(name.casefold(), None)
            self._clients.pop(name, None)
            self._static = {token: account for token, account in self._static.items() if account.name != name}
            self._issued = {token: issued for token, issued in self._issued.items() if issued[0].name != name}

    def revoke_tokens(self) -> None:
        """End every token that the token endpoint issued, before its time."""
        with self._lock:
            self._issued.clear()

    @property
    def issued_tokens(self) -> tuple[str, ...]:
        """The tokens issued and not revoked, oldest first, expired ones included: what a test looks for where no secret may be."""
        with self._lock:
            return tuple(self._issued)

    def who(self, authorization: str, *, at: datetime) -> Account | None:
        """Whom an `Authorization` header speaks for, None if for nobody."""
        scheme, _, credential = authorization.partition(" ")
        if scheme.casefold() == "basic":
            name, password = _basic(credential)
            account, right_password = self._users.get(name.casefold(), (None, None))
            return account if password == right_password else None
        if scheme.casefold() == "bearer":
            account, expires_at = self._issued.get(credential, (self._static.get(credential), None))
            return account if expires_at is None or at < expires_at else None
        return None

    def schemes(self) -> tuple[str, ...]:
        """The values of `WWW-Authenticate` with which a stranger is sent away."""
        basic = ('Basic realm="Keyfactor Command"',) if self._users else ()
        return (*basic, "Bearer") if self._clients or self._static or not basic else basic

    def issue_token(self, authorization: str, content_type: str, body: bytes, *, at: datetime) -> tuple[int, dict[str, Any]]:
        """The token endpoint's status and JSON for one POST (RFC 6749, sections 4.4 and 5)."""
        if content_type.partition(";")[0].strip().casefold() != "application/x-www-form-urlencoded":
            return _refused(400, "invalid_request", "the body is not a form")
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        if any(len(values) > 1 for values in form.values()):
            return _refused(400, "invalid_request", "a parameter is there twice")
        asked = {name: values[0] for name, values in form.items()}
        if authorization and "client_secret" in asked:
            return _refused(400, "invalid_request", "more than one way to authenticate was used")
        if authorization:
            method = "client_secret_basic"
            client_id, secret = (unquote_plus(part) for part in _basic(authorization.partition(" ")[2]))
        else:
            method, client_id, secret = "client_secret_post", asked.get("client_id", ""), asked.get("client_secret", "")
        client = self._clients.get(client_id)
        if client is None or secret != client.secret or method not in client.methods:
            return _refused(401, "invalid_client", "client authentication failed")
        if asked.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "only client_credentials is offered")
        scopes = frozenset(asked.get("scope", "").split()) or client.scopes
        if not scopes <= client.scopes:
            return _refused(400, "invalid_scope", "a scope was asked for that this client may not have")
        if client.audience is not None and asked.get("audience") != client.audience:
            return _refused(400, "invalid_target", "the audience is not one of this client's")
        token = self._new_token()
        self._issued[token] = (client.account, at + timedelta(seconds=self.token_lifetime_s))
        granted = {"scope": " ".join(sorted(scopes))} if scopes else {}
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.token_lifetime_s, **granted}


def _basic(credential: str) -> tuple[str, str]:
    """Name and password of a Basic credential; two empty texts, which nobody has, if it is not one."""
    try:
        name, colon, password = base64.b64decode(credential, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return (name, password) if colon else ("", "")


def _refused(status: int, error: str, description: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": error, "error_description": description}
