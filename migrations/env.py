"""Runs the migrations: on the auditor's own connection, or for a developer on `alembic -x url=sqlite:////tmp/auditor.db ...`."""

from alembic import context
from sqlalchemy import Connection

from auditor.store import schema, sqlite
from auditor.store.tables import METADATA


def migrate(connection: Connection) -> None:
    # SQLite alters a table by making a new one, which Alembic calls a batch
    context.configure(connection=connection, target_metadata=METADATA, version_table=schema.VERSION_TABLE, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    path = sqlite.file_of(context.get_x_argument(as_dictionary=True)["url"])
    sqlite.make_file(path)
    with sqlite.opened(path) as engine, engine.execution_options(writes=True).begin() as own:
        migrate(own)
