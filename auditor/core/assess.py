"""What one run concludes about one target: facts handed to the policy, the verdict, the changes, the exit code. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from auditor.core.baseline import Stand, baseline, facts_of_baseline, stands
from auditor.core.canonical import digest
from auditor.core.direction import DOWNGRADES, REDIRECTIONS, OrgDomain, named
from auditor.core.drift import Seen, changes
from auditor.core.events import Read, follow
from auditor.core.model import (
    PROFILE_FIELDS,
    Approval,
    Assessment,
    Drift,
    DriftEvent,
    Fact,
    FieldChange,
    Finding,
    Judgement,
    Observation,
    RuleOutcome,
    Severity,
    State,
    Verdict,
    Waiver,
)
from auditor.core.waiver import WaiverState, in_scope, state_of

READING_FACTS = (
    "profile.configured",
    "api.version",
    "api.shape",
    "RelayUsername.text",
    "ClientId.text",
    "TokenEndpoint.faults",
    "RequestHeaders.bytes",
    "RequestHeaders.faults",
    "RequestHeaders.secret_forms",
    "response.exposed",
    "response.unknown_fields",
    "response.ill_typed_fields",
)
VAULTS = ("RelayPassword.vault", "ClientSecret.vault")
"""Facts that are fixed while reading, since the values they speak of do not outlive it."""


def facts_of(
    observation: Observation,
    *,
    labels: Iterable[tuple[str, str]],
    previous: Seen | None,
    org_domain: OrgDomain,
    waivers: Iterable[Waiver] = (),
    approvals: Sequence[Approval] = (),
    volatile: Collection[str] = (),
    secret_changed_at: datetime | None = None,
) -> dict[str, Fact]:
    """All collected facts that a policy can read: the profile's, and those about the audit. What is not in here, this source cannot tell.

    `secret_changed_at` is when the client secret was last seen to change.
    After a failed read every fact of the profile, of its reading and of `drift.*` is inconclusive, the outcome being the reason.
    """
    outcome, labels = observation.outcome.value, tuple(labels)
    own = [waiver for waiver in waivers if in_scope(waiver, target=observation.target, labels=dict(labels))]
    in_force = [waiver.rule for waiver in own if state_of(waiver, observation.started_at).is_in_force]
    ended = {waiver.rule for waiver in own if state_of(waiver, observation.started_at) is WaiverState.EXPIRED}
    facts = {
        "collection.outcome": Fact.of(State.VALUE, outcome),
        "collection.profile_age_hours": _age_hours(observation, previous),
        "collection.probe_age_hours": Fact.of(State.UNSET),
        "target.labels": Fact.of(State.VALUE, tuple(f"{key}={value}" for key, value in labels)),
        "drift.previous": Fact.of(State.VALUE, previous is not None),
        "waivers.count": Fact.of(State.VALUE, len(in_force)),
        "waivers.expired": Fact.of(State.VALUE, tuple(sorted(ended.difference(in_force)))),
        "waivers.incomplete": Fact.of(State.VALUE, ()),  # one that lacks something was refused when it was loaded
        **{f"{probe}.probed": Fact.of(State.VALUE, value=False) for probe in ("server", "domain", "token_endpoint")},
    }
    nothing_to_compare = Fact.of(State.NOT_OFFERED, reason="nothing to compare with")
    approved = {name: one for name, one in baseline(approvals, observation.started_at).items() if name not in volatile}
    facts |= facts_of_baseline(observation.snapshot, approved)
    if observation.snapshot is None:
        unseen = Fact.of(State.INCONCLUSIVE, reason=outcome)
        facts |= dict.fromkeys((*PROFILE_FIELDS, *READING_FACTS, *VAULTS, "drift.unapproved", "drift.downgrades", "drift.redirections"), unseen)
        return facts
    facts |= observation.snapshot.facts
    if secret_changed_at is not None and secret_changed_at <= observation.started_at:
        facts["ClientSecret.age_days"] = Fact.of(State.VALUE, (observation.started_at - secret_changed_at).days)
    holding = [name for name, stand in stands(observation.snapshot, approved).items() if stand is Stand.HOLDS]
    for name, words in (("drift.downgrades", DOWNGRADES), ("drift.redirections", REDIRECTIONS)):
        facts[name] = nothing_to_compare
        if previous:
            facts[name] = Fact.of(State.VALUE, named(previous[1], observation.snapshot, words, org_domain=org_domain, approved=holding))
    return facts


def judgement_key(
    observation: Observation,
    *,
    policy_digest: str,
    tables: Mapping[str, str],
    engine: str,
    is_dated: bool,
    outside: Mapping[str, Fact],
) -> str:
    """The key under which a judgement is stored once: equal keys, equal findings.

    `outside` are the facts from outside the snapshot that the policy reads; the date counts only for a policy that reads one.
    """
    snapshot = observation.snapshot
    return digest(
        {
            "seen": snapshot.digest if snapshot else observation.outcome.value,
            "policy": policy_digest,
            "tables": dict(tables),
            "engine": engine,
            "as_of": observation.started_at.date().isoformat() if is_dated else None,
            "outside": {
                name: [fact.state.value, list(fact.value) if isinstance(fact.value, tuple) else _plain(fact), fact.reason]
                for name, fact in outside.items()
            },
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of a target from before a read.

    `previous` is the last observed state, `earlier` an older one that shows what that one does not (it was of another API shape, or there was no
    profile). `open` are the open drift events, `ended` those that ended lately, `approvals` all that were ever recorded.
    `secret_changed_at` is when the client secret was last seen to change.
    """

    previous: Seen | None = None
    earlier: Seen | None = None
    open: tuple[DriftEvent, ...] = ()
    ended: tuple[DriftEvent, ...] = ()
    approvals: tuple[Approval, ...] = ()
    secret_changed_at: datetime | None = None


