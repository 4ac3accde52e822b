"""Which transitions deserve a notice, and which channels it goes to. Pure.

People are told of what changes, once; the state in which a target is first seen is announced once, and what stays open is called to mind after days.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from auditor.core.coverage import Coverage
from auditor.core.model import (
    Assessment,
    DriftEvent,
    EventState,
    Finding,
    Notice,
    NoticeKind,
    PolicyText,
    RuleOutcome,
    RuleText,
    Severity,
    TargetText,
)
from auditor.core.waiver import Concern, Review, until

NEUTRAL = (RuleOutcome.NOT_EVALUATED, RuleOutcome.ERROR)
"""Outcomes that neither open nor resolve a finding: what was not looked at is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFinding:
    """A rule that a target fails, since when, and when people were last told of it."""

    rule: str
    severity: Severity
    since: datetime
    told_at: datetime

    def document(self) -> dict[str, str]:
        return {"rule": self.rule, "severity": self.severity.value, "since": self.since.isoformat(), "told_at": self.told_at.isoformat()}

    @staticmethod
    def from_document(document: Mapping[str, str]) -> "OpenFinding":
        since, told_at = (datetime.fromisoformat(document[key]) for key in ("since", "told_at"))
        return OpenFinding(rule=document["rule"], severity=Severity(document["severity"]), since=since, told_at=told_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people have been told of a target so far. `is_known` is false before its first read, `lost_since` is when reads began to fail."""

    is_known: bool = False
    findings: tuple[OpenFinding, ...] = ()
    lost_since: datetime | None = None
    policy_digest: str | None = None

    def document(self) -> dict[str, Any]:
        """What was told, as JSON."""
        return {
            "schema": "told/1",
            "findings": [one.document() for one in self.findings],
            "lost_since": self.lost_since.isoformat() if self.lost_since else None,
            "policy_digest": self.policy_digest,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Told":
        """What `document()` wrote, of a target that is known.

        Raises:
            ValueError, KeyError, TypeError: It is not such a document.
        """
        if document["schema"] != "told/1":
            raise ValueError(f"unknown schema {document['schema']!r}")
        return Told(
            is_known=True,
            findings=tuple(OpenFinding.from_document(one) for one in document["findings"]),
            lost_since=datetime.fromisoformat(document["lost_since"]) if document["lost_since"] else None,
            policy_digest=document["policy_digest"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A time of day, in a zone, in which nothing is sent; it may run over midnight. What is owed then waits."""

    begin: time
    end: time
    timezone: str = "UTC"

    def over_at(self, at: datetime) -> datetime:
        """`at`, or the end of the quiet hours that `at` lies in."""
        zone = ZoneInfo(self.timezone)
        local = at.astimezone(zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            begin, end = self._on(day, zone)
            if begin <= at < end:
                return end
        return at

    def _on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last = day + timedelta(days=1) if self.end <= self.begin else day
        return datetime.combine(day, self.begin, zone).astimezone(UTC), datetime.combine(last, self.end, zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a channel wants: notices of `minimum` or worse, of targets with all of `labels`, of one of `owners` where there are any.

    Where a target stands at first it is told in any case.
    """

    channel: str
    minimum: Severity = Severity.LOW
    labels: tuple[tuple[str, str], ...] = ()
    owners: tuple[str, ...] = ()

    def takes(self, notice: Notice) -> bool:
        """Whether the notice goes there. What concerns the installation, and no target, passes labels, not owners."""
        is_bad_enough = notice.severity.rank >= self.minimum.rank or notice.kind in (NoticeKind.INITIAL, NoticeKind.TEST)
        fits = notice.target is None or set(self.labels) <= set(notice.labels)
        return is_bad_enough and fits and (not self.owners or notice.owner in self.owners)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """To whom notices go, when a channel may be disturbed, and after how long what stays open is called to mind (None: never)."""

    routes: tuple[Route, ...] = ()
    quiet: QuietHours | None = None
    remind_after: timedelta | None = None

    def due_at(self, at: datetime) -> datetime:
        """When what is owed from `at` on may be sent."""
        return self.quiet.over_at(at) if self.quiet else at


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The notices that one read is worth, and what people have been told once those are on their way."""

    notices: tuple[Notice, ...]
    told: Told


def news(
    assessment: Assessment,
    told: Told,
    *,
    target: TargetText,
    policy: PolicyText,
    remind_after: timedelta | None = None,
    is_partial: bool = False,
) -> News:
    """What `assessment` is worth telling, to people who know what is in `told`. `policy` is the one that judged.

    Where it was judged by a part of them alone (`is_partial`), that is no other policy, and what the rest last said stays as it was.
    """
    at, rules = assessment.observation.ended_at, policy.texts
    failing = {f.rule: f for f in assessment.findings if f.outcome is RuleOutcome.FAIL and f.severity is not None and not _is_told_as_drift(f)}
    outcomes = {f.rule: f.outcome for f in assessment.findings}
    unseen = {f.rule for f in assessment.findings if f.outcome in NEUTRAL}
    if is_partial:
        unseen |= {one.rule for one in told.findings} - outcomes.keys()
    known = {one.rule: one for one in told.findings}
    is_lost = not assessment.observation.outcome.is_observed

    def say(kind: NoticeKind, severity: Severity, title: str, *, subject: str | None = None, detail: str = "") -> Notice:
        said = Notice(kind=kind, at=at, severity=severity, title=title, target=target.name, subject=subject, detail=detail)
        return replace(said, labels=target.labels, owner=target.owner)

    found: list[Notice] = []
    if not told.is_known:
        found.append(_initial(assessment, failing.values(), rules, say))
    else:
        found += [
            say(
                NoticeKind.FINDING_OPENED,
                f.severity or Severity.LOW,
                f"{target.name} fails {_named(rule, rules)}",
                subject=rule,
                detail=_mend(rule, rules),
            )
            for rule, f in failing.items()
            if rule not in known
        ]
        if not is_partial and told.policy_digest not in (None, assessment.judgement.policy_digest):
            title = f"{target.name} is judged by another {policy.name} than before"
            found.append(say(NoticeKind.POLICY_CHANGED, Severity.INFO, title, subject=policy.name))
    over = [one for rule, one in known.items() if rule not in failing and rule not in unseen and not is_lost]
    found += [
        say(
            NoticeKind.FINDING_RESOLVED,
            one.severity,
            f"{target.name} no longer fails {_named(one.rule, rules)}",
            subject=one.rule,
            detail=_why_no_longer(outcomes.get(one.rule)),
        )
        for one in over
    ]
    found += [_drift(event, say) for event in (*assessment.drift.opened, *assessment.drift.ended) if told.is_known or event.is_deviation]
    if is_lost and told.is_known and told.lost_since is None:
        title = f"{target.name} cannot be read: {assessment.observation.outcome.value.replace('_', ' ')}"
        detail = " ".join(filter(None, (assessment.observation.message, assessment.observation.hint)))
        found.append(say(NoticeKind.TARGET_LOST, Severity.HIGH, title, detail=detail))
    if not is_lost and told.lost_since is not None:
        found.append(say(NoticeKind.TARGET_RECOVERED, Severity.HIGH, f"{target.name} can be read again"))
    stays = [one for rule, one in known.items() if one not in over and (rule in failing or rule in unseen or is_lost)]
    reminded = [one for one in stays if remind_after is not None and at - one.told_at >= remind_after]
    if reminded:
        worst = max((one.severity for one in reminded), key=lambda severity: severity.rank)
        title = f"{target.name} still fails {len(reminded)} {'rule' if len(reminded) == 1 else 'rules'}"
        detail = "\n".join(f"{_named(one.rule, rules)}, since {one.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" for one in reminded)
        found.append(say(NoticeKind.REMINDER, worst, title, detail=detail))
    still = [
        replace(one, severity=failing[one.rule].severity or one.severity, told_at=at if one in reminded else one.told_at)
        if one.rule in failing
        else replace(one, told_at=at if one in reminded else one.told_at)
        for one in stays
    ]
    new = [OpenFinding(rule=r, severity=f.severity or Severity.LOW, since=at, told_at=at) for r, f in failing.items() if r not in known]
    lost_since = (told.lost_since or at) if is_lost else None
    judged_by = told.policy_digest if is_partial else assessment.judgement.policy_digest
    after = Told(is_known=True, findings=(*still, *new), lost_since=lost_since, policy_digest=judged_by)
    return News(notices=tuple(found), told=after)


def of_waivers(reviews: Iterable[Review], *, at: datetime) -> tuple[Notice, ...]:
    """What is to be said of waivers before they bite, and when they have: each once, whoever asks."""
    kinds = {Concern.EXPIRING: NoticeKind.WAIVER_EXPIRING, Concern.EXPIRED: NoticeKind.WAIVER_EXPIRED}
    return tuple(
        Notice(
            kind=kinds[concern],
            at=at,
            severity=Severity.MEDIUM,
            title=f"the waiver of {review.waiver.rule} {'ends soon' if concern is Concern.EXPIRING else 'has ended'}",
            subject=review.waiver.id,
            detail=f"It {'holds' if concern is Concern.EXPIRING else 'held'} {until(review.waiver)}. {review.waiver.reason}",
            owner=review.waiver.owner,
        )
        for review in reviews
        for concern, _ in review.concerns
        if concern in kinds
    )


def of_coverage(found: Iterable[tuple[TargetText, Coverage]], *, week: str, below: int, at: datetime) -> tuple[Notice, ...]:
    """What is to be said of targets of whose owed reads in `week` fewer than `below` percent came to something."""
    return tuple(
        Notice(
            kind=NoticeKind.COVERAGE_LOW,
            at=at,
            severity=Severity.MEDIUM,
            title=f"{target.name} was read in {covered.total.read} of {covered.total.expected} slots of {week}",
            target=target.name,
            subject=week,
            detail=f"`auditor coverage {target.name} --period {week}` shows the gaps.",
            labels=target.labels,
            owner=target.owner,
        )
        for target, covered in found
        if covered.total.read * 100 < below * covered.total.expected
    )


def at_hand(target: TargetText, told: Told, *, at: datetime) -> Notice:
    """The state of a target as people have been told of it, for a channel that is new."""
    names = [one.rule for one in told.findings]
    worst = max((one.severity for one in told.findings), key=lambda severity: severity.rank, default=Severity.INFO)
    lost = f"cannot be read since {told.lost_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if told.lost_since else ""
    said = " and ".join(filter(None, (lost, f"fails {', '.join(names)}" if names else ""))) or "fails no rule"
    notice = Notice(
        kind=NoticeKind.INITIAL, at=at, severity=max(worst, Severity.HIGH if lost else worst, key=lambda s: s.rank), title=f"{target.name} {said}"
    )
    return replace(notice, target=target.name, labels=target.labels, owner=target.owner)


def routed(notices: Sequence[Notice], routes: Sequence[Route]) -> tuple[tuple[Notice, tuple[str, ...]], ...]:
    """Each notice with the channels that it is owed to; one that nobody takes is recorded all the same."""
    return tuple((notice, tuple(route.channel for route in routes if route.takes(notice))) for notice in notices)


class Say(Protocol):
    """Makes a notice about the target at hand."""

    def __call__(self, kind: NoticeKind, severity: Severity, title: str, *, subject: str | None = None, detail: str = "") -> Notice: ...


def _initial(assessment: Assessment, failing: Iterable[Finding], rules: Mapping[str, RuleText], say: Say) -> Notice:
    observation = assessment.observation
    failing = list(failing)
    if not observation.outcome.is_observed:
        title = f"{observation.target} is watched from now on, and cannot be read: {observation.outcome.value.replace('_', ' ')}"
        return say(NoticeKind.INITIAL, Severity.HIGH, title, detail=" ".join(filter(None, (observation.message, observation.hint))))
    if not failing:
        return say(NoticeKind.INITIAL, Severity.INFO, f"{observation.target} is watched from now on, and fails no rule")
    worst = max((f.severity or Severity.LOW for f in failing), key=lambda severity: severity.rank)
    title = f"{observation.target} is watched from now on, and fails {len(failing)} {'rule' if len(failing) == 1 else 'rules'}"
    return say(NoticeKind.INITIAL, worst, title, detail="\n".join(_named(f.rule, rules) for f in failing))


def _drift(event: DriftEvent, say: Say) -> Notice:
    change = event.change
    if event.state is EventState.OPEN:
        what = "is not what was approved" if event.is_deviation and not event.is_change else "changed"
        title = f"{event.target}: {change.field} {what} ({change.direction.value})"
        return say(NoticeKind.DRIFT_OPENED, event.severity, title, subject=event.subject, detail=f"was {change.before}, now {change.after}")
    title = f"{event.target}: the drift of {change.field} is over: {event.state.value}"
    return say(NoticeKind.DRIFT_ENDED, event.severity, title, subject=event.subject)


def _why_no_longer(outcome: RuleOutcome | None) -> str:
    """Why a finding is over, where that is not that the rule passes."""
    if outcome is None:
        return "The policy has the rule no more."
    return "It is waived." if outcome is RuleOutcome.WAIVED else ""


def _named(rule: str, rules: Mapping[str, RuleText]) -> str:
    return f"{rule} {rules[rule].title}" if rule in rules else rule


def _is_told_as_drift(finding: Finding) -> bool:
    """Whether the finding says no more than a drift event does, which people are told of."""
    return bool(finding.because) and all(leaf.fact.startswith("drift.") for leaf in finding.because)


def _mend(rule: str, rules: Mapping[str, RuleText]) -> str:
    return rules[rule].remediation if rule in rules else ""
