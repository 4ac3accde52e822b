"""`auditor report`: the report on a period, from what is recorded, in any format."""

from pathlib import Path

import click

from auditor.cli.common import FORMAT_NAMES, Settings, label_option, opened, parse_labels, print_bytes
from auditor.errors import UsageError

STDOUT = Path("-")


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("--period", default="", help="2026-W47, last-week, 2026-11, 2026-11-24, A..B, ... (else the seven days to today).")
@click.option("--format", "forms", type=click.Choice(FORMAT_NAMES), multiple=True, help="Default html, also for -o -. Repeatable.")
@click.option(
    "-o",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, allow_dash=True),
    help="The folder to write into (else the configured one); - prints one format on stdout.",
)
@click.option("--mail", is_flag=True, help="Mail the HTML report to the channels that ask for it, once a day as long as it says the same.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the formats json and ndjson instead.")
@click.pass_obj
def report(
    settings: Settings,
    targets: tuple[str, ...],
    labels: tuple[str, ...],
    period: str,
    forms: tuple[str, ...],
    folder: Path | None,
    mail: bool,
    schema: bool,
) -> None:
    """Write one self-contained HTML file on a period: where the targets stood at its end, and what changed within it. Prints its path.

    With --format it is written in that format instead, or in several: where the targets stood at the period's end, result by result (without
    --period, and in one that goes on: where they stand now). `index.html` lists all HTML reports of the folder. No server is asked; the same data
    gives the same file. What is mailed is the HTML report. A mail that cannot be sent stays owed: whoever delivers alerts (check, daemon, alerts
    retry) tries it again.
    """
    settings.configure_logging()
    if schema:
        from auditor.report.schema import schema_text

        click.echo(schema_text(), nl=False)
        return
    wanted, wished = tuple(dict.fromkeys(forms)) or ("html",), parse_labels(labels)
    if folder == STDOUT and (len(wanted) > 1 or mail):
        raise UsageError("-o -: stdout takes one format, and no mail", hint="-o FOLDER takes several")
    if mail and "html" not in wanted:
        raise UsageError("--mail: the HTML report is what is mailed", hint="add --format html")
    with opened(settings) as app:
        if mail and not app.report_channels:
            raise UsageError(f"{app.config.file}: no mail channel asks for the report", hint="give one `report: attached` (docs/alerts.md)")
        if folder == STDOUT:
            print_bytes(app.report_bytes(targets, wished, asked=period, form=wanted[0]))
            return
        paths, edition = app.write_reports(targets, wished, asked=period, folder=folder, forms=wanted)
        for path in paths.values():
            click.echo(path)
        if not mail or edition is None:
            return
        if not app.mail_report(paths["html"], edition):
            click.echo("mail: this report was mailed today already", err=True)
        paid = app.deliver()
        if paid.retried or paid.parked:
            click.echo(f"mail: {paid.retried + paid.parked} messages not delivered; `auditor alerts list` says why", err=True)
