"""What is thought of a statement that is to be sent again, and the reasons that every DBMS has for it."""

from __future__ import annotations

from collections.abc import Iterable
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


def of_all(judgements: Iterable[Judgement]) -> Judgement:
    """Of statements that are sent together or not at all: the first reason, else what is to be told first."""
    told: str | None = None
    for judgement in judgements:
        if judgement.left_out is not None:
            return judgement
        told = told or judgement.told
    return Judgement(None, told) if told else SENT