def assess(
    observation: Observation,
    judgement: Judgement,
    *,
    past: Past,
    org_domain: OrgDomain,
    waivers: tuple[Waiver, ...] = (),
    volatile: Collection[str] = (),
) -> Assessment:
    """Put one observation beside its judgement, with `waivers` laid over it, and beside what was seen before. `volatile` fields are no drift."""
    snapshot, previous = observation.snapshot, past.previous
    found: tuple[FieldChange, ...] = ()
    if snapshot is not None and previous is not None and snapshot.digest != previous[1].digest:
        found = changes(previous[1], snapshot, org_domain=org_domain, earlier=past.earlier)
    drift = Drift(open=past.open)
    if snapshot is not None:
        read = Read(
            target=observation.target,
            now=(observation.ended_at, snapshot),
            previous=previous,
            changes=found,
            approved=baseline(past.approvals, observation.started_at),
            org_domain=org_domain,
            earlier=past.earlier,
            volatile=volatile,
            ended=past.ended,
        )
        drift = follow(past.open, read)
    assessment = Assessment(
        observation=observation,
        judgement=judgement,
        verdict=Verdict.INDETERMINATE,
        changes=tuple(replace(change, is_ignored=change.subject in volatile) for change in found),
        previous_digest=previous[1].digest if previous else None,
        previous_at=previous[0] if previous else None,
        waivers=waivers,
        drift=drift,
    )
    return replace(assessment, verdict=verdict(assessment.findings))


def verdict(findings: Sequence[Finding]) -> Verdict:
    """What the findings come to. It counts failures of `low` and above; what was not checked is never compliant."""
    is_waived = has_trouble = has_answer = False
    for finding in findings:  # the one loop over all findings that each read takes
        outcome, counts = finding.outcome, finding.severity is not Severity.INFO
        if outcome is RuleOutcome.FAIL and counts:
            return Verdict.NON_COMPLIANT
        is_waived = is_waived or (outcome is RuleOutcome.WAIVED and counts)
        has_trouble = has_trouble or is_trouble(finding)
        has_answer = has_answer or outcome in _ANSWERS
    if has_trouble or not has_answer:
        return Verdict.INDETERMINATE
    return Verdict.COMPLIANT_WITH_WAIVERS if is_waived else Verdict.COMPLIANT


_ANSWERS = (RuleOutcome.PASS, RuleOutcome.FAIL, RuleOutcome.WAIVED)


def is_evaluated(finding: Finding) -> bool:
    """Whether the rule came to a yes or a no."""
    return finding.outcome in _ANSWERS


def is_trouble(finding: Finding) -> bool:
    """Whether the rule could not be judged for a reason that is no standing limit of the source."""
    return finding.outcome is RuleOutcome.ERROR or (finding.outcome is RuleOutcome.NOT_EVALUATED and not finding.standing)


def exit_code(
    assessments: Sequence[Assessment], *, fail_on: Severity = Severity.LOW, count_limits: bool = False, besides: Sequence[Finding] = ()
) -> int:
    """0 compliant, 1 a failure or an open drift event of `fail_on` or worse, 3 nothing could be evaluated, 4 evaluated in part and nothing failed.

    `count_limits` takes standing limits (what the source cannot show) for trouble. `besides` are findings about the installation: they can fail, and
    are no target's evaluation.
    """
    findings = [finding for assessment in assessments for finding in assessment.findings]
    if any(f.outcome is RuleOutcome.FAIL and f.severity is not None and f.severity.rank >= fail_on.rank for f in (*findings, *besides)):
        return 1
    if any(event.severity.rank >= fail_on.rank for assessment in assessments for event in assessment.drift.open):
        return 1
    if not any(is_evaluated(finding) for finding in findings):
        return 3
    blind = any(not any(is_evaluated(finding) for finding in assessment.judgement.findings) for assessment in assessments)
    partly = any(is_trouble(f) or (count_limits and f.outcome is RuleOutcome.NOT_EVALUATED) for f in findings)
    return 4 if blind or partly else 0


def _age_hours(observation: Observation, previous: Seen | None) -> Fact:
    if observation.snapshot is not None:
        return Fact.of(State.VALUE, 0)
    if previous is None:
        return Fact.of(State.UNSET)
    if previous[0] > observation.started_at:
        return Fact.of(State.INCONCLUSIVE, reason="the last read lies in the future: the clock was set back")
    return Fact.of(State.VALUE, int((observation.started_at - previous[0]).total_seconds() // 3600))


def _plain(fact: Fact) -> bool | int | str | None:
    return fact.value if isinstance(fact.value, bool | int | str) else None
