"""Alembic's entry: runs the migrations on the connection, and in the transaction, that `migrating.py` hands over."""

from __future__ import annotations

from alembic import context

from otterflow.repository.tables import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
