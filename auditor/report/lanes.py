"""The course of one server as lines on one axis: configuration, compliance, approvals; drawn as SVG, and said as a table.

What is drawn has no style of its own (classes alone), and everything in it stands in the table as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from auditor.core.baseline import baseline
from auditor.core.course import Course, Phase, approved_span
from auditor.core.model import Verdict
from auditor.core.period import Period
from auditor.report import wording
from auditor.report.edition import Lines, TwinRow
from auditor.report.shown import Status
from auditor.report.wording import READ_WORDS, count, moment

WIDTH, LEFT, RIGHT = 880, 116, 872
_TOP, _PITCH, _BAR = 8, 30, 18
_LANES = ("Configuration", "Compliance", "Approvals")
_MAX_BARS = 120
"""So many bars of a lane are drawn and said; beyond that they would be thinner than a hair."""
_STATUS = {
    Verdict.NON_COMPLIANT: Status.FAIL,
    Verdict.INDETERMINATE: Status.UNKNOWN,
    Verdict.COMPLIANT_WITH_WAIVERS: Status.WAIVED,
    Verdict.COMPLIANT: Status.PASS,
}
_SAID = {
    Verdict.NON_COMPLIANT: "did not meet the policy",
    Verdict.INDETERMINATE: "judged in part",
    Verdict.COMPLIANT_WITH_WAIVERS: "met the policy, with waivers",
    Verdict.COMPLIANT: "met the policy",
}


@dataclass(frozen=True, slots=True)
class _Bar:
    start: datetime
    end: datetime
    kind: str
    mark: str
    status: Status
    words: str


def lines(course: Course, period: Period, *, as_of: datetime) -> Lines | None:
    """The lines of `course` through `period`, as far as `as_of`; None where it was not read by then."""
    if not course.phases:
        return None
    end = min(max(as_of, course.phases[-1].last), period.end)
    lanes = (_configurations(course, end), _compliance(course, end), _approvals(course, end))
    shown = [_bounded([bar for bar in lane if bar.end > period.start]) for lane in lanes]
    rows = [
        TwinRow(lane=name, start=_from(bar.start, period), end=_until(bar.end, end, period), status=bar.status, words=bar.words)
        for name, lane in zip(_LANES, shown, strict=True)
        for bar in lane
    ]
    return Lines(drawn=_drawn(shown, period), rows=tuple(rows))


def _bounded(bars: list[_Bar]) -> list[_Bar]:
    """The bars, or the first of very many and one for all others, which says so."""
    if len(bars) <= _MAX_BARS:
        return bars
    rest = bars[_MAX_BARS - 1 :]
    words = f"{count(len(rest), 'more change')}, too many to be drawn"
    return [*bars[: _MAX_BARS - 1], _Bar(rest[0].start, rest[-1].end, "unseen", "…", Status.NEUTRAL, words)]


def _from(at: datetime, period: Period) -> str:
    return "before the period" if at < period.start else moment(at)


def _until(at: datetime, end: datetime, period: Period) -> str:
    return "the period's end" if at >= period.end else "the newest read" if at >= end else moment(at)


def _spans(phases: Sequence[Phase], end: datetime) -> Iterator[tuple[Phase, datetime]]:
    """Each phase, and until when what it says was not contradicted: the first read that came to something else."""
    for phase, after in pairwise(phases):
        yield phase, max(after.first, phase.first)
    yield phases[-1], max(end, phases[-1].first)


def _configurations(course: Course, end: datetime) -> list[_Bar]:
    """A bar for each state; its letter stands for one state, and comes again where the state does."""
    bars: list[_Bar] = []
    letters: dict[str, str] = {}
    for phase, until in _spans(course.phases, end):
        if phase.snapshot is None:
            bar = _Bar(phase.first, until, "unseen", "?", Status.UNKNOWN, f"not seen: {READ_WORDS[phase.outcome]}")
        else:
            letter = letters.setdefault(phase.snapshot, _letter(len(letters)))
            kind = "state odd" if _is_odd(letters, phase.snapshot) else "state"
            bar = _Bar(phase.first, until, kind, letter, Status.NEUTRAL, f"state {letter}, snapshot {phase.snapshot[:12]}")
        _extend(bars, bar)
    return bars


def _compliance(course: Course, end: datetime) -> list[_Bar]:
    bars: list[_Bar] = []
    for phase, until in _spans(course.phases, end):
        status = _STATUS[phase.verdict] if phase.is_seen else Status.UNKNOWN
        failing = sorted(rule for rule, outcome in phase.outcomes.items() if outcome.value == "fail")
        said = _SAID[phase.verdict] if phase.is_seen else f"could not be read: {READ_WORDS[phase.outcome]}"
        named = f": {', '.join(failing[:6])}{f' and {len(failing) - 6} more' if len(failing) > 6 else ''}" if failing else ""
        _extend(bars, _Bar(phase.first, until, status.value, status.glyph, status, f"{said}{named}"))
    return bars


def _approvals(course: Course, end: datetime) -> list[_Bar]:
    given = course.standing.approvals
    acts = {instant for approval in given for instant in approved_span(approval) if instant is not None and course.start < instant < end}
    bars: list[_Bar] = []
    for start, until in pairwise(sorted({course.start, *acts, end})):
        number = len(baseline(given, start))
        words = f"{count(number, 'value')} approved" if number else "nothing approved"
        _extend(bars, _Bar(start, until, "approved" if number else "none", str(number) if number else "", Status.NEUTRAL, words))
    return bars


def _extend(bars: list[_Bar], bar: _Bar) -> None:
    """Put `bar` behind the others; what only goes on is one bar."""
    if bars and (bars[-1].kind, bars[-1].words) == (bar.kind, bar.words):
        bars[-1] = _Bar(bars[-1].start, bar.end, bar.kind, bar.mark, bar.status, bar.words)
    else:
        bars.append(bar)


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def _is_odd(letters: dict[str, str], digest: str) -> bool:
    return list(letters).index(digest) % 2 == 1


# --- drawing ------------------------------------------------------------------------------------------------------


def _drawn(lanes: Sequence[Sequence[_Bar]], period: Period) -> str:
    """The SVG. Numbers, classes and words of ours alone go in, so that there is nothing to escape."""
    base = _TOP + len(lanes) * _PITCH
    parts = [f'<svg class="lines" viewBox="0 0 {WIDTH} {base + 22}" role="img" aria-label="{_label(lanes)}">']
    for x, _ in _ticks(period):
        parts.append(f'<path class="tick" d="M{x:g} {_TOP - 4}V{base - 4}"/>')
    for place, (title, lane) in enumerate(zip(_LANES, lanes, strict=True)):
        y = _TOP + place * _PITCH
        parts.append(f'<text x="0" y="{y + 13}">{title}</text>')
        for bar in lane:
            start, end = _x(bar.start, period), _x(bar.end, period)
            wide = max(end - start, 4)
            parts.append(f'<rect class="{bar.kind}" x="{start:g}" y="{y}" width="{wide:g}" height="{_BAR}" rx="2"/>')
            if bar.mark and wide >= 8 + 7 * len(bar.mark):
                parts.append(f'<text class="mark {bar.kind}" x="{start + wide / 2:g}" y="{y + 13}">{bar.mark}</text>')
    parts += [f'<text class="day" x="{x + 3:g}" y="{base + 12}">{text}</text>' for x, text in _ticks(period) if x < RIGHT - 30]
    return "".join([*parts, "</svg>"])


def _label(lanes: Sequence[Sequence[_Bar]]) -> str:
    states, verdicts, approved = lanes
    seen = len({bar.words for bar in states if bar.kind != "unseen"})
    told = ", then ".join(_IN_WORDS[bar.status] for bar in verdicts[:8])
    given = approved[-1].words if approved else "nothing approved"
    return f"{count(seen, 'configuration')}; compliance: {told or 'not read'}; {given}. The table below says the same."


_IN_WORDS = {Status.FAIL: "failing", Status.UNKNOWN: "not known", Status.WAIVED: "waived", Status.PASS: "passing", Status.NEUTRAL: "neutral"}


def _x(at: datetime, period: Period) -> float:
    share = (min(max(at, period.start), period.end) - period.start) / (period.end - period.start)
    return round(LEFT + share * (RIGHT - LEFT), 1)


def _ticks(period: Period) -> list[tuple[float, str]]:
    days = (period.last - period.first).days + 1
    step = next((step for step in (1, 2, 5, 7, 14, 30, 61, 91, 183) if days / step <= 10), max(1, days // 8))
    zone = ZoneInfo(period.zone) if period.zone != "UTC" else UTC
    found = []
    for number in range(0, days, step):
        day: date = period.first + timedelta(days=number)
        text = f"{wording.day(day)[:3]} {day.day}" if step == 1 else f"{day.day}.{day.month}."
        found.append((_x(datetime.combine(day, time.min, tzinfo=zone), period), text))
    return found
