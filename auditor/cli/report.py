"""`auditor report`: the HTML report from what is recorded."""

from pathlib import Path

import click

from auditor.cli.common import Settings, label_option, opened, parse_labels


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("-o", "folder", type=click.Path(path_type=Path, file_okay=False), help="The folder to write into (else the configured one).")
@click.pass_obj
def report(settings: Settings, targets: tuple[str, ...], labels: tuple[str, ...], folder: Path | None) -> None:
    """Write one self-contained HTML file that shows where the targets stand, and print its path. No server is asked."""
    settings.configure_logging()
    from auditor import publish

    with opened(settings) as app:
        chosen = app.select(targets, parse_labels(labels))
        click.echo(publish.write_report(app.view(chosen), folder or app.config.report_folder))
