"""`auditor policy`: what the policies say, whether they are sound, what they can speak of, and what a change of them would come to."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, framework_option
from auditor.cli.policydiff import diff
from auditor.cli.policyexplain import explain
from auditor.cli.rows import form_option, print_json, print_rows
from auditor.errors import PolicyError, UsageError, did_you_mean

if TYPE_CHECKING:
    from auditor.policyfile import PolicyBook


@click.group()
def policy() -> None:
    """List, check, explain and try policies."""


policy.add_command(explain)
policy.add_command(diff)


@policy.command("list")
@click.argument("name", required=False)
@framework_option
@form_option
@click.pass_obj
def list_(settings: Settings, name: str | None, framework: str | None, form: str) -> None:
    """List the policies, or the rules of the one called NAME."""
    from auditor.policyfile.book import supporting

    book = settings.policies().book
    chosen = {known: book.policy(known).rules for known in ([_known(book, name)] if name else sorted(book.names()))}
    if framework:
        chosen = {known: supporting(rules, framework, book.controls) for known, rules in chosen.items()}
    if name:
        print_rows([{"rule": rule.id, "severity": rule.severity_text, "title": rule.title} for rule in chosen[name]], form)
        return
    policies = {known: book.policy(known) for known in chosen}
    print_rows([{"policy": p.name, "version": p.version, "rules": len(chosen[p.name]), "title": p.title} for p in policies.values()], form)


@policy.command()
@form_option
@click.pass_obj
def lint(settings: Settings, form: str) -> None:
    """Check every policy. Whatever is wrong is refused with file and line (exit 2); what is merely doubtful is a warning."""
    from auditor import policyfile
    from auditor.report.wording import count

    policies = settings.policies()
    book, targets = policies.book, policies.config.targets if policies.config else None
    warnings = policyfile.lint(book, targets={target.name: dict(target.labels) for target in targets} if targets else None)
    if form == "json":
        print_json([{"file": w.file, "line": w.line, "warning": w.text} for w in warnings])
        return
    for warning in warnings:
        click.echo(f"{warning.file}:{warning.line}: {warning.text}")
    rules = {rule.id for name in book.names() for rule in book.policy(name).rules}
    click.echo(f"{len(book.names())} policies, {count(len(rules), 'rule')}, {count(len(warnings), 'warning')}", err=True)


@policy.command("test")
@click.argument("names", nargs=-1, metavar="[POLICY]...")
@click.option("--require-failing", is_flag=True, help="Every rule must show an example or fixture that fails (else exit 1).")
@click.option("--fixtures", type=click.Path(path_type=Path), metavar="DIR", help="Judge saved answers, too: DIR/RULE/fails.json and the like.")
@form_option
@click.pass_obj
def test_(settings: Settings, names: tuple[str, ...], *, require_failing: bool, fixtures: Path | None, form: str) -> int:
    """Run the examples that rules carry. Exit 1 where one does not come out as it says.

    A fixture is the saved body of GET /SMTP, in a folder called by the rule. Its name says what must come out: it begins with passes, fails,
    not_applicable or not_evaluated, and ends in .json, as in fails-no-tls.json; for a rule that reads the date, in @2026-12-31.json.
    """
    from auditor import policyfile

    book = settings.policies().book
    chosen = [_known(book, name) for name in names] or sorted(book.names())
    results = list({(r.file, r.rule, r.index): r for name in chosen for r in policyfile.run_examples(book, name)}.values())
    if fixtures is not None:
        from auditor.trial import run_fixtures

        results += run_fixtures(book, names, fixtures)
    if not results:
        raise UsageError("no rule has an example", hint="examples: [{passes: {...}}, {fails: {...}}]")
    wrong = [result for result in results if not result.ok]
    shown = {result.rule for result in results if result.expected.startswith("fail")}
    unshown = sorted({rule.id for name in chosen for rule in book.policy(name).rules} - shown) if require_failing else []
    if form == "json":
        rows = [{"rule": r.rule, "file": r.file, "line": r.line, "expected": r.expected, "got": r.got, "ok": r.ok} for r in results]
        lacking = [{"rule": rule, "file": "", "line": 0, "expected": "an example that fails", "got": "none", "ok": False} for rule in unshown]
        print_json([*rows, *lacking])
    else:
        from auditor.report.safetext import safe
        from auditor.report.wording import count

        for result in wrong:
            click.echo(safe(f"{result.file}:{result.line}: {result.rule}: expected {result.expected}, got {result.got}"))
        for rule in unshown:
            click.echo(f"{rule}: no example shows it failing")
        click.echo(f"{count(len(results), 'example')}, {len(wrong)} wrong", err=True)
    return 1 if wrong or unshown else 0


@policy.command()
@click.argument("pattern", required=False, metavar="[TEXT]")
@form_option
def fields(pattern: str | None, form: str) -> None:
    """List the facts that a rule can speak of. With type and example; only those with TEXT in their name, if given."""
    from auditor.core.catalogue import FACTS

    rows = [
        {"fact": fact.name, "type": fact.type_text, "group": fact.group, "about": fact.about, "example": fact.example}
        for fact in FACTS.values()
        if pattern is None or pattern.casefold() in fact.name.casefold()
    ]
    if not rows:
        assert pattern is not None
        raise UsageError(f"no fact has {pattern!r} in its name", hint=did_you_mean(pattern, FACTS, else_say="`auditor policy fields` lists them all"))
    print_rows(rows, form)


@policy.command()
@form_option
@click.pass_obj
def schema(settings: Settings, form: str) -> None:  # noqa: ARG001 - it is JSON either way
    """Print the JSON Schema (2020-12) of policy files, for editors."""
    from auditor.policyfile.schema import schema_text

    click.echo(schema_text(settings.policies().book.controls), nl=False)


@policy.command()
@framework_option
@form_option
@click.pass_obj
def controls(settings: Settings, framework: str | None, form: str) -> None:
    """Show which controls are supported by which rules. Rules support a control; whether it is met, an assessor says."""
    from auditor.policyfile.book import supporting
    from auditor.policyfile.controls import counted

    book = settings.policies().book
    rules = {rule.id: rule for name in book.names() for rule in book.policy(name).rules}
    found: dict[tuple[str, str], list[str]] = {}
    for key in [framework] if framework else book.controls.frameworks:
        for rule in supporting(rules.values(), key, book.controls):
            for control in dict(rule.controls)[key]:
                found.setdefault((key, control), []).append(rule.id)
    if framework and not found:
        raise PolicyError(f"no rule supports a control of {framework}")
    places = list(book.controls.frameworks)
    ordered = sorted(found.items(), key=lambda item: (places.index(item[0][0]), counted(item[0][1])))
    if form == "json":
        print_json([{"framework": key, "control": control, "supported_by": sorted(ids)} for (key, control), ids in ordered])
        return
    print_rows([{"framework": key, "control": control, "supported by": " ".join(sorted(ids))} for (key, control), ids in ordered], form)


def _known(book: "PolicyBook", name: str) -> str:
    if name not in book.names():
        raise UsageError(f"no policy is called {name!r}", hint=did_you_mean(name, book.names(), else_say="`auditor policy list` names them"))
    return name
