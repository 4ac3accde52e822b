"""`auditor daemon`: the same on schedule."""

import logging
import os

import click

from auditor.cli.common import Settings, opened


@click.command()
@click.pass_obj
def daemon(settings: Settings) -> None:
    """Read every target on its schedule and write the report on its own, until SIGTERM or Ctrl-C."""
    settings.configure_logging(default=logging.INFO)
    from auditor.daemon import serve

    with opened(settings) as app:
        all_ended = serve(app)
    if not all_ended:
        # The interpreter would wait for them, beyond the grace period. What they would record is one transaction, there or not there.
        logging.shutdown()
        os._exit(0)
