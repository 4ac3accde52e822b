"""What a period holds besides where servers stand at its end: turns, drift, approvals, coverage, policies that changed. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from auditor.core.course import Course, Phase, Turn, Turned, approved_span, approved_within, turns
from auditor.core.coverage import Gap, Tally
from auditor.core.drift import said
from auditor.core.model import Approval, DriftEvent, EventState, Moved, RuleOutcome, RuleText, Severity, Standing, TargetText
from auditor.core.period import Period
from auditor.report import sentences, timeline, wording
from auditor.report.edition import (
    LEAN,
    MAX_SHOWN,
    NAMED,
    WHOLE,
    CoverageOf,
    CoverageRow,
    Named,
    Names,
    News,
    PolicyChange,
    Review,
    ShownApproval,
    ShownEvent,
    ShownGap,
)
from auditor.report.shapes import rank
from auditor.report.shown import ShownChange, Status
from auditor.report.view import anchor_of, shown_change


@dataclass
class Naming:
    """How servers are named on a page of `servers` of them, and where a name leads."""

    href: Callable[[str], str]
    servers: int = 0

    @property
    def is_fleet(self) -> bool:
        return self.servers > WHOLE

    def names(self, named: Sequence[tuple[str, str]], *, part: str = "") -> Names:
        """The servers in `named`, with a note each; a fleet's page names a few of many. `part` is the rule that a name's link leads to."""
        shown = named if not self.is_fleet else named[:NAMED]
        return Names(
            named=tuple(Named(name=name, href=self.to(name, part), note=note) for name, note in shown),
            more=len(named) - len(shown),
        )

    def to(self, name: str, part: str = "") -> str:
        """Where the name of a server leads, or a part of its section where it has one on this page."""
        href = self.href(name)
        return f"#{anchor_of(name)}.{part}" if part and href.startswith("#") else href


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a rule at the end of the period: its text, the worst severity with which it fails, where the page speaks of that."""

    text: RuleText
    severity: Severity | None
    href: str


