"""Which of the statements that a log tells are an interval's: those that began in it, with all of their transaction."""

from __future__ import annotations

from typing import Protocol

from otterflow.dbms.statement import Statement

BEFORE = "began before the interval"
AFTER = "began after the interval"
TORN = "rest of a transaction that began before the interval"


class Session(Protocol):
    """What is kept of a session: the number of its transaction that began too early."""

    early_number: int | None


def why_outside(statement: Statement, session: Session, length_s: float) -> str | None:
    """Why the statement is not the interval's, which is `length_s` long; None where it is. It takes them in order."""
    number = statement.transaction
    if statement.at_s < 0:
        session.early_number = number
        return BEFORE
    if number is not None and number == session.early_number:
        return TORN
    return AFTER if statement.at_s >= length_s else None
