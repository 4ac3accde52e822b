"""Gathers what a report says of a fleet, server after server: each leaves a row and what it adds to the sums, and can be forgotten then.

Pure. What is the same for many servers (findings, rules) is looked at once.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from auditor.core.course import Course, Kept, Turn, Turned, approved_span, approved_within, failing_since, turns
from auditor.core.coverage import Gap, Tally
from auditor.core.drift import said
from auditor.core.model import (
    Approval,
    DriftEvent,
    EventState,
    Finding,
    Inspection,
    Moved,
    PolicyText,
    RuleOutcome,
    RuleText,
    Severity,
    Standing,
    TargetText,
)
from auditor.core.period import Period
from auditor.core.subject import Subject
from auditor.core.waiver import WaiverState
from auditor.report import sentences, timeline, waivers, wording
from auditor.report.edition import (
    NAMED,
    WHOLE,
    Cell,
    ControlRow,
    CoverageOf,
    CoverageRow,
    Edition,
    Framework,
    Named,
    Names,
    News,
    Over,
    PolicyChange,
    Review,
    Row,
    Section,
    ShownApproval,
    ShownEvent,
    ShownGap,
    Work,
)
from auditor.report.shown import Counts, NeededVar, ShownChange, ShownPolicy, ShownWaiver, Status, View
from auditor.report.view import STATUS_OF, STATUS_OF_VERDICT, anchor_of, installation_of, is_unset_var, shown_change, warning_of

MAX_SHOWN = 100
"""So many drift events, gaps, changes and approvals stand on a page; the rest is counted, and told where the commands list it."""

_RANK = (Status.FAIL, Status.UNKNOWN, Status.WAIVED, Status.PASS, Status.NEUTRAL)
_WHY = {
    "not_running": "nobody ran the auditor",
    "busy": "the read before it was still running",
    "standstill": "the machine stood still, or its clock was set forward",
}


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the findings of one judgement come to; many servers share one. `findings` is kept so that its identity stays its own."""

    findings: tuple[Finding, ...]
    counts: Counts
    cells: Mapping[Subject, Cell]
    outcomes: tuple[tuple[str, Status], ...]
    failing: tuple[tuple[str, Severity | None], ...]
    waits: tuple[tuple[str, str], ...]
    worst: int


@dataclass(frozen=True, slots=True)
class _Hit:
    name: str
    owner: str
    since: datetime | None
    severity: Severity | None


