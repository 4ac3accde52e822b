"""`auditor doctor`: what keeps an audit from working, before it does."""

import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, wants_colour
from auditor.cli.rows import form_option, print_json
from auditor.errors import AuditorError

if TYPE_CHECKING:
    from auditor.checkup import Check

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skipped": None}


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--offline", is_flag=True, help="Ask no server: for CI, and before a reload.")
@click.option("--force", is_flag=True, help="Ask even a server that lately denied access.")
@form_option
@click.pass_obj
def doctor(settings: Settings, targets: tuple[str, ...], offline: bool, force: bool, form: str) -> int:
    """Check the installation and every target (or those named), one line each, with what to do next where it is not fine.

    Nothing is recorded: neither a denial nor a success changes when a target is next read. Each server is sent one GET of its profile, twice
    where it has version 1 alone, and what attribution and pam_providers add. Exit code: 0 fine, warnings included; 1 something failed, a server
    that cannot be read included; 2 configuration, policies, waivers or baselines are wrong, and no server was asked.
    """
    settings.configure_logging(default=logging.ERROR)  # the lines say what the log would
    from auditor.checkup import exit_code

    checks: list[Check] = []
    for check in _found(settings, targets, offline=offline, force=force):
        checks.append(check)
        if form == "text":
            _print(check)
    if form == "json":
        print_json({"schema_version": 1, "checks": [asdict(check) for check in checks], "exit_code": exit_code(checks)})
    return exit_code(checks)


def _found(settings: Settings, names: tuple[str, ...], *, offline: bool, force: bool) -> "Iterator[Check]":
    from auditor.app import App
    from auditor.checkup import check_up, unreadable

    try:
        config = settings.load_config()
    except AuditorError as failure:
        yield unreadable(failure)
        return
    with App(config) as app:
        yield from check_up(app, names, offline=offline, force=force)


def _print(check: "Check") -> None:
    from auditor.report.safetext import safe

    style = click.style if wants_colour() else lambda text, **_: text
    where = f"{check.target}: " if check.target else ""
    click.echo(f"{style(f'{check.status:7}', fg=_COLOURS[check.status])} {safe(f'{where}{check.name}: {check.said}')}")
    if check.next_step:
        click.echo(f"        -> {safe(check.next_step)}")
