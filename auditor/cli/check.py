"""`auditor check`: one crontab line that reads, judges, records and reports."""

import logging
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.common import FORMAT_NAMES, Settings, framework_option, label_option, opened, parse_labels, print_bytes, progress, wants_colour
from auditor.core.model import Severity
from auditor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from auditor.app import App
    from auditor.core.model import Assessment, Target
    from auditor.report.view import View


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("--fail-on", type=click.Choice([s.value for s in Severity]), default="low", show_default=True, help="Least severity that gives exit 1.")
@click.option("--count-limits", is_flag=True, help="Let what the API cannot show give exit 4, too.")
@click.option("--output", "outputs", multiple=True, metavar="FORMAT=PATH", help=f"Write {', '.join(FORMAT_NAMES)}; PATH - is stdout. Repeatable.")
@click.option("--force", is_flag=True, help="Ask even a server that lately denied access.")
@click.option("--input", "body", type=click.Path(path_type=Path), help="Judge a saved answer of GET /SMTP instead: offline, nothing is stored.")
@click.option("--policy", "policy_name", help="With --input: the policy to judge by (else recommended).")
@click.option("--metrics-textfile", "textfile", type=click.Path(path_type=Path), help="Write metrics for Prometheus' node exporter (PATH.prom).")
@framework_option
@click.pass_obj
def check(
    settings: Settings,
    targets: tuple[str, ...],
    labels: tuple[str, ...],
    fail_on: str,
    count_limits: bool,
    outputs: tuple[str, ...],
    force: bool,
    body: Path | None,
    policy_name: str | None,
    textfile: Path | None,
    framework: str | None,
) -> int:
    """Read the mail profile of servers now, judge it, record it.

    Without TARGET every configured one is read. What is found is printed, and written wherever --output says.
    """
    # on a terminal the report itself tells what the log would, and a bar is drawn there
    settings.configure_logging(default=logging.ERROR if sys.stderr.isatty() else logging.WARNING)
    wanted = parse_outputs(outputs)
    if body is not None:
        if targets or labels or force or textfile:
            raise UsageError("--input judges one saved answer: it takes no TARGET, --label, --force or --metrics-textfile")
        assessments, shown = _check_saved(settings, body, policy_name or "recommended", framework)
    else:
        if policy_name:
            raise UsageError("--policy goes with --input", hint="a target's policy stands in the configuration")
        forms = [form for form, _ in wanted]
        assessments, shown = _check_live(settings, targets, labels, force=force, framework=framework, forms=forms, textfile=textfile)
    put_out(shown, wanted)
    from auditor.core.assess import exit_code

    besides = [each.finding for each in shown.installation]
    return exit_code(assessments, fail_on=Severity(fail_on), count_limits=count_limits, besides=besides)


def parse_outputs(outputs: tuple[str, ...]) -> list[tuple[str, Path | None]]:
    """`--output FORMAT=PATH`, in order; None for stdout. Text on stdout where nothing is asked for.

    Raises:
        UsageError: A format does not exist, or two of them would go to one place.
    """
    wanted: list[tuple[str, Path | None]] = []
    for output in outputs:
        form, equals, path = output.partition("=")
        if form not in FORMAT_NAMES:
            hint = did_you_mean(form, FORMAT_NAMES, else_say=f"formats: {', '.join(FORMAT_NAMES)}")
            raise UsageError(f"--output {output}: no format is called {form!r}", hint=hint)
        if not (equals and path):
            raise UsageError(f"--output {output}: say where to", hint=f"--output {form}=PATH, or {form}=- for stdout")
        place = None if path == "-" else Path(path)
        if place in [other for _, other in wanted]:
            raise UsageError(f"--output {output}: two formats would go to {path}")
        wanted.append((form, place))
    return wanted if any(place is None for _, place in wanted) else [("text", None), *wanted]


def put_out(shown: "View", wanted: list[tuple[str, Path | None]]) -> None:
    """Print and write the view in the wanted formats; on a terminal the text is coloured."""
    from auditor import publish

    places = [(form, path) for form, path in wanted if path is not None]
    publish.write_all(shown, places)
    for form, path in places:
        click.echo(f"{form}: {path}", err=True)
    for form in (form for form, path in wanted if path is None):
        if form == "text" and wants_colour():
            from auditor.report.text import render_text

            click.echo(render_text(shown, style=click.style), nl=False, color=True)
        else:
            print_bytes(publish.render(shown, form))


def _check_live(
    settings: Settings,
    names: tuple[str, ...],
    labels: tuple[str, ...],
    *,
    force: bool,
    framework: str | None,
    forms: Collection[str],
    textfile: Path | None,
) -> "tuple[list[Assessment], View]":
    from auditor import instance, publish

    with opened(settings, framework=framework) as app:
        chosen = _to_read(app, app.select(names, parse_labels(labels)), is_named=bool(names))
        with ThreadPoolExecutor(1) as beside, progress("reading", total=len(chosen), shown=not settings.verbose) as advance:
            auditor = replace(app.auditor, is_scheduled=not instance.is_held(app.config.database))  # the daemon serves the slots
            ready = beside.submit(publish.get_ready, forms)
            assessments = [advance(done) for done in auditor.audit_all(chosen, clock=app.clock, force=force)]
            ready.result()
        _tell(app, is_whole=not (names or labels) and auditor.events_fault is None)
        if textfile is not None:
            from auditor.health import metrics

            publish.write(metrics(app.watched(), at=app.clock()), textfile)
        if auditor.events_fault is not None:
            raise auditor.events_fault  # at the end: everything is on record, and told
        return assessments, app.view(chosen)


def _tell(app: "App", *, is_whole: bool) -> None:
    """Pay what channels are owed, and call the heartbeat after a whole sweep. What is not delivered stays owed, and is no fault of the audit."""
    paid = app.deliver()
    if paid.retried or paid.parked:
        click.echo(f"alerts: {paid.retried + paid.parked} not delivered; `auditor alerts list` says why", err=True)
    for warning in app.alert_warnings():
        click.echo(f"warning: {warning}", err=True)
    if is_whole:  # a read of one server by hand must not say that the sweeps go on
        app.beat()


def _to_read(app: "App", chosen: "tuple[Target, ...]", *, is_named: bool) -> "list[Target]":
    """Those of `chosen` that are to be read: a paused target only if it is named, a retired one never.

    Raises:
        UsageError: A retired target is named, or none is left.
    """
    today = app.clock().date()
    retired = next((target for target in chosen if target.is_retired(today)), None)
    if retired is not None:
        hint = "take `retired_on` out of the configuration if it is audited again"
        raise UsageError(f"{retired.name} was retired on {retired.retired_on}, and is not read", hint=hint)
    paused = [] if is_named else [target for target in chosen if target.is_paused(today)]
    for target in paused:
        click.echo(f"not read: {target.name} is paused through {target.paused_until}: {target.paused_reason}", err=True)
    reading = [target for target in chosen if target not in paused]
    if not reading:
        raise UsageError("every target that is selected is paused", hint="name a target to read it all the same")
    return reading


def _check_saved(settings: Settings, body: Path, policy_name: str, framework: str | None) -> "tuple[list[Assessment], View]":
    from auditor import publish
    from auditor.app.judging import judge_saved

    loaded = settings.load_config_if_any()
    assessment, target, policy = judge_saved(body, policy_name, loaded, framework=framework)
    return [assessment], publish.view_of_one(assessment, target, policy)
