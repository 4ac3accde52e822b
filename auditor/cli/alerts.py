"""`auditor alerts`: what channels are owed and have not got, and whether they work."""

from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, opened
from auditor.cli.rows import form_option, print_rows
from auditor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from auditor.app import App


@click.group()
def alerts() -> None:
    """Look after alerts: list what is not delivered, try it again, send a test message."""


@alerts.command("list")
@form_option
@click.pass_obj
def list_(settings: Settings, form: str) -> None:
    """List what channels are owed and have not got, the oldest first; `parked` waits for `auditor alerts retry`."""
    settings.configure_logging()
    with opened(settings) as app:
        owed = app.store.deliveries()
        warnings = app.alert_warnings()
    rows = [
        {
            "channel": one.channel,
            "state": one.state.value,
            "since": f"{one.notice.at:%Y-%m-%dT%H:%M:%SZ}",
            "attempts": one.attempts,
            "next": f"{one.next_at:%Y-%m-%dT%H:%M:%SZ}",
            "about": one.notice.title,
            "reason": one.reason or "",
        }
        for one in owed
    ]
    print_rows(rows, form)
    if not rows and form == "text":
        click.echo("nothing is owed")
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


@alerts.command()
@click.argument("channel", required=False)
@click.pass_obj
def retry(settings: Settings, channel: str | None) -> int:
    """Try again what was given up, of CHANNEL or of all, and send what is due. Exit 1 if something is still not delivered."""
    settings.configure_logging()
    with opened(settings) as app:
        if channel is not None:
            _check(app, channel)
        again = app.store.unpark(channel, app.clock())
        paid = app.deliver()
    left = paid.retried + paid.parked
    click.echo(f"{again} notices are tried again; {paid.delivered} messages delivered, {left} not")
    return 1 if left else 0


@alerts.command()
@click.argument("channel", required=False)
@click.pass_obj
def test(settings: Settings, channel: str | None) -> int:
    """Send a test message through CHANNEL, or through every one. Exit 1 if one does not take it, or not for all that it is meant for."""
    settings.configure_logging()
    from auditor.core.model import DeliveryState
    from auditor.report.safetext import safe

    with opened(settings) as app:
        if channel is not None:
            _check(app, channel)
        elif not app.channels:
            raise UsageError(f"{app.config.file}: no channel is configured", hint="docs/alerts.md shows each kind")
        receipts = {name: app.try_channel(name) for name in ([channel] if channel else app.channels)}
    for name, receipt in receipts.items():
        said = ["delivered"] if receipt.state is DeliveryState.DELIVERED else []
        click.echo(f"{name}: {', but '.join([*said, *([safe(receipt.reason)] if receipt.reason else [])])}")
    return 0 if all(one.state is DeliveryState.DELIVERED and not one.reason for one in receipts.values()) else 1


def _check(app: "App", channel: str) -> None:
    """Refuse a name that no channel has."""
    if channel not in app.channels:
        hint = did_you_mean(channel, app.channels, else_say=f"configured: {', '.join(app.channels) or 'none'}")
        raise UsageError(f"no channel is called {channel!r}", hint=hint)
