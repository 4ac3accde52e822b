"""The parts of a report as a reader meets them: plain values, ready for any format.

Texts stand here as they came: each format makes them safe at its own edge (`safetext`), and JSON keeps them whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auditor.core.model import Approval, FieldChange, Finding, PolicyText, RuleOutcome, RuleText, Severity, Standing, Waiver
from auditor.core.waiver import Review
from auditor.report.profile import Collected, ProfileRow


class Status(StrEnum):
    """How a reader takes a result; never told by colour alone."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    WAIVED = "waived"
    PASS = "pass"
    NEUTRAL = "neutral"

    @property
    def glyph(self) -> str:
        return {"fail": "✗", "unknown": "?", "waived": "◐", "pass": "✓", "neutral": "–"}[self.value]


BLIND_SPOTS = (
    "A change that was made and undone between two reads.",
    "Whether mail is delivered, and what the mail server itself offers: only the stored profile was read.",
    "Who made a change.",
    "What a secret is. Command shows that a password is set, not which one; a stored password that was replaced looks the same.",
)
"""What no edition of this report can see by reading the profile alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Results by outcome; the six outcomes are disjoint and add up to `results`. `standing_limits` is a part of `not_evaluated`."""

    fail: int = 0
    waived: int = 0
    not_evaluated: int = 0
    error: int = 0
    not_applicable: int = 0
    passed: int = 0
    standing_limits: int = 0

    @staticmethod
    def of(findings: Sequence[Finding]) -> "Counts":
        """What `findings` come to, waivers laid over them."""
        outcomes = [finding.outcome for finding in findings]
        return Counts(
            fail=outcomes.count(RuleOutcome.FAIL),
            waived=outcomes.count(RuleOutcome.WAIVED),
            not_evaluated=outcomes.count(RuleOutcome.NOT_EVALUATED),
            error=outcomes.count(RuleOutcome.ERROR),
            not_applicable=outcomes.count(RuleOutcome.NOT_APPLICABLE),
            passed=outcomes.count(RuleOutcome.PASS),
            standing_limits=sum(finding.standing for finding in findings),
        )

    @property
    def results(self) -> int:
        return self.fail + self.waived + self.not_evaluated + self.error + self.not_applicable + self.passed

    @property
    def unknown(self) -> int:
        """What was not evaluated for whatever reason: trouble, a standing limit, or a bug of ours."""
        return self.not_evaluated + self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLeaf:
    """One test that decided, in words."""

    fact: str
    expected: str
    observed: str
    var: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinding:
    """One rule's result for one target. `applies` says in words why the rule speaks to this target, `rated` why it has its severity.

    `anchor` is its id within a page. `waiver` is the one that excuses a failure, as it read when it did; `told` are its label and text pairs.
    """

    id: str
    anchor: str
    rule: RuleText
    status: Status
    finding: Finding
    leaves: tuple[ShownLeaf, ...]
    applies: tuple[str, ...]
    rated: tuple[str, ...]
    waiver: Waiver | None = None
    told: Collected = ()

    @property
    def severity(self) -> Severity | None:
        return self.finding.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Rules that could not be judged for one and the same reason; `is_standing` where the source can never show what they need."""

    reason: str
    is_standing: bool
    findings: tuple[ShownFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingLimit:
    """What the source can never show, why, and which rules stay open for it."""

    reason: str
    facts: tuple[str, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChange:
    """A field that moved between two reads: after `not_before`, by `not_after`. The instant itself nobody saw. `told` says what else is known.

    `ended` says what became of it where that is known: the value is `change.after` no more, or was approved. It is empty where it still is.
    """

    target: str
    status: Status
    word: str
    change: FieldChange
    not_before: datetime | None
    not_after: datetime
    happened: str
    told: tuple[str, ...] = ()
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why the newest read showed nothing: the outcome in words, what happened, and what to do next."""

    words: str
    message: str
    hint: str
    last_seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTarget:
    """Where one target stands. `compared` says what the changes were measured against, or why there is nothing to compare.

    `earlier` are the changes recorded before the newest read, the newest first, `drift` the drift events that are open. `approved` are
    the approvals in force, by field, and `baseline` says how the profile stands to them.
    """

    standing: Standing
    anchor: str
    status: Status
    word: str
    sentence: str
    counts: Counts
    trouble: Trouble | None
    failing: tuple[ShownFinding, ...]
    waived: tuple[ShownFinding, ...]
    unknown: tuple[Unknown, ...]
    limits: tuple[StandingLimit, ...]
    passing: tuple[ShownFinding, ...]
    not_applicable: tuple[ShownFinding, ...]
    changes: tuple[ShownChange, ...]
    earlier: tuple[ShownChange, ...]
    drift: tuple[ShownChange, ...]
    compared: str
    warnings: tuple[str, ...]
    approved: Mapping[str, Approval]
    baseline: str
    profile: tuple[ProfileRow, ...]
    profile_note: str
    collected: Collected

    @property
    def name(self) -> str:
        return self.standing.target.name

    @property
    def findings(self) -> tuple[ShownFinding, ...]:
        """Every result once: failing, waived, not evaluated, standing limits, passing, not applicable; within these in the order of the policy."""
        groups = (self.failing, self.waived, *(group.findings for group in self.unknown), self.passing, self.not_applicable)
        return tuple(finding for group in groups for finding in group)

    def part(self, word: str) -> str:
        """The id of a part of this target's section. Rule ids are in capitals, so none collides with a finding's."""
        return f"{self.anchor}.{word}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One rule and every target that fails it: one fix, these servers."""

    rule: RuleText
    severity: Severity | None
    findings: tuple[tuple[str, ShownFinding], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPolicy:
    """A policy in force, and whom it judged."""

    policy: PolicyText
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededVar:
    """A var that nobody has set yet, and the rules that wait for it."""

    name: str
    rules: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWaiver:
    """A waiver of the configuration as it stands; `effect` says which failures are in its scope, empty where none is."""

    review: Review
    status: Status
    word: str
    scope: str
    until: str
    effect: str
    told: Collected


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A whole report. `as_of` is the time of the newest observation, None where nothing was ever read. `installation` is what the rules about the
    auditor's own record came to, by `installation_policy`."""

    title: str
    period: str
    as_of: datetime | None
    engine_version: str
    verdict: str
    status: Status
    counts: Counts
    reconciliation: str
    warnings: tuple[str, ...]
    targets: tuple[ShownTarget, ...]
    changes: tuple[ShownChange, ...]
    drift: tuple[ShownChange, ...]
    compared: tuple[str, ...]
    earlier: tuple[ShownChange, ...]
    work: tuple[WorkItem, ...]
    policies: tuple[ShownPolicy, ...]
    needed_vars: tuple[NeededVar, ...]
    waivers: tuple[ShownWaiver, ...] = ()
    installation: tuple[ShownFinding, ...] = ()
    installation_policy: PolicyText | None = None
    blind_spots: tuple[str, ...] = BLIND_SPOTS
