"""A report in a few words, for a mail that it travels with: the verdict, what changed, what was not read, and by what the record is known again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from auditor.core.coverage import Coverage
from auditor.core.model import Verdict
from auditor.core.safetext import safe
from auditor.report.shown import View
from auditor.report.wording import count

MAX_NAMED = 8
"""So many changes, and so many servers with gaps, are named; the rest is counted."""

MAX_LINE = 300
"""Characters of one line; a line break within a value is spelt out, so that it makes no line of its own."""

NEWS = timedelta(days=7)
"""What changed within this time before the newest read is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One line for a subject, and the lines below it."""

    title: str
    lines: tuple[str, ...]


def summary(
    shown: View,
    *,
    coverage: Sequence[Coverage],
    period: str,
    head: tuple[int, bytes],
    named: str,
    sha256: str,
    on: date,
    checkpoint: str = "",
) -> Summary:
    """What the report `shown` comes to, of which the file is `named`, with this digest.

    `coverage` is what became of the reads that were owed in `period`, by target. `head` is number and link of the ledger's last record, `checkpoint`
    what the newest signed one says. `on` is the day that the report is of, where nothing was read yet.
    """
    seq, link = head
    lines = (
        shown.verdict,
        shown.reconciliation,
        *_some(shown.warnings),
        *_changed(shown),
        *_covered(coverage, period),
        f"Report: {named}, SHA-256 {sha256}",
        f"Head of the ledger: {seq}:{link.hex()}",
        *([checkpoint] if checkpoint else []),
        "Keep this mail. Whether the record was rewritten since, this tells:",
        f"auditor ledger verify --expect-head {seq}:{link.hex()}",
    )
    return Summary(
        title=f"report of {(shown.as_of.date() if shown.as_of else on).isoformat()}: {_counted(shown)}",
        lines=tuple(safe(line, limit=MAX_LINE) for line in lines),
    )


_SAID = {
    Verdict.COMPLIANT: "compliant",
    Verdict.COMPLIANT_WITH_WAIVERS: "compliant with waivers",
    Verdict.NON_COMPLIANT: "non-compliant",
    Verdict.INDETERMINATE: "indeterminate",
}


def _counted(shown: View) -> str:
    """Every server, by its verdict."""
    verdicts = [target.standing.assessment.verdict if target.standing.assessment else None for target in shown.targets]
    told = [f"{verdicts.count(verdict)} {said}" for verdict, said in _SAID.items() if verdict in verdicts]
    never = [f"{verdicts.count(None)} never read"] if None in verdicts else []
    return ", ".join([*told, *never]) or "no server is configured"


def _changed(shown: View) -> Iterable[str]:
    since = shown.as_of - NEWS if shown.as_of else None
    recent = [change for change in (*shown.changes, *shown.earlier) if since is not None and change.not_after >= since]
    yield f"Changed in the last {NEWS.days} days: {count(len(recent), 'field') if recent else 'nothing that was seen'}."
    yield from _some([f"- {c.target}: {c.change.field} from {c.change.before} to {c.change.after} ({c.word}), {c.happened}" for c in recent])
    if shown.drift:
        yield f"Drift that is open: {count(len(shown.drift), 'event')}."


def _covered(coverage: Sequence[Coverage], period: str) -> Iterable[str]:
    expected, read = (sum(getattr(one.total, name) for one in coverage) for name in ("expected", "read"))
    if not expected:
        yield f"Coverage of {period}: no read was owed."
        return
    yield f"Coverage of {period}: {read} of {expected} owed reads came to something."
    lacking = sorted((one for one in coverage if one.total.read < one.total.expected), key=lambda one: one.total.read - one.total.expected)
    yield from _some([f"- {one.target}: {one.total.expected - one.total.read} of {one.total.expected} did not" for one in lacking])


def _some(lines: Sequence[str]) -> Iterable[str]:
    yield from lines[:MAX_NAMED]
    if len(lines) > MAX_NAMED:
        yield f"- and {len(lines) - MAX_NAMED} more"