@dataclass
class Gathering:
    """Servers are added one by one, each with its course where the report is on a period; `edition` makes the report of them.

    `href` says where a server's name leads. `due_days` is how soon failures are to be mended, by severity.
    """

    as_of: datetime | None
    period: Period | None = None
    due_days: Mapping[Severity, int] = field(default_factory=dict)
    href: Callable[[str], str] = lambda name: f"#{anchor_of(name)}.server"
    notes: Sequence[Mapping[str, Any]] = ()
    kept: Sequence[Kept] = ()
    rows: list[Row] = field(default_factory=list)
    rules: dict[str, RuleText] = field(default_factory=dict)
    _fleet: sentences.Fleet = field(default_factory=sentences.Fleet)
    _shapes: dict[tuple[int, frozenset[str]], _Shape] = field(default_factory=dict)
    _alike: Counter[tuple[int, frozenset[str]]] = field(default_factory=Counter)
    _work: dict[str, list[_Hit]] = field(default_factory=dict)
    _policies: dict[str, tuple[PolicyText, list[str]]] = field(default_factory=dict)
    _waiting: dict[str, tuple[set[str], list[str]]] = field(default_factory=dict)
    _warnings: list[tuple[str, str]] = field(default_factory=list)
    _turned: dict[tuple[Turn, str | None], list[Turned]] = field(default_factory=dict)
    _lost: dict[str, int] = field(default_factory=dict)
    _events: list[DriftEvent] = field(default_factory=list)
    _ignored: list[tuple[Standing, Moved]] = field(default_factory=list)
    _approvals: list[Approval] = field(default_factory=list)
    _covered: list[tuple[str, Tally, tuple[Gap, ...]]] = field(default_factory=list)
    _unscheduled: int = 0
    _switches: dict[tuple[str, str], list[tuple[str, datetime, Mapping[str, tuple[str, str]]]]] = field(default_factory=dict)
    _has_past: bool = False
    _standings: list[Standing] = field(default_factory=list)

    def add(self, standing: Standing, course: Course | None = None) -> None:
        """Take in one server, and what the period says of it."""
        self._fleet.add(standing)
        if self.kept:
            self._standings.append(standing)
        name, assessment = standing.target.name, standing.assessment
        self._warnings += [(name, text) for text in sentences.warnings(standing)]
        shape = self._shape(standing) if assessment and standing.policy else None
        if shape is not None and standing.policy is not None:
            self._policies.setdefault(standing.policy.digest, (standing.policy, []))[1].append(name)
            for rule, severity in shape.failing:
                since = failing_since(course.phases, rule) if course else None
                self._work.setdefault(rule, []).append(_Hit(name, standing.target.owner or "", since, severity))
            for var, rule in shape.waits:
                rules, names = self._waiting.setdefault(var, (set(), []))
                rules.add(rule)
                if not names or names[-1] != name:
                    names.append(name)
        if course is not None:
            self._follow(course)
        status = STATUS_OF_VERDICT[assessment.verdict] if assessment else Status.UNKNOWN
        self.rows.append(
            Row(
                name=name,
                href=self.href(name),
                status=status,
                word=sentences.word(standing),
                url=standing.target.url,
                owner=standing.target.owner or "",
                cells=tuple(shape.cells.get(subject) for subject in Subject) if shape else (None,) * len(Subject),
                counts=shape.counts if shape else Counts(),
                failing=tuple(rule for rule, _ in shape.failing) if shape else (),
                last_seen=standing.last_seen,
                reads=course.coverage.total if course and course.coverage else None,
                gaps=len(course.coverage.gaps) if course and course.coverage else 0,
                has_moved=course is not None and course.before is not None and course.has_moved,
            )
        )

    # --- one server ------------------------------------------------------------------------------------------------

    def _shape(self, standing: Standing) -> _Shape:
        assessment, policy = standing.assessment, standing.policy
        assert assessment is not None
        assert policy is not None
        if policy.digest not in self._policies:
            self.rules |= {rule.id: rule for rule in policy.rules}
        key = (id(assessment.judgement.findings), frozenset(waiver.rule for waiver in assessment.waivers))
        self._alike[key] += 1
        if key not in self._shapes:
            self._shapes[key] = _shape_of(assessment.judgement.findings, assessment.findings, self.rules)
        return self._shapes[key]

    def _follow(self, course: Course) -> None:
        name = course.name
        self._has_past = self._has_past or course.before is not None
        turned = list(turns(course))
        is_silent = bool(course.phases) and not course.phases[-1].is_seen
        for one in turned:
            if is_silent and one.turn is Turn.UNANSWERED:
                self._lost[name] = self._lost.get(name, 0) + 1
            else:
                self._turned.setdefault((one.turn, one.rule), []).append(one)
        self._events += course.events
        self._ignored += [
            (course.standing, replace(moved, changes=ignored))
            for moved in course.moved
            if (ignored := tuple(change for change in moved.changes if change.is_ignored))
        ]
        self._approvals += approved_within(course.standing.approvals, course.start, course.end)
        if course.coverage is None or not course.coverage.total.expected:
            self._unscheduled += 1
        if course.coverage is not None and course.coverage.total.expected:
            self._covered.append((name, course.coverage.total, course.coverage.gaps))
        for old, new in pairwise([*([course.before] if course.before else []), *course.within]):
            if old.policy != new.policy:
                both = old.outcomes.keys() | new.outcomes.keys()
                effect = {
                    rule: (was, now)
                    for rule in sorted(both)
                    if (was := _outcome_word(old.outcomes.get(rule))) != (now := _outcome_word(new.outcomes.get(rule)))
                }
                self._switches.setdefault((old.policy, new.policy), []).append((name, new.first, effect))

    @property
    def switched(self) -> tuple[str, ...]:
        """The digests of the policies between which something changed in the period."""
        return tuple(sorted({digest for pair in self._switches for digest in pair}))

    # --- all of them -----------------------------------------------------------------------------------------------

    def edition(
        self,
        *,
        engine_version: str,
        title: str = "SMTP profile audit",
        period: str = "",
        sections: Sequence[Section] = (),
        inspection: Inspection | None = None,
        over: Over | None = None,
    ) -> Edition:
        """The report on all that were added."""
        installation = installation_of(inspection) if inspection else ()
        total = self._total()
        counts = self._counts()
        rows = self.ordered()
        shown = [subject for place, subject in enumerate(Subject) if any(row.cells[place] is not None for row in rows)]
        keep = [place for place, subject in enumerate(Subject) if subject in shown]
        return Edition(
            title=title,
            period=period or (wording.moment(self.as_of) if self.as_of else "nothing read yet"),
            as_of=self.as_of,
            engine_version=engine_version,
            verdict=self._fleet.sentence(is_first=over is not None and over.is_first, expected=total.expected, read=total.read),
            status=min((row.status for row in rows), key=_RANK.index, default=Status.UNKNOWN),
            counts=counts,
            reconciliation=self._reconciliation(counts),
            shares=self._shares(),
            warnings=(
                *(warning_of(one) for one in installation if one.status is Status.FAIL),
                *(text for _, text in sorted(self._warnings)[:MAX_SHOWN]),
            ),
            subjects=tuple(shown),
            rows=tuple(replace(row, cells=tuple(row.cells[place] for place in keep)) for row in rows),
            sections=tuple(sections),
            work=tuple(self._works()),
            policies=self._shown_policies(),
            needed_vars=self._needed(),
            frameworks=self._frameworks(),
            rules=tuple(self.rules[rule] for rule in sorted(self.rules)),
            waivers=self._waivers(),
            installation=installation,
            over=over,
        )

    def ordered(self) -> tuple[Row, ...]:
        """The servers that were added, the worst first, then by name."""
        return tuple(sorted(self.rows, key=lambda row: _worst_first(row, self._worst(row))))

    def over(
        self,
        period: Period,
        *,
        head: str,
        documents: Mapping[str, Mapping[str, Any]],
        population: Sequence[str] = (),
        index: str = "",
    ) -> Over:
        """What the period says besides where servers stand at its end. `documents` are the policies named by `switched`."""
        assert self.as_of is not None
        news, still = self._news()
        changes = self._values(period)
        switches = self._policy_changes(documents)
        news += [
            News(
                status=Status.NEUTRAL,
                word="policy changed",
                text=f"{one.before} gave way to {one.after}, {one.when}.",
                names=one.names,
                href="#policies",
            )
            for one in switches
        ]
        ending = [row for row in self._waivers() if row.review.state in _ENDING]
        news += [_of_waiver(row) for row in ending]
        events = sorted(self._events, key=lambda e: (e.state is not EventState.OPEN, -e.severity.rank, e.not_after, e.target, e.subject))
        approvals = sorted(self._approvals, key=lambda a: (a.target, a.field, a.approved_at))
        return Over(
            period=period,
            as_of=self.as_of,
            is_first=not self._has_past,
            news=tuple(news[:MAX_SHOWN]),
            news_left_out=max(0, len(news) - MAX_SHOWN),
            still=tuple(still[:MAX_SHOWN]),
            changes=changes[:MAX_SHOWN],
            changes_left_out=max(0, len(changes) - MAX_SHOWN),
            coverage=self._coverage(),
            events=tuple(self._event(event) for event in events[:MAX_SHOWN]),
            events_left_out=max(0, len(events) - MAX_SHOWN),
            approvals=tuple(self._approval(one, period) for one in approvals[:MAX_SHOWN]),
            approvals_left_out=max(0, len(approvals) - MAX_SHOWN),
            policy_changes=switches,
            population=tuple(population),
            head=head,
            reviews=self._reviews(period),
            index=index,
        )

    def _waivers(self) -> tuple[ShownWaiver, ...]:
        """The waivers that held at some moment, as they stand; one that the configuration has no more says so."""
        if self.as_of is None:
            return ()
        over = {one.waiver.id: one.until for one in self.kept if one.until is not None and one.until <= self.as_of}
        found = waivers.rows([one.waiver for one in self.kept], self._standings, self.as_of)
        return tuple(
            replace(
                row,
                status=Status.NEUTRAL,
                word="taken out",
                review=replace(row.review, state=WaiverState.EXPIRED, concerns=()),
                effect=f"The configuration has had it no more since {wording.moment(over[row.review.waiver.id])}. {row.effect}",
            )
            if row.review.waiver.id in over
            else row
            for row in found
        )

    def _counts(self) -> Counts:
        names = ("fail", "waived", "not_evaluated", "error", "not_applicable", "passed", "standing_limits")
        return Counts(**{name: sum(getattr(shape.counts, name) * self._alike[key] for key, shape in self._shapes.items()) for name in names})

    def _total(self) -> Tally:
        total = Tally()
        for _, tally, _ in self._covered:
            for name in ("on_time", "late", "failed", "missed"):
                setattr(total, name, getattr(total, name) + getattr(tally, name))
        return total

    def _reconciliation(self, counts: Counts) -> str:
        """Population times rules is results is what the tiles show, said so that a reader can add it up."""
        judged = sum(self._alike.values())
        sizes = {len(shape.findings) for shape in self._shapes.values()}
        servers = wording.count(judged, "server")
        product = f"{servers} × {wording.count(sizes.pop(), 'rule')}" if len(sizes) == 1 else f"the rules of {servers}, summed"
        parts = (
            (counts.fail, "failing"),
            (counts.unknown, "not evaluated"),
            (counts.waived, "waived"),
            (counts.passed, "passing"),
            (counts.not_applicable, "not applicable"),
        )
        added = " + ".join(f"{number:,} {word}" for number, word in parts)
        unjudged = f" {wording.count(len(self.rows) - judged, 'server')} without any result." if judged < len(self.rows) else ""
        return (f"{product} = {wording.count(counts.results, 'result')} = {added}." if judged else "No rule was judged.") + unjudged

    def _shares(self) -> str:
        """How many servers meet the policy, of all and of those that were read; percentages never stand without what they are of."""
        fleet = self._fleet
        read = fleet.total - fleet.never - fleet.unread
        if fleet.total < 2:
            return ""
        of_read = f"; of the {read:,} that could be read, {_percent(fleet.good, read)}" if read else ""
        return f"{fleet.good:,} of {fleet.total:,} servers meet the policy ({_percent(fleet.good, fleet.total)}){of_read}."

    def _works(self) -> Iterator[Work]:
        items = []
        for rule, hits in self._work.items():
            severity = max((hit.severity for hit in hits), key=_severity)
            since = min((hit.since for hit in hits if hit.since), default=None)
            due = self.due_days.get(severity) if severity and self.period else None
            items.append(
                Work(
                    rule=self._rule(rule),
                    severity=severity,
                    names=self._names([(hit.name, self._note(hit)) for hit in sorted(hits, key=lambda h: h.name)], part=rule),
                    owners=tuple(sorted({hit.owner for hit in hits if hit.owner})),
                    since=since,
                    age=wording.lasting(self.as_of - since) if since and self.as_of else "",
                    due_days=due,
                    overdue=sum(self._is_overdue(hit) for hit in hits),
                )
            )
        yield from sorted(items, key=lambda item: (-_severity(item.severity), -item.names.number, item.rule.id))

    def _is_overdue(self, hit: _Hit) -> bool:
        due = self.due_days.get(hit.severity) if hit.severity and self.period else None
        return due is not None and hit.since is not None and self.as_of is not None and self.as_of - hit.since > timedelta(days=due)

    def _note(self, hit: _Hit) -> str:
        if hit.since is None or self.as_of is None:
            return ""
        return f"{wording.lasting(self.as_of - hit.since)}{', overdue' if self._is_overdue(hit) else ''}"

    def _names(self, named: Sequence[tuple[str, str]], *, part: str = "") -> Names:
        """The servers in `named`, with a note each; a fleet's page names a few of many. `part` is the rule that a name's link leads to."""
        shown = named if len(self.rows) <= WHOLE else named[:NAMED]
        return Names(
            named=tuple(Named(name=name, href=self._to(name, part), note=note) for name, note in shown),
            more=len(named) - len(shown),
        )

    def _to(self, name: str, part: str = "") -> str:
        href = self.href(name)
        return f"#{anchor_of(name)}.{part}" if part and href.startswith("#") else href

    def _shown_policies(self) -> tuple[ShownPolicy, ...]:
        shown = (ShownPolicy(policy=policy, targets=tuple(sorted(names))) for policy, names in self._policies.values())
        return tuple(sorted(shown, key=lambda item: (item.policy.name, item.policy.version, item.policy.digest)))

    def _needed(self) -> tuple[NeededVar, ...]:
        found = sorted(self._waiting.items())
        return tuple(NeededVar(name=name, rules=tuple(sorted(rules)), targets=tuple(sorted(names))) for name, (rules, names) in found)

    def _frameworks(self) -> tuple[Framework, ...]:
        """Results by control: how many results of the rules that support each came to what."""
        by_rule: dict[str, Counter[Status]] = {}
        for key, shape in self._shapes.items():
            for rule, status in shape.outcomes:
                by_rule.setdefault(rule, Counter())[status] += self._alike[key]
        supported: dict[str, dict[str, list[str]]] = {}
        for rule in by_rule:
            for framework, ids in self._rule(rule).controls:
                for id_ in ids:
                    supported.setdefault(framework, {}).setdefault(id_, []).append(rule)
        return tuple(
            Framework(key=key, rows=tuple(_control(id_, sorted(rules), by_rule) for id_, rules in sorted(supported[key].items(), key=_natural)))
            for key in sorted(supported, key=lambda key: wording.framework(key).casefold())
        )

    def _rule(self, rule: str) -> RuleText:
        return self.rules.get(rule) or RuleText(id=rule, title=rule)

    def _worst(self, row: Row) -> int:
        return max((_severity(hit) for hit in (self._severity_of(rule) for rule in row.failing)), default=-1)

    def _severity_of(self, rule: str) -> Severity | None:
        return max((hit.severity for hit in self._work.get(rule, ())), key=_severity, default=None)

    # --- a period --------------------------------------------------------------------------------------------------

    def _news(self) -> tuple[list[News], list[News]]:
        """What is new, the worst first, and what still fails. Of a first report nothing is new."""
        found: dict[bool, list[tuple[tuple[int, int, str], News]]] = {True: [], False: []}
        for (turn, rule), turned in self._turned.items():
            if not self._has_past and turn not in (Turn.BETWEEN, Turn.LOST):
                continue
            one = self._one_news(turn, rule, turned)
            found[turn.is_change].append(((_ORDER.index(turn), -_severity(one.severity), rule or ""), one))
        return tuple([one for _, one in sorted(found[kind], key=lambda item: item[0])] for kind in (True, False))  # type: ignore[return-value]

    def _one_news(self, turn: Turn, rule: str | None, turned: Sequence[Turned]) -> News:
        status, word = _TURNS[turn]
        notes = [(one.target, self._when(one)) for one in sorted(turned, key=lambda one: (one.since or self._now, one.target))]
        is_fail = status is Status.FAIL or turn is Turn.STILL
        return News(
            status=status,
            word=word,
            text=_TEXTS[turn],
            severity=self._severity_of(rule) if rule and is_fail else None,
            rule=self._rule(rule) if rule else None,
            names=self._names(notes, part=rule or "" if is_fail else ""),
            href=self._to_rule(rule) if rule and rule in self._work else "",
        )

    def _to_rule(self, rule: str) -> str:
        """Where the page speaks of a rule that fails: in the list of what to mend, or under the one server that there is."""
        return f"#rule.{rule}" if len(self.rows) > 1 else self._to(self.rows[0].name, rule)

    @property
    def _now(self) -> datetime:
        assert self.as_of is not None
        return self.as_of

    def _when(self, one: Turned) -> str:
        match one.turn:
            case Turn.NEW | Turn.WAIVER_OVER | Turn.ADDED:
                return f"since {wording.moment(one.since)}" if one.since else ""
            case Turn.STILL:
                return f"for {wording.lasting(self._now - one.since)}" if one.since else ""
            case Turn.LOST:
                failed = self._lost.get(one.target, 0)
                before = f"; {wording.count(failed, 'rule')} failed when it was last read" if failed else ""
                return f"since {wording.moment(one.since)}{before}" if one.since else ""
            case Turn.BETWEEN:
                ended = f" until {wording.moment(one.until)}" if one.until else ""
                return f"from {wording.moment(one.since)}{ended}" if one.since else ""
            case _:
                lasted = f"after {wording.lasting(one.until - one.since)}" if one.until and one.since else ""
                return ", ".join(filter(None, [lasted, f"by {wording.moment(one.until)}" if one.until else ""]))

    def _values(self, period: Period) -> tuple[ShownChange, ...]:
        """The values that moved within the period, the worst first; those that the configuration ignores last."""
        moved = [
            replace(
                shown_change(_only(event.target), event.change, event.not_before, event.not_after),
                told=tuple(sentences.of_event(event)) if event.attribution or event.is_deviation else (),
            )
            for event in self._events
            if event.not_after >= period.start
        ]
        moved.sort(key=lambda shown: (-shown.change.severity.rank, shown.not_after, shown.target, shown.change.field))
        ignored = [shown_change(standing, change, one.not_before, one.not_after) for standing, one in self._ignored for change in one.changes]
        return (*moved, *ignored)

    def _event(self, event: DriftEvent) -> ShownEvent:
        return ShownEvent(
            target=event.target,
            href=self.href(event.target),
            anchor=f"event-{event.number or 0}",
            is_open=event.state is EventState.OPEN,
            entry=timeline.of_event(event),
        )

    def _approval(self, one: Approval, period: Period) -> ShownApproval:
        _, end = approved_span(one)
        if one.revoked is not None and one.revoked.at < period.end:
            status, word = Status.WAIVED, f"revoked {wording.moment(one.revoked.at)} by {one.revoked.by}: {one.revoked.reason}"
        elif end is not None and end <= self._now:
            status, word = Status.WAIVED, "ended"
        else:
            status, word = Status.PASS, "in force"
        until = f", through {one.expires} (UTC)" if one.expires else ""
        return ShownApproval(
            target=one.target,
            href=self.href(one.target),
            field=one.field,
            value=said(one.field, one.value),
            claim=f"by {one.by}" + (f", {one.ticket}" if one.ticket else ""),
            reason=one.reason,
            span=f"from {wording.moment(one.approved_at)}{until}",
            word=word,
            status=status,
        )

    def _coverage(self) -> CoverageOf:
        is_fleet = len(self.rows) > WHOLE
        ordered = sorted(self._covered, key=lambda one: (-(one[1].expected - one[1].read), one[0]))
        chosen = [one for one in ordered if one[2]][:50] if is_fleet else sorted(ordered, key=lambda one: (not one[2], one[0]))
        gaps = [gap for _, _, its in ordered for gap in its]
        gaps.sort(key=lambda gap: (-gap.count, gap.target, gap.first))
        return CoverageOf(
            total=self._total(),
            rows=tuple(CoverageRow(name=name, href=self.href(name), tally=tally, longest=_longest(its)) for name, tally, its in chosen),
            rows_left_out=len(ordered) - len(chosen),
            gaps=tuple(self._gap(gap) for gap in gaps[:MAX_SHOWN]),
            gaps_left_out=max(0, len(gaps) - MAX_SHOWN),
            unscheduled=self._unscheduled,
        )

    def _gap(self, gap: Gap) -> ShownGap:
        note = next((note for note in reversed(self.notes) if note["about"] == gap.id), None)
        is_known = note is not None and datetime.fromisoformat(note["at"]) >= gap.last
        beyond = "" if is_known else "; it has gone on since"
        return ShownGap(
            id=gap.id,
            target=gap.target,
            href=self.href(gap.target),
            span=wording.lasted(gap.first, gap.last),
            count=gap.count,
            why=wording.listed([_WHY.get(why) or wording.read_words(why) for why in gap.because]),
            acknowledged=f"{note['by']}: {note['text']}{beyond}" if note else "",
            is_known=is_known,
        )

    def _reviews(self, period: Period) -> tuple[Review, ...]:
        mine = [note for note in self.notes if note["about"] == f"review:{period.key}"]
        return tuple(
            Review(by=note["by"], at=datetime.fromisoformat(note["at"]), text=note["text"], account=note.get("account") or "unknown") for note in mine
        )

    def _policy_changes(self, documents: Mapping[str, Mapping[str, Any]]) -> tuple[PolicyChange, ...]:
        found = []
        for (old, new), switched in self._switches.items():
            before, after = documents.get(old), documents.get(new)
            effects: Counter[tuple[str, str, str]] = Counter()
            for _, _, effect in switched:
                effects.update((rule, was, now) for rule, (was, now) in effect.items())
            ordered = sorted(effects.items(), key=lambda item: (-item[1], item[0]))
            found.append(
                PolicyChange(
                    before=_policy_words(before, old),
                    after=_policy_words(after, new),
                    digests=(old, new),
                    when=f"first used {wording.moment(min(at for _, at, _ in switched))}",
                    names=self._names([(name, "") for name in sorted({name for name, _, _ in switched})]),
                    differences=tuple(_differences(before, after)) if before and after else (),
                    effects=tuple(f"{rule}: {was} → {now} on {wording.count(number, 'server')}" for (rule, was, now), number in ordered[:30]),
                )
            )
        return tuple(sorted(found, key=lambda one: (one.when, one.digests)))


