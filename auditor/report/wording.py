"""The words for values, states, times and outcomes: what a leaf expected, what was met, when, and how a read ended."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from auditor.core.catalogue import AUTHENTICATION_TYPES
from auditor.core.model import JsonType, Leaf, ReadOutcome, State

READ_WORDS: Mapping[ReadOutcome, str] = {
    ReadOutcome.OBSERVED: "read",
    ReadOutcome.NOT_CONFIGURED: "no mail profile configured",
    ReadOutcome.DNS_FAILED: "name not found in DNS",
    ReadOutcome.UNREACHABLE: "unreachable",
    ReadOutcome.TIMEOUT: "timed out",
    ReadOutcome.TLS_FAILED: "TLS not trusted",
    ReadOutcome.REDIRECTED: "redirected elsewhere",
    ReadOutcome.UNAUTHENTICATED: "sign-in refused",
    ReadOutcome.FORBIDDEN: "access denied",
    ReadOutcome.NOT_FOUND: "no Command API found",
    ReadOutcome.REJECTED: "request rejected",
    ReadOutcome.UNSUPPORTED_VERSION: "API version not supported",
    ReadOutcome.THROTTLED: "throttled",
    ReadOutcome.SERVER_ERROR: "server error",
    ReadOutcome.MALFORMED: "answer not understood",
    ReadOutcome.TOO_LARGE: "answer too large",
    ReadOutcome.CREDENTIAL_MISSING: "credential missing",
    ReadOutcome.BACKING_OFF: "held back after a denial",
}

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# --- times --------------------------------------------------------------------------------------------------------


def moment(at: datetime) -> str:
    """`Tue 17 Nov 2026 09:15 UTC`, in English whatever the locale."""
    at = at.astimezone(UTC)
    return f"{_day(at)} {at:%H:%M} UTC"


def between(start: datetime, end: datetime) -> str:
    """`between Tue 17 Nov 2026 09:15 and 09:30 UTC`; to the second where the minute is the same."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if start.date() != end.date():
        return f"between {moment(start)} and {moment(end)}"
    clock = "%H:%M:%S" if start.replace(second=0, microsecond=0) == end.replace(second=0, microsecond=0) else "%H:%M"
    return f"between {_day(start)} {start.strftime(clock)} and {end.strftime(clock)} UTC"


