"""`auditor report`: the HTML report on a period, from what is recorded."""

from pathlib import Path

import click

from auditor.cli.common import Settings, label_option, opened, parse_labels
from auditor.errors import UsageError


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("--period", default="", help="2026-W47, last-week, 2026-11, 2026-11-24, A..B, ... (else the seven days to today).")
@click.option("-o", "folder", type=click.Path(path_type=Path, file_okay=False), help="The folder to write into (else the configured one).")
@click.option("--mail", is_flag=True, help="Mail it to the channels that ask for it, once a day as long as it says the same.")
@click.pass_obj
def report(settings: Settings, targets: tuple[str, ...], labels: tuple[str, ...], period: str, folder: Path | None, mail: bool) -> None:
    """Write one self-contained HTML file on a period: where the targets stood at its end, and what changed within it. Prints its path.

    `index.html` beside it lists all reports. No server is asked; the same data gives the same file. A mail that cannot be sent stays owed: whoever
    delivers alerts (check, daemon, alerts retry) tries it again.
    """
    settings.configure_logging()
    with opened(settings) as app:
        chosen = app.select(targets, parse_labels(labels)) if mail else ()
        if mail and not app.report_channels:
            raise UsageError(f"{app.config.file}: no mail channel asks for the report", hint="give one `report: attached` (docs/alerts.md)")
        path = app.write_report(targets, parse_labels(labels), asked=period, folder=folder)
        click.echo(path)
        if not mail:
            return
        if not app.mail_report(path, app.view(chosen), chosen):
            click.echo("mail: this report was mailed today already", err=True)
        paid = app.deliver()
        if paid.retried or paid.parked:
            click.echo(f"mail: {paid.retried + paid.parked} messages not delivered; `auditor alerts list` says why", err=True)
