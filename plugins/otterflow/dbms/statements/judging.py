"""What is thought of a statement that is to be sent again, and the reasons that every DBMS has for it."""

from __future__ import annotations

from typing import NamedTuple

ADMINISTRATION = "administration"
OUTSIDE = "calls out of the database"
TWO_PHASE = "two-phase commit"
REPLICATION = "replication"
LIMITS = "sets a time limit, and the replay has its own"
UNKNOWN_TEXT = "runs a text that is not written out"
VALUES = "its values are not known"
APART = "its values are apart from its text"
DDL = "changes the schema"
TEMPORARY = "temporary table"


class Judgement(NamedTuple):
    """Why a statement is left out (None: it is sent), and what is to be told of one that is sent."""

    left_out: str | None = None
    told: str | None = None


SENT = Judgement()