_ENDING = (WaiverState.EXPIRED, WaiverState.EXPIRING)
_ORDER = (
    Turn.NEW,
    Turn.WAIVER_OVER,
    Turn.LOST,
    Turn.UNANSWERED,
    Turn.BETWEEN,
    Turn.FIXED,
    Turn.REGAINED,
    Turn.WAIVED,
    Turn.ADDED,
    Turn.STILL,
)
_TURNS = {
    Turn.NEW: (Status.FAIL, "new failure"),
    Turn.WAIVER_OVER: (Status.FAIL, "waiver ended"),
    Turn.LOST: (Status.UNKNOWN, "lost"),
    Turn.UNANSWERED: (Status.UNKNOWN, "no answer"),
    Turn.BETWEEN: (Status.NEUTRAL, "came and went"),
    Turn.STILL: (Status.FAIL, "still failing"),
    Turn.FIXED: (Status.PASS, "fixed"),
    Turn.REGAINED: (Status.PASS, "read again"),
    Turn.WAIVED: (Status.WAIVED, "now waived"),
    Turn.ADDED: (Status.NEUTRAL, "new server"),
}
_TEXTS = {
    Turn.NEW: "",
    Turn.WAIVER_OVER: "The waiver is over; the failure counts again.",
    Turn.LOST: "Could not be read.",
    Turn.UNANSWERED: "It failed before; now what it needs is not seen.",
    Turn.BETWEEN: "",
    Turn.STILL: "",
    Turn.FIXED: "",
    Turn.REGAINED: "Could be read again.",
    Turn.WAIVED: "Somebody accepted it for a while; it still fails.",
    Turn.ADDED: "Read for the first time.",
}


