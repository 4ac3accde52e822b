"""What the findings of one judgement come to, looked at once for all the servers that share it; and how results are ranked."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.core.model import Finding, RuleOutcome, RuleText, Severity
from auditor.core.subject import Subject
from auditor.report.edition import Cell, ControlRow
from auditor.report.shown import Counts, Status
from auditor.report.statuses import STATUSES, answer_of
from auditor.report.view import is_unset_var

RANK = (Status.FAIL, Status.UNKNOWN, Status.WAIVED, Status.PASS, Status.NEUTRAL)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the findings of one judgement come to; many servers share one. `findings` is kept so that its identity stays its own."""

    findings: tuple[Finding, ...]
    counts: Counts
    cells: Mapping[Subject, Cell]
    outcomes: tuple[tuple[str, Status], ...]
    failing: tuple[tuple[str, Severity | None], ...]
    waits: tuple[tuple[str, str], ...]


def rank(severity: Severity | None) -> int:
    """The rank of a severity, -1 for none."""
    return severity.rank if severity else -1


def shape_of(judged: tuple[Finding, ...], counted: Sequence[Finding], rules: Mapping[str, RuleText]) -> Shape:
    """What `judged` comes to, given the same findings as they are `counted` with waivers laid over them."""
    by_subject: dict[Subject, list[Finding]] = {}
    for finding in counted:
        rule = rules.get(finding.rule)
        by_subject.setdefault(rule.subject if rule else Subject.OTHER, []).append(finding)
    failing = sorted(
        ((finding.rule, finding.severity) for finding in counted if finding.outcome is RuleOutcome.FAIL),
        key=lambda item: (-rank(item[1]), item[0]),
    )
    return Shape(
        findings=judged,
        counts=Counts.of(counted),
        cells={subject: _cell(its) for subject, its in by_subject.items()},
        outcomes=tuple((finding.rule, STATUSES[answer_of(finding)].status) for finding in counted),
        failing=tuple(failing),
        waits=tuple(
            dict.fromkeys(
                (leaf.fact.removeprefix("$"), finding.rule)
                for finding in counted
                if finding.outcome is RuleOutcome.NOT_APPLICABLE
                for leaf in finding.applies
                if is_unset_var(leaf)
            )
        ),
    )


def control(id_: str, rules: Sequence[str], by_rule: Mapping[str, Counter[Status]]) -> ControlRow:
    """One control, by what the results of its rules came to."""
    summed: Counter[Status] = Counter()
    for rule in rules:
        summed.update(by_rule[rule])
    return ControlRow(
        id=id_,
        rules=tuple(rules),
        status=min((status for status in summed if summed[status]), key=RANK.index, default=Status.NEUTRAL),
        fail=summed[Status.FAIL],
        unknown=summed[Status.UNKNOWN],
        waived=summed[Status.WAIVED],
        passed=summed[Status.PASS],
    )


def natural(item: tuple[str, Any]) -> tuple[tuple[int, int, str], ...]:
    """Ids in the order in which people count: 4.2.1 before 4.10."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", item[0]) if part)


def _cell(findings: Sequence[Finding]) -> Cell:
    """The worst of them; what a source can never show counts where there is no other answer."""
    statuses = [STATUSES[answer_of(finding)].status for finding in findings if not finding.standing] or [STATUSES[answer_of(findings[0])].status]
    worst = min(statuses, key=RANK.index)
    return Cell(status=worst, number=statuses.count(worst))
