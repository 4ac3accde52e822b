"""`auditor policy diff`: what a policy would change for the servers as they were last seen, before it is deployed."""

from itertools import groupby
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, label_option, opened, parse_labels
from auditor.cli.rows import form_option, print_json

if TYPE_CHECKING:
    from auditor.core.model import Finding
    from auditor.trial import Difference

_TITLES = {
    "newly_failing": "Newly failing",
    "severity": "Failing with another severity",
    "not_evaluated": "Not to be evaluated",
    "no_longer_asked": "No longer asked",
    "newly_passing": "Newly passing",
}
_NAMED = 5
"""So many targets are named in the text; the JSON names all."""


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--target", "names", multiple=True, help="Only this target; repeat for more.")
@label_option
@form_option
@click.pass_obj
def diff(settings: Settings, old: str, new: str, names: tuple[str, ...], labels: tuple[str, ...], form: str) -> int:
    """Show what NEW would change on the last snapshots. Each is judged by OLD and by NEW; no server is asked, nothing is stored.

    OLD and NEW are names of policies, or paths of policy files or folders, which stand in the place of the policies of their names. A folder judges
    each target by the policy that it is configured with. Exit 3 where no target has a snapshot.
    """
    settings.configure_logging()
    from auditor.trial import compare

    with opened(settings) as app:
        found = compare(app, old, new, app.select(names, parse_labels(labels)))
    if form == "json":
        changes = [
            {
                "target": one.target,
                "rule": one.rule,
                "title": one.title,
                "change": one.shift.value,
                "before": _outcome(one.before),
                "after": _outcome(one.after),
                "why": one.why,
            }
            for one in found.differences
        ]
        print_json({"old": old, "new": new, "targets": found.judged, "without_snapshot": found.unseen, "changes": changes})
    else:
        order = list(_TITLES)
        ordered = sorted(found.differences, key=lambda one: (order.index(one.shift), one.rule, _rated(one)))
        for shift, of_shift in groupby(ordered, key=lambda one: one.shift):
            click.echo(_TITLES[shift])
            for _, alike in groupby(of_shift, key=lambda one: (one.rule, _rated(one))):
                _print(list(alike))
        if not found.differences and found.judged:
            click.echo("nothing differs")
    click.echo(f"{old} and {new} compared on the last snapshot of {len(found.judged)} targets", err=True)
    if found.unseen:
        click.echo(f"no snapshot yet of: {', '.join(found.unseen)}", err=True)
    return 0 if found.judged else 3


def _print(alike: "list[Difference]") -> None:
    """Targets for which one rule changes in the same way, with the evidence of the first."""
    from auditor.report.safetext import safe

    first = alike[0]
    targets = ", ".join(one.target for one in alike[:_NAMED]) + (f" and {len(alike) - _NAMED} more" if len(alike) > _NAMED else "")
    click.echo(f"  {first.rule}  {safe(first.title)}: {_rated(first)}")
    click.echo(f"      {targets}")
    if first.why:
        click.echo(f"      {first.target}: {safe(first.why)}")


def _rated(one: "Difference") -> str:
    said = [
        f"{outcome['outcome']} {outcome['severity'] or ''}".strip() if outcome else "no such rule"
        for outcome in map(_outcome, (one.before, one.after))
    ]
    return " -> ".join(said).replace("_", " ")


def _outcome(finding: "Finding | None") -> dict[str, str | None] | None:
    return {"outcome": finding.outcome.value, "severity": finding.severity.value if finding.severity else None} if finding else None
