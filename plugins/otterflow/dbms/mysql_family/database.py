"""The SQL of a whole database: what is in it, and putting another in its place.

No statement renames a database, but one statement moves any number of tables from database to database, all or none of
them, and after a crash, too: `RENAME TABLE` (MariaDB 10.6 and MySQL 8.0: https://mariadb.com/kb/en/atomic-ddl/,
https://dev.mysql.com/doc/refman/8.4/en/atomic-ddl.html). Views, triggers, routines and events cannot be moved; what is
to be kept of them is kept as its definition (`definitions`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from otterflow.dbms.mysql_family.quoting import identifier, literal

MARK_TABLE = "otterflow_data"
"""The table whose comment says what otterflow has loaded into its database; empty."""
KEPT_TABLE = "otterflow_definitions"
"""The table that has the definitions of what could not be moved along."""
MARK = "otterflow data"
"""How the comment begins: only databases that bear it, beside empty ones, are dropped."""
NAME_LENGTH = 64
LOCK_WAIT_S = 5
"""How long a statement waits for sessions that use a table, which were ended before."""

STATE_SQL = f"""
SELECT s.SCHEMA_NAME AS name, t.TABLE_COMMENT AS comment
  FROM information_schema.SCHEMATA s
  LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND t.TABLE_NAME = {literal(MARK_TABLE)}
 WHERE s.SCHEMA_NAME = %(name)s
   AND (@@lower_case_table_names <> 0 OR CAST(s.SCHEMA_NAME AS BINARY) = CAST(%(name)s AS BINARY))
"""  # noqa: S608 a constant
"""The comment on the mark's table, NULL without it; no row where there is no such database.

information_schema compares without regard to case, whatever the file system does.
"""

TABLES_SQL = """
SELECT TABLE_NAME AS name FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = %s AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') ORDER BY TABLE_NAME
"""
"""Everything that RENAME TABLE moves: tables, with system versioning too, and MariaDB's sequences."""

SESSIONS_SQL = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = %s AND ID <> CONNECTION_ID()"

SIZE_SQL = """
SELECT coalesce(sum(DATA_LENGTH + INDEX_LENGTH + DATA_FREE), 0) AS bytes
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s
"""
FRESH_STATISTICS_SQL = "SET @otterflow = 0 /*!80000 , SESSION information_schema_stats_expiry = 0 */"
"""MySQL 8 gives sizes of up to a day ago otherwise. MariaDB reads no comment of MySQL's of that version."""

OBJECTS_SQL = f"""
SELECT (SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'VIEW'
           AND TABLE_NAME <> {literal(MARK_TABLE)}) AS tables,
       (SELECT count(*) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE())
       + (SELECT count(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE())
       + (SELECT count(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()) AS others
"""  # noqa: S608 a constant
"""What users have made in the database that is connected to."""


def state_of(comment: str | None) -> list[str]:
    """The words of a mark; none where it is not otterflow's."""
    words = (comment or "").split()
    return words if words[:2] == MARK.split() and len(words) == 4 else []


def mark_text(fingerprint: str, word: str) -> str:
    """The comment of a mark. Raises ValueError for a fingerprint that is more than a word."""
    if len(fingerprint.split()) != 1 or "'" in fingerprint or "\\" in fingerprint:
        raise ValueError(f"a fingerprint is one word, and {fingerprint!r} is not")
    return f"{MARK} {fingerprint} {word}"


def make_mark_sql(database: str, text: str) -> str:
    """Make the mark's table with that mark."""
    table = f"{identifier(database)}.{identifier(MARK_TABLE)}"
    return f"CREATE TABLE {table} (nothing INT) ENGINE = InnoDB COMMENT = {literal(text)}"


def set_mark_sql(database: str) -> str:
    """The head of the statement that puts another mark on the mark's table, which is there; its data stay."""
    return f"ALTER TABLE {identifier(database)}.{identifier(MARK_TABLE)} COMMENT ="


def drop_sql(database: str) -> str:
    """Drop a database if it is there."""
    return f"DROP DATABASE IF EXISTS {identifier(database)}"


def create_sql(database: str) -> str:
    """Make an empty database, with the server's own character set."""
    return f"CREATE DATABASE {identifier(database)}"


def move_sql(moves: Iterable[tuple[str, str, str]]) -> str:
    """One statement that moves tables: each from a database, by its name, to a database."""
    steps = [
        f"{identifier(source)}.{identifier(table)} TO {identifier(goal)}.{identifier(table)}"
        for source, table, goal in moves
    ]
    return f"RENAME TABLE {', '.join(steps)}"


def beside(database: str) -> tuple[str, str]:
    """The names of the database that is to take the place of `database`, and of the one whose place it took."""
    new, old = f"{database}_otterflow_new", f"{database}_otterflow_old"
    if len(new) > NAME_LENGTH:
        digest = hashlib.sha256(database.encode()).hexdigest()[:16]
        new, old = f"otterflow_new_{digest}", f"otterflow_old_{digest}"
    return new, old
