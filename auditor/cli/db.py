"""`auditor db`: the database and its schema."""

import click

from auditor.cli.common import Settings


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.pass_obj
def status(settings: Settings) -> int:
    """Say which database is used and whether its schema fits this edition (exit 2 where it does not)."""
    settings.configure_logging()
    from auditor.store import schema

    config = settings.load_config()
    found = schema.status(config.database_url)
    click.echo(f"database: {config.database}")
    click.echo(f"schema:   {found.current or 'none'} (this edition: {found.head}): {found.state}")
    return 0 if found.state in ("current", "missing") else 2


@db.command()
@click.pass_obj
def upgrade(settings: Settings) -> None:
    """Bring the database to this edition's schema; a copy is made beside it first."""
    settings.configure_logging()
    from auditor.store import schema

    config = settings.load_config()
    click.echo(schema.upgrade(config.database_url))
