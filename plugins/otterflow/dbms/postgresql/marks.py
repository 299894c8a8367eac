"""Otterflow's mark on a database: the first line of its comment. What a person has written of it stays beneath."""

from __future__ import annotations

from otterflow.dbms.postgresql import database
from otterflow.dbms.values import DataState, Query

FRESH, USED = "fresh", "used"


def state(query: Query, name: str) -> DataState:
    """What otterflow's mark on the database says."""
    rows = query(database.STATE_SQL, (name,))
    if not rows:
        return DataState()
    words = (rows[0]["comment"] or "").partition("\n")[0].split()
    ours = words[:2] == database.MARK.split() and len(words) == 4
    if rows[0]["invalid"] or not ours:
        return DataState(exists=True, ours=ours, broken=rows[0]["invalid"])
    return DataState(exists=True, fingerprint=words[2], fresh=words[3] == FRESH, ours=True)


def mark(query: Query, name: str, fingerprint: str, *, fresh: bool) -> None:
    """Put the mark on the database, above what a person has written of it."""
    line = f"{database.MARK} {fingerprint} {FRESH if fresh else USED}"
    written = _written_by_hand(query, name)
    query(database.comment_sql(name, f"{line}\n{written}" if written else line))


def unmark(query: Query, name: str) -> None:
    """Take the mark off, and leave what a person has written."""
    query(database.comment_sql(name, _written_by_hand(query, name) or None))


def _written_by_hand(query: Query, name: str) -> str:
    rows = query(database.STATE_SQL, (name,))
    comment = (rows[0]["comment"] if rows else None) or ""
    return str(comment.partition("\n")[2] if comment.startswith(f"{database.MARK} ") else comment)
