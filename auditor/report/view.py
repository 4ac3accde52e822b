"""Computes what a reader is shown, once for every format: where each target stands, what moved, what could not be looked at. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from auditor.core.baseline import baseline, known_at
from auditor.core.model import (
    Direction,
    FieldChange,
    Finding,
    Inspection,
    Leaf,
    Level,
    PolicyText,
    ReadOutcome,
    RuleOutcome,
    RuleText,
    Severity,
    Standing,
    State,
    Verdict,
    Waiver,
)
from auditor.core.words import actual_text, expected_text
from auditor.report import profile, sentences, waivers, wording
from auditor.report.shown import (
    Counts,
    NeededVar,
    ShownChange,
    ShownFinding,
    ShownLeaf,
    ShownPolicy,
    ShownTarget,
    StandingLimit,
    Status,
    Trouble,
    Unknown,
    View,
    WorkItem,
)
from auditor.report.statuses import STATUSES, answer_of

__all__ = ["View", "view"]


def view(
    standings: Sequence[Standing],
    *,
    engine_version: str,
    as_of: datetime | None = None,
    title: str = "SMTP profile audit",
    period: str = "",
    in_file: Sequence[Waiver] = (),
    inspection: Inspection | None = None,
) -> View:
    """The report on `standings`, whose order does not matter: the worst comes first, then by name.

    `as_of` is the newest observation's end unless given: there is no clock in here, so the same data gives the same report. `period` is a text.
    `in_file` are the waivers of the configuration; those that excused a recorded failure stand in its assessment, whatever the file says by now.
    """
    installation = installation_of(inspection) if inspection else ()
    ends = [standing.assessment.observation.ended_at for standing in standings if standing.assessment]
    as_of = as_of or max(ends, default=None)
    targets = tuple(sorted((shown_target(standing, as_of) for standing in standings), key=_worst_first))
    changes = sorted((change for target in targets for change in target.changes), key=lambda c: (-c.change.severity.rank, c.target, c.change.field))
    return View(
        title=title,
        period=period or (wording.moment(as_of) if as_of else "nothing read yet"),
        as_of=as_of,
        engine_version=engine_version,
        verdict=sentences.fleet([target.standing for target in targets]),
        status=min((target.status for target in targets), key=_RANK.index, default=Status.UNKNOWN),
        counts=Counts.of([shown.finding for target in targets for shown in target.findings]),
        reconciliation=_reconciliation(targets),
        warnings=(
            *map(warning_of, (shown for shown in installation if shown.status is Status.FAIL)),
            *(warning for target in sorted(targets, key=lambda t: t.name) for warning in target.warnings),
        ),
        targets=targets,
        changes=tuple(changes),
        drift=tuple(
            sorted((event for target in targets for event in target.drift), key=lambda c: (-c.change.severity.rank, c.target, c.change.field))
        ),
        compared=_compared(targets),
        earlier=tuple(sorted((change for target in targets for change in target.earlier), key=lambda c: c.not_after, reverse=True)),
        work=_work(targets),
        policies=_policies(targets),
        needed_vars=_needed_vars(targets),
        waivers=waivers.rows(in_file, standings, as_of) if as_of else (),
        installation=installation,
        installation_policy=inspection.policy if inspection else None,
    )


STATUS_OF_VERDICT = {
    Verdict.NON_COMPLIANT: Status.FAIL,
    Verdict.INDETERMINATE: Status.UNKNOWN,
    Verdict.COMPLIANT_WITH_WAIVERS: Status.WAIVED,
    Verdict.COMPLIANT: Status.PASS,
}


# --- one target ---------------------------------------------------------------------------------------------------


def shown_target(standing: Standing, as_of: datetime | None) -> ShownTarget:
    """One target as a reader meets it, in a report as of `as_of`."""
    name, assessment, anchor = standing.target.name, standing.assessment, anchor_of(standing.target.name)
    rules = {rule.id: rule for rule in standing.policy.rules} if standing.policy else {}
    excusing = {waiver.rule: waiver for waiver in assessment.waivers} if assessment else {}
    findings = [_finding(name, anchor, finding, rules, excusing.get(finding.rule)) for finding in (assessment.findings if assessment else ())]
    failing = [shown for shown in findings if shown.finding.outcome is RuleOutcome.FAIL]
    changes = _changes(standing)
    approved = baseline(standing.approvals, known_at(standing.approvals, as_of)) if as_of else {}
    return ShownTarget(
        standing=standing,
        anchor=anchor,
        status=STATUS_OF_VERDICT[assessment.verdict] if assessment else Status.UNKNOWN,
        word=sentences.word(standing),
        sentence=sentences.target(standing),
        counts=Counts.of([shown.finding for shown in findings]),
        trouble=_trouble(standing, as_of),
        failing=tuple(sorted(failing, key=_severest_first)),
        waived=tuple(sorted((shown for shown in findings if shown.status is Status.WAIVED), key=_severest_first)),
        unknown=_unknown(findings, standing),
        limits=_limits(findings),
        passing=tuple(shown for shown in findings if shown.status is Status.PASS),
        not_applicable=tuple(shown for shown in findings if shown.status is Status.NEUTRAL),
        changes=changes,
        earlier=_earlier(standing),
        drift=_drift(standing),
        compared=sentences.compared(standing, len(changes)),
        warnings=(*sentences.warnings(standing), *sentences.deviations(standing, approved)),
        approved=approved,
        baseline=profile.beside_baseline(standing.last_snapshot, approved),
        profile=profile.rows(standing.last_snapshot, approved),
        profile_note=sentences.profile_note(standing, as_of),
        collected=profile.collected(assessment.observation) if assessment else (),
    )


def _finding(target: str, anchor: str, finding: Finding, rules: dict[str, RuleText], waiver: Waiver | None) -> ShownFinding:
    return ShownFinding(
        id=f"{target}/{finding.rule}",
        anchor=f"{anchor}.{finding.rule}",
        rule=rules.get(finding.rule) or RuleText(id=finding.rule, title=finding.rule),
        status=STATUSES[answer_of(finding)].status,
        finding=finding,
        leaves=_leaves(finding),
        applies=tuple(_applies(leaf) for leaf in finding.applies if leaf.fact != "profile.configured"),
        rated=tuple(_applies(leaf) for leaf in finding.severity_because),
        waiver=waiver,
        told=waivers.told(waiver) if waiver else (),
    )


def installation_of(inspection: Inspection) -> tuple[ShownFinding, ...]:
    """What the rules about the auditor's own record came to."""
    rules = {rule.id: rule for rule in inspection.policy.rules}
    return tuple(_finding("installation", "installation", finding, rules, None) for finding in inspection.findings)


