"""The sentences of a report: the verdict that can be repeated in a meeting, and what is said of each target."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from auditor.core.baseline import deviations as deviating
from auditor.core.catalogue import FACTS, Group
from auditor.core.drift import difference, said
from auditor.core.model import (
    Approval,
    Attribution,
    AttributionVerdict,
    AuditEntry,
    DriftEvent,
    Finding,
    RuleOutcome,
    Severity,
    Shape,
    Standing,
    State,
    Verdict,
)
from auditor.report.profile import claim
from auditor.report.wording import READ_WORDS, count, lasting, listed, moment

_WORDS = {
    Verdict.NON_COMPLIANT: "does not meet",
    Verdict.INDETERMINATE: "judged in part",
    Verdict.COMPLIANT_WITH_WAIVERS: "meets, with waivers",
    Verdict.COMPLIANT: "meets",
}
NEVER_READ = "never read"
"""The word for a target of which nothing is on record."""

_STALE = timedelta(days=1)


def fleet(standings: Sequence[Standing]) -> str:
    """The verdict in one sentence. What was not read is never said to be well."""
    summed = Fleet()
    for standing in standings:
        summed.add(standing)
    return summed.sentence()


@dataclass(slots=True)
class Fleet:
    """Sums up where targets stand, one after the other, for the sentence on all of them."""

    total: int = 0
    never: int = 0
    unread: int = 0
    failing: int = 0
    partly: int = 0
    good: int = 0
    waived: int = 0
    advice: int = 0
    sources: set[str] = field(default_factory=set)
    _only: Standing | None = None

    def add(self, standing: Standing) -> None:
        self.total += 1
        self._only = standing if self.total == 1 else None
        if standing.assessment is None:
            self.never += 1
        elif _is_unread(standing):
            self.unread += 1
        elif standing.assessment.verdict is Verdict.NON_COMPLIANT:
            self.failing += 1
        elif standing.assessment.verdict is Verdict.INDETERMINATE:
            self.partly += 1
        else:
            self.good += 1
            findings = standing.assessment.judgement.findings
            excused = {waiver.rule for waiver in standing.assessment.waivers}
            failing = [finding for finding in findings if finding.outcome in (RuleOutcome.FAIL, RuleOutcome.WAIVED)]
            waived = sum(finding.rule in excused or finding.outcome is RuleOutcome.WAIVED for finding in failing)
            self.waived, self.advice = self.waived + waived, self.advice + len(failing) - waived
            if any(finding.standing for finding in findings):
                self.sources.add(_source(standing))

    def sentence(self, *, is_first: bool = False, expected: int = 0, read: int = 0) -> str:
        """The verdict. `is_first`: nothing is on record before it. Of `expected` reads that were owed, `read` showed the profile."""
        said = self._said().removesuffix(".")
        if expected > read:
            said += f"; {read:,} of {expected:,} reads that were owed came to something"
        if is_first and self._only is None:
            said = f"{said[0].lower()}{said[1:]}"
        return f"First report: {said}." if is_first else f"{said}."

    def _said(self) -> str:
        total, read = self.total, self.total - self.never - self.unread
        if total == 0:
            return "No server is configured, so nothing was checked."
        if self._only is not None:
            return f"{self._only.target.name} {_predicate(self._only)}."
        if self.never == total:
            return f"{_none_of(total)} has been read yet."
        if read == 0:
            return f"{_none_of(total)} could be read, so nothing can be said about them."
        rest = [
            (self.partly, "could be judged only in part"),
            (self.unread, "could not be read"),
            (self.never, "was never read" if self.never == 1 else "were never read"),
        ]
        lead, said = self._lead(), [f"{number:,} {words}" for number, words in rest if number]
        return f"{lead}, and {said[0]}." if len(said) == 1 else f"{lead}; {listed(said)}." if said else f"{lead}."

    def _lead(self) -> str:
        total, failing, good = self.total, self.failing, self.good
        if failing == total:
            return f"{_none_of(total)} meets the policy"
        if failing:
            return f"{failing:,} of {total:,} servers {'does' if failing == 1 else 'do'} not meet the policy"
        if not good:
            return f"{_none_of(total)} could be judged in full"
        who = ("Both servers meet" if total == 2 else f"All {total:,} servers meet") if good == total else f"{good:,} of {total:,} servers meet"
        aside = _aside(waived=self.waived, advice=self.advice, sources=self.sources)
        return f"{f'1 of {total:,} servers meets' if good == 1 else who} the policy{aside}"


def target(standing: Standing) -> str:
    """What is said under the name of one target."""
    predicate = _predicate(standing)
    return f"{predicate[0].upper()}{predicate[1:]}."


def word(standing: Standing) -> str:
    """The verdict of one target in two or three words, for a table."""
    if standing.assessment is None:
        return NEVER_READ
    if _is_unread(standing):
        return READ_WORDS[standing.assessment.observation.outcome]
    return _WORDS[standing.assessment.verdict]


def warnings(standing: Standing) -> tuple[str, ...]:
    """Guards that are switched off for this target: who reads the report must know."""
    shown, said = standing.target, []
    if shown.insecure_skip_verify:
        said.append(
            f"{shown.name}: certificate checks are switched off (insecure_skip_verify). Whoever sits on the line can answer in the server's place."
        )
    if shown.insecure_http:
        said.append(f"{shown.name}: read over plain http (insecure_http). The answer and our credential crossed the line in clear.")
    return tuple(said)


def deviations(standing: Standing, approved: Mapping[str, Approval]) -> tuple[str, ...]:
    """What the profile says instead of what was approved, a sentence each."""
    found = deviating(standing.last_snapshot, approved) if standing.last_snapshot else ()
    return tuple(
        f"{standing.target.name}: {d.field} differs from the approved value. It is {d.seen}; approved is {d.approved}, {claim(d.approval)}."
        for d in found
    )


def of_event(event: DriftEvent) -> tuple[str, ...]:
    """What is known of a drift event besides its values and its interval."""
    told = []
    if event.is_deviation:
        told.append(f"approved is {said(event.subject, event.reference)}")
    elif difference(event.subject, event.reference, event.value) and said(event.subject, event.reference) != event.change.before:
        told.append(f"before all this it was {said(event.subject, event.reference)}")
    if event.attribution is not None:
        told += attribution(event.attribution)
    if event.flaps:
        told.append(f"flapping: it went to this value and back {count(event.flaps, 'time')} before, lately")
    return tuple(told)


def attribution(found: Attribution, *, lead: str = "who did it: ") -> list[str]:
    """What Command's audit log says of who did it, a line each; candidates are listed, and are no verdict. `lead` begins a line that has no label."""
    entry = found.by
    if entry is not None:
        return [f"changed by {_entry(entry)}, by Command's audit log: {found.reason}"]
    return [f"{lead}{_WHO[found.verdict]} ({found.reason})", *(f"candidate: {_entry(candidate)}" for candidate in found.entries)]


