"""The class of a statement in PostgreSQL's spelling; the server's own name for it is its `query_id`."""

from __future__ import annotations

from otterflow.dbms.postgresql.statements.tokens import tokens
from otterflow.dbms.statements import classes


def normalised(text: str) -> str:
    """The text without comments and values: `SELECT * FROM t WHERE a IN (1, 2)` is `select * from t where a in (?)`."""
    return classes.shape_of(tokens(text))


def fingerprint(text: str) -> str:
    """Sixteen characters that are the same for all statements with the same normalised text."""
    return classes.print_of(normalised(text))


class Classes(classes.Classes):
    """The classes of statements in PostgreSQL's spelling."""

    def _shape(self, text: str) -> str:
        return normalised(text)
