"""`auditor report`: the HTML report on a period, from what is recorded."""

from pathlib import Path

import click

from auditor.cli.common import Settings, label_option, opened, parse_labels


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("--period", default="", help="2026-W47, last-week, 2026-11, 2026-11-24, A..B, ... (else the seven days to today).")
@click.option("-o", "folder", type=click.Path(path_type=Path, file_okay=False), help="The folder to write into (else the configured one).")
@click.pass_obj
def report(settings: Settings, targets: tuple[str, ...], labels: tuple[str, ...], period: str, folder: Path | None) -> None:
    """Write one self-contained HTML file on a period: where the targets stood at its end, and what changed within it. Prints its path.

    `index.html` beside it lists all reports. No server is asked; the same data gives the same file.
    """
    settings.configure_logging()
    with opened(settings) as app:
        click.echo(app.write_report(targets, parse_labels(labels), asked=period, folder=folder))
