"""Arranges reports on a period: courses around standings, with gaps, drift, approvals, waivers and a policy that changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from auditor.core.course import Course, Kept, Phase, failing_since
from auditor.core.coverage import Coverage, Gap, Tally
from auditor.core.model import (
    Approval,
    Attribution,
    AttributionVerdict,
    DriftEvent,
    EventState,
    Fact,
    FieldChange,
    ProfileField,
    ReadOutcome,
    RuleOutcome,
    Severity,
    Standing,
    State,
    Verdict,
    Waiver,
)
from auditor.core.period import Period
from auditor.report.edition import WHOLE, Edition, Section
from auditor.report.gather import Gathering
from auditor.report.happenings import Naming
from auditor.report.lanes import lines
from auditor.report.view import anchor_of, shown_target
from auditor.report.wording import by_clocks_of, lasting, moment, period_words
from tests.report.standings import AT, POLICY, TLS_OFF, WAIVER

WEEK = Period(name="2026-W47", first=date(2026, 11, 16), last=date(2026, 11, 22))
DUE = {Severity.CRITICAL: 1, Severity.HIGH: 30}
SUNDAY = datetime(2026, 11, 22, 23, 45, tzinfo=UTC)


def course(standing: Standing, *, is_new: bool = False, **others: Any) -> Course:
    """A server that was well before the week, and then became what `standing` says of it at the time of its newest read."""
    assessment = standing.assessment
    if assessment is None:
        return Course(standing=standing, start=WEEK.start, end=WEEK.end)
    now = Phase(
        outcome=assessment.observation.outcome,
        verdict=assessment.verdict,
        snapshot=assessment.observation.snapshot.digest if assessment.observation.snapshot else None,
        policy=assessment.judgement.policy_digest,
        outcomes={finding.rule: finding.outcome for finding in assessment.findings},
        first=assessment.observation.started_at,
        last=SUNDAY,
        reads=480,
    )
    well = Phase(
        outcome=ReadOutcome.OBSERVED,
        verdict=Verdict.COMPLIANT,
        snapshot="b" * 64,
        policy=POLICY.digest,
        outcomes={rule.id: RuleOutcome.PASS for rule in POLICY.rules},
        first=WEEK.start - timedelta(days=9),
        last=now.first - timedelta(minutes=15),
        reads=900,
    )
    return Course(standing=standing, start=WEEK.start, end=WEEK.end, phases=(now,) if is_new else (well, now), **others)


def covered(target: str, *, failed: int = 0, missed: int = 0) -> Coverage:
    """A week of a read every quarter of an hour, some of them in vain, those in one gap."""
    total = Tally(on_time=672 - failed - missed, failed=failed, missed=missed)
    number = failed + missed
    gap = Gap(
        target=target,
        first=AT,
        last=AT + (number - 1) * timedelta(minutes=15),
        count=number,
        because=(*(("forbidden",) if failed else ()), *(("not_running",) if missed else ())),
    )
    return Coverage(target=target, total=total, gaps=(gap,) if number else ())


def event(target: str, change: FieldChange = TLS_OFF, *, number: int = 1, **others: Any) -> DriftEvent:
    value = ProfileField(fact=Fact.of(State.VALUE, False))
    return DriftEvent(
        target=target,
        change=change,
        reference=ProfileField(fact=Fact.of(State.VALUE, True)),
        value=value,
        is_deviation=False,
        is_change=True,
        not_before=AT - timedelta(minutes=15),
        not_after=AT,
        attribution=Attribution(verdict=AttributionVerdict.NOT_ATTRIBUTABLE, reason="no entry of the interval names the mail profile"),
        number=number,
        **others,
    )


def approval(target: str, **others: Any) -> Approval:
    value = ProfileField(fact=Fact.of(State.VALUE, "smtp.corp.example"))
    given: dict[str, Any] = {"field": "Host", "value": value, "by": "M. Keller", "reason": "as it was set up", "ticket": "CHG-1"} | others
    return Approval(target=target, approved_at=WEEK.start - timedelta(days=30), recorded_at=WEEK.start - timedelta(days=30), **given)


def edition(
    courses: Sequence[Course],
    *,
    waivers: Sequence[Waiver] = (),
    kept: Sequence[Kept] = (),
    notes: Sequence[dict[str, Any]] = (),
    period: Period = WEEK,
    sections: int = WHOLE,
    index: str = "index.html#2026-W47",
) -> Edition:
    """The report on a week of these servers."""
    with by_clocks_of(period.zone):
        is_fleet = len(courses) > WHOLE
        gathering = Gathering(
            as_of=period.end,
            period=period,
            due_days=DUE,
            notes=notes,
            kept=[*kept, *(Kept(waiver=waiver, since=period.start - timedelta(days=1)) for waiver in waivers)],
            naming=Naming(href=(lambda name: f"week/{anchor_of(name)}.html") if is_fleet else (lambda name: f"#{anchor_of(name)}.server")),
        )
        for one in courses:
            gathering.add(one.standing, one)
        by_name = {one.name: one for one in courses}
        chosen = [row.name for row in gathering.ordered() if row.needs_reading or not is_fleet][:sections]
        after = {**_document(), "version": 2, "rules": _document()["rules"][1:]}
        over = gathering.over(
            period,
            head=f"41872:{'3061' * 16}",
            documents={POLICY.digest: _document(), "c" * 64: after},
            population=["by the configuration with SHA-256 0123456789abcdef…, on record since Mon 16 Nov 2026 09:00 UTC"],
            index=index,
            again="auditor report --period 2026-W47",
        )
        return gathering.edition(
            engine_version="1.0",
            period=period_words(period),
            sections=[section(by_name[name], period) for name in chosen],
            over=over,
        )


def section(one: Course, period: Period = WEEK) -> Section:
    target = shown_target(one.standing, period.end)
    since = {}
    for shown in (*target.failing, *target.waived):
        first = failing_since(one.phases, shown.rule.id)
        if first is not None:
            since[shown.rule.id] = (lasting(period.end - first), moment(first))
    return Section(target=target, lines=lines(one, period, as_of=period.end), coverage="672 of 672 owed reads came to something", since=since)


def switched(one: Course) -> Course:
    """The same server, judged by another policy from its newest phase on."""
    return replace(one, phases=(*one.phases[:-1], replace(one.phases[-1], policy="c" * 64)))


def ended(of: DriftEvent) -> DriftEvent:
    return replace(of, state=EventState.RETURNED, ended_after=AT + timedelta(days=2), ended_by=AT + timedelta(days=3))


def _document() -> dict[str, Any]:
    rules = [{"id": rule.id, "title": rule.title} for rule in POLICY.rules]
    return {"name": POLICY.name, "version": POLICY.version, "vars": dict(POLICY.vars), "rules": rules}


__all__ = ["WAIVER", "approval", "course", "covered", "edition", "ended", "event", "section", "switched"]
