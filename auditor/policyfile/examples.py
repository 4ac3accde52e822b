"""Runs the examples that rules carry: each is judged as a server's answer would be, and must come out as it says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from auditor.core.derived import with_derived
from auditor.core.evaluate import compile_policy, judge
from auditor.core.model import Finding, RuleOutcome, Severity
from auditor.core.policy import EffectivePolicy
from auditor.core.words import leaf_text
from auditor.policyfile.book import Policy, PolicyBook
from auditor.policyfile.rules import Example, WrittenRule

ANY_DAY = date(2000, 1, 1)
"""The day of an example that names none: no rule that reads the date has such an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleResult:
    """What one example came to. `expected` and `got` are words; `index` counts the examples of the rule from 0."""

    rule: str
    index: int
    expected: str
    got: str
    file: str
    line: int
    ok: bool


def run_examples(book: PolicyBook, name: str) -> list[ExampleResult]:
    """Run the examples of all rules in force in the policy called `name`, each with the vars in force where the rule is written.

    Raises:
        PolicyError: There is no such policy.
    """
    return [result for rule in book.policy(name).rules for result in _results(book, *book.written(name, rule.id))]


def _results(book: PolicyBook, policy: Policy, written: WrittenRule) -> Iterator[ExampleResult]:
    for index, example in enumerate(written.examples):
        finding = _judged(book, policy, written, example)
        got, expected = _words(finding.outcome, example.severity and finding.severity), _words(example.outcome, example.severity)
        yield ExampleResult(
            rule=written.rule.id,
            index=index,
            expected=expected,
            got=got if got == expected else explained(got, finding),
            file=written.part.file.path,
            line=example.line,
            ok=got == expected,
        )


def _judged(book: PolicyBook, policy: Policy, written: WrittenRule, example: Example) -> Finding:
    vars_ = {**policy.vars, **{name: replace(policy.vars[name], value=value) for name, value in example.vars.items()}}
    alone = EffectivePolicy(
        name=policy.name,
        title=policy.title,
        version=policy.version,
        rules=(replace(written.rule, guard=None),),  # examples take the policy's own `when` as true
        vars=tuple(vars_.values()),
    )
    (finding,) = judge(compile_policy(alone, book.lookups), with_derived(example.facts, book.tables), as_of=example.as_of or ANY_DAY)
    return finding


def _words(outcome: RuleOutcome, severity: Severity | None) -> str:
    return f"{outcome} ({severity})" if severity else outcome.value


def explained(got: str, finding: Finding) -> str:
    leaves = finding.applies if finding.outcome is RuleOutcome.NOT_APPLICABLE else (*finding.because, *finding.severity_because)
    said = "; ".join(map(leaf_text, leaves)) or finding.detail
    return f"{got}: {said}" if said else got
