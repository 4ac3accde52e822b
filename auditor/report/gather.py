"""Gathers what a report says of a fleet, server after server: each leaves a row and what it adds to the sums, and can be forgotten then.

Pure. What is the same for many servers (findings, rules) is looked at once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from auditor.core.course import Course, Kept, failing_since
from auditor.core.coverage import Tally
from auditor.core.model import (
    Inspection,
    PolicyText,
    RuleText,
    Severity,
    Standing,
)
from auditor.core.period import Period
from auditor.core.subject import Subject
from auditor.core.waiver import WaiverState
from auditor.report import sentences, waivers, wording
from auditor.report.edition import (
    MAX_SHOWN,
    WHOLE,
    Edition,
    Framework,
    News,
    Over,
    Row,
    Section,
    Work,
)
from auditor.report.happenings import Happenings, Known, Naming
from auditor.report.shapes import RANK, Shape, control, natural, rank, shape_of
from auditor.report.shown import Counts, NeededVar, ShownPolicy, ShownWaiver, Status, View
from auditor.report.view import STATUS_OF_VERDICT, anchor_of, installation_of, warning_of


@dataclass(frozen=True, slots=True)
class _Hit:
    name: str
    owner: str
    since: datetime | None
    severity: Severity | None


@dataclass
class Gathering:
    """Servers are added one by one, each with its course where the report is on a period; `edition` makes the report of them.

    `due_days` is how soon failures are to be mended, by severity. `kept` are the waivers that held at some moment.
    """

    as_of: datetime | None
    naming: Naming
    period: Period | None = None
    due_days: Mapping[Severity, int] = field(default_factory=dict)
    notes: Sequence[Mapping[str, Any]] = ()
    kept: Sequence[Kept] = ()
    rows: list[Row] = field(default_factory=list)
    rules: dict[str, RuleText] = field(default_factory=dict)
    _happened: Happenings | None = field(default=None, init=False)
    _fleet: sentences.Fleet = field(default_factory=sentences.Fleet)
    _shapes: dict[tuple[int, frozenset[str]], Shape] = field(default_factory=dict)
    """The newest that were looked at."""
    _judged: int = 0
    _sizes: set[int] = field(default_factory=set)
    _summed: Counter[str] = field(default_factory=Counter)
    _by_rule: dict[str, Counter[Status]] = field(default_factory=dict)
    _work: dict[str, list[_Hit]] = field(default_factory=dict)
    _policies: dict[str, tuple[PolicyText, list[str]]] = field(default_factory=dict)
    _waiting: dict[str, tuple[set[str], list[str]]] = field(default_factory=dict)
    _warnings: list[tuple[str, str]] = field(default_factory=list)
    _standings: list[Standing] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.period is not None and self.as_of is not None:
            self._happened = Happenings(as_of=self.as_of, naming=self.naming, notes=self.notes)

    def add(self, standing: Standing, course: Course | None = None) -> None:
        """Take in one server, and what the period says of it."""
        self._fleet.add(standing)
        self.naming.servers += 1
        if self.kept:
            self._standings.append(self._slim(standing))
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
        if course is not None and self._happened is not None:
            self._happened.follow(course)
        status = STATUS_OF_VERDICT[assessment.verdict] if assessment else Status.UNKNOWN
        self.rows.append(
            Row(
                name=name,
                href=self.naming.href(name),
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

    def _shape(self, standing: Standing) -> Shape:
        assessment, policy = standing.assessment, standing.policy
        assert assessment is not None
        assert policy is not None
        if policy.digest not in self._policies:
            self.rules |= {rule.id: rule for rule in policy.rules}
        key = (id(assessment.judgement.findings), frozenset(waiver.rule for waiver in assessment.waivers))
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= _REMEMBERED:
                self._shapes.pop(next(iter(self._shapes)))
            shape = self._shapes[key] = shape_of(assessment.judgement.findings, assessment.findings, self.rules)
        self._judged += 1
        self._sizes.add(len(shape.findings))
        self._summed.update({name: getattr(shape.counts, name) for name in _COUNTED})
        for rule, status in shape.outcomes:
            self._by_rule.setdefault(rule, Counter())[status] += 1
        return shape

    def _slim(self, standing: Standing) -> Standing:
        """What a review of waivers asks of a server, and no more: a fleet's findings would not fit into mind."""
        assessment, rules = standing.assessment, {one.waiver.rule for one in self.kept}
        if assessment is None:
            return standing
        findings = tuple(finding for finding in assessment.judgement.findings if finding.rule in rules)
        return Standing(target=standing.target, assessment=replace(assessment, judgement=replace(assessment.judgement, findings=findings)))

    @property
    def switched(self) -> tuple[str, ...]:
        """The digests of the policies between which something changed in the period."""
        return self._happened.switched if self._happened else ()

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
        total = self._happened.total if self._happened else Tally()
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
            status=min((row.status for row in rows), key=RANK.index, default=Status.UNKNOWN),
            counts=counts,
            reconciliation=self._reconciliation(counts),
            shares=self._shares(),
            warnings=(
                *(warning_of(one) for one in installation if one.status is Status.FAIL),
                *(text for _, text in sorted(self._warnings)[:MAX_SHOWN]),
                *(
                    [f"{wording.count(len(self._warnings) - MAX_SHOWN, 'more guard')} switched off, of other servers."]
                    if len(self._warnings) > MAX_SHOWN
                    else []
                ),
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
        checkpoint: str = "",
        documents: Mapping[str, Mapping[str, Any]],
        population: Sequence[str] = (),
        index: str = "",
        again: str = "",
    ) -> Over:
        """What the period says besides where servers stand at its end. `documents` are the policies named by `switched`."""
        happened = self._happened
        assert happened is not None
        news, still = happened.news(self._known)
        changes, switches = happened.values(period), happened.policy_changes(documents)
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
        news += [_of_waiver(row) for row in self._waivers() if row.review.state in _ENDING]
        events, approvals = happened.events(), happened.approvals(period)
        return Over(
            period=period,
            as_of=happened.as_of,
            is_first=not happened.has_past,
            news=tuple(news[:MAX_SHOWN]),
            news_left_out=max(0, len(news) - MAX_SHOWN),
            still=tuple(still[:MAX_SHOWN]),
            changes=changes[:MAX_SHOWN],
            changes_left_out=max(0, len(changes) - MAX_SHOWN),
            coverage=happened.coverage(),
            events=tuple(events[:MAX_SHOWN]),
            events_left_out=max(0, len(events) - MAX_SHOWN),
            events_open=sum(event.is_open for event in events),
            approvals=tuple(approvals[:MAX_SHOWN]),
            approvals_left_out=max(0, len(approvals) - MAX_SHOWN),
            policy_changes=switches,
            population=tuple(population),
            head=head,
            checkpoint=checkpoint,
            reviews=happened.reviews(period),
            index=index,
            again=again,
        )

    def _known(self, rule: str) -> Known:
        href = f"#rule.{rule}" if len(self.rows) > 1 else self.naming.to(self.rows[0].name, rule)
        return Known(text=self._rule(rule), severity=self._severity_of(rule), href=href if rule in self._work else "")

    def _waivers(self) -> tuple[ShownWaiver, ...]:
        """The waivers that held at some moment, as they stand; one that the configuration has no more says so."""
        if self.as_of is None:
            return ()
        distinct = {one.waiver.id: one.waiver for one in self.kept}
        held = {one.waiver.id for one in self.kept if one.until is None or one.until > self.as_of}  # one that was taken out can be put in again
        over = {one.waiver.id: one.until for one in self.kept if one.until is not None and one.waiver.id not in held}
        found = waivers.rows(distinct.values(), self._standings, self.as_of)
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
        return Counts(**{name: self._summed[name] for name in _COUNTED})

    def _reconciliation(self, counts: Counts) -> str:
        """Population times rules is results is what the tiles show, said so that a reader can add it up."""
        judged, sizes = self._judged, set(self._sizes)
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
        meet = "meets" if fleet.good == 1 else "meet"
        return f"{fleet.good:,} of {fleet.total:,} servers {meet} the policy ({_percent(fleet.good, fleet.total)}){of_read}."

    def _works(self) -> Iterator[Work]:
        items = []
        for rule, hits in self._work.items():
            severity = max((hit.severity for hit in hits), key=rank)
            since = min((hit.since for hit in hits if hit.since), default=None)
            due = self.due_days.get(severity) if severity and self.period else None
            items.append(
                Work(
                    rule=self._rule(rule),
                    severity=severity,
                    names=self.naming.names([(hit.name, self._note(hit)) for hit in sorted(hits, key=lambda h: h.name)], part=rule),
                    owners=tuple(sorted({hit.owner for hit in hits if hit.owner})),
                    since=since,
                    age=wording.lasting(self.as_of - since) if since and self.as_of else "",
                    due_days=due,
                    overdue=sum(self._is_overdue(hit) for hit in hits),
                )
            )
        yield from sorted(items, key=lambda item: (-rank(item.severity), -item.names.number, item.rule.id))

    def _is_overdue(self, hit: _Hit) -> bool:
        due = self.due_days.get(hit.severity) if hit.severity and self.period else None
        return due is not None and hit.since is not None and self.as_of is not None and self.as_of - hit.since > timedelta(days=due)

    def _note(self, hit: _Hit) -> str:
        if hit.since is None or self.as_of is None:
            return ""
        return f"{wording.lasting(self.as_of - hit.since)}{', overdue' if self._is_overdue(hit) else ''}"

    def _shown_policies(self) -> tuple[ShownPolicy, ...]:
        shown = (ShownPolicy(policy=policy, targets=tuple(sorted(names))) for policy, names in self._policies.values())
        return tuple(sorted(shown, key=lambda item: (item.policy.name, item.policy.version, item.policy.digest)))

    def _needed(self) -> tuple[NeededVar, ...]:
        found = sorted(self._waiting.items())
        return tuple(NeededVar(name=name, rules=tuple(sorted(rules)), targets=tuple(sorted(names))) for name, (rules, names) in found)

    def _frameworks(self) -> tuple[Framework, ...]:
        """Results by control: how many results of the rules that support each came to what."""
        supported: dict[str, dict[str, list[str]]] = {}
        for rule in self._by_rule:
            for framework, ids in self._rule(rule).controls:
                for id_ in ids:
                    supported.setdefault(framework, {}).setdefault(id_, []).append(rule)
        return tuple(
            Framework(key=key, rows=tuple(control(id_, sorted(rules), self._by_rule) for id_, rules in sorted(supported[key].items(), key=natural)))
            for key in sorted(supported, key=lambda key: wording.framework(key).casefold())
        )

    def _rule(self, rule: str) -> RuleText:
        return self.rules.get(rule) or RuleText(id=rule, title=rule)

    def _worst(self, row: Row) -> int:
        return max((rank(hit) for hit in (self._severity_of(rule) for rule in row.failing)), default=-1)

    def _severity_of(self, rule: str) -> Severity | None:
        return max((hit.severity for hit in self._work.get(rule, ())), key=rank, default=None)


