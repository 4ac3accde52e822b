"""The report in Prometheus' text format (0.0.4), and the figures of targets that the daemon's `/metrics` tells as well."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.core.model import RuleOutcome, Severity, Standing, Verdict, Waiver
from auditor.report.safetext import safe
from auditor.report.shown import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A gauge and its samples: the values of its `labels`, in their order, and the figure."""

    name: str
    about: str
    labels: tuple[str, ...]
    samples: tuple[tuple[tuple[str, ...], float], ...]


def render_prometheus(view: View) -> bytes:
    """The newest read of each target as gauges, in UTF-8; days of waivers are counted from the newest read."""
    standings = [target.standing for target in sorted(view.targets, key=lambda target: target.name)]
    families = list(of_targets(standings))
    if view.as_of:
        families.append(of_waivers([shown.review.waiver for shown in view.waivers], at=view.as_of))
    return "".join(line for family in families for line in _written(family)).encode()


def of_targets(standings: Sequence[Standing]) -> Iterator[Family]:
    """What the newest read of each target came to. A target that was never read has no figure but for `auditor_target_read`."""
    read = [(standing.target.name, standing.assessment) for standing in standings if standing.assessment]
    yield _by_target(
        "auditor_target_compliant",
        "Whether the newest read met the policy",
        ((name, found.verdict in (Verdict.COMPLIANT, Verdict.COMPLIANT_WITH_WAIVERS)) for name, found in read),
    )
    yield Family(
        name="auditor_findings_failing",
        about="Rules that fail, by severity",
        labels=("target", "severity"),
        samples=tuple(
            ((name, severity.value), sum(f.outcome is RuleOutcome.FAIL and f.severity is severity for f in found.findings))
            for name, found in read
            for severity in Severity
        ),
    )
    yield Family(
        name="auditor_results",
        about="Results of the newest read, by outcome",
        labels=("target", "outcome"),
        samples=tuple(((name, outcome.value), sum(f.outcome is outcome for f in found.findings)) for name, found in read for outcome in RuleOutcome),
    )
    yield _by_target(
        "auditor_last_success_timestamp_seconds",
        "When the profile was last read",
        ((standing.target.name, standing.last_seen.timestamp()) for standing in standings if standing.last_seen),
    )
    ends = [found.observation.ended_at.timestamp() for _, found in read]
    yield Family(
        name="auditor_last_sweep_timestamp_seconds",
        about="When the newest read of any target ended",
        labels=(),
        samples=(((), max(ends)),) if ends else (),
    )
    yield _by_target(
        "auditor_read_duration_seconds",
        "How long the newest read took",
        ((name, (found.observation.ended_at - found.observation.started_at).total_seconds()) for name, found in read),
    )
    yield _by_target(
        "auditor_target_read",
        "Whether the newest read showed the profile",
        ((s.target.name, s.assessment is not None and s.assessment.observation.outcome.is_observed) for s in standings),
    )
    yield Family(
        name="auditor_drift_open",
        about="Open drift events",
        labels=("target", "severity"),
        samples=tuple(
            ((standing.target.name, severity.value), sum(event.severity is severity for event in events))
            for standing in standings
            for events in [standing.assessment.drift.open if standing.assessment else ()]
            for severity in Severity
        ),
    )


def of_waivers(waivers: Iterable[Waiver], *, at: datetime) -> Family:
    """How long each waiver still holds at `at`."""
    return Family(
        name="auditor_waiver_days_left",
        about="Days until a waiver ends; negative where it has",
        labels=("rule", "waiver"),
        samples=tuple(((waiver.rule, waiver.id), (waiver.expires_at - at) / timedelta(days=1)) for waiver in waivers),
    )


def _by_target(name: str, about: str, samples: Iterable[tuple[str, float]]) -> Family:
    return Family(name=name, about=about, labels=("target",), samples=tuple(((target,), figure) for target, figure in samples))


def _written(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.about}\n"
    yield f"# TYPE {family.name} gauge\n"
    for values, figure in family.samples:
        labels = ",".join(f'{label}="{_value(value)}"' for label, value in zip(family.labels, values, strict=True))
        yield f"{family.name}{f'{{{labels}}}' if labels else ''} {float(figure)!r}\n"


def _value(text: str) -> str:
    """A label's value: what would end it is escaped; a line break cannot be in it any more."""
    return safe(text).replace("\\", "\\\\").replace('"', '\\"')
