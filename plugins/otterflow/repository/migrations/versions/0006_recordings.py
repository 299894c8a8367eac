"""Recordings of loads: where each is kept, and its manifest.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from otterflow.repository.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "recordings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("manifest", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("removed_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
    )


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
