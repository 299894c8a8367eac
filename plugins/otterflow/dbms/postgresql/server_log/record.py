"""A record of the server's log, whatever its format was."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

CUT = "records at the end of a file that were not whole"
UNREADABLE = "records that could not be read"


class LogRecord(NamedTuple):
    """One record. `time_s` counts from 1970 in UTC; what the format or its prefix does not have is empty.

    `session_start_s` is when the session began, or None; `virtual_transaction` is like `4/17`, and `4/0` or empty
    outside of a transaction; `query` is the statement that an error's record names.
    """

    time_s: float
    session: str
    database: str
    severity: str
    message: str
    user: str = ""
    session_start_s: float | None = None
    virtual_transaction: str = ""
    sqlstate: str = ""
    detail: str = ""
    context: str = ""
    query: str = ""
    backend_type: str = ""
    query_id: str = ""


@dataclass
class Damage:
    """What of a log could not be read, by kind, and by the time of the last record before it."""

    places: Counter[tuple[str, float]] = field(default_factory=Counter)
    last_s: float = -math.inf

    def reached(self, time_s: float) -> None:
        """A record of that time was read; what is counted from now on comes after it."""
        self.last_s = time_s

    def add(self, kind: str) -> None:
        """Count one."""
        self.places[kind, self.last_s] += 1

    def between(self, start_s: float, end_s: float) -> Counter[str]:
        """How many of each kind came after the first record from `start_s` on, and before the first from `end_s` on."""
        counts: Counter[str] = Counter()
        for (kind, last_s), number in self.places.items():
            counts[kind] += number if start_s <= last_s < end_s else 0
        return +counts

    @property
    def counts(self) -> Counter[str]:
        """How many of each kind there were in all."""
        return self.between(-math.inf, math.inf)