def edition_of(shown: View, *, sections_up_to: int = WHOLE) -> Edition:
    """The report on where servers stand, without a period: what `check` and `show` write."""
    gathering = Gathering(as_of=shown.as_of)
    inside = {target.name for target in (shown.targets if len(shown.targets) <= sections_up_to else [t for t in shown.targets if _needs(t)])}
    inside = set(sorted(inside)[:sections_up_to]) if len(inside) > sections_up_to else inside
    gathering.href = lambda name: f"#{anchor_of(name)}.server" if name in inside else ""
    for target in shown.targets:
        gathering.add(target.standing)
    made = gathering.edition(
        engine_version=shown.engine_version,
        title=shown.title,
        period=shown.period,
        sections=[Section(target=target) for target in shown.targets if target.name in inside],
    )
    return replace(
        made,
        verdict=shown.verdict,
        warnings=shown.warnings,
        waivers=shown.waivers,
        installation=shown.installation,
        changes=shown.changes,
        drift=shown.drift,
        compared=shown.compared,
        earlier=shown.earlier,
    )


def _needs(target: Any) -> bool:
    return target.status in (Status.FAIL, Status.UNKNOWN) or bool(target.failing or target.changes or target.drift)


def _only(name: str) -> Standing:
    return Standing(target=TargetText(name=name, url=""))


