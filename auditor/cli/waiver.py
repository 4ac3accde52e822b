"""`auditor waiver`: the accepted failures, what is doubtful about them, a draft of one more, and their JSON Schema."""

from datetime import timedelta
from textwrap import indent
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, opened
from auditor.cli.rows import form_option, print_json
from auditor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from auditor.app import App
    from auditor.core.waiver import Review
    from auditor.waiverfile import WaiverFile

DRAFT_DAYS = 90
"""So long a drafted waiver lasts: a quarter, until somebody writes another day."""


@click.group()
def waiver() -> None:
    """List, check and draft waivers."""


@waiver.command("list")
@form_option
@click.pass_obj
def list_(settings: Settings, form: str) -> None:
    """List the waivers: where each holds, how long, who approved it."""
    settings.configure_logging()
    from auditor.core.waiver import scope_text, until
    from auditor.report.jsondoc import reviewed as report
    from auditor.report.safetext import prose, safe
    from auditor.report.wording import count

    with opened(settings) as app:
        reviewed = _reviewed(app)
    if form == "json":
        print_json([report(review) | {"file": file, "line": line} for (file, line), review in reviewed])
        return
    for (file, line), review in reviewed:
        it = review.waiver
        ticket = f", {it.ticket}" if it.ticket else ""
        click.echo(safe(f"{it.rule} on {scope_text(it)}  [{review.state.value.replace('_', ' ')}]"))
        click.echo(safe(f"  {until(it)}; owner {it.owner}, approved by {it.approved_by}{ticket}"))
        click.echo(safe(f"  {prose(it.reason)}"))
        click.echo(safe(f"  {file}:{line}"))
    click.echo(f"{count(len(reviewed), 'waiver')}, {sum(review.state.is_in_force for _, review in reviewed)} in force", err=True)


@waiver.command()
@form_option
@click.pass_obj
def lint(settings: Settings, form: str) -> None:
    """Check the waivers, and warn of what will bite.

    Whatever is wrong is refused with file and line (exit 2). What is ending, has ended, excuses nothing, is not needed or covers everything is a
    warning.
    """
    settings.configure_logging()
    from auditor.report.wording import count

    with opened(settings) as app:
        reviewed = _reviewed(app)
    found = [(place, review, concern, text) for place, review in reviewed for concern, text in review.concerns]
    if form == "json":
        print_json(
            [
                {"file": file, "line": line, "waiver": review.waiver.id, "rule": review.waiver.rule, "concern": concern.value, "warning": text}
                for (file, line), review, concern, text in found
            ]
        )
        return
    for (file, line), review, _, text in found:
        click.echo(f"{file}:{line}: waiver of {review.waiver.rule} {text}")
    click.echo(f"{count(len(reviewed), 'waiver')}, {count(len(found), 'warning')}", err=True)


@waiver.command()
@click.argument("finding", metavar="TARGET/RULE")
@form_option
@click.pass_obj
def draft(settings: Settings, finding: str, form: str) -> None:
    """Print a waiver of RULE on TARGET to paste and fill in. It is refused until it has a reason and an approver."""
    settings.configure_logging()
    from auditor.waiverfile import SCHEMA_NAME
    from auditor.yamlfile import quoted

    name, slash, rule_id = finding.partition("/")
    if not slash:
        raise UsageError(f"{finding}: a finding is written TARGET/RULE", hint="as the report shows it, such as prod/CFG-001")
    with opened(settings) as app:
        (target,) = app.select([name], {})
        rules = {rule.id: rule for rule in app.judge.policy_for(target).policy.rules}
        if rule_id not in rules:
            hint = did_you_mean(rule_id, rules, else_say=f"`auditor policy list {target.policy}` names them")
            raise UsageError(f"{finding}: {name} is not judged by a rule {rule_id!r}", hint=hint)
        file, at = app.waiver_file, app.clock()
    expires = at.date() + timedelta(days=min(DRAFT_DAYS, file.max_days - 1))
    owner = f" {quoted(target.owner)}" if target.owner else "                # who answers for it"
    snippet = f"""\
- rule: {rule_id}
  targets: [{quoted(name)}]
  reason:               # why it is acceptable, and what is done meanwhile
  owner:{owner}
  approved_by:          # not the owner, nor who asks for it
  expires: {expires}   # through its end, UTC; or: {expires}T18:00:00+01:00
  # requested_by:
  # approved_on: {at.date()}
  # ticket:
  # risk:
"""
    begun = bool(file.waivers)
    snippet = indent(snippet, _margin(file)) if begun else snippet
    if form == "json":
        print_json({"finding": finding, "file": str(file.path), "snippet": snippet})
        return
    schema_there = file.path.with_name(SCHEMA_NAME).is_file()
    header = f"# yaml-language-server: $schema={SCHEMA_NAME}\n" if schema_there else ""
    click.echo(snippet if begun else f"{header}waivers:\n{snippet}", nl=False)
    click.echo(f"{'append it to' if begun else 'put it into'} {file.path}, fill in what is empty, and run `auditor waiver lint`", err=True)


@waiver.command()
@form_option
@click.pass_obj
def schema(settings: Settings, form: str) -> None:  # noqa: ARG001 - it is JSON either way
    """Print the JSON Schema (2020-12) of waivers, for editors. It knows the rules of your policies."""
    from auditor.waiverfile import schema_text

    book = settings.policies().book
    click.echo(schema_text({rule.id for name in book.names() for rule in book.policy(name).rules}), nl=False)


def _margin(file: "WaiverFile") -> str:
    """What stands before the dash of the first waiver in `file`: another one has to stand below it."""
    first = file.path.read_text(encoding="utf-8-sig").split("\n")[file.lines[0] - 1]
    margin, dash, _ = first.partition("-")
    return margin if dash and not margin.strip() else ""


def _reviewed(app: "App") -> "list[tuple[tuple[str, int], Review]]":
    """Each waiver with its file and line, by the newest reads where any are recorded."""
    from auditor import publish
    from auditor.audit import text_of
    from auditor.core.model import Standing
    from auditor.core.waiver import review

    file, texts = app.waiver_file, [text_of(target) for target in app.config.targets]
    standings = publish.standings(app.store, texts) if app.config.database.exists() else [Standing(target=text) for text in texts]
    at = app.clock()
    return [((str(file.path), line), review(item, standings, at=at)) for item, line in zip(file.waivers, file.lines, strict=True)]