@dataclass
class Happenings:
    """Follows the courses of servers, one after the other, and tells what happened in all of them."""

    as_of: datetime
    naming: Naming
    notes: Sequence[Mapping[str, Any]] = ()
    has_past: bool = False
    _turned: dict[tuple[Turn, str | None], list[Turned]] = field(default_factory=dict)
    _lost: dict[str, int] = field(default_factory=dict)
    _events: list[DriftEvent] = field(default_factory=list)
    _ignored: list[tuple[Standing, Moved]] = field(default_factory=list)
    _approvals: list[Approval] = field(default_factory=list)
    _covered: list[tuple[str, Tally, tuple[Gap, ...]]] = field(default_factory=list)
    _unscheduled: int = 0
    _moved_too: Counter[tuple[str, str]] = field(default_factory=Counter)
    """On how many servers the read that was first judged by the other policy saw another state, too."""
    _switches: dict[tuple[str, str], list[tuple[str, datetime, Mapping[str, tuple[str, str]]]]] = field(default_factory=dict)

    def follow(self, course: Course) -> None:
        """Take in what happened to one server."""
        name = course.name
        self.has_past = self.has_past or course.before is not None
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
                self._switches.setdefault((old.policy, new.policy), []).append((name, new.first, _effect(old, new)))
                self._moved_too[old.policy, new.policy] += old.snapshot != new.snapshot

    @property
    def switched(self) -> tuple[str, ...]:
        """The digests of the policies between which something changed in the period."""
        return tuple(sorted({digest for pair in self._switches for digest in pair}))

    @property
    def total(self) -> Tally:
        """What became of all slots that were owed."""
        total = Tally()
        for _, tally, _ in self._covered:
            for name in ("on_time", "late", "failed", "missed"):
                setattr(total, name, getattr(total, name) + getattr(tally, name))
        return total

    def news(self, known: Callable[[str], Known]) -> tuple[list[News], list[News]]:
        """What is new, the worst first, and what still fails. Of a first report nothing is new."""
        found: dict[bool, list[tuple[tuple[int, int, str], News]]] = {True: [], False: []}
        for (turn, rule), turned in self._turned.items():
            if not self.has_past and turn not in (Turn.BETWEEN, Turn.LOST):
                continue
            one = self._one_news(turn, known(rule) if rule else None, turned)
            found[turn.is_change].append(((_ORDER.index(turn), -rank(one.severity), rule or ""), one))
        return tuple([one for _, one in sorted(found[kind], key=lambda item: item[0])] for kind in (True, False))  # type: ignore[return-value]

    def values(self, period: Period) -> tuple[ShownChange, ...]:
        """The values that moved within the period, the worst first; those that the configuration ignores last."""
        moved = [
            replace(
                shown_change(_only(event.target), event.change, event.not_before, event.not_after),
                told=tuple(sentences.of_event(event)) if event.attribution or event.is_deviation else (),
                ended=timeline.ending(event),
            )
            for event in self._events
            if event.not_after >= period.start
        ]
        moved.sort(key=lambda shown: (-shown.change.severity.rank, shown.not_after, shown.target, shown.change.field))
        ignored = [shown_change(standing, change, one.not_before, one.not_after) for standing, one in self._ignored for change in one.changes]
        return (*moved, *ignored)

    def coverage(self) -> CoverageOf:
        """The reads that were owed: in all, server by server, and the gaps, the longest first."""
        ordered = sorted(self._covered, key=lambda one: (-(one[1].expected - one[1].read), one[0]))
        chosen = [one for one in ordered if one[2]][:50] if len(ordered) > LEAN else sorted(ordered, key=lambda one: (not one[2], one[0]))
        gaps = [gap for _, _, its in ordered for gap in its]
        gaps.sort(key=lambda gap: (-gap.count, gap.target, gap.first))
        return CoverageOf(
            total=self.total,
            rows=tuple(CoverageRow(name=name, href=self.naming.href(name), tally=tally, longest=_longest(its)) for name, tally, its in chosen),
            rows_left_out=len(ordered) - len(chosen),
            gaps=tuple(self._gap(gap) for gap in gaps[:MAX_SHOWN]),
            gaps_left_out=max(0, len(gaps) - MAX_SHOWN),
            unscheduled=self._unscheduled,
        )

    def reviews(self, period: Period) -> tuple[Review, ...]:
        """Who signed for the period."""
        mine = [note for note in self.notes if note["about"] == f"review:{period.key}"]
        return tuple(
            Review(by=note["by"], at=datetime.fromisoformat(note["at"]), text=note["text"], account=note.get("account") or "unknown") for note in mine
        )

    def policy_changes(self, documents: Mapping[str, Mapping[str, Any]]) -> tuple[PolicyChange, ...]:
        """Which policy gave way to which, and what that did to results; `documents` are those that are still on record."""
        found = []
        by_time = sorted(self._switches.items(), key=lambda item: (min(at for _, at, _ in item[1]), item[0]))
        for (old, new), switched in by_time:
            before, after = documents.get(old), documents.get(new)
            effects: Counter[tuple[str, str, str]] = Counter()
            for _, _, effect in switched:
                effects.update((rule, was, now) for rule, (was, now) in effect.items())
            ordered = sorted(effects.items(), key=lambda item: (-item[1], item[0]))
            too = self._moved_too[old, new]
            beside = (
                f"{wording.count(too, 'server')} showed another state, or none, in the same read: what else changed there is not laid to the policy."
            )
            found.append(
                PolicyChange(
                    before=_policy_words(before, old),
                    after=_policy_words(after, new),
                    digests=(old, new),
                    when=f"first used {wording.moment(min(at for _, at, _ in switched))}",
                    names=self.naming.names([(name, "") for name in sorted({name for name, _, _ in switched})]),
                    differences=tuple(_differences(before, after)) if before and after else (),
                    effects=(
                        *(f"{rule}: {was} → {now} on {wording.count(number, 'server')}" for (rule, was, now), number in ordered[:30]),
                        *([f"{wording.count(len(ordered) - 30, 'more such change')}."] if len(ordered) > 30 else []),
                        *([beside] if too else []),
                    ),
                )
            )
        return tuple(found)

    def events(self) -> list[ShownEvent]:
        """The drift events of the period, the open ones first."""
        ordered = sorted(self._events, key=lambda e: (e.state is not EventState.OPEN, -e.severity.rank, e.not_after, e.target, e.subject))
        return [self._event(event) for event in ordered]

    def approvals(self, period: Period) -> list[ShownApproval]:
        """The approvals that were in force at some moment of the period."""
        return [self._approval(one, period) for one in sorted(self._approvals, key=lambda a: (a.target, a.field, a.approved_at))]

    def _one_news(self, turn: Turn, known: Known | None, turned: Sequence[Turned]) -> News:
        status, word = _TURNS[turn]
        notes = [(one.target, self._when(one)) for one in sorted(turned, key=lambda one: (one.since or self.as_of, one.target))]
        rule = known if known and status is Status.FAIL else None
        text = _TEXTS[turn]
        if len(notes) > 1 and len({note for _, note in notes}) == 1:  # what is the same for all is said once
            text, notes = " ".join(filter(None, [text, f"{notes[0][1][:1].upper()}{notes[0][1][1:]}:"])), [(name, "") for name, _ in notes]
        return News(
            status=status,
            word=word,
            text=text,
            severity=rule.severity if rule else None,
            rule=known.text if known else None,
            names=self.naming.names(notes, part=rule.text.id if rule else ""),
            href=known.href if known else "",
        )

    def _when(self, one: Turned) -> str:
        match one.turn:
            case Turn.NEW | Turn.WAIVER_OVER | Turn.ADDED:
                return f"since {wording.moment(one.since)}" if one.since else ""
            case Turn.STILL:
                return f"for {wording.lasting(self.as_of - one.since)}" if one.since else ""
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

    def _event(self, event: DriftEvent) -> ShownEvent:
        return ShownEvent(
            target=event.target,
            href=self.naming.href(event.target),
            anchor=f"event-{event.number or 0}",
            is_open=event.state is EventState.OPEN,
            entry=timeline.of_event(event),
        )

    def _approval(self, one: Approval, period: Period) -> ShownApproval:
        _, end = approved_span(one)
        if one.revoked is not None and one.revoked.at < period.end:
            status, word = Status.WAIVED, f"revoked {wording.moment(one.revoked.at)} by {one.revoked.by}: {one.revoked.reason}"
        elif end is not None and end <= self.as_of:
            status, word = Status.WAIVED, "ended"
        else:
            status, word = Status.PASS, "in force"
        until = f", through {one.expires} (UTC)" if one.expires else ""
        return ShownApproval(
            target=one.target,
            href=self.naming.href(one.target),
            field=one.field,
            value=said(one.field, one.value),
            claim=f"by {one.by}" + (f", {one.ticket}" if one.ticket else ""),
            reason=one.reason,
            span=f"from {wording.moment(one.approved_at)}{until}",
            word=word,
            status=status,
        )

    def _gap(self, gap: Gap) -> ShownGap:
        note = next((note for note in reversed(self.notes) if note["about"] == gap.id), None)
        is_known = note is not None and datetime.fromisoformat(note["at"]) >= gap.last
        beyond = "" if is_known else "; it has gone on since"
        return ShownGap(
            id=gap.id,
            target=gap.target,
            href=self.naming.href(gap.target),
            span=wording.lasted(gap.first, gap.last),
            count=gap.count,
            why=wording.listed([_WHY.get(why) or wording.read_words(why) for why in gap.because]),
            acknowledged=f"{note['by']}: {note['text']}{beyond}" if note else "",
            is_known=is_known,
        )


