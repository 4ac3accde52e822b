"""`auditor history`: what changed on one target, between which reads, how bad it is and how it ended."""

from functools import cache
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, opened, print_bytes, print_text, say
from auditor.cli.diff import not_seen
from auditor.cli.rows import print_json
from auditor.cli.when import day_of, parse_when
from auditor.core.model import CONFIGURED, PROFILE_FIELDS, UNKNOWN
from auditor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.app import App


@click.command()
@click.argument("target")
@click.option("--field", "subject", help="Only the values of this field over time, such as Port or unknown:NAME.")
@click.option("--at", "when", metavar="WHEN", help="The state of that day (as last seen at its end, UTC), or at an instant with offset.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
@click.pass_obj
def history(settings: Settings, target: str, subject: str | None, when: str | None, form: str) -> int:
    """Tell what happened to TARGET: changes with the reads between which they lie, approvals, reads in vain, renames. No server is asked.

    Exit code 3: there is nothing to tell.
    """
    settings.configure_logging()
    at = parse_when(when, option="--at", ends=True) if when is not None else None
    if subject is not None:
        _check_field(subject)
    with opened(settings) as app:
        (chosen,) = app.select([target], {})
        if subject is not None:
            return _print_field(app, chosen.name, subject, at, form)
        if at is not None:
            return _print_day(app, chosen.name, at, form)
        return _print_timeline(app, chosen.name, form)


def _check_field(subject: str) -> None:
    known = (CONFIGURED, *PROFILE_FIELDS)
    if subject not in known and not (subject.startswith(UNKNOWN) and subject != UNKNOWN):
        hint = did_you_mean(subject, known, else_say=f"there are: {', '.join(known)}, and {UNKNOWN}NAME for one that no version documents")
        raise UsageError(f"no field is called {subject[:64]!r}", hint=hint)


def _print_timeline(app: "App", target: str, form: str) -> int:
    from auditor.report import timeline, timelineforms

    told = timeline.entries(app.store.history(target))
    if form == "json":
        print_json({"target": target, "entries": [timelineforms.entry_document(entry) for entry in told]})
    elif form == "csv":
        print_bytes(timelineforms.csv_of(told))
    elif told:
        print_text(lambda **how: timelineforms.render_text(target, told, **how))
    if not told:
        say(not_seen(app, target, None))
    return 0 if told else 3


def _print_field(app: "App", target: str, subject: str, at: "datetime | None", form: str) -> int:
    from auditor.core.history import values
    from auditor.report import timelineforms
    from auditor.report.csvdoc import render_csv

    stretches = app.store.stretches(target, by=at)
    held = values(subject, stretches, cache(app.store.snapshot))
    held = held[-1:] if at is not None else held
    rows = timelineforms.held_rows(target, subject, held)
    if form == "json":
        print_json({"target": target, "field": subject, "values": rows})
    elif form == "csv":
        print_bytes(render_csv(timelineforms.HELD_COLUMNS, rows))
    elif held:
        print_text(lambda **how: timelineforms.render_held(target, subject, held, **how))
    if not held:
        say(not_seen(app, target, at))
    return 0 if held else 3


def _print_day(app: "App", target: str, at: "datetime", form: str) -> int:
    from auditor.report import timeline, timelineforms
    from auditor.report.csvdoc import render_csv

    stretches = app.store.stretches(target, by=at)
    if not stretches:
        say(not_seen(app, target, at))
        return 3
    told = timeline.then(app.store.history(target), stretches[-1], app.store.snapshot(stretches[-1].digest), at=at, day=day_of(at))
    if form == "json":
        print_json(timelineforms.then_document(told))
    elif form == "csv":
        words = timelineforms.then_document(told)["words"]
        print_bytes(render_csv(("target", "field", "value"), [{"target": target, "field": name, "value": words[name]} for name in words]))
    else:
        print_text(lambda **how: timelineforms.render_then(told, **how))
    return 0
