"""All that is to be said of one rule: what it asks in words, under which parameters, how bad a breach is, what to do, and its examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.core.claims import condition_lines, condition_text
from auditor.core.model import RuleOutcome
from auditor.core.policy import Condition, EffectivePolicy, Rule, Value, Var, plain
from auditor.errors import PolicyError, did_you_mean
from auditor.policyfile.book import Policy, PolicyBook
from auditor.policyfile.controls import counted
from auditor.policyfile.rules import VERDICTS, WrittenRule

ON_MISSING = {
    RuleOutcome.FAIL: "An answer that lacks what the rule needs, or has it in another form, fails it.",
    RuleOutcome.NOT_EVALUATED: "An answer that lacks what the rule needs is not evaluated.",
    RuleOutcome.NOT_APPLICABLE: "The rule does not apply to an answer that lacks what it needs.",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule as it is in force in `policy`, and as it is `written`, with its examples, in `home`."""

    rule: Rule
    policy: EffectivePolicy
    home: Policy
    written: WrittenRule

    @property
    def values(self) -> dict[str, Value | None]:
        return {var.name: var.value for var in self.policy.vars}

    @property
    def vars(self) -> tuple[Var, ...]:
        """The parameters that the rule reads."""
        read = {name for criterion in self.rule.criteria() for name in (*criterion.vars, criterion.subject.removeprefix("$"))}
        return tuple(var for var in self.policy.vars if var.name in read)

    @property
    def applies(self) -> str:
        """When the rule applies, in one sentence; empty where it always does."""
        return self._said(self.rule.applies) or ""

    @property
    def requires(self) -> list[tuple[int, str]]:
        """What the rule requires, as an outline: how deep each line stands, and the line."""
        return list(condition_lines(self.rule.require, self.values))

    @property
    def ladder(self) -> list[tuple[str, str]]:
        """The severities of a breach, each with when it counts; the first that holds does."""
        several = len(self.rule.ratings) > 1
        return [(rating.severity.value, self._said(rating.when) or ("otherwise" if several else "")) for rating in self.rule.ratings]

    @property
    def supports(self) -> list[tuple[str, list[str]]]:
        """Control ids that the rule supports, by the key of their framework."""
        return [(framework, sorted(ids, key=counted)) for framework, ids in self.rule.controls]

    @property
    def examples(self) -> Iterator[tuple[str, str]]:
        """What each example comes to, and the example as it is written, on one line."""
        for example in self.written.part.value.get("examples", ()):
            (verdict,) = (key for key in example if key in VERDICTS)
            facts = ", ".join(f"{name}: {_flow(value)}" for name, value in example[verdict].items()) or "an answer without any field"
            aside = [f"{key}: {_flow(example[key])}" for key in ("vars", "as_of") if key in example]
            yield " ".join([verdict.replace("_", " "), example.get("severity", "")]).strip(), " · ".join([facts, *aside])

    def document(self) -> dict[str, Any]:
        """The explanation as JSON."""
        said = self.rule.document()
        return {
            "rule": self.rule.id,
            "title": self.rule.title,
            "policy": self.policy.name,
            "written_in": {"policy": self.home.name, "file": self.written.part.file.path, "line": self.written.part.line},
            "applies": self.applies,
            "requires": condition_text(self.rule.require, self.values),
            "when": said["when"],
            "require": said["require"],
            "on_missing": said["on_missing"],
            "severity": [{"is": level, "when": when} for level, when in self.ladder],
            "parameters": [
                {"name": var.name, "type": str(var.type), "value": plain(var.value), "origin": var.origin, "about": var.about} for var in self.vars
            ],
            "rationale": self.rule.rationale,
            "remediation": self.rule.remediation,
            "references": said["references"],
            "supports": dict(self.supports),
            "examples": self.written.part.value.get("examples", []),
        }

    def _said(self, condition: Condition | None) -> str:
        return condition_text(condition, self.values) if condition else ""


def explain(book: PolicyBook, policy: EffectivePolicy, rule_id: str) -> Explanation:
    """Explain a rule of `policy`, which is one of `book` as it is in force for somebody.

    Raises:
        PolicyError: The policy has no such rule.
    """
    rule = next((rule for rule in policy.rules if rule.id == rule_id), None)
    if rule is None:
        hint = did_you_mean(rule_id, [rule.id for rule in policy.rules], else_say=f"`auditor policy list {policy.name}` names its rules")
        raise PolicyError(f"policy {policy.name} has no rule {rule_id!r}", hint=hint)
    return Explanation(rule, policy, *book.written(policy.name, rule_id))


def home_of(book: PolicyBook, rule_id: str) -> str:
    """The policy to explain a rule by where nobody names one: `recommended` if the rule is in it, else one that it is written in.

    Raises:
        PolicyError: No policy has such a rule.
    """
    homes = {id_: name for policy in book.policies.values() for id_, name in policy.homes.items()}
    if rule_id not in homes:
        raise PolicyError(f"no rule is called {rule_id!r}", hint=did_you_mean(rule_id, homes, else_say="`auditor policy list NAME` names its rules"))
    usual = book.policies.get("recommended")
    return usual.name if usual and rule_id in usual.homes else homes[rule_id]


def _flow(value: Any) -> str:
    """A value of a file on one line, as YAML."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case str() if not value.isprintable() or not value or value in ("true", "false", "null") or not (value[0].isalpha() or value[0] == "$"):
            return '"' + value.encode("unicode_escape").decode().replace('"', '\\"') + '"'
        case _:
            return str(value)
