"""What is computed from trials by `model_refresh`: rankings, pruned metrics, fitted hyperparameters.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "models",
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope IN ('experiment', 'workload', 'all')", name=op.f("ck_models_scope")),
        sa.CheckConstraint("kind IN ('ranking', 'pruning', 'surrogate')", name=op.f("ck_models_kind")),
        sa.CheckConstraint(
            "(scope = 'experiment') = (experiment_id IS NOT NULL)", name=op.f("ck_models_experiment_id")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_models_experiment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scope", "subject", "kind", name=op.f("pk_models")),
    )


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