_ORDER = (
    Turn.NEW,
    Turn.WAIVER_OVER,
    Turn.LOST,
    Turn.UNANSWERED,
    Turn.BETWEEN,
    Turn.MOOT,
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
    Turn.MOOT: (Status.NEUTRAL, "asked no more"),
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
    Turn.MOOT: "It failed, and does not apply any more, or the policy has it no more. That is no pass.",
    Turn.FIXED: "",
    Turn.REGAINED: "Could be read again.",
    Turn.WAIVED: "Somebody accepted it for a while; it still fails.",
    Turn.ADDED: "Read for the first time.",
}
_WHY = {
    "not_running": "nobody ran the auditor",
    "busy": "the read before it was still running",
    "standstill": "the machine stood still, or its clock was set forward",
}


def _only(name: str) -> Standing:
    return Standing(target=TargetText(name=name, url=""))


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


def _effect(old: Phase, new: Phase) -> dict[str, tuple[str, str]]:
    """What another policy did to the results of a server. Where its state was another one as well, the rules that one of both does not have alone."""
    both, is_same = old.outcomes.keys() & new.outcomes.keys(), old.snapshot == new.snapshot
    return {
        rule: (was, now)
        for rule in sorted(old.outcomes.keys() | new.outcomes.keys())
        if (is_same or rule not in both) and (was := _outcome_word(old.outcomes.get(rule))) != (now := _outcome_word(new.outcomes.get(rule)))
    }


def _outcome_word(outcome: RuleOutcome | None) -> str:
    return outcome.value.replace("_", " ") if outcome else "not in it"


def _longest(gaps: Iterable[Gap]) -> str:
    longest = max(gaps, key=lambda gap: gap.count, default=None)
    return f"{wording.count(longest.count, 'slot')}, {wording.lasted(longest.first, longest.last)}" if longest else "none"