_WHO = {
    AttributionVerdict.ATTRIBUTED: "known",
    AttributionVerdict.CANDIDATES: "not known, these are candidates and no more",
    AttributionVerdict.NOT_ATTRIBUTABLE: "cannot be told from Command's audit log",
    AttributionVerdict.NOT_PERMITTED: "our account may not read Command's audit log",
    AttributionVerdict.PENDING: "not read yet",
}


def _entry(entry: AuditEntry) -> str:
    what = f"{entry.operation} {entry.identifier or entry.entity_type}".strip()
    return f"{entry.user or 'nobody named'} (entry {entry.id}, {what}, {moment(entry.at)}, signature {entry.signature.value})"


def compared(standing: Standing, changes: int) -> str:
    """What the newest observation was measured against, or why there was nothing to compare."""
    assessment = standing.assessment
    if assessment is None:
        return "never read."
    if not assessment.observation.outcome.is_observed:
        return "not read, so nothing could be compared."
    if assessment.previous_at is None:
        return "first read, nothing to compare with."
    since = moment(assessment.previous_at)
    return f"{count(changes, 'field')} changed since the read of {since}." if changes else f"nothing changed since the read of {since}."


def last_seen(standing: Standing, as_of: datetime | None) -> str:
    """When the profile was last seen, and how long before the report that was."""
    if standing.last_seen is None:
        return "The profile was never seen."
    age = f", {lasting(as_of - standing.last_seen)} before this report" if as_of else ""
    return f"The profile was last seen on {moment(standing.last_seen)}{age}."


