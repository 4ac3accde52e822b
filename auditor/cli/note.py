"""`auditor note`: what people put on record: gaps acknowledged, weeks reviewed, findings commented."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, opened
from auditor.cli.rows import form_option, print_json
from auditor.core.baseline import text_fault
from auditor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from auditor.app import App
    from auditor.core.model import Target

RESOLUTION = timedelta(minutes=1)
"""Gaps are named to the minute."""


@click.group()
def note() -> None:
    """Put notes on record: that a gap is known, that a week was reviewed, what is being done about a finding."""


@note.command()
@click.option("--about", required=True, metavar="WHAT", help="gap:TARGET/TIME as `coverage` prints it, review:2026-W47, or TARGET/RULE.")
@click.option("--by", required=True, help="Who says so; your account is recorded beside it.")
@click.option("--text", required=True, help="What there is to say.")
@click.pass_obj
def add(settings: Settings, about: str, by: str, text: str) -> None:
    """Write a note into the ledger. It can be added to, and never changed or taken back."""
    settings.configure_logging()
    for name, value in (("--by", by), ("--text", text)):
        if fault := text_fault(value):
            raise UsageError(f"{name} {fault}")
    with opened(settings) as app:
        _check(app, about)
        seq = app.note(about=about, by=by, text=text)
    click.echo(f"recorded as record {seq} of the ledger")


@note.command("list")
@click.option("--about", metavar="WHAT", help="Only notes about this.")
@form_option
@click.pass_obj
def list_(settings: Settings, about: str | None, form: str) -> None:
    """List the notes on record, the oldest first."""
    settings.configure_logging()
    with opened(settings) as app:
        found = app.store.notes([about] if about else None)
    if form == "json":
        print_json([{key: one[key] for key in ("at", "about", "by", "text", "account", "host")} for one in found])
        return
    from auditor.report.safetext import safe

    for one in found:
        click.echo(f"{one['at'][:19]}Z  {safe(one['about'])}  {safe(one['by'])}: {safe(one['text'])}")


def _check(app: "App", about: str) -> None:
    """Refuse a note about nothing."""
    kind, colon, rest = about.partition(":")
    if colon and kind == "review":
        match = re.fullmatch(r"(\d{4})-W(\d{2})", rest, re.ASCII)
        try:
            week = datetime.fromisocalendar(int(match[1]), int(match[2]), 1).replace(tzinfo=UTC) if match else None
        except ValueError:
            week = None
        if week is None:
            raise UsageError(f"--about {about[:100]}: a review is of a week, such as review:2026-W47")
        if week > app.clock():
            raise UsageError(f"--about {about}: this week has not begun")
    elif colon and kind == "gap":
        _check_gap(app, about, rest)
    else:
        _check_finding(app, about)


def _check_gap(app: "App", about: str, rest: str) -> None:
    target, _, moment = rest.partition("/")
    _target(app, target)
    try:
        first = datetime.strptime(moment, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"--about {about[:100]}: a gap is named as `auditor coverage` prints it: gap:TARGET/2026-11-24T09:00Z") from None
    covered = app.store.coverage(target, after=first.replace(second=0) - RESOLUTION, until=app.clock())
    if covered is None or all(gap.id != about for gap in covered.gaps):
        raise UsageError(f"--about {about}: there is no such gap", hint="`auditor coverage` lists them with their names")


def _check_finding(app: "App", about: str) -> None:
    target, slash, rule = about.partition("/")
    if not slash:
        raise UsageError(f"--about {about[:100]}: neither gap:..., review:..., nor TARGET/RULE")
    chosen = _target(app, target)
    rules = [one.id for one in app.judge.policy_for(chosen).policy.rules]
    if rule not in rules:
        raise UsageError(f"--about {about[:100]}: {target} is judged by no rule {rule!r}", hint=did_you_mean(rule, rules, else_say=""))


def _target(app: "App", name: str) -> "Target":
    (chosen,) = app.select([name], {})
    return chosen