def iso(at: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def lasting(span: timedelta) -> str:
    """A span in its largest whole unit: `6 days`, `3 hours`, `40 seconds`."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return count(seconds // size, unit)
    return count(seconds, "second")


def _day(at: datetime) -> str:
    return f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]} {at.year}"


# --- numbers and lists --------------------------------------------------------------------------------------------


def count(number: int, noun: str) -> str:
    """`1 server`, `3 servers`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def framework(key: str) -> str:
    """The name of a framework of controls as its readers write it."""
    return _FRAMEWORKS.get(key) or key.replace("_", " ").upper()


# --- leaves -------------------------------------------------------------------------------------------------------


def expected(leaf: Leaf) -> str:
    """What the test wanted: `465 or 587`, `a fully qualified domain name`, `to be set`."""
    plain, negated = _EXPECTED.get(leaf.operator) or (_saying(f"{leaf.operator} "), _saying(f"not {leaf.operator} "))
    words = (negated if leaf.negated else plain)(leaf.fact, leaf.expected)
    return f"{words} ({_kind_of(leaf.expected)})" if leaf.state is State.ILL_TYPED and _kind_of(leaf.expected) else words


def observed(leaf: Leaf) -> str:
    """What was met: a value, or which kind of absence."""
    match leaf.state:
        case State.VALUE if leaf.operator == "type" and leaf.sent:
            return leaf.sent.value
        case State.VALUE:
            return literal(leaf.fact, leaf.actual)
        case State.UNSET:
            return "not set in the configuration" if leaf.fact.startswith("$") else "not set"
        case State.MISSING:
            return "missing from the answer"
        case State.ILL_TYPED:
            kind = leaf.sent.value if leaf.sent else "another type"
            if leaf.actual is None or leaf.sent in (JsonType.LIST, JsonType.OBJECT):
                return f"sent as {kind}"
            return f"{quoted(leaf.actual)} ({kind})"
        case State.NOT_OFFERED:
            return absence(leaf.reason) or "not offered"
        case State.INCONCLUSIVE:
            return f"not learnt: {absence(leaf.reason)}" if leaf.reason else "not learnt"


def sentence(leaf: Leaf) -> str:
    """`Port: expected 465 or 587, got 25`."""
    return f"{leaf.fact}: expected {expected(leaf)}, got {observed(leaf)}"


def absence(reason: str | None) -> str:
    """The reason of a fact that was not seen, in words where it is one of our own codes."""
    if reason is None:
        return ""
    return _REASONS.get(reason, reason)


def literal(fact: str, value: Any) -> str:
    """A value as a person reads it; the authentication type with its name."""
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ", ".join(literal(fact, item) for item in value) or "none"
        case int() if fact.rpartition(".")[2] == "RelayAuthenticationType":
            return f"{value} ({_AUTHENTICATION_TYPES.get(value, 'not documented')})"
        case str() if value != value.strip() or not value:
            return quoted(value)
        case _:
            return str(value)


def quoted(value: Any) -> str:
    """A value in the quotes that show where a text begins and ends."""
    return f'"{value}"' if isinstance(value, str) else literal("", value)


_FRAMEWORKS = {
    "nist_800_53": "NIST 800-53",
    "nist_csf": "NIST CSF",
    "pci_dss": "PCI DSS",
    "iso_27001": "ISO 27001",
    "soc_2": "SOC 2",
    "cis": "CIS Controls",
}
_AUTHENTICATION_TYPES = {number: name for name, number in AUTHENTICATION_TYPES}
_REASONS = {outcome.value: words for outcome, words in READ_WORDS.items()} | {"withheld": "withheld by Command"}
_FORMATS = {
    "fqdn": "a fully qualified domain name",
    "hostname": "a host name",
    "ip": "an IP address",
    "email": "a mailbox address",
    "url": "an absolute URL",
    "https_url": "an https URL",
    "guid": "a GUID",
}
_NUMBER_TESTS = {"equals": "{}", "lt": "less than {}", "lte": "at most {}", "gt": "more than {}", "gte": "at least {}"}

_Words = Callable[[str, Any], str]


def _one_of(fact: str, value: Any) -> str:
    return listed([literal(fact, item) for item in value], last="or") if isinstance(value, list | tuple) and value else literal(fact, value)


def _number(_fact: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return listed([_NUMBER_TESTS[test].format(limit) for test, limit in value.items()])
    return str(value)


def _same(_fact: str, value: Any) -> str:
    said = literal(value["fact"], value["value"]) if value.get("value") is not None else value["state"].replace("_", " ")
    return f"the same as {value['fact']} ({said})"


def _format(_fact: str, value: Any) -> str:
    return _FORMATS.get(value, str(value))


def _saying(before: str, words: _Words = _one_of) -> _Words:
    return lambda fact, value: f"{before}{words(fact, value)}"


def _always(words: str) -> _Words:
    return lambda _fact, _value: words


def _offered(fact: str, value: Any) -> str:
    return "to be offered by the API" if value else "not to be offered by the API"


_EXPECTED: Mapping[str, tuple[_Words, _Words]] = {
    "equals": (_one_of, _saying("anything but ")),
    "not_equals": (_saying("anything but "), _one_of),
    "in": (_one_of, _saying("none of ")),
    "not_in": (_saying("none of "), _one_of),
    "lt": (_saying("less than "), _saying("at least ")),
    "lte": (_saying("at most "), _saying("more than ")),
    "gt": (_saying("more than "), _saying("at most ")),
    "gte": (_saying("at least "), _saying("less than ")),
    "matches": (_saying("text that matches "), _saying("no text that matches ")),
    "not_matches": (_saying("no text that matches "), _saying("text that matches ")),
    "starts_with": (_saying("to start with "), _saying("not to start with ")),
    "ends_with": (_saying("to end with "), _saying("not to end with ")),
    "contains": (_saying("to contain "), _saying("not to contain ")),
    "any_in": (_saying("at least one of "), _saying("none of ")),
    "all_in": (_saying("only "), _saying("something besides ")),
    "none_in": (_saying("none of "), _saying("at least one of ")),
    "under": (_saying("a name at or under "), _saying("no name at or under ")),
    "resembles": (_saying("a look-alike of "), _saying("no look-alike of ")),
    "format": (_format, _saying("anything but ", _format)),
    "length": (_saying("a length of ", _number), _saying("a length other than ", _number)),
    "days_ahead": (_saying("days ahead: ", _number), _saying("days ahead, not: ", _number)),
    "same_as": (_same, _saying("anything but ", _same)),
    "set": (_always("to be set"), _always("not to be set")),
    "unset": (_always("not to be set"), _always("to be set")),
    "offered": (_offered, lambda fact, value: _offered(fact, not value)),
    "type": (_saying("to be sent as "), _saying("to be sent as anything but ")),
}


def _kind_of(value: Any) -> str:
    sample = value[0] if isinstance(value, list | tuple) and value else value
    return {bool: "boolean", int: "integer", str: "text"}.get(type(sample), "")
