"""Approvals and revocations: written once, and never changed or removed again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", _ID, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sa.UniqueConstraint("digest", name="uq_approvals_digest"),
    )
    op.create_index("ix_approvals_target", "approvals", ["target"])
    op.create_table(
        "revocations",
        sa.Column("approval_id", _ID, autoincrement=False, nullable=False),
        sa.Column("revoked_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("approval_id", name="pk_revocations"),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name="fk_revocations_approval_id"),
    )
    for table in ("approvals", "revocations"):
        for act in ("UPDATE", "DELETE"):
            refuse = f"SELECT RAISE(ABORT, '{table} are append-only')"
            op.execute(f"CREATE TRIGGER {table}_refuse_{act.lower()} BEFORE {act} ON {table} BEGIN {refuse}; END")
