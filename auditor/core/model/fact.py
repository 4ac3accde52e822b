"""A fact of a mail profile: its value, or which kind of absence it is; and the fields that a profile can have."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache


class State(StrEnum):
    """Whether a fact has a value, and if not, which kind of absence it is (rule language, section 3)."""

    VALUE = "value"
    UNSET = "unset"
    MISSING = "missing"
    ILL_TYPED = "ill_typed"
    NOT_OFFERED = "not_offered"
    INCONCLUSIVE = "inconclusive"


class JsonType(StrEnum):
    """A JSON type, in the words of the rule language; `NUMBER` is one that is no integer within 2^53."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    OBJECT = "object"
    NULL = "null"


FactValue = bool | int | str | date | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known, or known to be unknown.

    `value` is there for `VALUE`, and for `ILL_TYPED` where a boolean, an integer, a text or a number (as its text) was sent.
    `sent` is the JSON type on the wire, None for what was never on it. `reason` says why an unseen fact was not seen.
    """

    state: State
    value: FactValue | None = None
    sent: JsonType | None = None
    reason: str | None = None
    mark: object = field(default_factory=object, init=False, compare=False, repr=False)
    """This very fact and no other: a key that is quick to look up. It takes no part in what the fact says."""

    @staticmethod
    def of(state: State, value: FactValue | None = None, sent: JsonType | None = None, reason: str | None = None) -> "Fact":
        """The fact, mostly as the one object that was made when somebody last said the same: quicker to make, and to know again."""
        return _said_before(state, value, sent, reason)


# By the types of what is said, too, since in Python `True == 1`
_said_before = lru_cache(maxsize=4096, typed=True)(Fact)


class Shape(StrEnum):
    """Which fields an answer can have: it follows from API version and product version."""

    V1 = "v1"
    V2_PAM = "v2_pam"
    V2_OAUTH = "v2_oauth"


PROFILE_FIELDS = (
    "Host",
    "Id",
    "Port",
    "RelayAuthenticationType",
    "RelayUsername",
    "RelayPassword",
    "SenderAccount",
    "SenderAddress",
    "SenderName",
    "UseSSL",
    "ClientId",
    "ClientSecret",
    "TokenEndpoint",
    "Scope",
    "Audience",
    "RequestHeaders",
)
"""Every field that some version of Command documents for its mail profile, in the order in which a person reads them."""

OAUTH_FIELDS = ("ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders")

SECRET_FIELDS = ("RelayUsername", "RelayPassword", "ClientId", "ClientSecret")

CONFIGURED = "profile.configured"
"""The fact that says whether there is a mail profile at all; it changes, too."""

UNKNOWN = "unknown:"
"""What stands before the name of a field that no version documents, wherever fields are named."""
