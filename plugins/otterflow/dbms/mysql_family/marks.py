"""Otterflow's mark on a database: the comment on a table of its own there, for a database has none in every product."""

from __future__ import annotations

from otterflow.dbms.mysql_family import database
from otterflow.dbms.mysql_family.quoting import identifier, literal
from otterflow.dbms.values import DataState, Query

FRESH, USED = "fresh", "used"


def state(query: Query, name: str) -> DataState:
    """What otterflow's mark on the database says."""
    rows = query(database.STATE_SQL, {"name": name})
    if not rows:
        return DataState()
    words = database.state_of(rows[0]["comment"])
    if not words:
        return DataState(exists=True)
    return DataState(exists=True, fingerprint=words[2], fresh=words[3] == FRESH, ours=True)


def mark(query: Query, name: str, fingerprint: str, *, fresh: bool) -> None:
    """Put the mark on the database."""
    text = database.mark_text(fingerprint, FRESH if fresh else USED)
    there = query(database.STATE_SQL, {"name": name})
    is_marked = bool(there) and there[0]["comment"] is not None
    query(f"{database.set_mark_sql(name)} {literal(text)}" if is_marked else database.make_mark_sql(name, text))


def unmark(query: Query, name: str) -> None:
    """Take the mark off."""
    query(f"DROP TABLE IF EXISTS {identifier(name)}.{identifier(database.MARK_TABLE)}")