def warning_of(shown: ShownFinding) -> str:
    """A failing rule about the installation itself: no target's section has it."""
    found = "; ".join(f"{leaf.fact} is {leaf.observed}" for leaf in shown.leaves)
    return f"The auditor's own record: {shown.rule.id} {shown.rule.title}. It fails ({shown.severity}): {found}. {shown.rule.remediation}"


def _applies(leaf: Leaf) -> str:
    return f"your var {leaf.fact[1:]} is not set" if is_unset_var(leaf) else f"{leaf.fact} is {actual_text(leaf)}"


def is_unset_var(leaf: Leaf) -> bool:
    """Whether the rule waits for a var that nobody has set."""
    return leaf.fact.startswith("$") and leaf.level is not Level.TRUE and (leaf.state is State.UNSET or leaf.actual in ([], ()))


def _leaves(finding: Finding) -> tuple[ShownLeaf, ...]:
    """The evidence for a reader: of a failure what failed, without what merely was not seen beside it; nothing twice."""
    decisive = [leaf for leaf in finding.because if leaf.level in (Level.FALSE, Level.ABSENT)] if finding.outcome is RuleOutcome.FAIL else []
    return tuple(dict.fromkeys(_leaf(leaf) for leaf in decisive or finding.because))


def _leaf(leaf: Leaf) -> ShownLeaf:
    return ShownLeaf(fact=leaf.fact, expected=expected_text(leaf), observed=actual_text(leaf), var=leaf.var)


def _changes(standing: Standing) -> tuple[ShownChange, ...]:
    assessment = standing.assessment
    if assessment is None:
        return ()
    start, end = assessment.previous_at, assessment.observation.ended_at
    return tuple(shown_change(standing, change, start, end) for change in assessment.changes)