_REMEMBERED = 256
_COUNTED = ("fail", "waived", "not_evaluated", "error", "not_applicable", "passed", "standing_limits")
_ENDING = (WaiverState.EXPIRED, WaiverState.EXPIRING)


def edition_of(shown: View, *, sections_up_to: int = WHOLE) -> Edition:
    """The report on where servers stand, without a period: what `check` and `show` write."""
    inside = {target.name for target in (shown.targets if len(shown.targets) <= sections_up_to else [t for t in shown.targets if _needs(t)])}
    inside = set(sorted(inside)[:sections_up_to]) if len(inside) > sections_up_to else inside
    naming = Naming(href=lambda name: f"#{anchor_of(name)}.server" if name in inside else "")
    gathering = Gathering(as_of=shown.as_of, naming=naming)
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


def _of_waiver(row: ShownWaiver) -> News:
    ended = row.review.state is WaiverState.EXPIRED
    waiver = row.review.waiver
    text = f"The waiver of {waiver.rule} on {row.scope} {'held' if ended else 'holds'} {row.until}."
    ticket = f" Ticket {waiver.ticket}." if waiver.ticket else ""
    return News(status=row.status, word=f"waiver {row.word}", text=f"{text}{ticket}", href="#waivers")


def _percent(part: int, whole: int) -> str:
    """Rounded down, so that only all are 100 %."""
    return f"{100 * part // whole} %"


def _worst_first(row: Row, worst: int) -> tuple[int, int, int, str]:
    return RANK.index(row.status), -worst, -row.counts.fail, row.name


__all__ = ["Gathering", "edition_of"]
