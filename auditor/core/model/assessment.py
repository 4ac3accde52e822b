"""What one run concludes about one target, whole."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from auditor.core.model.event import Drift
from auditor.core.model.finding import FieldChange, Finding, RuleOutcome, Verdict
from auditor.core.model.observation import Observation
from auditor.core.model.waiver import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All findings of one policy for one snapshot (or one trouble), in rule order, under the key that makes it reusable."""

    key: str
    policy_digest: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All that one run concludes about one target. `previous` is the last observed state before this one, None where there is none.

    `changes` lie between the snapshot of `previous` and this one; `previous_at` is when that snapshot was last seen. `waivers` are laid over the
    judgement, one for each failure that is excused; the judgement itself stays as the policy came to it. `drift` is what the read means for drift
    events.
    """

    observation: Observation
    judgement: Judgement
    verdict: Verdict
    changes: tuple[FieldChange, ...] = ()
    previous_digest: str | None = None
    previous_at: datetime | None = None
    waivers: tuple[Waiver, ...] = ()
    drift: Drift = field(default_factory=Drift)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings as they count: a failure that is excused is waived, and keeps all else."""
        if not self.waivers:
            return self.judgement.findings
        excused = {waiver.rule for waiver in self.waivers}
        return tuple(
            replace(finding, outcome=RuleOutcome.WAIVED) if finding.outcome is RuleOutcome.FAIL and finding.rule in excused else finding
            for finding in self.judgement.findings
        )
