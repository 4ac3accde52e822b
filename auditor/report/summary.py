"""A report in a few words, for a mail that it travels with: the verdict, what changed, what was not read, and by what the record is known again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.core.safetext import safe
from auditor.report import sentences
from auditor.report.edition import Edition
from auditor.report.shown import ShownChange, Status
from auditor.report.wording import count, moment

MAX_NAMED = 8
"""So many changes, and so many servers with gaps, are named; the rest is counted."""

MAX_LINE = 300
"""Characters of one line; a line break within a value is spelt out, so that it makes no line of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One line for a subject, and the lines below it."""

    title: str
    lines: tuple[str, ...]


def summary(edition: Edition, *, head: tuple[int, bytes], named: str, sha256: str, checkpoint: str = "") -> Summary:
    """What the report `edition`, which is on a period, comes to: of the same period and with the same figures as its file, `named`, with this digest.

    `head` is number and link of the ledger's last record when the mail is made: it vouches for more than the head in the report, which is that of the
    period's end. `checkpoint` is what the newest signed one says, empty where there is none.
    """
    over = edition.over
    assert over is not None
    seq, link = head
    lines = (
        edition.verdict,
        f"Period: {edition.period}.",
        *([f"Told up to {moment(over.as_of)}: nothing later is on record of this period."] if over.is_running else []),
        edition.reconciliation,
        *([edition.shares] if edition.shares else []),
        *_some(edition.warnings),
        *_happened(edition),
        *_covered(edition),
        f"Report: {named}, SHA-256 {sha256}",
        f"Head of the ledger at the end of the period, as in the report: {over.head}",
        f"Head of the ledger when this was written: {seq}:{link.hex()}",
        *([checkpoint] if checkpoint else []),
        "Keep this mail. Whether the record was rewritten since, this tells:",
        f"auditor ledger verify --expect-head {seq}:{link.hex()}",
    )
    return Summary(
        title=f"report of {over.period.key.replace('_', '..')}: {_counted(edition)}",
        lines=tuple(safe(line, limit=MAX_LINE) for line in lines),
    )


_SAID = {
    Status.PASS: "compliant",
    Status.WAIVED: "compliant with waivers",
    Status.FAIL: "non-compliant",
    Status.UNKNOWN: "indeterminate",
}


def _counted(edition: Edition) -> str:
    """Every server, by its verdict."""
    never = sum(row.word == sentences.NEVER_READ for row in edition.rows)
    statuses = [row.status for row in edition.rows if row.word != sentences.NEVER_READ]
    told = [f"{statuses.count(status)} {said}" for status, said in _SAID.items() if status in statuses]
    return ", ".join([*told, *([f"{never} never read"] if never else [])]) or "no server"


def _happened(edition: Edition) -> Iterable[str]:
    over = edition.over
    assert over is not None
    number = len(over.changes) + over.changes_left_out
    yield f"Changed in the period: {count(number, 'field') if number else 'nothing that was seen'}."
    yield from _some([_change(shown) for shown in over.changes], besides=over.changes_left_out)
    if over.events_open:
        yield f"Drift that is open: {count(over.events_open, 'event')}."


def _change(shown: ShownChange) -> str:
    ended = f"; {shown.ended}" if shown.ended else ""
    return f"- {shown.target}: {shown.change.field} from {shown.change.before} to {shown.change.after} ({shown.word}), {shown.happened}{ended}"


def _covered(edition: Edition) -> Iterable[str]:
    assert edition.over is not None
    total = edition.over.coverage.total
    if not total.expected:
        yield "Coverage: no read was owed."
        return
    yield f"Coverage: {total.read} of {total.expected} owed reads came to something."
    lacking = sorted((tally.read - tally.expected, row.name, tally) for row in edition.rows if (tally := row.reads) and tally.read < tally.expected)
    yield from _some([f"- {name}: {-short} of {tally.expected} did not" for short, name, tally in lacking])


def _some(lines: Sequence[str], *, besides: int = 0) -> Iterable[str]:
    yield from lines[:MAX_NAMED]
    more = len(lines[MAX_NAMED:]) + besides
    if more:
        yield f"- and {more} more"
