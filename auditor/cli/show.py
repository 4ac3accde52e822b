"""`auditor show`: where one target stands, or stood, by what is recorded."""

from datetime import datetime

import click

from auditor.cli.check import parse_outputs, put_out
from auditor.cli.common import FORMAT_NAMES, Settings, opened, say
from auditor.cli.when import parse_when


@click.command()
@click.argument("target")
@click.option("--at", "when", metavar="WHEN", help="As it was recorded by the end of that day (UTC), or by an instant with offset.")
@click.option("--output", "outputs", multiple=True, metavar="FORMAT=PATH", help=f"Write {', '.join(FORMAT_NAMES)}; PATH - is stdout.")
@click.pass_obj
def show(settings: Settings, target: str, when: str | None, outputs: tuple[str, ...]) -> int:
    """Show the newest observation of TARGET, its profile and its findings. No server is asked.

    With --at those of the last read at or before then, with the waivers in force in that read; exit code 3 where there was none.
    """
    settings.configure_logging()
    wanted = parse_outputs(outputs)
    at = parse_when(when, option="--at", ends=True) if when is not None else None
    with opened(settings) as app:
        chosen = app.select([target], {})
        if at is None:
            put_out(app.view(chosen), wanted)
            return 0
        from auditor import publish
        from auditor.audit import text_of

        shown = publish.view_at(app.store, text_of(chosen[0]), at)
        if shown is None:
            say(_unread(chosen[0].name, at, app.store.history(chosen[0].name).first_read))
            return 3
        put_out(shown, wanted)
        return 0


def _unread(target: str, at: datetime, first: datetime | None) -> str:
    from auditor.report.wording import moment

    then = f"its first read is of {moment(first)}" if first else f"`auditor check {target}` reads it"
    return f"{target} was not read by {moment(at)}; {then}"
