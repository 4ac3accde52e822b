"""`auditor report`: the report from what is recorded, in any format."""

from pathlib import Path

import click

from auditor.cli.common import FORMAT_NAMES, Settings, label_option, opened, parse_labels, print_bytes
from auditor.errors import UsageError

STDOUT = Path("-")


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@label_option
@click.option("--format", "forms", type=click.Choice(FORMAT_NAMES), multiple=True, help="Default html. Repeatable.")
@click.option(
    "-o",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, allow_dash=True),
    help="The folder to write into (else the configured one); - prints one format on stdout.",
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the formats json and ndjson instead.")
@click.pass_obj
def report(settings: Settings, targets: tuple[str, ...], labels: tuple[str, ...], forms: tuple[str, ...], folder: Path | None, schema: bool) -> None:
    """Write one self-contained HTML file that shows where the targets stand, and print its path. No server is asked.

    With --format it is written in that format instead, or in several.
    """
    settings.configure_logging()
    if schema:
        from auditor.report.schema import schema_text

        click.echo(schema_text(), nl=False)
        return
    wanted = tuple(dict.fromkeys(forms)) or ("html",)
    if folder == STDOUT and len(wanted) > 1:
        raise UsageError("-o -: stdout takes one format", hint="-o FOLDER takes several")
    from auditor import publish

    with opened(settings) as app:
        chosen = app.select(targets, parse_labels(labels))
        if folder == STDOUT:
            print_bytes(publish.render(app.view(chosen), wanted[0]))
            return
        for path in publish.write_reports(app.view(chosen), folder or app.config.report_folder, wanted):
            click.echo(path)
