"""Reads the facts of an example as a server would have sent them, and fills in what an example may leave out.

A profile field that is left out is missing, or not offered where the shape named by `api.shape` has no such field. A fact about the audit is neutral.
Any other fact is not offered.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from auditor.core import detectors
from auditor.core.catalogue import FACTS, Entry, Group, Kind, Type
from auditor.core.model import OAUTH_FIELDS, PROFILE_FIELDS, Fact, JsonType, ReadOutcome, Shape, State
from auditor.errors import did_you_mean
from auditor.policyfile.part import Part, shown
from auditor.policyfile.values import fact_name, literal

Facts = Mapping[str, Fact]

_STATES = tuple(state.value for state in State if state is not State.VALUE)
_NEUTRAL: dict[str, Fact] = {
    entry.name: Fact(State.VALUE, {Kind.BOOLEAN: False, Kind.INTEGER: 0}.get(entry.type.kind, () if entry.type.many else ReadOutcome.OBSERVED.value))
    for entry in FACTS.values()
    if entry.group is Group.AUDIT
}
_NO_SUCH_FIELD = {Shape.V1: ("RelayPassword", *OAUTH_FIELDS), Shape.V2_PAM: OAUTH_FIELDS, Shape.V2_OAUTH: ()}


def example_facts(part: Part) -> Facts:
    """The facts of the example in `part`, those that it leaves out included.

    Raises:
        PolicyError: It names what is no fact, or gives one a value that it cannot have.
    """
    if not isinstance(part.value, dict):
        raise part.refuse(f"an example is a mapping of facts, this is {shown(part.value)}")
    given: dict[str, Fact] = {}
    for name in part.value:
        entry = FACTS[Part(part.file, (*part.place, name), name, part.about).fit(fact_name)]
        given |= _fact(part[name].of(f"{part.about}{name}: "), entry)
    given |= {entry: fact for entry, fact in _read_along(given).items() if entry not in part.value}
    shape = given.get("api.shape", Fact(State.VALUE, Shape.V2_OAUTH.value))
    defaults = {"profile.configured": Fact(State.VALUE, value=True), "api.shape": shape, **_NEUTRAL}
    configured = given.get("profile.configured", defaults["profile.configured"]).value is not False
    return {**defaults, **_all_left_out(shape.value if isinstance(shape.value, str) else None, configured), **given}


@cache
def _all_left_out(shape: str | None, configured: bool) -> Facts:
    return {name: _left_out(name, shape, configured) for name in PROFILE_FIELDS}


def _left_out(name: str, shape: str | None, configured: bool) -> Fact:
    if shape is not None and name in _NO_SUCH_FIELD[Shape(shape)]:
        return Fact(State.NOT_OFFERED, reason=f"API shape {shape} has no such field")
    if not configured:
        return Fact(State.UNSET)
    return Fact(State.MISSING)


def _fact(part: Part, entry: Entry) -> dict[str, Fact]:
    written = part.value
    if isinstance(written, dict):
        return {entry.name: _lacking(part)}
    if written is None or written == "":
        return {entry.name: Fact(State.UNSET, sent=JsonType.NULL if written is None else JsonType.TEXT)}
    sent = JsonType.INTEGER if entry.type.names and isinstance(written, str) else _SENT[type(written)]
    if entry.type.kind is Kind.HEADER:
        headers = _headers(part)
        if headers is not None:
            return headers if entry.group is Group.PROFILE else {entry.name: headers["RequestHeaders"]}
        return {entry.name: Fact(State.ILL_TYPED, None if isinstance(written, list) else written, sent)}
    if entry.group is Group.PROFILE and sent is not _WIRE.get(entry.type.kind, JsonType.TEXT):
        return {entry.name: Fact(State.ILL_TYPED, None if isinstance(written, list) else written, sent)}
    value = _as_sent(part, entry)
    if entry.name == "TokenEndpoint":
        value = detectors.masked_url(str(value))
    return {entry.name: Fact(State.VALUE, value, sent if entry.group is Group.PROFILE else None)}


def _as_sent(part: Part, entry: Entry) -> Any:
    """The value as a server sends it, which may be of a form that no policy can write, such as `Relay.corp.example.` or `no host`."""
    free = {Kind.HOST, Kind.EMAIL, Kind.URL}
    type_ = Type(Kind.TEXT, many=entry.type.many) if entry.type.kind in free else entry.type
    return part.fit(literal, type_)


def _lacking(part: Part) -> Fact:
    state = next(iter(part.value), "")
    if len(part.value) != 1 or state not in _STATES:
        hint = did_you_mean(str(state), _STATES, else_say=f"states are: {', '.join(_STATES)}")
        raise part.refuse("a mapping in an example is one state and its reason, such as {inconclusive: timeout}", hint)
    return Fact(State(state), reason=part[state].text("a reason"), sent=JsonType.OBJECT if state == State.ILL_TYPED else None)


def _headers(part: Part) -> dict[str, Fact] | None:
    """The facts of headers written as `[{Name, Value}]`; None where it is no such list, so that a server could have sent it but ill-typed."""
    if not isinstance(part.value, list) or not all(isinstance(item, dict) for item in part.value):
        return None
    pairs = [part[index].mapping("a header", required=("Name", "Value")) for index in range(len(part.value))]
    return detectors.header_facts([(str(pair["Name"].value), str(pair["Value"].value)) for pair in pairs])


def _read_along(given: Facts) -> dict[str, Fact]:
    """What reading finds out beside the fields themselves, where an example gives these."""
    found: dict[str, Fact] = {}
    endpoint = given.get("TokenEndpoint")
    if endpoint is not None:
        seen = endpoint.state is State.VALUE
        found["TokenEndpoint.faults"] = Fact(State.VALUE, detectors.token_endpoint_faults(str(endpoint.value))) if seen else endpoint
    headers = given.get("RequestHeaders")
    if headers is not None and headers.state is not State.VALUE:
        found |= dict.fromkeys(("RequestHeaders.bytes", "RequestHeaders.faults", "RequestHeaders.secret_forms"), headers)
    return found


_SENT = {bool: JsonType.BOOLEAN, int: JsonType.INTEGER, str: JsonType.TEXT, list: JsonType.LIST}
_WIRE = {Kind.BOOLEAN: JsonType.BOOLEAN, Kind.INTEGER: JsonType.INTEGER}
"""The JSON types of fields; text for every other kind. A name of an integer is only a way to write it."""
