"""Which run holds an experiment, which one it has named to go on, which one opened it; and which server a target is.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; an experiment under way is in no run's hands until its next task takes it."""
    for column in ("run", "heir", "opened_by"):
        op.add_column("experiments", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    op.add_column("targets", sa.Column("identity", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
