"""The first tables.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "configurations",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_configurations")),
    )
    op.create_table(
        "surroundings",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("hardware", sa.JSON(), nullable=False),
        sa.Column("catalog_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_surroundings")),
    )
    op.create_table(
        "targets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(holder IS NULL) = (held_since IS NULL)", name=op.f("ck_targets_holder")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_targets")),
    )
    op.create_table(
        "experiments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("benchmark", sa.Text(), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("stop_requested", sa.Boolean(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("space", sa.JSON(), nullable=False),
        sa.Column("baseline_hash", sa.String(length=64), nullable=True),
        sa.Column("baseline_file", sa.Text(), nullable=True),
        sa.Column("rules_hash", sa.String(length=64), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("live", sa.JSON(), nullable=False),
        sa.Column("surroundings_hash", sa.String(length=64), nullable=True),
        sa.Column("last_good_hash", sa.String(length=64), nullable=True),
        sa.Column("last_good_file", sa.Text(), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("comparison", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('created', 'preparing', 'running', 'stopping', 'finishing', 'finished', 'failed', 'stopped')",
            name=op.f("ck_experiments_state"),
        ),
        sa.ForeignKeyConstraint(["baseline_hash"], ["configurations.hash"], name=op.f("fk_experiments_baseline_hash")),
        sa.ForeignKeyConstraint(
            ["last_good_hash"], ["configurations.hash"], name=op.f("fk_experiments_last_good_hash")
        ),
        sa.ForeignKeyConstraint(["rules_hash"], ["configurations.hash"], name=op.f("fk_experiments_rules_hash")),
        sa.ForeignKeyConstraint(
            ["surroundings_hash"], ["surroundings.hash"], name=op.f("fk_experiments_surroundings_hash")
        ),
        sa.ForeignKeyConstraint(["target"], ["targets.name"], name=op.f("fk_experiments_target")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("name", name=op.f("uq_experiments_name")),
    )
    op.create_table(
        "measurements",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("comparison", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('planned', 'running', 'ok', 'crashed', 'failed', 'timed_out', 'not_applied')",
            name=op.f("ck_measurements_state"),
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_measurements_experiment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "comparison", "round", "arm", name=op.f("pk_measurements")),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("wanted_hash", sa.String(length=64), nullable=False),
        sa.Column("in_force_hash", sa.String(length=64), nullable=True),
        sa.Column("surroundings_hash", sa.String(length=64), nullable=True),
        sa.Column("objective", sa.Double(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("repeats", sa.JSON(), nullable=False),
        sa.Column("reset", sa.JSON(), nullable=False),
        sa.Column("repairs", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("log_tail", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('baseline', 'rules', 'design', 'model', 'reference')", name=op.f("ck_trials_kind")
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'running', 'ok', 'crashed', 'failed', 'timed_out', 'not_applied')",
            name=op.f("ck_trials_state"),
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_trials_attempt")),
        sa.CheckConstraint("iteration >= 0", name=op.f("ck_trials_iteration")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_trials_experiment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["in_force_hash"], ["configurations.hash"], name=op.f("fk_trials_in_force_hash")),
        sa.ForeignKeyConstraint(["surroundings_hash"], ["surroundings.hash"], name=op.f("fk_trials_surroundings_hash")),
        sa.ForeignKeyConstraint(["wanted_hash"], ["configurations.hash"], name=op.f("fk_trials_wanted_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
        sa.UniqueConstraint(
            "experiment_id", "iteration", "attempt", name=op.f("uq_trials_experiment_id_iteration_attempt")
        ),
    )
    op.create_table(
        "metrics",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.CheckConstraint("scope IN ('dbms', 'host')", name=op.f("ck_metrics_scope")),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_metrics_trial_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trial_id", "scope", "name", name=op.f("pk_metrics")),
    )
    op.create_table(
        "snapshots",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("moment", sa.String(length=20), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.CheckConstraint("moment IN ('before', 'after')", name=op.f("ck_snapshots_moment")),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_snapshots_trial_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trial_id", "moment", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "trial_seconds",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trials.id"], name=op.f("fk_trial_seconds_trial_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "task", name=op.f("pk_trial_seconds")),
    )


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
