"""Waivers: what was laid over a judgement stands beside it, as a document that observations refer to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "waivers",
        sa.Column("id", _ID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_waivers"),
        sa.UniqueConstraint("digest", name="uq_waivers_digest"),
    )
    with op.batch_alter_table("observations") as table:
        table.add_column(sa.Column("waivers_id", _ID))
        table.create_foreign_key("fk_observations_waivers_id", "waivers", ["waivers_id"], ["id"])
