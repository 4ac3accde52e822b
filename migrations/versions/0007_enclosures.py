"""Files that go with a notice until it is delivered: the report that is mailed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "enclosures",
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("notice_id", name="pk_enclosures"),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name="fk_enclosures_notice_id"),
    )
