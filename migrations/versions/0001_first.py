"""The first tables: documents by digest, judgements by key, targets and what is remembered of them, observations.

Written out, not taken from `auditor.store.tables`: a migration says what the tables were on its day. There is no way down; a backup is that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("snapshots", "policies", "findings", "contexts", "remarks", "changes"):
        op.create_table(
            name,
            sa.Column("id", _ID, nullable=False),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.Column("document", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
            sa.UniqueConstraint("digest", name=f"uq_{name}_digest"),
        )
    op.create_table(
        "targets",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_targets"),
        sa.UniqueConstraint("name", name="uq_targets_name"),
    )
    op.create_table(
        "memories",
        sa.Column("target_id", _ID, autoincrement=False, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("api_version", sa.SmallInteger()),
        sa.Column("product_version", sa.Text()),
        sa.Column("denied_as", sa.SmallInteger()),
        sa.Column("denied_at", sa.BigInteger()),
        sa.Column("denied_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("target_id", name="pk_memories"),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_memories_target_id"),
    )
    op.create_table(
        "judgements",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("policy_id", _ID, nullable=False),
        sa.Column("findings_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_judgements"),
        sa.UniqueConstraint("key", name="uq_judgements_key"),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name="fk_judgements_policy_id"),
        sa.ForeignKeyConstraint(["findings_id"], ["findings.id"], name="fk_judgements_findings_id"),
    )
    op.create_table(
        "observations",
        sa.Column("id", _ID, nullable=False),
        sa.Column("target_id", _ID, nullable=False),
        sa.Column("slot", sa.BigInteger()),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("took_us", sa.BigInteger(), nullable=False),
        sa.Column("server_date_after_us", sa.BigInteger()),
        sa.Column("clock_offset_ms", sa.BigInteger()),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("verdict", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("body_bytes", sa.BigInteger()),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("snapshot_id", _ID),
        sa.Column("judgement_id", _ID, nullable=False),
        sa.Column("context_id", _ID, nullable=False),
        sa.Column("remark_id", _ID),
        sa.Column("changes_id", _ID),
        sa.Column("previous_id", _ID),
        sa.PrimaryKeyConstraint("id", name="pk_observations"),
        sa.CheckConstraint("(outcome < 2) = (snapshot_id IS NOT NULL)", name=op.f("ck_observations_observed_has_snapshot")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_observations_target_id"),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name="fk_observations_snapshot_id"),
        sa.ForeignKeyConstraint(["judgement_id"], ["judgements.id"], name="fk_observations_judgement_id"),
        sa.ForeignKeyConstraint(["context_id"], ["contexts.id"], name="fk_observations_context_id"),
        sa.ForeignKeyConstraint(["remark_id"], ["remarks.id"], name="fk_observations_remark_id"),
        sa.ForeignKeyConstraint(["changes_id"], ["changes.id"], name="fk_observations_changes_id"),
    )
    op.create_index("ix_observations_target_id_id", "observations", ["target_id", "id"])
    moved = sa.text("changes_id IS NOT NULL")
    op.create_index("ix_observations_moved", "observations", ["target_id", "id"], sqlite_where=moved)
