"""Whether a waiver holds, which one is laid over a failure, and what is to be said of each before it bites. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from auditor.core.model import Finding, RuleOutcome, Standing, Waiver

GLOB = "glob:"
EXPIRING = timedelta(days=14)
"""So long before its end a waiver is called expiring."""


class WaiverState(StrEnum):
    """Where a waiver is in its life: approved for a day to come, in force (the last days apart), or ended."""

    PENDING = "pending"
    IN_FORCE = "in_force"
    EXPIRING = "expiring"
    EXPIRED = "expired"

    @property
    def is_in_force(self) -> bool:
        return self in (WaiverState.IN_FORCE, WaiverState.EXPIRING)


class Concern(StrEnum):
    """What may be wrong with a waiver that was understood."""

    PENDING = "pending"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    UNUSED = "unused"
    PASSES = "passes"
    BROAD = "broad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What is known of one waiver at one time: its state, the targets in its scope, those of them that fail its rule, what is doubtful about it."""

    waiver: Waiver
    state: WaiverState
    targets: tuple[str, ...]
    failing: tuple[str, ...]
    concerns: tuple[tuple[Concern, str], ...]


def holds(waiver: Waiver, *, rule: str, target: str, labels: Mapping[str, str], at: datetime) -> bool:
    """Whether `waiver` excuses a failure of `rule` on `target` at the instant `at`. Nothing else decides it, here or elsewhere."""
    return waiver.rule == rule and in_scope(waiver, target=target, labels=labels) and state_of(waiver, at).is_in_force


def in_scope(waiver: Waiver, *, target: str, labels: Mapping[str, str]) -> bool:
    """Whether `waiver` speaks of `target`, whatever the time."""
    is_named = not waiver.targets or any(
        fnmatchcase(target, pick.removeprefix(GLOB)) if pick.startswith(GLOB) else pick == target for pick in waiver.targets
    )
    return is_named and dict(waiver.labels).items() <= labels.items()


def state_of(waiver: Waiver, at: datetime) -> WaiverState:
    """Where `waiver` is in its life at the instant `at`."""
    if at >= waiver.expires_at:
        return WaiverState.EXPIRED
    if waiver.approved_on is not None and at.astimezone(UTC).date() < waiver.approved_on:
        return WaiverState.PENDING
    return WaiverState.EXPIRING if waiver.expires_at - at <= EXPIRING else WaiverState.IN_FORCE


def laid_over(findings: Iterable[Finding], waivers: Sequence[Waiver], *, target: str, labels: Mapping[str, str], at: datetime) -> tuple[Waiver, ...]:
    """The waivers that excuse the failures among `findings`, in their order: one a rule, of several that hold the one that lasts longest."""
    if not waivers:
        return ()
    holding = (
        [waiver for waiver in waivers if holds(waiver, rule=finding.rule, target=target, labels=labels, at=at)]
        for finding in findings
        if finding.outcome is RuleOutcome.FAIL
    )
    return tuple(max(several, key=lambda waiver: waiver.expires_at) for several in holding if several)


def review(waiver: Waiver, standings: Iterable[Standing], *, at: datetime) -> Review:
    """What is to be said of `waiver` at `at`, as far as `standings`, the newest reads, show it. What they do not show is not held against it."""
    scope = [standing for standing in standings if in_scope(waiver, target=standing.target.name, labels=dict(standing.target.labels))]
    outcomes = {standing.target.name: _outcome(standing, waiver.rule) for standing in scope}
    state = state_of(waiver, at)
    return Review(
        waiver=waiver,
        state=state,
        targets=tuple(outcomes),
        failing=tuple(name for name, outcome in outcomes.items() if outcome is RuleOutcome.FAIL),
        concerns=tuple(_concerns(waiver, state, outcomes)),
    )


def until(waiver: Waiver) -> str:
    """How long it holds: `through 2026-12-31 UTC`, or `until 2026-12-31 17:00:00 UTC` where that is not the end of a day."""
    ends = waiver.expires_at.astimezone(UTC)
    if ends.time() == time.min:
        return f"through {ends.date() - timedelta(days=1)} UTC"
    return f"until {ends.replace(tzinfo=None).isoformat(' ')} UTC"


def scope_text(waiver: Waiver) -> str:
    """Where it holds: `lab, glob:test-* with env=lab`."""
    labels = ", ".join(f"{key}={value}" for key, value in waiver.labels)
    return (", ".join(waiver.targets) or "every target") + (f" with {labels}" if labels else "")


def _outcome(standing: Standing, rule: str) -> RuleOutcome | None:
    """What `rule` came to; None for a target that was never read, not applicable where its policy lacks the rule."""
    if standing.assessment is None:
        return None
    return next((finding.outcome for finding in standing.assessment.judgement.findings if finding.rule == rule), RuleOutcome.NOT_APPLICABLE)


def _concerns(waiver: Waiver, state: WaiverState, outcomes: Mapping[str, RuleOutcome | None]) -> Iterator[tuple[Concern, str]]:
    match state:
        case WaiverState.EXPIRED:
            yield Concern.EXPIRED, f"expired: it held {until(waiver)}, and failures count again"
            return
        case WaiverState.EXPIRING:
            yield Concern.EXPIRING, f"expires soon: it holds {until(waiver)}"
        case WaiverState.PENDING:
            yield Concern.PENDING, f"does not hold yet: it was approved for {waiver.approved_on} UTC"
        case WaiverState.IN_FORCE:
            pass
    if not waiver.labels and (not waiver.targets or any(map(_is_open, waiver.targets))):
        yield Concern.BROAD, "is broad: it covers every target, those to come included"
    is_settled = all(outcome in (RuleOutcome.PASS, RuleOutcome.NOT_APPLICABLE) for outcome in outcomes.values())
    passing = [name for name, outcome in outcomes.items() if outcome is RuleOutcome.PASS and (is_settled or name in waiver.targets)]
    if not outcomes:
        yield Concern.UNUSED, "is unused: no target is in its scope"
    elif passing:
        yield Concern.PASSES, f"is not needed: {waiver.rule} passes on {_some(passing)}"
    elif is_settled:
        yield Concern.UNUSED, f"is unused: {waiver.rule} does not apply to {_some(list(outcomes))}"


def _is_open(pick: str) -> bool:
    """Whether `pick` is a pattern without one letter that a name must have: `*`, `?*`, `[a-z]*`."""
    wild = re.sub(r"\[!?\]?[^\]]*\]", "?", pick.removeprefix(GLOB))
    return pick.startswith(GLOB) and "*" in wild and not wild.strip("*?")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


_NAMED = 3
