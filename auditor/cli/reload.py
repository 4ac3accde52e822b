"""`auditor reload`: the daemon reads configuration, policies and waivers anew."""

import click

from auditor.cli.common import Settings, opened
from auditor.errors import UsageError


@click.command()
@click.pass_obj
def reload(settings: Settings) -> None:
    """Check the configuration with its policies and waivers, then have the daemon of its database take it up, as SIGHUP does.

    Where something is wrong nothing is asked of the daemon, and it goes on as it is.
    """
    settings.configure_logging()
    from auditor import instance
    from auditor.daemon import require_sound

    with opened(settings) as app:
        require_sound(app)
        database = app.config.database
    held = instance.holder(database)
    if held is None:
        raise UsageError(f"{database}: no daemon is at work on it", hint="it reads the configuration when it is started")
    instance.ask_to_reload(database)
    click.echo(f"asked process {held.pid} on {held.host} to read {app.config.file} anew; its log says whether it did")
