"""Short ways to write facts, criteria and rules, and to judge one by the other."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from auditor.core.catalogue import FACTS, Type
from auditor.core.evaluate import compile_policy, judge
from auditor.core.model import Fact, Finding, JsonType, Leaf, Level, RuleOutcome, Severity, State
from auditor.core.operators import Lookups
from auditor.core.policy import Condition, Criterion, EffectivePolicy, Rating, Rule, Var

TODAY = date(2026, 6, 1)

FALSE, ABSENT, UNSEEN, TRUE = Level


def org_domain(host: str) -> str | None:
    """The last two labels; enough here."""
    labels = host.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


def pattern(text: str) -> Callable[[str], bool]:
    compiled = re.compile(text)
    return lambda value: compiled.fullmatch(value) is not None


def to_ascii(text: str) -> str:
    return text.encode("idna").decode("ascii")


LOOKUPS = Lookups(to_ascii=to_ascii, org_domain=org_domain, compile_pattern=pattern)


def value(it: Any, sent: JsonType | None = None) -> Fact:
    return Fact(State.VALUE, it, sent)


def lacking(state: State, reason: str | None = None) -> Fact:
    return Fact(state, reason=reason)


class Facts(dict[str, Fact]):
    """Whatever is not given was not offered."""

    def __missing__(self, name: str) -> Fact:
        return Fact(State.NOT_OFFERED)


def facts(**given: Any) -> Facts:
    """Facts by name, `__` for a dot; plain values are values."""
    named = {name.replace("__", "."): it for name, it in given.items()}
    return Facts({name: it if isinstance(it, Fact) else value(it) for name, it in named.items()})


def criterion(subject: str, operator: str, operand: Any, *, negated: bool = False, at: str = "", type_: Type | None = None) -> Criterion:
    known = type_ or FACTS[subject].type
    return Criterion(at=at or f"require/{subject}/{operator}", subject=subject, type=known, operator=operator, operand=operand, negated=negated)


def rule(require: Condition, *, id_: str = "T-1", ratings: tuple[Rating, ...] = (Rating(Severity.HIGH),), **more: Any) -> Rule:
    return Rule(id=id_, title="A title", ratings=ratings, require=require, **more)


def policy(*rules: Rule, **vars_: tuple[Type, Any]) -> EffectivePolicy:
    return EffectivePolicy(
        name="p",
        title="P",
        version=1,
        rules=rules,
        vars=tuple(Var(name=name, type=kind, value=it, origin="policy p") for name, (kind, it) in vars_.items()),
    )


def judged(one: Rule, seen: Mapping[str, Fact], *, as_of: date = TODAY, **vars_: tuple[Type, Any]) -> Finding:
    (finding,) = judge(compile_policy(policy(one, **vars_), LOOKUPS), seen, as_of=as_of)
    return finding


def met(one: Condition, seen: Mapping[str, Fact], *, as_of: date = TODAY, **vars_: tuple[Type, Any]) -> Leaf:
    """The evidence of a criterion."""
    finding = judged(rule(one), seen, as_of=as_of, **vars_)
    assert finding.outcome is not RuleOutcome.ERROR, finding.detail
    (leaf,) = finding.because
    return leaf


def level(one: Condition, seen: Mapping[str, Fact], *, as_of: date = TODAY, **vars_: tuple[Type, Any]) -> Level:
    """The level of a condition, by the outcomes of a rule whose three results differ."""
    finding = judged(rule(one, on_missing=RuleOutcome.NOT_APPLICABLE), seen, as_of=as_of, **vars_)
    return {
        RuleOutcome.PASS: TRUE,
        RuleOutcome.FAIL: FALSE,
        RuleOutcome.NOT_APPLICABLE: ABSENT,
        RuleOutcome.NOT_EVALUATED: UNSEEN,
    }[finding.outcome]
