"""Reads the rules of a policy file: what they demand, how bad a breach is, and the examples that they carry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from auditor.core.model import RuleOutcome, Severity
from auditor.core.policy import Condition, Rating, Rule, Value
from auditor.errors import did_you_mean
from auditor.policyfile.conditions import Types, condition
from auditor.policyfile.controls import ControlTable, cited, merged
from auditor.policyfile.facts import Facts, example_facts
from auditor.policyfile.part import Part
from auditor.policyfile.values import day, setting

ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*")
LEVELS = tuple(level.value for level in Severity)

ON_MISSING = (RuleOutcome.FAIL.value, RuleOutcome.NOT_EVALUATED.value, RuleOutcome.NOT_APPLICABLE.value)
VERDICTS = {
    "passes": RuleOutcome.PASS,
    "fails": RuleOutcome.FAIL,
    "not_applicable": RuleOutcome.NOT_APPLICABLE,
    "not_evaluated": RuleOutcome.NOT_EVALUATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What a rule comes to for some facts, with some vars set."""

    outcome: RuleOutcome
    facts: Facts
    line: int
    vars: Mapping[str, Value | None]
    as_of: date | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRule:
    """A rule where it is written, with its examples."""

    rule: Rule
    part: Part
    examples: tuple[Example, ...] = ()

    def line_of(self, at: str) -> int:
        """The line of a criterion, by its place in the rule as evidence names it."""
        keys = [int(key) if key.isdecimal() else key for key in at.split("/")]
        return self.part.file.line(*((*self.part.place, *keys) if keys[0] != "policy" else keys[1:]))


def rule(part: Part, guard: Condition | None, types: Types, controls: ControlTable) -> WrittenRule:
    """The rule in `part`; `guard` is the `when` of its policy.

    Raises:
        PolicyError: It is not what a rule must be.
    """
    optional = ("when", "on_missing", "rationale", "remediation", "references", "bundles", "controls", "examples")
    if isinstance(part.value, dict) and isinstance(part.value.get("id"), str):
        part = part.of(f"rule {part.value['id']}: ")
    content = part.mapping("a rule", required=("id", "title", "severity", "require"), optional=optional, extra=True)
    read = Rule(
        id=content["id"].text("rule id", ID),
        title=content["title"].text("a title"),
        ratings=ratings(content["severity"], types),
        require=condition(content["require"], "require", types),
        when=condition(content["when"], "when", types) if "when" in content else None,
        guard=guard,
        on_missing=RuleOutcome(content["on_missing"].one_of("on_missing", ON_MISSING)) if "on_missing" in content else RuleOutcome.FAIL,
        rationale=content["rationale"].text("a rationale") if "rationale" in content else "",
        remediation=content["remediation"].text("a remediation") if "remediation" in content else "",
        references=content["references"].texts("references") if "references" in content else (),
        controls=_controls(content, controls),
    )
    examples = [_example(item, read, types) for item in content["examples"].items("examples")] if "examples" in content else []
    return WrittenRule(rule=read, part=part, examples=tuple(examples))


def ratings(part: Part, types: Types) -> tuple[Rating, ...]:
    """A severity: one level, or entries that end in the level that counts where no entry does.

    Raises:
        PolicyError: It is neither.
    """
    if not isinstance(part.value, list):
        return (Rating(Severity(part.one_of("a severity", LEVELS))),)
    *entries, last = part.items("a severity list")
    if isinstance(last.value, dict):
        raise last.refuse("a severity list ends in one plain level", "it counts where no entry above it does")
    read = []
    for index, entry in enumerate(entries):
        if not isinstance(entry.value, dict):
            raise entry.refuse("only the last entry of a severity list is a plain level", "write {when: {...}, is: LEVEL}")
        content = entry.mapping("a severity entry", required=("when", "is"))
        level = Severity(content["is"].one_of("a severity", LEVELS))
        read.append(Rating(level, condition(content["when"], f"severity/{index}/when", types)))
    return (*read, Rating(Severity(last.one_of("a severity", LEVELS))))


def _controls(content: Mapping[str, Part], table: ControlTable) -> tuple[tuple[str, tuple[str, ...]], ...]:
    parts = []
    for item in content["bundles"].items("bundles") if "bundles" in content else ():
        name = item.text("a bundle")
        if name not in table.bundles:
            raise item.refuse(f"no bundle is called {name!r}", did_you_mean(name, table.bundles, else_say=f"there are: {', '.join(table.bundles)}"))
        parts.append(table.bundles[name])
    if "controls" in content:
        parts.append(dict(cited(content["controls"], table)))
    return merged(parts)


def _example(part: Part, of: Rule, types: Types) -> Example:
    content = part.mapping("an example", optional=(*VERDICTS, "vars", "as_of", "severity"))
    verdicts = [key for key in content if key in VERDICTS]
    if len(verdicts) != 1:
        raise part.refuse(f"an example has one of {', '.join(VERDICTS)}; this one has {' and '.join(verdicts) or 'none'}")
    outcome = VERDICTS[verdicts[0]]
    if of.is_dated and "as_of" not in content:
        raise part.refuse("the rule reads the date, so its examples need `as_of`", "such as as_of: 2026-12-31")
    if "severity" in content and outcome not in (RuleOutcome.FAIL, RuleOutcome.NOT_EVALUATED):
        raise content["severity"].refuse("only what fails or is not evaluated has a severity")
    return Example(
        outcome=outcome,
        facts=example_facts(content[verdicts[0]]),
        line=part.line,
        vars=settings(content["vars"], types) if "vars" in content else {},
        as_of=content["as_of"].fit(day) if "as_of" in content else None,
        severity=Severity(content["severity"].one_of("a severity", LEVELS)) if "severity" in content else None,
    )


def settings(part: Part, types: Types) -> dict[str, Value | None]:
    """The settings of vars in `part`, checked against the types they are declared with.

    Raises:
        PolicyError: A var is not declared, or a value is of another type.
    """
    read = {}
    for name, item in part.entries("vars"):
        if name not in types:
            raise item.refuse(f"no var is called {name!r}", did_you_mean(name, types, else_say=f"declared are: {', '.join(types) or 'none'}"))
        read[name] = item.of(f"{item.about}{name}: ").fit(setting, types[name])
    return read
