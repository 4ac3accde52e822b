"""A report as one document, ready to be laid out: all servers as rows, the ones that need reading as sections, and what a period changed.

It holds a row for each server and a section for some, so that a fleet of ten thousand fits into one page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from auditor.core.coverage import Tally
from auditor.core.model import RuleText, Severity
from auditor.core.period import Period
from auditor.core.subject import Subject
from auditor.report.shown import (
    BLIND_SPOTS,
    Counts,
    NeededVar,
    ShownChange,
    ShownFinding,
    ShownPolicy,
    ShownTarget,
    ShownWaiver,
    Status,
)
from auditor.report.timeline import Entry

WHOLE = 200
"""Up to so many servers stand on a page in full; above that it is a fleet's page, with rows for all and sections for at most so many."""

LEAN = 24
"""On a page with more servers than this, what a rule says stands once and not under each server."""

NAMED = 12
"""So many servers are named where many have something in common; the rest is counted, and named in the CSV beside a fleet's page."""


MAX_SHOWN = 100
"""So many drift events, gaps, changes and approvals stand on a page; the rest is counted, and told where the commands list it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One subject of one server: the worst that its rules came to, and how many came to it."""

    status: Status
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server in the table of all. `cells` has the subjects in the order of the columns, None where no rule is about one.

    `href` leads to its section or its page, empty where it has neither. `reads` are the slots of the period, None without a schedule.
    """

    name: str
    href: str
    status: Status
    word: str
    url: str
    owner: str
    cells: tuple[Cell | None, ...]
    counts: Counts
    failing: tuple[str, ...]
    last_seen: datetime | None
    reads: Tally | None = None
    gaps: int = 0
    has_moved: bool = False

    @property
    def needs_reading(self) -> bool:
        """Whether it has a failure, a gap, no answer, or a change."""
        return self.status in (Status.FAIL, Status.UNKNOWN) or self.gaps > 0 or self.has_moved or self.counts.fail > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A server that is named, where the name leads (empty: nowhere), and what is said of it there."""

    name: str
    href: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Servers that have something in common: the first of them, and how many more."""

    named: tuple[Named, ...]
    more: int = 0

    @property
    def number(self) -> int:
        return len(self.named) + self.more


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing that is otherwise than at the begin of the period, or still the same though it should not be."""

    status: Status
    word: str
    text: str
    severity: Severity | None = None
    rule: RuleText | None = None
    names: Names | None = None
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One rule and every server that fails it: one fix, these names. `overdue` of them fail for longer than `due_days`."""

    rule: RuleText
    severity: Severity | None
    names: Names
    owners: tuple[str, ...]
    since: datetime | None
    age: str
    due_days: int | None
    overdue: int

    @property
    def anchor(self) -> str:
        return f"rule.{self.rule.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """What became of the slots of one server, and its longest gap in words."""

    name: str
    href: str
    tally: Tally
    longest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGap:
    """A run of slots without a good read: when, how many, why, and who acknowledged it; `is_known` where that covers all of it."""

    id: str
    target: str
    href: str
    span: str
    count: int
    why: str
    acknowledged: str
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageOf:
    """The reads that were owed in the period: in all, server by server, and the gaps. `unscheduled` servers owe none."""

    total: Tally
    rows: tuple[CoverageRow, ...]
    rows_left_out: int
    gaps: tuple[ShownGap, ...]
    gaps_left_out: int
    unscheduled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEvent:
    """A drift event: `entry` tells it, `anchor` is its id on the page."""

    target: str
    href: str
    anchor: str
    is_open: bool
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownApproval:
    """A value that was approved at some moment of the period."""

    target: str
    href: str
    field: str
    value: str
    claim: str
    reason: str
    span: str
    word: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """From one policy to another in the period: what is different in it, and what that did to results."""

    before: str
    after: str
    digests: tuple[str, str]
    when: str
    names: Names
    differences: tuple[str, ...]
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """One control: the rules that support it, and what their results came to."""

    id: str
    rules: tuple[str, ...]
    status: Status
    fail: int
    unknown: int
    waived: int
    passed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    key: str
    rows: tuple[ControlRow, ...]

    @property
    def failing(self) -> int:
        return sum(row.status is Status.FAIL for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinRow:
    """A bar of a time line in words."""

    lane: str
    start: str
    end: str
    status: Status
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The time lines of one server: `drawn` is the SVG, `rows` say the same."""

    drawn: str
    rows: tuple[TwinRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One server in full. `since` has for each rule that fails how long it has, and since when, in words."""

    target: ShownTarget
    lines: Lines | None = None
    coverage: str = ""
    since: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Who reviewed the period, when, and what they said; all of it is in the ledger."""

    by: str
    at: datetime
    text: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """What makes a report one on a period. `as_of` is how far it is told: its end, or the newest that is on record if that is earlier."""

    period: Period
    as_of: datetime
    is_first: bool
    news: tuple[News, ...]
    news_left_out: int
    still: tuple[News, ...]
    changes: tuple[ShownChange, ...]
    changes_left_out: int
    coverage: CoverageOf
    events: tuple[ShownEvent, ...]
    events_left_out: int
    events_open: int
    approvals: tuple[ShownApproval, ...]
    approvals_left_out: int
    policy_changes: tuple[PolicyChange, ...]
    population: tuple[str, ...]
    head: str
    reviews: tuple[Review, ...]
    checkpoint: str = ""
    """What the newest signed checkpoint says, empty where there is none."""
    index: str = ""
    """Where the list of all reports is, empty where there is none."""
    again: str = ""
    """The command that makes the page again, empty where there is none."""

    @property
    def is_running(self) -> bool:
        return self.as_of < self.period.end

    @property
    def days(self) -> tuple[date, date]:
        return self.period.first, self.period.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A whole report. `rows` are all servers, the worst first, `sections` those that stand in it in full."""

    title: str
    period: str
    as_of: datetime | None
    engine_version: str
    verdict: str
    status: Status
    counts: Counts
    reconciliation: str
    shares: str
    warnings: tuple[str, ...]
    subjects: tuple[Subject, ...]
    rows: tuple[Row, ...]
    sections: tuple[Section, ...]
    work: tuple[Work, ...]
    policies: tuple[ShownPolicy, ...]
    needed_vars: tuple[NeededVar, ...]
    frameworks: tuple[Framework, ...]
    rules: tuple[RuleText, ...] = ()
    waivers: tuple[ShownWaiver, ...] = ()
    installation: tuple[ShownFinding, ...] = ()
    blind_spots: tuple[str, ...] = BLIND_SPOTS
    over: Over | None = None
    changes: tuple[ShownChange, ...] = ()
    drift: tuple[ShownChange, ...] = ()
    compared: tuple[str, ...] = ()
    earlier: tuple[ShownChange, ...] = ()
    csv: str = ""
    """The file beside it that has every server, empty where there is none."""

    @property
    def is_fleet(self) -> bool:
        return len(self.rows) > WHOLE

    @property
    def is_lean(self) -> bool:
        return len(self.rows) > LEAN

    @property
    def left_out(self) -> int:
        """Servers that need reading and have no section."""
        inside = {section.target.name for section in self.sections}
        return sum(row.needs_reading and row.name not in inside for row in self.rows)
