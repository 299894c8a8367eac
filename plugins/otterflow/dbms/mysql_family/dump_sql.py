"""The SQL of a dump and its restore: much of it makes statements, which the same client then runs."""

from __future__ import annotations

from otterflow.dbms.mysql_family.database import MARK, MARK_TABLE
from otterflow.dbms.mysql_family.quoting import identifier, literal

_TABLES = "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')"


def characters(database: str) -> str:
    """The character set of a database, as CREATE DATABASE takes it."""
    return (
        "SELECT CONCAT('CHARACTER SET ', DEFAULT_CHARACTER_SET_NAME, ' COLLATE ', DEFAULT_COLLATION_NAME)"  # noqa: S608
        f" FROM SCHEMATA WHERE SCHEMA_NAME = {literal(database)};"
    )


def mark(database: str) -> str:
    """Otterflow's mark."""
    return f"SELECT TABLE_COMMENT FROM TABLES WHERE {_of(database)} AND TABLE_NAME = {literal(MARK_TABLE)};"  # noqa: S608


def tables(database: str) -> str:
    """The names of the tables, the largest first, but the mark's."""
    return (
        f"SELECT TABLE_NAME FROM TABLES WHERE {_of(database)} AND {_TABLES} AND TABLE_NAME <> {literal(MARK_TABLE)}"  # noqa: S608
        " ORDER BY DATA_LENGTH + INDEX_LENGTH DESC;"
    )


def views(database: str) -> str:
    """The names of the views."""
    return f"SELECT TABLE_NAME FROM VIEWS WHERE {_of(database)};"  # noqa: S608


def whose(database: str) -> str:
    """Why the database is not otterflow's to replace; nothing where it is, or is not there."""
    return f"""SELECT 'is not what otterflow loaded: it has no table that says so'
  FROM SCHEMATA s LEFT JOIN TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND t.TABLE_NAME = {literal(MARK_TABLE)}
 WHERE s.SCHEMA_NAME = {literal(database)} AND coalesce(t.TABLE_COMMENT, '') NOT LIKE {literal(MARK + " %")};"""  # noqa: S608


def sessions(database: str) -> str:
    """Statements that end the sessions in a database."""
    return f"SELECT CONCAT('KILL ', ID, ';') FROM PROCESSLIST WHERE DB = {literal(database)} AND ID <> CONNECTION_ID();"  # noqa: S608


def drop_what_stays(database: str) -> str:
    """Statements that drop what no statement moves, and what would keep a table from being moved: triggers."""
    kinds = (
        ("'TRIGGER'", "TRIGGER_NAME", "TRIGGERS", "TRIGGER_SCHEMA"),
        ("'VIEW'", "TABLE_NAME", "VIEWS", "TABLE_SCHEMA"),
        ("ROUTINE_TYPE", "ROUTINE_NAME", "ROUTINES", "ROUTINE_SCHEMA"),
        ("'EVENT'", "EVENT_NAME", "EVENTS", "EVENT_SCHEMA"),
    )
    place, of = literal(f" IF EXISTS {identifier(database)}."), literal(database)
    parts = [
        f"SELECT CONCAT('DROP ', {kind}, {place}, {_quoted(name)}, ';') FROM {view} WHERE {schema} = {of}"  # noqa: S608
        for kind, name, view, schema in kinds
    ]
    return "\nUNION ALL\n".join(parts) + ";"


def swap(database: str, new: str, old: str) -> str:
    """The statement that moves all tables of `database` to `old`, and all of `new` to `database`."""
    steps = "\nUNION ALL\n".join(
        f"SELECT {number} AS number, CONCAT({literal(identifier(source) + '.')}, {_quoted('TABLE_NAME')},"  # noqa: S608
        f" {literal(f' TO {identifier(goal)}.')}, {_quoted('TABLE_NAME')}) AS step"
        f" FROM TABLES WHERE {_of(source)} AND {_TABLES}"
        for number, (source, goal) in enumerate(((database, old), (new, database)))
    )
    return f"SELECT CONCAT('RENAME TABLE ', GROUP_CONCAT(step ORDER BY number SEPARATOR ', ')) FROM (\n{steps}\n) AS s;"  # noqa: S608


def analyze(database: str) -> str:
    """Statements that make the optimizer's statistics."""
    place = literal(f"ANALYZE LOCAL TABLE {identifier(database)}.")
    return (
        f"SELECT CONCAT({place}, {_quoted('TABLE_NAME')}, ';') FROM TABLES"  # noqa: S608
        f" WHERE {_of(database)} AND TABLE_TYPE = 'BASE TABLE';"
    )


def _of(database: str) -> str:
    return f"TABLE_SCHEMA = {literal(database)}"


def _quoted(name: str) -> str:
    """SQL that puts a name in backticks."""
    return f"CONCAT('`', REPLACE({name}, '`', '``'), '`')"
