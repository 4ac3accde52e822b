"""`auditor show`: where one target stands, by what is recorded."""

import click

from auditor.cli.check import parse_outputs, put_out
from auditor.cli.common import Settings, opened


@click.command()
@click.argument("target")
@click.option("--output", "outputs", multiple=True, metavar="FORMAT=PATH", help="Write text, json or html; PATH - is stdout.")
@click.pass_obj
def show(settings: Settings, target: str, outputs: tuple[str, ...]) -> None:
    """Show the newest observation of TARGET, its profile and its findings. No server is asked."""
    settings.configure_logging()
    wanted = parse_outputs(outputs)
    with opened(settings) as app:
        put_out(app.view(app.select([target], {})), wanted)
