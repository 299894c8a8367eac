"""What an experiment's files said when it began, for how long it ran, and why it made no further trial.

What was kept of a server's settings also loses those that may hold secrets; from here on they are not read any more.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


LISTED = {
    "archive_cleanup_command", "archive_command", "primary_conninfo", "recovery_end_command", "restore_command",
    "ssl_passphrase_command",
}  # fmt: skip
SUSPICIOUS = re.compile("passw|passphrase|secret|token|credential|conninfo|apikey|api_key|private_key|salt")


def upgrade() -> None:
    """Make the tables and add the columns; without making `experiments` anew, which would take its trials along."""
    op.create_table(
        "definitions",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_definitions")),
    )
    op.create_table(
        "experiment_files",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "kind IN ('target', 'benchmark', 'catalog', 'texts')", name=op.f("ck_experiment_files_kind")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_experiment_files_experiment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["hash"], ["definitions.hash"], name=op.f("fk_experiment_files_hash")),
        sa.PrimaryKeyConstraint("experiment_id", "kind", name=op.f("pk_experiment_files")),
    )
    op.add_column("experiments", sa.Column("ran_s", sa.Double(), server_default="0", nullable=False))
    op.add_column("experiments", sa.Column("clock_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("experiments", sa.Column("finished_because", sa.Text(), server_default="", nullable=False))
    _forget_secrets()


def _forget_secrets() -> None:
    experiments = sa.table("experiments", sa.column("id", sa.Integer), sa.column("live", sa.JSON))
    connection = op.get_bind()
    for identity, live in connection.execute(sa.select(experiments.c.id, experiments.c.live)).all():
        told = {name: row for name, row in live.items() if not _may_be_secret(name, row)}
        if len(told) < len(live):
            connection.execute(sa.update(experiments).where(experiments.c.id == identity).values(live=told))


def _may_be_secret(name: str, row: dict[str, object]) -> bool:
    suspicious = name in LISTED or "." in name or SUSPICIOUS.search(name) is not None
    return suspicious and row.get("vartype") == "string"


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
