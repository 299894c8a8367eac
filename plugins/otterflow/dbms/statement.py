"""One statement that a client once sent to a server, in the words that every DBMS shares.

What reads a server's own log makes these, a recording keeps them, and the replayer sends them again. This module is
shipped to the driver host: it needs the standard library of Python 3.9 and no more.
"""

from __future__ import annotations

from typing import NamedTuple


class Statement(NamedTuple):
    """A statement and what is known of it; what is not known is None.

    `at_s` are seconds from the start of the recorded interval to the start of the statement. Statements of one session
    with the same `transaction` were one transaction; None is a statement that was one by itself. `parameters` is None
    for a statement that was sent as text alone, and a tuple, perhaps empty, for one whose values were sent apart;
    `prepared` is the name that it was prepared under. Bytes that are no UTF-8 are lone surrogates, as by Python's
    `surrogateescape`. `error` is the SQLSTATE it ended with.
    """

    session: str
    at_s: float
    text: str
    transaction: int | None = None
    parameters: tuple[str | None, ...] | None = None
    prepared: str | None = None
    duration_ms: float | None = None
    rows: int | None = None
    error: str | None = None
    statement_class: str | None = None
