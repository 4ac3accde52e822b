"""Checkpoints: signed heads of the ledger, and the time stamps of their signatures."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("seq", _ID, autoincrement=False, nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_checkpoints"),
        sa.ForeignKeyConstraint(["seq"], ["ledger.seq"], name="fk_checkpoints_seq"),
    )
    op.create_table(
        "stamps",
        sa.Column("seq", _ID, autoincrement=False, nullable=False),
        sa.Column("checkpoint", _ID, nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_stamps"),
        sa.ForeignKeyConstraint(["seq"], ["ledger.seq"], name="fk_stamps_seq"),
        sa.ForeignKeyConstraint(["checkpoint"], ["checkpoints.seq"], name="fk_stamps_checkpoint"),
    )
    op.create_index("ix_stamps_checkpoint", "stamps", ["checkpoint"])
    for name in ("checkpoints", "stamps"):
        for act in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {name}_refuse_{act.lower()} BEFORE {act} ON {name} BEGIN SELECT RAISE(ABORT, '{name} are append-only'); END")
