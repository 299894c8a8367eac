"""What lists show of many experiments is found without reading the experiments whole.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from otterflow.repository.records import headline_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and fill it from the results that there are; add the indexes."""
    op.add_column("experiments", sa.Column("headline", sa.JSON(none_as_null=True)))
    experiments = sa.table(
        "experiments",
        sa.column("id", sa.Integer()),
        sa.column("outcome", sa.JSON(none_as_null=True)),
        sa.column("headline", sa.JSON(none_as_null=True)),
    )
    connection = op.get_bind()
    ended = connection.scalars(sa.select(experiments.c.id).where(experiments.c.outcome.is_not(None))).all()
    for number in ended:  # one at a time: a result is large
        own = experiments.c.id == number
        outcome = connection.scalar(sa.select(experiments.c.outcome).where(own))
        connection.execute(sa.update(experiments).where(own).values(headline=headline_of(outcome)))
    op.create_index(op.f("ix_experiments_opened_by_target"), "experiments", ["opened_by", "target"])
    op.create_index(op.f("ix_experiments_target"), "experiments", ["target"])


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