def _of_waiver(row: ShownWaiver) -> News:
    ended = row.review.state is WaiverState.EXPIRED
    waiver = row.review.waiver
    text = (
        f"The waiver of {waiver.rule} on {row.scope} held {row.until}." if ended else f"The waiver of {waiver.rule} on {row.scope} holds {row.until}."
    )
    ticket = f" Ticket {waiver.ticket}." if waiver.ticket else ""
    return News(status=row.status, word=f"waiver {row.word}", text=f"{text}{ticket}", href="#waivers")


def _shape_of(judged: tuple[Finding, ...], counted: Sequence[Finding], rules: Mapping[str, RuleText]) -> _Shape:
    outcomes = [finding.outcome for finding in counted]
    by_subject: dict[Subject, list[Finding]] = {}
    for finding in counted:
        rule = rules.get(finding.rule)
        by_subject.setdefault(rule.subject if rule else Subject.OTHER, []).append(finding)
    failing = sorted(
        ((finding.rule, finding.severity) for finding in counted if finding.outcome is RuleOutcome.FAIL),
        key=lambda item: (-_severity(item[1]), item[0]),
    )
    return _Shape(
        findings=judged,
        counts=Counts(
            fail=outcomes.count(RuleOutcome.FAIL),
            waived=outcomes.count(RuleOutcome.WAIVED),
            not_evaluated=outcomes.count(RuleOutcome.NOT_EVALUATED),
            error=outcomes.count(RuleOutcome.ERROR),
            not_applicable=outcomes.count(RuleOutcome.NOT_APPLICABLE),
            passed=outcomes.count(RuleOutcome.PASS),
            standing_limits=sum(finding.standing for finding in counted),
        ),
        cells={subject: _cell(its) for subject, its in by_subject.items()},
        outcomes=tuple((finding.rule, STATUS_OF[finding.outcome]) for finding in counted),
        failing=tuple(failing),
        waits=tuple(
            dict.fromkeys(
                (leaf.fact.removeprefix("$"), finding.rule)
                for finding in counted
                if finding.outcome is RuleOutcome.NOT_APPLICABLE
                for leaf in finding.applies
                if is_unset_var(leaf)
            )
        ),
        worst=max((_severity(severity) for _, severity in failing), default=-1),
    )


