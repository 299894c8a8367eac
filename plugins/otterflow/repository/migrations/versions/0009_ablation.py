"""Trials of kind `ablation`: the winner with some of its knobs sent home.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = "'baseline', 'rules', 'design', 'model', 'reference'"
NAME = "ck_trials_kind"


def upgrade() -> None:
    """Let the table take the kind.

    SQLite cannot alter a constraint. Making the table anew would drop it, and with it, by the foreign keys that are on,
    all that belongs to its rows. So the constraint's text is changed in the schema, as SQLite's manual has it for
    changes that do not touch what is stored (https://www.sqlite.org/lang_altertable.html, section 7).
    """
    wider = f"{KINDS}, 'ablation'"
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f(NAME), "trials", type_="check")
        op.create_check_constraint(op.f(NAME), "trials", f"kind IN ({wider})")
        return
    table = "FROM sqlite_schema WHERE type = 'table' AND name = 'trials'"
    written = str(connection.exec_driver_sql(f"SELECT sql {table}").scalar())
    if f"({KINDS})" not in written:
        raise RuntimeError(f"the table 'trials' of the repository has other kinds than {KINDS}: {written}")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = 'trials'",
        (written.replace(f"({KINDS})", f"({wider})"),),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {int(version or 0) + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def downgrade() -> None:
    """Absent on purpose: going back is restoring the backup made before the upgrade (docs/repository.md)."""
    raise NotImplementedError("the repository is not downgraded; restore the backup made before the upgrade")
