"""Every result of a report as one row that stands alone: of which run, by which policy, from which snapshot. For the formats that machines read.

A target that was never read has a row of its own here (`unread`), so that no list of results looks complete without it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from auditor.core.model import Finding, Observation, PolicyText, RuleOutcome, RuleText, Severity
from auditor.report.safetext import prose
from auditor.report.shown import ShownFinding, ShownTarget, Status, Trouble, View
from auditor.report.statuses import STATUSES, Answer, Told, answer_of

NAMESPACE = UUID("0f6b1a52-6f0e-5c8e-9a39-6b8b4d1f7c21")
"""Every id that a format wants as a UUID is made of names in here, so the same data has the same ids everywhere."""

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands where a format demands a time and nothing was ever read: there is no clock in here, and no time of a read to tell."""

TOOL = "auditor"
VENDOR = "smtp-auditor"
PRODUCT = "Keyfactor Command"
INSTALLATION = "installation"

UNREAD = RuleText(
    id="unread",  # no rule is called so: their ids are in capitals
    title="The profile was read",
    rationale="What was never read cannot be judged.",
    remediation="Run `auditor check`, and `auditor doctor` where it does not succeed.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One rule's result for one subject: a target, or the auditor's own record where `target` is None.

    `reason` says in words why it is so; empty for a pass. `at` is when the subject was looked at, and `snapshot_digest` names the snapshot that was
    judged, None where none was.
    """

    target: ShownTarget | None
    shown: ShownFinding
    answer: Answer
    reason: str
    policy: PolicyText | None
    at: datetime
    snapshot_digest: str | None = None

    @property
    def subject(self) -> str:
        return self.target.name if self.target else INSTALLATION

    @property
    def is_unread(self) -> bool:
        """Whether it stands for a target that was never read, and for no rule."""
        return self.rule is UNREAD

    @property
    def told(self) -> Told:
        return STATUSES[self.answer]

    @property
    def rule(self) -> RuleText:
        return self.shown.rule

    @property
    def severity(self) -> Severity | None:
        return self.shown.severity

    @property
    def observation(self) -> Observation | None:
        assessment = self.target.standing.assessment if self.target else None
        return assessment.observation if assessment else None

    @property
    def policy_digest(self) -> str | None:
        """Of the policy that judged; None where none did."""
        return self.policy.digest if self.policy else None

    @property
    def key(self) -> tuple[str, str, str]:
        """What is the same in every run, and belongs to no other result."""
        return "target" if self.target else INSTALLATION, self.subject, self.rule.id

    @property
    def message(self) -> str:
        """The title of the rule, how it stands, and why."""
        return f"{self.rule.title}: {self.told.words}" + (f"; {self.reason}" if self.reason else "")


def filled(value: Any) -> Any:
    """`value` without the entries of its objects that say nothing: None, an empty text, an empty list. OSCAL and OCSF refuse what is empty."""
    if isinstance(value, dict):
        kept = ((name, filled(part)) for name, part in value.items())
        return {name: part for name, part in kept if part is not None and part not in ("", [])}
    return [filled(part) for part in value] if isinstance(value, list) else value


def trouble_text(trouble: Trouble) -> str:
    """What kept a read from showing anything, and what to do next."""
    return f"{trouble.message}; next: {trouble.hint}" if trouble.hint else trouble.message


def results(view: View) -> tuple[Result, ...]:
    """Every result once: by target and rule, and last what the rules about the auditor's own record came to."""
    return tuple(_of_targets(view)) + tuple(_of_installation(view))


def stable_uuid(*names: str) -> str:
    """The UUID (version 5) that goes by these names, whatever stands in them."""
    return str(uuid5(NAMESPACE, json.dumps(names)))


def run_id(view: View, rows: Sequence[Result]) -> str:
    """The id of what a report shows, `rows` being its results: another one as soon as a read, a judgement, a waiver or the period is another one."""
    shown = {
        "engine": view.engine_version,
        "title": view.title,
        "period": view.period,
        "results": [[*row.key, row.answer, row.at.isoformat(), row.snapshot_digest, row.policy_digest] for row in rows],
        "judged": sorted((t.name, t.standing.assessment.judgement.key) for t in view.targets if t.standing.assessment),
        "waivers": sorted((row.shown.id, row.shown.waiver.id) for row in rows if row.shown.waiver),
    }
    return stable_uuid("run", hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest())


def policies(view: View) -> tuple[PolicyText, ...]:
    """Every policy that judged: those of the targets, then that of the installation."""
    own = (view.installation_policy,) if view.installation_policy else ()
    return tuple({policy.digest: policy for policy in (*(shown.policy for shown in view.policies), *own)}.values())


def rules(rows: Sequence[Result]) -> tuple[RuleText, ...]:
    """Every rule that has a result, once, by its id; where policies word it differently, as it reads in the first result."""
    met: dict[str, RuleText] = {}
    for row in rows:
        met.setdefault(row.rule.id, row.rule)
    return tuple(met[rule] for rule in sorted(met))


def _of_targets(view: View) -> Iterator[Result]:
    for target in sorted(view.targets, key=lambda target: target.name):
        standing = target.standing
        if standing.assessment is None:
            yield _unread(view, target)
            continue
        at, snapshot = standing.assessment.observation.ended_at, standing.assessment.observation.snapshot
        digest = snapshot.digest if snapshot else None  # once: to make it, the whole snapshot is written out
        why = {shown.id: group.reason for group in target.unknown for shown in group.findings}
        for shown in sorted(target.findings, key=lambda shown: shown.rule.id):
            reason = why.get(shown.id) or _evidence(shown)
            answer, policy = answer_of(shown.finding), standing.policy
            yield Result(target=target, shown=shown, answer=answer, reason=reason, policy=policy, at=at, snapshot_digest=digest)


def _of_installation(view: View) -> Iterator[Result]:
    for shown in sorted(view.installation, key=lambda shown: shown.rule.id):
        yield Result(
            target=None,
            shown=shown,
            answer=answer_of(shown.finding),
            reason=_evidence(shown),
            policy=view.installation_policy,
            at=view.as_of or NO_TIME,
        )


def _unread(view: View, target: ShownTarget) -> Result:
    at = view.as_of or NO_TIME
    shown = ShownFinding(
        id=f"{target.name}/{UNREAD.id}",
        anchor=target.part(UNREAD.id),
        rule=UNREAD,
        status=Status.UNKNOWN,
        finding=Finding(rule=UNREAD.id, outcome=RuleOutcome.NOT_EVALUATED, as_of=at.date()),
        leaves=(),
        applies=(),
        rated=(),
    )
    return Result(target=target, shown=shown, answer=Answer.NOT_EVALUATED, reason=target.sentence, policy=None, at=at)


def _evidence(shown: ShownFinding) -> str:
    match answer_of(shown.finding):
        case Answer.PASS:
            return ""
        case Answer.NOT_APPLICABLE:
            return "; ".join(shown.applies)
        case _:
            evidence = "; ".join(f"{leaf.fact}: expected {leaf.expected}, observed {leaf.observed}" for leaf in shown.leaves)
            return evidence or prose(shown.finding.detail)
