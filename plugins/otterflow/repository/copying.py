"""Copies a repository into an empty one, for instance from the embedded SQLite file to PostgreSQL."""

from __future__ import annotations

from sqlalchemy import URL, Table, exists, func, insert, select
from sqlalchemy.orm import Session

from otterflow.errors import InvalidInput, Problem
from otterflow.repository.database import Database
from otterflow.repository.migrating import migrate
from otterflow.repository.tables import Base

BATCH_ROWS = 1000


def copy_repository(source: str | URL, destination: str | URL) -> dict[str, int]:
    """Copy every row of `source` into `destination`, in one transaction; how many, by table.

    Both are brought up to date first. Raises InvalidInput if the destination holds anything, and RepositoryUnavailable
    if one of them cannot be reached; the destination is empty then. Nothing may write to the source meanwhile, or the
    copy lacks it.
    """
    old, new = Database(source), Database(destination)
    for database in (old, new):
        migrate(database)
    with new.write() as into:
        _raise_unless_empty(into, new)
        with old.read() as out:
            copied = {table.name: _copy_table(out, into, table) for table in Base.metadata.sorted_tables}
        if not new.is_sqlite:
            _advance_sequences(into)
    return copied


def _raise_unless_empty(session: Session, database: Database) -> None:
    filled = [table.name for table in Base.metadata.sorted_tables if session.scalar(select(exists(select(table))))]
    if filled:
        found = f"{database.name} is not empty: rows in {', '.join(filled)}"
        raise InvalidInput(Problem("destination", found, "give a database without a repository, or with an empty one"))


def _copy_table(out: Session, into: Session, table: Table) -> int:
    rows = out.execute(select(table).execution_options(yield_per=BATCH_ROWS)).mappings()
    copied = 0
    for batch in rows.partitions():
        into.execute(insert(table), [dict(row) for row in batch])
        copied += len(batch)
    return copied


def _advance_sequences(session: Session) -> None:
    """Let PostgreSQL's next id come after the highest that was copied."""
    for table in Base.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            session.execute(select(func.setval(sequence, func.coalesce(func.max(column), 0) + 1, False)))
