"""The shipped rule book judged a second time, as plainly as the rule language is written: what the product's own evaluator is held against.

The YAML is read with plain PyYAML, conditions are walked as they stand, and hosts, mailboxes and URLs are taken apart by hand. Nothing of
`policyfile`, `core.evaluate`, `core.criterion`, `core.operators` or `core.formats` is used. Shared are the facts (an input of both), RE2 and the
public suffix list (libraries), and of `core.lookalike` its table of confusable letters and its decoding of Punycode: data, not judgement.

It knows what the shipped files use. An operator, a format or a key of composition that it does not know raises: then it is to be taught.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import AddressValueError, IPv6Address
from pathlib import Path
from typing import Any

import idna
import re2
import yaml

from auditor.core.lookalike import _SKELETON as CONFUSABLE
from auditor.core.lookalike import decoded_labels
from auditor.core.model import Fact

FALSE, ABSENT, UNSEEN, TRUE = range(4)
"""The levels, from bad to good: `all` is the lowest, `any` the highest."""

RANKS = ("info", "low", "medium", "high", "critical")
NAMES = {"Anonymous": 0, "Basic": 2, "OAuth": 3}

KINDS = {
    **dict.fromkeys(("Host", "Host.org_domain", "SenderAccount.org_domain", "TokenEndpoint.org_domain", "SenderAccount.domain"), "host"),
    **dict.fromkeys(("TokenEndpoint.host", "Audience.host"), "host"),
    **dict.fromkeys(("SenderAccount", "SenderAddress", "RelayUsername.mailbox"), "email"),
}
"""Facts of which equal values can be written differently. (URLs are another kind, which no shipped rule compares.)"""

RESTS_ON = {
    "profile.mail_route": ("SenderAccount", "Host"),
    "profile.provider_refuses": ("Host", "Port", "UseSSL", "RelayAuthenticationType"),
}


def fields_of(fact: str) -> tuple[str, ...]:
    """The profile fields, or the family of facts, that a fact rests on."""
    return RESTS_ON.get(fact, (fact.partition(".")[0],))


@dataclass(frozen=True)
class Leaf:
    """One test of one subject, and what it came to; `states` are those of the facts beside it, 'value' left out."""

    subject: str
    operator: str
    level: int
    states: frozenset[str]


@dataclass(frozen=True)
class Node:
    """What a condition came to, and the leaves that lie on its own side, true or not true (section 9)."""

    level: int
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True)
class Came:
    """What a rule came to."""

    outcome: str
    severity: str | None = None
    standing: bool = False


@dataclass(frozen=True)
class WrittenRule:
    """A rule as YAML has it, and the `when` of its file."""

    guard: Any
    rule: dict[str, Any]


class NaivePolicy:
    """One shipped policy, its bases included."""

    def __init__(self, folder: Path, name: str) -> None:
        files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
        self.files = {file["policy"]: file for file in files}
        self.rules: dict[str, WrittenRule] = {}
        self.types: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.add(name)

    def add(self, name: str) -> None:
        file = self.files[name]
        known = {"policy", "title", "version", "extends", "exclude", "severities", "vars", "when", "rules"}
        assert set(file) <= known, f"the naive reader does not know {set(file) - known}"
        for base in file.get("extends", []):
            self.add(base)
        for rule_id in file.get("exclude", []):
            assert not rule_id.startswith("glob:")
            del self.rules[rule_id]
        for rule_id, severity in file.get("severities", {}).items():
            written = self.rules[rule_id]
            self.rules[rule_id] = WrittenRule(written.guard, {**written.rule, "severity": severity})
        for var, declared in file.get("vars", {}).items():
            self.types[var], self.values[var] = declared["type"], declared["default"]
        for rule in file.get("rules", []):
            self.rules[rule["id"]] = WrittenRule(file.get("when"), rule)

    def judge(
        self,
        facts: Mapping[str, Fact],
        *,
        as_of: date,
        org_domain: Callable[[str], str | None],
        own: Mapping[str, Any] | None = None,
        blind_to: str | None = None,
    ) -> dict[str, Came]:
        """What each rule comes to. With `blind_to` each test of what rests on that field is false, `offered` aside: what passes then needs it not."""
        judging = _Judging(facts, as_of, org_domain, self.types, {**self.values, **(own or {})}, blind_to)
        return {rule_id: judging.rule(written) for rule_id, written in self.rules.items()}


@dataclass(frozen=True)
class _Judging:
    facts: Mapping[str, Fact]
    as_of: date
    org_domain: Callable[[str], str | None]
    types: Mapping[str, Any]
    values: Mapping[str, Any]
    blind_to: str | None

    # --- section 6: a rule ------------------------------------------------------------------------------------------

    def rule(self, written: WrittenRule) -> Came:
        rule = written.rule
        conditions = [condition for condition in (written.guard, rule.get("when")) if condition is not None]
        when = _all([self.condition(condition) for condition in conditions]) if conditions else Node(TRUE, ())
        if when.level == FALSE:
            return Came("not_applicable")
        require = self.condition(rule["require"])
        outcome = self.outcome(when.level, require.level, rule.get("on_missing", "fail"))
        if outcome not in ("fail", "not_evaluated"):
            return Came(outcome)
        unknown = [leaf for leaf in (*when.leaves, *require.leaves) if leaf.level in (ABSENT, UNSEEN)]
        is_limit = outcome == "not_evaluated" and all(leaf.states == {"not_offered"} for leaf in unknown)
        return Came(outcome, self.severity(rule["severity"]), is_limit)

    def outcome(self, when: int, require: int, on_missing: str) -> str:
        if when == TRUE:
            return {TRUE: "pass", UNSEEN: "not_evaluated", ABSENT: on_missing, FALSE: "fail"}[require]
        if when == UNSEEN:
            return "not_evaluated"
        return on_missing if require in (ABSENT, FALSE) else "not_evaluated"

    def severity(self, severity: Any) -> str:
        if isinstance(severity, str):
            return severity
        counted = []
        for entry in severity:
            level = TRUE if isinstance(entry, str) else self.condition(entry["when"]).level
            if level != FALSE:
                counted.append(entry if isinstance(entry, str) else entry["is"])
            if level == TRUE:
                break
        return max(counted, key=RANKS.index)

    # --- section 4: logic -------------------------------------------------------------------------------------------

    def condition(self, condition: dict[str, Any], *, negated: bool = False) -> Node:
        """All entries; under a negation, by De Morgan, any of them negated."""
        return (_any if negated else _all)([self.entry(key, value, negated=negated) for key, value in condition.items()])

    def entry(self, key: str, value: Any, *, negated: bool) -> Node:
        match key:
            case "not":
                return self.condition(value, negated=not negated)
            case "all":
                return (_any if negated else _all)([self.condition(part, negated=negated) for part in value])
            case "any":
                return (_all if negated else _any)([self.condition(part, negated=negated) for part in value])
            case "none":
                return (_any if negated else _all)([self.condition(part, negated=not negated) for part in value])
            case _:
                return self.test(key, value, negated=negated)

    def test(self, subject: str, test: Any, *, negated: bool) -> Node:
        if isinstance(test, dict):
            tests = test
        elif isinstance(test, list) or (_names_var(test) and isinstance(self.types[test[1:]], list)):
            tests = {"in": test}
        else:
            tests = {"equals": test}
        return (_any if negated else _all)([self.leaf(subject, operator, operand, negated=negated) for operator, operand in tests.items()])

    # --- section 3: presence ----------------------------------------------------------------------------------------

    def leaf(self, subject: str, operator: str, operand: Any, *, negated: bool) -> Node:
        if subject.startswith("$"):
            state, value = ("unset", None) if self.values[subject[1:]] is None else ("value", self.values[subject[1:]])
        else:
            state, value = self.facts[subject].state.value, self.facts[subject].value
        states = {state}
        if operator == "same_as":
            states.add(self.facts[operand].state.value)
        level = self.level(subject, state, value, operator, operand)
        if negated and level in (TRUE, FALSE):
            level = TRUE if level == FALSE else FALSE
        touched = {field for name in (subject, operand if operator == "same_as" else subject) for field in fields_of(name)}
        if self.blind_to in touched and operator != "offered":
            level = FALSE
        return Node(level, (Leaf(subject, operator, level, frozenset(states - {"value"})),))

    def level(self, subject: str, state: str, value: Any, operator: str, operand: Any) -> int:
        if operator in ("set", "unset"):
            if state in ("value", "unset"):
                has_value = state == "value" and value not in ((), [])
                return TRUE if has_value is (operator == "set") else FALSE
            return _LACKING[state]
        if operator == "offered":
            if state == "inconclusive":
                return UNSEEN
            return TRUE if (state != "not_offered") is operand else FALSE
        lacking = UNSEEN if subject.startswith("$") and state == "unset" else _LACKING.get(state, TRUE)
        if operator == "same_as":
            other = self.facts[operand]
            lowest = min(lacking, _LACKING.get(other.state.value, TRUE))
            return lowest if lowest != TRUE else _truth(_equal(value, other.value, self.kind(subject)))
        operand = self.resolved(subject, operand)
        if operand is None:
            return min(lacking, UNSEEN)
        if lacking != TRUE:
            return lacking
        if operator.startswith(("not_", "none_")):
            held = self.holds(subject, value, {"none_in": "any_in"}.get(operator, operator.removeprefix("not_")), operand)
            return ABSENT if held is None else _truth(not held)
        held = self.holds(subject, value, operator, operand)
        return ABSENT if held is None else _truth(held)

    def kind(self, subject: str) -> str:
        if subject.startswith("$"):
            type_ = self.types[subject[1:]]
            return str(type_[0] if isinstance(type_, list) else type_)
        return KINDS.get(subject, "")

    def resolved(self, subject: str, operand: Any) -> Any:
        """The operand with vars and aliases put in; None for a var that nobody has set."""
        if isinstance(operand, list):
            return [self.resolved(subject, member) for member in operand]
        if _names_var(operand):
            return self.values[operand[1:]]
        if isinstance(operand, str) and operand.startswith("$$"):
            return operand[1:]
        return NAMES.get(operand, operand) if subject == "RelayAuthenticationType" and isinstance(operand, str) else operand

    # --- section 5: operators ---------------------------------------------------------------------------------------

    def holds(self, subject: str, value: Any, operator: str, operand: Any) -> bool | None:
        """Whether a value meets an operator; None where the value will not do."""
        kind = self.kind(subject)
        match operator:
            case "equals":
                return _equal(value, operand, kind)
            case "in":
                return any(_equal(value, member, kind) for member in operand)
            case "contains":
                return any(_equal(member, operand, kind) for member in value) if isinstance(value, tuple) else operand in value
            case "any_in":
                return any(_equal(member, wanted, kind) for member in value for wanted in operand)
            case "all_in":
                return all(any(_equal(member, wanted, kind) for wanted in operand) for member in value) if value else None
            case "lt" | "lte" | "gt" | "gte":
                return _number(value, {operator: operand})
            case "length":
                return _number(len(value), operand)
            case "days_ahead":
                return _number((_day(value) - self.as_of).days, operand)
            case "matches":
                return re2.fullmatch(operand, value) is not None if len(value) <= 1024 else None
            case "format":
                return FORMATS[operand](value)
            case "under":
                host, domains = _plain_host(value), [_plain_host(domain) for domain in operand]
                return any(host == domain or host.endswith("." + domain) for domain in domains)
            case "resembles":
                host, others = _plain_host(value), [_plain_host(other) for other in operand]
                return host not in others and any(_looks_like(name, other) for name in (host, self.org_domain(host)) if name for other in others)
            case _:
                raise NotImplementedError(operator)


_LACKING = {"unset": ABSENT, "missing": ABSENT, "ill_typed": ABSENT, "not_offered": UNSEEN, "inconclusive": UNSEEN}


def _truth(held: bool) -> int:
    return TRUE if held else FALSE


def _all(parts: list[Node]) -> Node:
    return _node(min(part.level for part in parts), parts)


def _any(parts: list[Node]) -> Node:
    return _node(max(part.level for part in parts), parts)


def _node(level: int, parts: list[Node]) -> Node:
    return Node(level, tuple(leaf for part in parts if (part.level == TRUE) is (level == TRUE) for leaf in part.leaves))


def _names_var(written: Any) -> bool:
    return isinstance(written, str) and written.startswith("$") and not written.startswith("$$")


def _number(number: Any, test: Any) -> bool:
    assert type(number) is int
    meets = {
        "equals": lambda bound: number == bound,
        "lt": lambda bound: number < bound,
        "lte": lambda bound: number <= bound,
        "gt": lambda bound: number > bound,
        "gte": lambda bound: number >= bound,
    }
    return all(meets[name](bound) for name, bound in (test if isinstance(test, dict) else {"equals": test}).items())


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


# --- sections 2 and 5: hosts, mailboxes, URLs ---------------------------------------------------------------------------


def _equal(one: Any, two: Any, kind: str) -> bool:
    """Equality without coercion: `true` is not 1, and 1 is not "1"."""
    if type(one) is not type(two):
        return False
    forms: dict[str, Callable[[str], str]] = {"host": _plain_host, "email": _plain_email}
    return bool(one == two) or (kind in forms and forms[kind](one) == forms[kind](two))


def _plain_host(text: str) -> str:
    """Lower case, A-labels, less one trailing dot; as sent where it is no host name."""
    name = text
    if not text.isascii():
        if len(text) > 254:  # no host name is longer, dot included
            return text
        try:
            name = idna.encode(text, uts46=True).decode("ascii")
        except UnicodeError:
            return text
    return name.lower().removesuffix(".") if _is_hostname(name) else text


def _plain_email(text: str) -> str:
    """Local part in lower case and the domain as hosts are compared; as sent where it is no mailbox."""
    local, at, domain = text.rpartition("@")
    plain = f"{local.lower()}@{_plain_host(domain)}"
    return plain if at and not domain.endswith(".") and _is_email(plain) else text


LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def _is_hostname(text: str, *, labels_at_least: int = 1) -> bool:
    name = text.removesuffix(".")
    labels = name.split(".")
    return (
        len(name) <= 253
        and len(labels) >= labels_at_least
        and all(1 <= len(label) <= 63 and set(label) <= LETTERS_AND_DIGITS | {"-"} and label[0] != "-" != label[-1] for label in labels)
        and not set(labels[-1]) <= set("0123456789")
    )


def _is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(
        at
        and text.isascii()
        and len(text) <= 254
        and len(local) <= 64
        and (_is_dot_string(local) or _is_quoted_string(local))
        and _is_hostname(domain, labels_at_least=2)
        and not domain.endswith(".")
    )


def _is_dot_string(local: str) -> bool:
    return all(atom and set(atom) <= LETTERS_AND_DIGITS | set("!#$%&'*+-/=?^_`{|}~") for atom in local.split("."))


def _is_quoted_string(local: str) -> bool:
    if len(local) < 2 or local[0] != '"' or local[-1] != '"':
        return False
    inside, place = local[1:-1], 0
    while place < len(inside):
        if inside[place] == "\\":
            place += 1
            if place == len(inside):
                return False
        elif inside[place] == '"':
            return False
        if not " " <= inside[place] <= "~":
            return False
        place += 1
    return True


UNRESERVED = LETTERS_AND_DIGITS | set("-._~")
SUB_DELIMITERS = frozenset("!$&'()*+,;=")


def _is_url(text: str) -> bool:
    """RFC 3986 appendix A, for what has a host and a port that can be."""
    scheme, slashes, rest = text.partition("://")
    if not slashes or not scheme or not (scheme[0].isascii() and scheme[0].isalpha()) or not set(scheme) <= LETTERS_AND_DIGITS | set("+-."):
        return False
    rest, hash_, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    if host.startswith("["):
        inside, bracket, port = host[1:].partition("]")
        try:
            address_ok = bool(bracket) and "%" not in inside and bool(IPv6Address(inside))
        except AddressValueError:
            return False
        if not address_ok or (port and not port.startswith(":")):
            return False
        port = port.removeprefix(":")
    else:
        host, _, port = host.partition(":")
        if not host or not _made_of(host, SUB_DELIMITERS):
            return False
    return (
        (not at or _made_of(userinfo, SUB_DELIMITERS | {":"}))
        and set(port) <= set("0123456789")
        and len(port.lstrip("0")) <= 5
        and int(port.lstrip("0") or 0) <= 65535
        and _made_of(path, SUB_DELIMITERS | set(":@/"))
        and _made_of(query, SUB_DELIMITERS | set(":@/?"))
        and (not hash_ or _made_of(fragment, SUB_DELIMITERS | set(":@/?")))
    )


def _made_of(text: str, besides: frozenset[str]) -> bool:
    return set(re.sub("%[0-9A-Fa-f]{2}", "", text)) <= UNRESERVED | besides


def _is_guid(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and set("".join(parts)) <= set("0123456789abcdefABCDEF")


FORMATS: dict[str, Callable[[str], bool]] = {
    "fqdn": lambda text: _is_hostname(text, labels_at_least=2),
    "email": _is_email,
    "url": _is_url,
    "guid": _is_guid,
}


# --- look-alikes ----------------------------------------------------------------------------------------------------


def _looks_like(name: str, other: str) -> bool:
    """Not equal, yet the same strokes, or within so many slips of the pen."""
    if max(len(name), len(other)) > 254:  # no host name is longer
        return False
    seen, known = _decoded(name), _decoded(other)
    return seen != known and (_strokes(seen) == _strokes(known) or _distance(seen, known) <= (2 if len(known) >= 12 else 1))


def _decoded(name: str) -> str:
    return unicodedata.normalize("NFC", ".".join(decoded_labels(name)).lower()).removesuffix(".")


def _strokes(name: str) -> str:
    plain = unicodedata.normalize("NFD", name).translate(CONFUSABLE)
    for seen, meant in (("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("-", ""), ("rn", "m"), ("vv", "w")):
        plain = plain.replace(seen, meant)
    return plain


def _distance(one: str, two: str) -> int:
    """Damerau's distance, of which no part is edited twice; 99 where the lengths alone tell that it is more than 2."""
    if abs(len(one) - len(two)) > 2:
        return 99
    rows = [list(range(len(two) + 1))]
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, other in enumerate(two, start=1):
            least = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == two[j - 2] and other == one[i - 2]:
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]
