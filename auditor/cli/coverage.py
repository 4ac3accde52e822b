"""`auditor coverage`: which reads were owed, and what became of each."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.common import Settings, label_option, opened, parse_labels
from auditor.cli.rows import form_option, print_json, print_rows
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.core.coverage import Coverage, Gap, Tally

Notes = dict[str, dict[str, Any]]
"""The newest note about each gap, by its name."""

WHY = {
    "not_running": "nobody ran the auditor",
    "busy": "the read before it was still running",
    "standstill": "the machine stood still, or its clock was set forward",
}
"""Why slots were missed, in words; any other cause is what the reads ended in."""


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("--period", default="", help="2026-11-24, 2026-W47, 2026-11, A..B, today, this-week, last-week, ... (else the last seven days).")
@click.option("--days", "by_day", is_flag=True, help="A row for each day.")
@form_option
@click.pass_obj
def coverage(settings: Settings, targets: tuple[str, ...], labels: tuple[str, ...], period: str, by_day: bool, form: str) -> int:
    """Show which reads the schedules made the targets owe, and what became of each: on time, late, failed, missed. No server is asked.

    Exit code 1: there is a gap that nobody has acknowledged (`auditor note add --about gap:...`).
    """
    settings.configure_logging()
    from auditor.core.period import Period, parse_period

    with opened(settings) as app:
        at = app.clock()
        try:
            asked = parse_period(period, today=at.date()) if period else None
        except ValueError as wrong:
            raise UsageError(f"--period: {wrong}") from None
        asked = asked or Period(name="the last seven days", first=at.date() - timedelta(days=6), last=at.date())
        chosen = app.select(targets, parse_labels(labels))
        instant = timedelta(microseconds=1)
        found = [app.store.coverage(one.name, after=asked.start - instant, until=min(at, asked.end - instant)) for one in chosen]
        covered = [one for one in found if one is not None]
        notes = {note["about"]: note for note in app.store.notes()}
    gaps = [gap for one in covered for gap in one.gaps]
    if form == "json":
        span = {"name": asked.name, "first": asked.first.isoformat(), "last": asked.last.isoformat()}
        print_json({"period": span, "targets": [_document(one) for one in covered], "gaps": [_gap(gap, notes) for gap in gaps]})
    else:
        click.echo(f"{asked.first} to {asked.last} (UTC)")
        print_rows(_rows(covered, by_day=by_day), "text")
        for gap in gaps:
            _tell(gap, notes)
        for one in covered:
            if one.open is not None:
                click.echo(f"{one.target}: the read owed at {_moment(one.open)} is still open")
    return 0 if all(_is_known(gap, notes) for gap in gaps) else 1


def _is_known(gap: "Gap", notes: Notes) -> bool:
    """Whether somebody has acknowledged the gap, all of it: what was missed after the note is not known yet."""
    note = notes.get(gap.id)
    return note is not None and datetime.fromisoformat(note["at"]) >= gap.last


def _rows(covered: "list[Coverage]", *, by_day: bool) -> list[dict[str, Any]]:
    if by_day:
        return [{"target": one.target, "day": day.isoformat(), **_counts(tally)} for one in covered for day, tally in sorted(one.days.items())]
    return [{"target": one.target, **_counts(one.total)} for one in covered]


def _counts(tally: "Tally") -> dict[str, Any]:
    share = f"{100 * tally.read / tally.expected:.1f} %" if tally.expected else "-"
    named = {name.replace("_", " "): str(getattr(tally, name)) for name in ("expected", "on_time", "late", "failed", "missed")}
    return {**named, "read": share}


def _document(one: "Coverage") -> dict[str, Any]:
    def counts(tally: "Tally") -> dict[str, int]:
        return {name: getattr(tally, name) for name in ("expected", "on_time", "late", "failed", "missed")}

    return {
        "target": one.target,
        **counts(one.total),
        "open": one.open.isoformat() if one.open else None,
        "days": [{"day": day.isoformat(), **counts(tally)} for day, tally in sorted(one.days.items())],
    }


def _gap(gap: "Gap", notes: Notes) -> dict[str, Any]:
    note = notes.get(gap.id)
    told = {key: note[key] for key in ("by", "at", "text")} if note else None
    span = {"first": gap.first.isoformat(), "last": gap.last.isoformat()}
    return {
        "id": gap.id,
        "target": gap.target,
        **span,
        "slots": gap.count,
        "because": list(gap.because),
        "acknowledged": told,
        "is_known": _is_known(gap, notes),
    }


def _tell(gap: "Gap", notes: Notes) -> None:
    from auditor.report.safetext import safe

    slots = "1 slot" if gap.count == 1 else f"{gap.count} slots"
    span = _moment(gap.first) if gap.count == 1 else f"{_moment(gap.first)} to {_moment(gap.last)}"
    why = ", ".join(WHY.get(because, because.replace("_", " ")) for because in gap.because)
    click.echo(f"{gap.id}  {slots}, {span}: {why}")
    note = notes.get(gap.id)
    if note is None:
        click.echo("    not acknowledged")
        return
    beyond = "" if _is_known(gap, notes) else f"; on {note['at'][:10]}, and it has gone on since"
    click.echo(f"    acknowledged by {safe(note['by'])}: {safe(note['text'])}{beyond}")


def _moment(at: Any) -> str:
    from auditor.report.wording import moment

    return moment(at)
