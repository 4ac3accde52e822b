"""`auditor report`: the HTML report from what is recorded."""

from pathlib import Path

import click

from auditor.cli.common import Settings, label_option, opened, parse_labels
from auditor.errors import UsageError


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("-o", "folder", type=click.Path(path_type=Path, file_okay=False), help="The folder to write into (else the configured one).")
@click.option("--mail", is_flag=True, help="Mail it to the channels that ask for it, once a day as long as it says the same.")
@click.pass_obj
def report(settings: Settings, targets: tuple[str, ...], labels: tuple[str, ...], folder: Path | None, mail: bool) -> None:
    """Write one self-contained HTML file that shows where the targets stand, and print its path. No server is asked.

    A mail that cannot be sent stays owed: whoever delivers alerts (check, daemon, alerts retry) tries it again.
    """
    settings.configure_logging()
    from auditor import publish

    with opened(settings) as app:
        chosen = app.select(targets, parse_labels(labels))
        if mail and not app.report_channels:
            raise UsageError(f"{app.config.file}: no mail channel asks for the report", hint="give one `report: attached` (docs/alerts.md)")
        shown = app.view(chosen)
        path = publish.write_report(shown, folder or app.config.report_folder)
        click.echo(path)
        if not mail:
            return
        if not app.mail_report(path, shown, chosen):
            click.echo("mail: this report was mailed today already", err=True)
        paid = app.deliver()
        if paid.retried or paid.parked:
            click.echo(f"mail: {paid.retried + paid.parked} messages not delivered; `auditor alerts list` says why", err=True)
