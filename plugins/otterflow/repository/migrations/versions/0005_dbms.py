"""Which DBMS an experiment tunes: nothing is learnt of one from another.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every experiment of before was PostgreSQL's."""
    op.add_column("experiments", sa.Column("dbms", sa.String(length=40), nullable=False, server_default="postgresql"))


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