def _earlier(standing: Standing) -> tuple[ShownChange, ...]:
    """The recorded changes before those of the newest read, the newest first, less those that stand among the open drift events."""
    open_now = {(e.subject, e.change.before, e.change.after) for e in (standing.assessment.drift.open if standing.assessment else ())}
    newest = standing.assessment.observation.started_at if standing.assessment else None
    older = [moved for moved in standing.moved if moved.not_after != newest]
    return tuple(
        shown_change(standing, change, moved.not_before, moved.not_after)
        for moved in older
        for change in moved.changes
        if (change.subject, change.before, change.after) not in open_now
    )


def _drift(standing: Standing) -> tuple[ShownChange, ...]:
    """The drift events that are open, as changes: each names an interval, and what it is measured by."""
    events = standing.assessment.drift.open if standing.assessment else ()
    shown = (shown_change(standing, event.change, event.not_before, event.not_after) for event in events)
    return tuple(replace(one, told=sentences.of_event(event)) for one, event in zip(shown, events, strict=True))


def shown_change(standing: Standing, change: FieldChange, start: datetime | None, end: datetime) -> ShownChange:
    """A change of one field, dated by the reads around it."""
    start = change.since or start
    return ShownChange(
        target=standing.target.name,
        status=Status.FAIL if not change.is_ignored and change.direction in (Direction.DOWNGRADE, Direction.REDIRECTION) else Status.NEUTRAL,
        word="ignored" if change.is_ignored else "changed" if change.direction is Direction.NEUTRAL else change.direction.value,
        change=change,
        not_before=start,
        not_after=end,
        happened=wording.between(start, end) if start else f"before {wording.moment(end)}",
        told=("the configuration calls this field volatile: kept, and no drift",) if change.is_ignored else (),
    )


def _trouble(standing: Standing, as_of: datetime | None) -> Trouble | None:
    observation = standing.assessment.observation if standing.assessment else None
    if observation is None or observation.outcome.is_observed:
        return None
    return Trouble(
        words=wording.READ_WORDS[observation.outcome],
        message=observation.message or f"The read ended as {observation.outcome.value}.",
        hint=observation.hint,
        last_seen=sentences.last_seen(standing, as_of),
    )


def _unknown(findings: Iterable[ShownFinding], standing: Standing) -> tuple[Unknown, ...]:
    groups: dict[tuple[bool, str], list[ShownFinding]] = {}
    for shown in findings:
        if shown.status is Status.UNKNOWN:
            groups.setdefault((shown.finding.standing, _why_unknown(shown.finding, standing)), []).append(shown)
    return tuple(
        Unknown(reason=reason, is_standing=is_standing, findings=tuple(sorted(members, key=_severest_first)))
        for (is_standing, reason), members in sorted(groups.items(), key=lambda item: item[0][0])
    )


def _why_unknown(finding: Finding, standing: Standing) -> str:
    leaves = (*finding.applies, *finding.because)
    if finding.outcome is RuleOutcome.ERROR:
        return f"an error of the auditor itself ({finding.detail or 'no detail'})"
    if finding.standing:
        return _joined(_reason(leaf) for leaf in leaves if leaf.state is State.NOT_OFFERED)
    outcome = standing.assessment.observation.outcome if standing.assessment else ReadOutcome.OBSERVED
    if not outcome.is_observed:
        return f"the profile was not read, {wording.READ_WORDS[outcome]}"
    return _joined(f"{leaf.fact} {actual_text(leaf)}" for leaf in leaves if leaf.level in (Level.UNSEEN, Level.ABSENT))


def _reason(leaf: Leaf) -> str:
    return leaf.reason or "the source does not offer it"


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons)) or "what it needs is not known"


def _limits(findings: Iterable[ShownFinding]) -> tuple[StandingLimit, ...]:
    met: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for shown in findings:
        if shown.finding.standing:
            for leaf in (*shown.finding.applies, *shown.finding.because):
                if leaf.state is State.NOT_OFFERED:
                    facts, rules = met.setdefault(_reason(leaf), ({}, {}))
                    facts[leaf.fact] = rules[shown.rule.id] = None
    return tuple(StandingLimit(reason=reason, facts=tuple(facts), rules=tuple(rules)) for reason, (facts, rules) in met.items())


