"""The SQL of a whole database: what is in it, whose it is, and putting another in its place.

Whatever takes a database's place is made beside it, under another name, and given the name in one transaction when it
is whole: PostgreSQL renames databases inside a transaction, though it makes and drops them outside of one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg.sql import Composed

MAINTENANCE_DATABASE = "postgres"
"""Where to be connected while the benchmark's database is dropped and made."""
MARK = "otterflow data"
"""How the comment on a database begins that otterflow loaded: the only ones, beside empty ones, that it drops."""
NAME_BYTES = 63
"""How long a name may be; PostgreSQL cuts off the rest."""

STATE_SQL = """
SELECT shobj_description(oid, 'pg_database') AS comment, datconnlimit = -2 AS invalid
  FROM pg_database WHERE datname = %s
"""
"""The comment on a database; no row where there is none. An `invalid` one was left by a DROP that was interrupted: all
that can be done with it is to drop it."""

SIZE_SQL = "SELECT pg_database_size(oid) AS bytes FROM pg_database WHERE datname = %s"

OBJECTS_SQL = """
SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'm', 'f')
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_') AS tables,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('v', 'S')
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
           AND NOT EXISTS (SELECT FROM pg_depend d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
       + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
           WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
             AND NOT EXISTS (SELECT FROM pg_depend d
                              WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
       + (SELECT count(*) FROM pg_largeobject_metadata) AS others
"""
"""What users have made in the database that is connected to: tables, and what is lost with it otherwise (views,
sequences, functions, large objects). What an extension brought counts only where it is a table."""

NO_LIMIT_SQL = "SET statement_timeout = 0"
"""For DROP, CREATE and CHECKPOINT, which take as long as the disk takes; the task has a limit of its own."""

TERMINATE_SQL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
"""End the sessions in a database. Its autovacuum workers, which only a superuser may end, give way to DROP DATABASE."""

CHECKPOINT_SQL = "CHECKPOINT"

VACUUM_OWN_SQL = r"""SELECT format('VACUUM (ANALYZE) %s', c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND pg_has_role(c.relowner, 'USAGE') \gexec
"""
"""For psql: vacuum and analyze the tables that the role owns in the database that is connected to."""

CURRENT_USER_SQL = "SELECT current_user::text AS name"


def comment_sql(database: str, text: str | None) -> Composed:
    """Put the comment `text` on a database; None for no comment."""
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


def rename_sql(database: str, name: str) -> Composed:
    """Give a database another name. Nobody may be connected to it."""
    from psycopg import sql

    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(database), sql.Identifier(name))


def beside(database: str) -> tuple[str, str]:
    """The names of the database that is to take the place of `database`, and of the one whose place it took."""
    new, old = f"{database}_otterflow_new", f"{database}_otterflow_old"
    if len(new.encode()) > NAME_BYTES:
        digest = hashlib.sha256(database.encode()).hexdigest()[:16]
        new, old = f"otterflow_new_{digest}", f"otterflow_old_{digest}"
    return new, old


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
