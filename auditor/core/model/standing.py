"""What a report is made of: where each target stands, by which policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from auditor.core.canonical import digest
from auditor.core.model.approval import Approval
from auditor.core.model.assessment import Assessment
from auditor.core.model.finding import FieldChange, Finding
from auditor.core.model.snapshot import Snapshot
from auditor.core.subject import Subject, subject_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """What a rule says to a reader. `controls` maps a framework's key to the control ids that the rule supports, `subject` is what it is about."""

    id: str
    title: str
    rationale: str = ""
    remediation: str = ""
    references: tuple[str, ...] = ()
    controls: tuple[tuple[str, tuple[str, ...]], ...] = ()
    subject: Subject = Subject.OTHER


@dataclass(frozen=True, kw_only=True)
class PolicyText:
    """A policy as it read when it judged: effective rules and vars of one target, under the digest that findings carry."""

    name: str
    title: str
    version: int
    digest: str
    rules: tuple[RuleText, ...]
    vars: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def texts(self) -> Mapping[str, RuleText]:
        """Its rules by their ids."""
        return {rule.id: rule for rule in self.rules}

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "PolicyText":
        """The policy out of its canonical document (`core.policy.EffectivePolicy.document`)."""
        return PolicyText(
            name=document["name"],
            title=document["title"],
            version=document["version"],
            digest=digest(document),
            vars=tuple(sorted(document["vars"].items())),
            rules=tuple(
                RuleText(
                    id=rule["id"],
                    title=rule["title"],
                    rationale=rule["rationale"],
                    remediation=rule["remediation"],
                    references=tuple(rule["references"]),
                    controls=tuple((framework, tuple(ids)) for framework, ids in sorted(rule["controls"].items())),
                    subject=subject_of(rule.get("require")),
                )
                for rule in document["rules"]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What the rules about the installation came to, and by which policy."""

    findings: tuple[Finding, ...]
    policy: PolicyText


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetText:
    """What a reader is told of a target: no credential, no reference to one."""

    name: str
    url: str
    labels: tuple[tuple[str, str], ...] = ()
    owner: str | None = None
    insecure_skip_verify: bool = False
    insecure_http: bool = False


MAX_MOVED = 20
"""So many changes of one target stand in a Standing; the store keeps them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A recorded change: after `not_before`, the last read that showed the old state, and by `not_after`, the first that showed the new one."""

    not_before: datetime | None
    not_after: datetime
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one target stands at the time of a report.

    `assessment` is the newest one, None for a target that was never read. `last_seen` and `last_snapshot` are the newest observed state: those of
    `assessment` itself unless that one was trouble. `policy` is the policy that judged, None where nothing was judged. `moved` are the recorded
    changes, the newest first, at most `MAX_MOVED`. `approvals` are all that were ever recorded, in order of recording.
    """

    target: TargetText
    assessment: Assessment | None = None
    policy: PolicyText | None = None
    last_seen: datetime | None = None
    last_snapshot: Snapshot | None = None
    moved: tuple[Moved, ...] = ()
    approvals: tuple[Approval, ...] = ()