def profile_note(standing: Standing, as_of: datetime | None) -> str:
    """How old the profile is, where it is not from the newest read of the report; empty where there is nothing to say."""
    if standing.assessment is None or standing.last_seen is None:
        return ""
    if _is_unread(standing):
        return f"{last_seen(standing, as_of)} It was not judged: it may have changed since."
    if as_of and as_of - standing.last_seen > _STALE:
        return last_seen(standing, as_of)
    return ""


def _predicate(standing: Standing) -> str:
    assessment = standing.assessment
    if assessment is None:
        return "has not been read yet"
    if _is_unread(standing):
        return f"could not be read: {READ_WORDS[assessment.observation.outcome]}"
    failing = [finding for finding in assessment.findings if finding.outcome is RuleOutcome.FAIL]
    match assessment.verdict:
        case Verdict.NON_COMPLIANT:
            return f"does not meet the policy: {_fails(failing)}"
        case Verdict.INDETERMINATE:
            return "could be judged only in part"
        case Verdict.COMPLIANT | Verdict.COMPLIANT_WITH_WAIVERS:
            return f"meets the policy{_qualified(standing)}"


def _fails(failing: Sequence[Finding]) -> str:
    by_severity = [(severity, sum(finding.severity is severity for finding in failing)) for severity in reversed(Severity)]
    counts = [f"{number} {severity.value}" for severity, number in by_severity if number]
    return f"{count(len(failing), 'rule')} {'fails' if len(failing) == 1 else 'fail'} ({listed(counts)})"


def _qualified(good: Standing) -> str:
    """What a good verdict must not hide: waived failures, advice that was not taken, and what the source cannot show."""
    one = Fleet()
    one.add(good)
    return _aside(waived=one.waived, advice=one.advice, sources=one.sources)


def _aside(*, waived: int, advice: int, sources: Collection[str]) -> str:
    apart = [f"{count(waived, 'waived failure')}"] * bool(waived) + [f"{count(advice, 'failure')} of severity info"] * bool(advice)
    aside = f" with {listed(apart)}" if apart else ""
    return f"{aside}, as far as {next(iter(sources)) if len(sources) == 1 else 'the API'} shows" if sources else aside


_OF_THE_SOURCE = (Group.PROFILE, Group.READING, Group.DERIVED)


def _source(standing: Standing) -> str:
    """What set the standing limits: the API, unless it was a fact that nothing here collects."""
    findings = standing.assessment.judgement.findings if standing.assessment else ()
    leaves = [leaf for finding in findings if finding.standing for leaf in (*finding.applies, *finding.because) if leaf.state is State.NOT_OFFERED]
    if any(leaf.fact in FACTS and FACTS[leaf.fact].group not in _OF_THE_SOURCE for leaf in leaves):
        return "what was looked at"
    snapshot = standing.last_snapshot
    match snapshot.shape if snapshot else None:
        case Shape.V1:
            return "API v1"
        case Shape.V2_PAM:
            return "API v2 without OAuth fields"
        case _:
            return "the API"


def _is_unread(standing: Standing) -> bool:
    return standing.assessment is not None and not standing.assessment.observation.outcome.is_observed


def _none_of(total: int) -> str:
    return "Neither server" if total == 2 else f"None of the {total:,} servers"
