"""The SQL of a whole database: what is in it, whose it is, and making it anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg.sql import Composed

COMMENT_SQL = """
SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = %s
"""
"""The comment on a database; no row where there is no such database."""

TABLES_SQL = """
SELECT count(*) AS tables FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
"""
"""How many tables of users' the database has that is connected to."""

TERMINATE_SQL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"

CHECKPOINT_SQL = "CHECKPOINT"

CURRENT_USER_SQL = "SELECT current_user::text AS name"


def comment_sql(database: str, text: str) -> Composed:
    """Put the comment `text` on a database."""
    from psycopg import sql

    return sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), sql.Literal(text))


def drop_sql(database: str) -> Composed:
    """Drop a database if it is there."""
    from psycopg import sql

    return sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database))


def create_sql(database: str) -> Composed:
    """Make an empty database."""
    from psycopg import sql

    return sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(database))


def first_rows_of(query: str, most: int) -> str:
    """`query` as one that gives `most` rows at most. In brackets, what is no query or two is an error."""
    return f"SELECT * FROM (\n{query}\n) AS answer LIMIT {most:d}"  # noqa: S608 the target's or benchmark's own file


def read_only_sql(timeout_s: float) -> tuple[str, ...]:
    """Statements that begin a transaction that writes nothing and in which no statement takes longer.

    The search path is PostgreSQL's own, in place of the connection's.
    """
    return (
        "BEGIN TRANSACTION READ ONLY",
        """SET LOCAL search_path = "$user", public""",
        f"SET LOCAL statement_timeout = {round(timeout_s * 1000):d}",
    )
