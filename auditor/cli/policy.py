"""`auditor policy`: what the policies say, whether they are sound, and what they can speak of."""

import json
import shutil
from io import StringIO
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings
from auditor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from auditor.policyfile import PolicyBook

form_option = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group()
def policy() -> None:
    """List, check and try policies."""


@policy.command("list")
@click.argument("name", required=False)
@form_option
@click.pass_obj
def list_(settings: Settings, name: str | None, form: str) -> None:
    """List the policies, or the rules of the one called NAME."""
    book = _book(settings)
    if name is None:
        rows = [{"policy": p.name, "version": p.version, "rules": len(p.rules), "title": p.title} for p in map(book.policy, sorted(book.names()))]
    else:
        if name not in book.names():
            raise UsageError(f"no policy is called {name!r}", hint=did_you_mean(name, book.names(), else_say="`auditor policy list` names them"))
        rows = [{"rule": rule.id, "severity": rule.severity_text, "title": rule.title} for rule in book.policy(name).rules]
    _print(rows, form)


@policy.command()
@form_option
@click.pass_obj
def lint(settings: Settings, form: str) -> None:
    """Check every policy: whatever is wrong is refused with file and line (exit 2); what is merely doubtful is a warning."""
    from auditor import policyfile

    book = _book(settings)
    warnings = policyfile.lint(book)
    if form == "json":
        click.echo(json.dumps([{"file": w.file, "line": w.line, "warning": w.text} for w in warnings], indent=2))
        return
    for warning in warnings:
        click.echo(f"{warning.file}:{warning.line}: {warning.text}")
    rules = {rule.id for name in book.names() for rule in book.policy(name).rules}
    click.echo(f"{len(book.names())} policies, {len(rules)} rules, {len(warnings)} warnings", err=True)


@policy.command("test")
@click.argument("names", nargs=-1, metavar="[POLICY]...")
@form_option
@click.pass_obj
def test_(settings: Settings, names: tuple[str, ...], form: str) -> int:
    """Run the examples that rules carry (exit 1 where one does not come out as it says)."""
    from auditor import policyfile

    book = _book(settings)
    for name in names:
        if name not in book.names():
            raise UsageError(f"no policy is called {name!r}", hint=did_you_mean(name, book.names()))
    results = {(r.file, r.rule, r.index): r for name in names or sorted(book.names()) for r in policyfile.run_examples(book, name)}
    wrong = [result for result in results.values() if not result.ok]
    if form == "json":
        rows = [{"rule": r.rule, "file": r.file, "line": r.line, "expected": r.expected, "got": r.got, "ok": r.ok} for r in results.values()]
        click.echo(json.dumps(rows, indent=2))
    else:
        for result in wrong:
            click.echo(f"{result.file}:{result.line}: {result.rule}: expected {result.expected}, got {result.got}")
        click.echo(f"{len(results)} examples, {len(wrong)} wrong", err=True)
    if not results:
        raise UsageError("no rule has an example", hint="examples: [{passes: {...}}, {fails: {...}}]")
    return 1 if wrong else 0


@policy.command()
@click.argument("pattern", required=False, metavar="[TEXT]")
@form_option
def fields(pattern: str | None, form: str) -> None:
    """List the facts that a rule can speak of, with type and example; only those with TEXT in their name, if given."""
    from auditor.core.catalogue import FACTS

    rows = [
        {"fact": fact.name, "type": fact.type_text, "group": fact.group, "about": fact.about, "example": fact.example}
        for fact in FACTS.values()
        if pattern is None or pattern.casefold() in fact.name.casefold()
    ]
    if not rows:
        assert pattern is not None
        raise UsageError(f"no fact has {pattern!r} in its name", hint=did_you_mean(pattern, FACTS, else_say="`auditor policy fields` lists them all"))
    _print(rows, form)


def _book(settings: Settings) -> "PolicyBook":
    """The policies of the configuration where there is one, else the shipped ones alone."""
    settings.configure_logging()
    from auditor.app import load_judge, policy_book

    config = settings.load_config_if_any()
    return load_judge(config).book if config else policy_book(None)


def _print(rows: list[dict[str, object]], form: str) -> None:
    if form == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in row.values()))
    drawn = StringIO()
    Console(file=drawn, width=shutil.get_terminal_size((120, 24)).columns, no_color=True).print(table, markup=False)
    click.echo("\n".join(line.rstrip() for line in drawn.getvalue().splitlines()))  # not by rich: it would end the process with 1 if the reader left
