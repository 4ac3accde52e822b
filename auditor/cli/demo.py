"""`auditor demo`: a week in the life of three simulated servers."""

import logging
from pathlib import Path

import click

from auditor.cli.common import Settings


@click.command()
@click.option("-o", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("demo"), show_default=True, help="Where to write.")
@click.pass_obj
def demo(settings: Settings, folder: Path) -> None:
    """Start a simulated Keyfactor Command on this machine, audit it through a week of drift, and write the report."""
    settings.configure_logging(default=logging.ERROR)
    from auditor.demo import tell

    for line in tell(folder):
        click.echo(line)
