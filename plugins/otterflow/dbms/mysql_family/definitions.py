"""Views, triggers, routines and events of a database, which no statement moves: kept as their definitions, made anew.

The definitions wait in a table of the database in which the tables wait, so that whatever is interrupted, both are
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.mysql_family.database import KEPT_TABLE
from otterflow.dbms.mysql_family.quoting import identifier, literal
from otterflow.dbms.values import Query, StatementRefused

OF_DATABASE_SQL = """
SELECT 'TRIGGER' AS kind, TRIGGER_NAME AS name FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %(name)s
UNION ALL
SELECT 'VIEW', TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = %(name)s
UNION ALL
SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = %(name)s
UNION ALL
SELECT 'EVENT', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = %(name)s
"""
ALREADY_THERE = frozenset({"1050", "1304", "1359", "1537"})
"""The errors of a view, a routine, a trigger, an event that is there already."""


def keep(query: Query, name: str, place: str) -> None:
    """Write the definitions of all that cannot be moved from database `name` into database `place`."""
    kept = f"{identifier(place)}.{identifier(KEPT_TABLE)}"
    query(
        f"CREATE TABLE IF NOT EXISTS {kept} (kind VARCHAR(16), name VARCHAR(64), statement LONGTEXT, mode TEXT)"
        " CHARACTER SET utf8mb4"
    )
    query(f"DELETE FROM {kept}")  # noqa: S608 quoted
    for row in query(OF_DATABASE_SQL, {"name": name}):
        shown = query(f"SHOW CREATE {row['kind']} {identifier(name)}.{identifier(row['name'])}")[0]
        values = (row["kind"], row["name"], _statement(shown), shown.get("sql_mode", ""))
        query(f"INSERT INTO {kept} VALUES (%s, %s, %s, %s)", values)  # noqa: S608 quoted


def drop(query: Query, name: str) -> None:
    """Drop all that cannot be moved from a database."""
    for row in query(OF_DATABASE_SQL, {"name": name}):
        query(f"DROP {row['kind']} IF EXISTS {identifier(name)}.{identifier(row['name'])}")


def make_anew(query: Query, place: str, name: str) -> None:
    """Make in database `name` what is kept in database `place`; what is there already stays as it is."""
    kept = f"{identifier(place)}.{identifier(KEPT_TABLE)}"
    waiting = query(f"SELECT statement, mode FROM {kept}")  # noqa: S608 quoted
    query(f"USE {identifier(name)}")
    try:
        while waiting:  # a view may need another that comes later
            left = [row for row in waiting if not _made(query, row, last_try=False)]
            if len(left) == len(waiting):
                _made(query, left[0], last_try=True)
            waiting = left
    finally:
        query("USE information_schema")


def _made(query: Query, row: Mapping[str, Any], *, last_try: bool) -> bool:
    query(f"SET @otterflow_mode = @@sql_mode, SESSION sql_mode = {literal(row['mode'])}")
    try:
        query(row["statement"])
    except StatementRefused as error:
        if last_try:
            raise
        return error.code in ALREADY_THERE
    finally:
        query("SET SESSION sql_mode = @otterflow_mode")
    return True


def _statement(shown: Mapping[str, Any]) -> str:
    """The column of SHOW CREATE that has the statement, which each kind calls otherwise."""
    return str(next(text for column, text in shown.items() if column.lower().startswith(("create ", "sql original"))))
