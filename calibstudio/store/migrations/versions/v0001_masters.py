"""The first tables: masters with inputs, decisions, corrections, regroupings and hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _masters()
    op.create_table(
        "master_inputs",
        sa.Column("master_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("observed_us", sa.BigInteger(), nullable=True),
        sa.Column("exposure_s", sa.Double(), nullable=True),
        sa.Column("sensor_temp_c", sa.Double(), nullable=True),
        sa.Column("level_adu", sa.Double(), nullable=True),
        sa.Column("scale", sa.Double(), nullable=True),
        sa.Column("rejected_fraction", sa.Double(), nullable=True),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["master_id"],
            ["masters.id"],
            name="fk_master_inputs_master_id_masters",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("master_id", "ordinal", name="pk_master_inputs"),
    )
    op.create_index("ix_master_inputs_sha256", "master_inputs", ["sha256"])
    op.create_table(
        "master_used",
        sa.Column("master_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["master_id"],
            ["masters.id"],
            name="fk_master_used_master_id_masters",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("master_id", "ordinal", name="pk_master_used"),
    )
    op.create_index("ix_master_used_sha256", "master_used", ["sha256"])
    _by_hand()


def _masters() -> None:
    op.create_table(
        "masters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("camera", sa.Text(), nullable=True),
        sa.Column("filter", sa.Text(), nullable=True),
        sa.Column("exposure_s", sa.Double(), nullable=True),
        sa.Column("gain", sa.Double(), nullable=True),
        sa.Column("offset_setting", sa.Double(), nullable=True),
        sa.Column("set_temp_c", sa.Double(), nullable=True),
        sa.Column("sensor_temp_c", sa.Double(), nullable=True),
        sa.Column("binning", sa.String(20), nullable=True),
        sa.Column("night", sa.Date(), nullable=True),
        sa.Column("n_frames", sa.Integer(), nullable=False),
        sa.Column("n_combined", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(20), nullable=False),
        sa.Column("bias_subtracted", sa.Boolean(), nullable=False),
        sa.Column("dark_subtracted", sa.Boolean(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=True),
        sa.Column("last_us", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(4), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("key_json", sa.Text(), nullable=False),
        sa.Column("values_json", sa.Text(), nullable=False),
        sa.Column("assessment_json", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("added_us", sa.BigInteger(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("file_mtime_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_masters"),
        sa.UniqueConstraint("sha256", name="uq_masters_sha256"),
    )
    for column in ("kind", "camera", "night", "state", "added_us"):
        op.create_index(f"ix_masters_{column}", "masters", [column])


def _by_hand() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_sha256", "decisions", ["sha256"])
    op.create_table(
        "header_corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("word", sa.String(40), nullable=False),
        sa.Column("value_json", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_header_corrections"),
        sa.UniqueConstraint("path", "file_bytes", "word", name="uq_header_corrections_path"),
    )
    op.create_table(
        "regroupings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("detail_json", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_regroupings"),
        sa.UniqueConstraint("path", "file_bytes", "what", name="uq_regroupings_path"),
    )
    op.create_table(
        "file_hashes",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("file_mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_file_hashes"),
    )


def downgrade() -> None:
    """Remove the tables."""
    for table in (
        "file_hashes",
        "regroupings",
        "header_corrections",
        "decisions",
        "master_used",
        "master_inputs",
        "masters",
    ):
        op.drop_table(table)