# --- all targets --------------------------------------------------------------------------------------------------


def _reconciliation(targets: Sequence[ShownTarget]) -> str:
    """Population times rules is results is what the tiles show, said so that a reader can add it up."""
    counts = Counts.of([shown.finding for target in targets for shown in target.findings])
    judged = [target for target in targets if target.findings]
    sizes = {len(target.findings) for target in judged}
    servers = wording.count(len(judged), "server")
    product = f"{servers} × {wording.count(sizes.pop(), 'rule')}" if len(sizes) == 1 else f"the rules of {servers}, summed"
    parts = [
        f"{counts.fail} failing",
        f"{counts.unknown} not evaluated",
        f"{counts.waived} waived",
        f"{counts.passed} passing",
        f"{counts.not_applicable} not applicable",
    ]
    unjudged = f" {wording.count(len(targets) - len(judged), 'server')} without any result." if len(judged) < len(targets) else ""
    return (f"{product} = {wording.count(counts.results, 'result')} = {' + '.join(parts)}." if judged else "No rule was judged.") + unjudged


def _compared(targets: Sequence[ShownTarget]) -> tuple[str, ...]:
    """What the list of changes does not say: who stayed the same, and who could not be compared."""
    groups: dict[str, list[str]] = {}
    for target in sorted(targets, key=lambda t: t.name):
        if not target.changes:
            groups.setdefault(target.compared, []).append(target.name)
    return tuple(f"{wording.listed(names)}: {said}" for said, names in sorted(groups.items()))


def _work(targets: Sequence[ShownTarget]) -> tuple[WorkItem, ...]:
    by_rule: dict[str, list[tuple[str, ShownFinding]]] = {}
    for target in sorted(targets, key=lambda t: t.name):
        for shown in target.failing:
            by_rule.setdefault(shown.rule.id, []).append((target.name, shown))
    items = [WorkItem(rule=found[0][1].rule, severity=_worst(shown for _, shown in found), findings=tuple(found)) for found in by_rule.values()]
    return tuple(sorted(items, key=lambda item: (-_rank(item.severity), -len(item.findings), item.rule.id)))


def _policies(targets: Sequence[ShownTarget]) -> tuple[ShownPolicy, ...]:
    judged: dict[str, tuple[PolicyText, list[str]]] = {}
    for target in sorted(targets, key=lambda t: t.name):
        if policy := target.standing.policy:
            judged.setdefault(policy.digest, (policy, []))[1].append(target.name)
    shown = (ShownPolicy(policy=policy, targets=tuple(names)) for policy, names in judged.values())
    return tuple(sorted(shown, key=lambda item: (item.policy.name, item.policy.version, item.policy.digest)))


def _needed_vars(targets: Sequence[ShownTarget]) -> tuple[NeededVar, ...]:
    waiting: dict[str, tuple[set[str], set[str]]] = {}
    for target in targets:
        for shown in target.not_applicable:
            for leaf in shown.finding.applies:
                if is_unset_var(leaf):
                    rules, names = waiting.setdefault(leaf.fact.removeprefix("$"), (set(), set()))
                    rules.add(shown.rule.id)
                    names.add(target.name)
    return tuple(NeededVar(name=name, rules=tuple(sorted(rules)), targets=tuple(sorted(names))) for name, (rules, names) in sorted(waiting.items()))


# --- order and names ----------------------------------------------------------------------------------------------

_RANK = (Status.FAIL, Status.UNKNOWN, Status.WAIVED, Status.PASS, Status.NEUTRAL)


def _rank(severity: Severity | None) -> int:
    return severity.rank if severity else -1


def _worst(findings: Iterable[ShownFinding]) -> Severity | None:
    return max((shown.severity for shown in findings), key=_rank)


def _severest_first(shown: ShownFinding) -> tuple[int, str]:
    return -_rank(shown.severity), shown.rule.id


def _worst_first(target: ShownTarget) -> tuple[int, int, int, str]:
    worst = _rank(_worst(target.failing)) if target.failing else -1
    return _RANK.index(target.status), -worst, -target.counts.fail, target.name


def anchor_of(name: str) -> str:
    """The name as part of an id: letters, digits and hyphens stay, anything else is its code point; no two names share one."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else f"_{ord(c):x}_" for c in name)