def _cell(findings: Sequence[Finding]) -> Cell:
    """The worst of them; what a source can never show counts where there is no other answer."""
    statuses = [STATUS_OF[finding.outcome] for finding in findings if not finding.standing] or [STATUS_OF[findings[0].outcome]]
    worst = min(statuses, key=_RANK.index)
    return Cell(status=worst, number=statuses.count(worst))


def _control(id_: str, rules: Sequence[str], by_rule: Mapping[str, Counter[Status]]) -> ControlRow:
    summed: Counter[Status] = Counter()
    for rule in rules:
        summed.update(by_rule[rule])
    return ControlRow(
        id=id_,
        rules=tuple(rules),
        status=min((status for status in summed if summed[status]), key=_RANK.index, default=Status.NEUTRAL),
        fail=summed[Status.FAIL],
        unknown=summed[Status.UNKNOWN],
        waived=summed[Status.WAIVED],
        passed=summed[Status.PASS],
    )


def _natural(item: tuple[str, Any]) -> tuple[tuple[int, int, str], ...]:
    """Ids in the order in which people count: 4.2.1 before 4.10."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", item[0]) if part)


def _policy_words(document: Mapping[str, Any] | None, digest: str) -> str:
    return f"{document['name']} {document['version']} ({digest[:8]})" if document else f"a policy that is no longer on record ({digest[:8]})"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What is different in the second policy, rule by rule and var by var."""
    old, new = ({rule["id"]: rule for rule in document["rules"]} for document in (before, after))
    for word, ids in (
        ("added", [id_ for id_ in new if id_ not in old]),
        ("removed", [id_ for id_ in old if id_ not in new]),
        ("changed", [id_ for id_ in new if id_ in old and new[id_] != old[id_]]),
    ):
        if ids:
            yield f"{wording.count(len(ids), 'rule')} {word}: {', '.join(ids[:20])}{f' and {len(ids) - 20} more' if len(ids) > 20 else ''}"
    names = sorted(name for name in {*before["vars"], *after["vars"]} if before["vars"].get(name) != after["vars"].get(name))
    if names:
        yield f"{wording.count(len(names), 'var')} set otherwise: {', '.join(names[:20])}"


def _outcome_word(outcome: RuleOutcome | None) -> str:
    return outcome.value.replace("_", " ") if outcome else "not in it"


def _longest(gaps: Iterable[Gap]) -> str:
    longest = max(gaps, key=lambda gap: gap.count, default=None)
    return f"{wording.count(longest.count, 'slot')}, {wording.lasted(longest.first, longest.last)}" if longest else "none"


def _percent(part: int, whole: int) -> str:
    """Rounded down, so that only all are 100 %."""
    return f"{100 * part // whole} %"


def _severity(severity: Severity | None) -> int:
    return severity.rank if severity else -1


def _worst_first(row: Row, worst: int) -> tuple[int, int, int, str]:
    return _RANK.index(row.status), -worst, -row.counts.fail, row.name


__all__ = ["Gathering", "edition_of"]
