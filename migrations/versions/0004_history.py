"""History: drift events, what each target owed and what nobody read, former names, and the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "configurations",
        sa.Column("id", _ID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_configurations"),
        sa.UniqueConstraint("digest", name="uq_configurations_digest"),
    )
    with op.batch_alter_table("targets") as table:
        table.add_column(sa.Column("settled_until", sa.BigInteger()))
    with op.batch_alter_table("memories") as table:
        table.add_column(sa.Column("pam_denied_until", sa.BigInteger()))
    for name, columns in (
        ("former_names", (sa.Column("name", sa.Text(), nullable=False), sa.Column("until", sa.BigInteger(), nullable=False))),
        ("terms", (sa.Column("since", sa.BigInteger(), nullable=False), sa.Column("document", sa.Text(), nullable=False))),
        (
            "gaps",
            (
                sa.Column("first", sa.BigInteger(), nullable=False),
                sa.Column("last", sa.BigInteger(), nullable=False),
                sa.Column("count", sa.BigInteger(), nullable=False),
                sa.Column("because", sa.Text(), nullable=False),
                sa.Column("recorded_at", sa.BigInteger(), nullable=False),
            ),
        ),
    ):
        op.create_table(
            name,
            sa.Column("id", _ID, nullable=False),
            sa.Column("target_id", _ID, nullable=False),
            *columns,
            sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
            sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=f"fk_{name}_target_id"),
        )
        op.create_index(f"ix_{name}_target_id", name, ["target_id"])
    op.create_index("ix_former_names_name", "former_names", ["name"])
    op.create_table(
        "events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("target_id", _ID, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger()),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("ended_after", sa.BigInteger()),
        sa.Column("ended_by", sa.BigInteger()),
        sa.Column("opened_id", _ID, nullable=False),
        sa.Column("ended_id", _ID),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("attribution", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_events_target_id"),
    )
    op.create_index("ix_events_target_id_id", "events", ["target_id", "id"])
    op.create_index("uq_events_open", "events", ["target_id", "subject"], unique=True, sqlite_where=sa.text("state = 0"))
    op.create_table(
        "ledger",
        sa.Column("seq", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("ref", _ID),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("link", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger"),
    )
    op.create_table(
        "records",
        sa.Column("seq", _ID, autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_records"),
        sa.ForeignKeyConstraint(["seq"], ["ledger.seq"], name="fk_records_seq"),
    )
    for act in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER ledger_refuse_{act.lower()} BEFORE {act} ON ledger BEGIN SELECT RAISE(ABORT, 'ledger are append-only'); END")
