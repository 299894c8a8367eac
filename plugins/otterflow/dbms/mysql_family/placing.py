"""How the benchmark's database gives way to a new one, and how it comes back: at no moment is none of them whole.

What had the name waits in a database beside it. All tables, the mark's own among them, change places in one statement.
"""

from __future__ import annotations

import time

from otterflow.dbms.mysql_family import database, definitions
from otterflow.dbms.mysql_family.client import time_limit_sql
from otterflow.dbms.mysql_family.marks import mark, state
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.values import Query, StatementRefused
from otterflow.errors import MachineryFault

LOADING = "loading"
NO_SUCH_SESSION = "1094"
IN_USE = frozenset({"1205", "1213", "1969"})
"""The errors of a table that somebody uses."""


def set_aside(query: Query, name: str) -> None:
    """An empty database of the name, marked as loading; what had the name waits in another, to be dropped later.

    Raises MachineryFault, with the database as it was, where somebody keeps using its tables.
    """
    _take_time(query)
    new, old = database.beside(name)
    query(database.drop_sql(new))
    found = state(query, name)
    if found.fingerprint == LOADING and state(query, old).exists:
        _empty(query, name)  # what is aside is older, and whole
        return
    _finish_putting_back(query, name, old)
    query(database.drop_sql(old))
    if not found.exists:
        query(database.create_sql(name))
        mark(query, name, LOADING, fresh=False)
        return
    for place in (new, old):
        query(database.create_sql(place))
    mark(query, new, LOADING, fresh=False)
    definitions.keep(query, name, old)
    try:
        _move(query, name, [(name, old), (new, name)])
    except MachineryFault:
        _finish_putting_back(query, name, old)
        raise
    query(database.drop_sql(new))


def keep_loaded(query: Query, name: str, fingerprint: str) -> None:
    """Mark what was loaded, and drop what waited beside it."""
    _take_time(query)
    mark(query, name, fingerprint, fresh=True)
    for other in database.beside(name):
        query(database.drop_sql(other))


def put_back(query: Query, name: str) -> None:
    """The former database back in its place, or, where there was none, nothing."""
    _take_time(query)
    new, old = database.beside(name)
    query(database.drop_sql(new))
    if state(query, name).fingerprint == LOADING and state(query, old).exists:
        query(database.create_sql(new))
        _move(query, name, [(name, new), (old, name)])
        query(database.drop_sql(new))
    _finish_putting_back(query, name, old)


def _take_time(query: Query) -> None:
    """DROP and RENAME take as long as the disk takes, but wait for nobody."""
    query(time_limit_sql(0))
    query(f"SET SESSION lock_wait_timeout = {database.LOCK_WAIT_S}")


def _empty(query: Query, name: str) -> None:
    """Drop all that a load has left in a database, but its mark."""
    _end_sessions(query, name)
    definitions.drop(query, name)
    query("SET SESSION foreign_key_checks = 0")
    for table in _tables(query, name):
        if table != database.MARK_TABLE:
            query(f"DROP TABLE IF EXISTS {identifier(name)}.{identifier(table)}")
    query("SET SESSION foreign_key_checks = 1")


def _finish_putting_back(query: Query, name: str, old: str) -> None:
    """Where the tables are back and the definitions are still aside: make those, and drop what is aside."""
    if _tables(query, old) == [database.KEPT_TABLE]:
        definitions.make_anew(query, old, name)
        query(database.drop_sql(old))


def _tables(query: Query, name: str) -> list[str]:
    return [str(row["name"]) for row in query(database.TABLES_SQL, (name,))]


def _move(query: Query, name: str, ways: list[tuple[str, str]]) -> None:
    """All tables of each way's first database to its second, in one statement; what is kept there stays.

    What of database `name` cannot be moved, and would keep its tables from it, is dropped before.
    """
    for pause_s in (1, 1, 1, 1, 0):
        moves = [
            (source, table, goal)
            for source, goal in ways
            for table in _tables(query, source)
            if table != database.KEPT_TABLE
        ]
        try:
            _end_sessions(query, name)
            definitions.drop(query, name)
            query(database.move_sql(moves))
            return
        except StatementRefused as error:
            if error.code not in IN_USE:
                raise
            reason = error
            time.sleep(pause_s)
    raise MachineryFault(f"database {name!r} could not be replaced, and its tables are where they were: {reason}")


def _end_sessions(query: Query, name: str) -> None:
    for row in query(database.SESSIONS_SQL, (name,)):
        try:
            query(f"KILL {int(row['id'])}")
        except StatementRefused as error:
            if error.code != NO_SUCH_SESSION:
                raise
