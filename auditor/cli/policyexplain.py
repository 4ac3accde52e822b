"""`auditor policy explain`: one rule as its documentation reads, for everybody or for one target."""

from collections.abc import Iterator
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.common import Settings, opened
from auditor.cli.rows import form_option, print_json
from auditor.report.safetext import safe

if TYPE_CHECKING:
    from auditor.core.model import Finding, Standing
    from auditor.policyfile.explain import Explanation

_WIDTH = 80


@click.command()
@click.argument("rule")
@click.option("--target", help="With the parameters in force for this target, and the last result that is stored for it.")
@click.option("--policy", "policy_name", help="As it is in force in this policy (else recommended, or the policy that has the rule).")
@form_option
@click.pass_obj
def explain(settings: Settings, rule: str, target: str | None, policy_name: str | None, form: str) -> None:
    """Explain RULE: what it asks and why, and what to do. Also how bad a breach is, what the rule supports, and examples."""
    from auditor.errors import UsageError
    from auditor.policyfile import explain as explained
    from auditor.policyfile import home_of

    standing: Standing | None = None
    if target is None:
        policies = settings.policies()
        name = policy_name or home_of(policies.book, rule)
        vars_ = policies.config.vars if policies.config else {}
        it = explained(policies.book, policies.book.effective(name, target="", labels={}, installation=vars_), rule)
    elif policy_name:
        raise UsageError("--policy goes without --target", hint="a target's policy stands in the configuration")
    else:
        settings.configure_logging()
        with opened(settings) as app:
            (chosen,) = app.select([target], {})
            it = explained(app.judge.book, app.judge.whole_policy(chosen), rule)
            standing = next(iter(app.store.standings([target])), None)
    finding = _finding(standing, rule)
    if form == "json":
        print_json(it.document() | ({"target": target, "last": _document(standing, finding)} if target else {}))
        return
    for line in page(it):
        click.echo(safe(line))
    for line in _last(target, standing, finding) if target else ():
        click.echo(safe(line))


# --- the rule -----------------------------------------------------------------------------------------------------


def page(it: "Explanation") -> Iterator[str]:
    """The rule as a page of documentation, line by line, at most 80 columns wide."""
    from auditor.core.words import literal_text
    from auditor.policyfile.explain import ON_MISSING

    rule = it.rule
    heading = f"{rule.id}  {rule.title}"
    yield from _wrapped(heading)
    yield from ("=" * min(len(heading), _WIDTH), "")
    yield from _wrapped(f"Policy {it.policy.name}" + (f", written in {it.home.name}." if it.home.name != it.policy.name else "."))
    if it.applies:
        yield from _section("Applies where")
        yield from _wrapped(f"{it.applies}.", 2)
    yield from _section("Requires")
    for depth, line in it.requires:
        yield from _wrapped(f"- {line}" if depth else line, 2 * max(depth, 1), hang=2 if depth else 0)
    yield from ("", *_wrapped(ON_MISSING[rule.on_missing], 2))
    yield from _section("Severity")
    for level, when in it.ladder:
        yield from _wrapped(f"{level:8}  {'where ' if when and when != 'otherwise' else ''}{when}".rstrip(), 2, hang=10)
    for title, text in (("Why", rule.rationale), ("What to do", rule.remediation)):
        if text:
            yield from _section(title)
            yield from _wrapped(text, 2)
    if it.vars:
        yield from _section("Parameters in force")
    for var in it.vars:
        value = "not set" if var.value is None else literal_text(var.value, var.type)
        yield from _wrapped(f"${var.name} = {value}  ({var.type}; {var.origin})", 2, hang=4)
        yield from _wrapped(var.about, 6)
    if rule.controls:
        yield from _section("Supports")
    for framework, ids in it.supports:
        yield from _wrapped(f"{framework:18}  {', '.join(ids)}", 2, hang=20)
    if rule.references:
        yield from _section("References")
    for reference in rule.references:
        yield from [f"  - {safe(reference)}"] if " " not in reference else _wrapped(f"- {reference}", 2, hang=2)  # an address stays in one piece
    examples = list(it.examples)
    if examples:
        yield from _section("Examples")
    for verdict, facts in examples:
        yield from _wrapped(f"{verdict:14}  {facts}", 2, hang=16)
    if examples:
        yield from ("", *_wrapped("A field of the profile that an example does not name is missing from the answer.", 2))


def _section(title: str) -> Iterator[str]:
    yield from ("", title)


def _wrapped(text: str, indent: int = 0, *, hang: int = 0) -> list[str]:
    from auditor.report.safetext import safe

    said = safe(text)
    begin = " " * indent
    wrapped = fill(said, _WIDTH, initial_indent=begin, subsequent_indent=begin + " " * hang, break_long_words=False, break_on_hyphens=False)
    return wrapped.splitlines()


# --- its last result for a target ---------------------------------------------------------------------------------


def _finding(standing: "Standing | None", rule: str) -> "Finding | None":
    findings = standing.assessment.findings if standing and standing.assessment else ()
    return next((finding for finding in findings if finding.rule == rule), None)


def _last(target: str, standing: "Standing | None", finding: "Finding | None") -> Iterator[str]:
    from auditor.core.waiver import until
    from auditor.core.words import leaf_text
    from auditor.report.wording import READ_WORDS, moment

    yield from _section(f"Last result for {target}")
    if standing is None or standing.assessment is None:
        yield from _wrapped("The target was never read.", 2)
        return
    observation, judged_by = standing.assessment.observation, standing.policy.name if standing.policy else "nothing"
    yield from _wrapped(f"{moment(observation.started_at)}: {READ_WORDS[observation.outcome]}, judged by {judged_by}", 2)
    if finding is None:
        yield from _wrapped("That policy, as it was then, did not have the rule.", 2)
        return
    yield from _wrapped(finding.outcome.replace("_", " ") + (f", {finding.severity}" if finding.severity else ""), 2)
    for title, leaves in (("applies", finding.applies), ("because", finding.because), ("severity", finding.severity_because)):
        for leaf in leaves:
            yield from _wrapped(f"{title:8}  {leaf_text(leaf)}  [{leaf.level.name.lower()}]", 4, hang=10)
    if finding.detail:
        yield from _wrapped(finding.detail, 4)
    for waiver in standing.assessment.waivers:
        if waiver.rule == finding.rule:
            yield from _wrapped(f"waived    {until(waiver)}, approved by {waiver.approved_by}: {waiver.reason}", 4, hang=10)


def _document(standing: "Standing | None", finding: "Finding | None") -> dict[str, Any] | None:
    from auditor.core.words import leaf_text

    if standing is None or standing.assessment is None:
        return None
    observation = standing.assessment.observation
    said = finding.document() if finding else {}
    for name in ("applies", "because", "severity_because") if finding else ():
        said[name] = [leaf.document() | {"text": leaf_text(leaf)} for leaf in getattr(finding, name)]
    return {
        "at": observation.started_at.isoformat(),
        "read": observation.outcome.value,
        "policy": standing.policy.name if standing.policy else None,
        "finding": said or None,
        "waiver": next((waiver.document() for waiver in standing.assessment.waivers if finding and waiver.rule == finding.rule), None),
    }
