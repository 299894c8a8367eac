"""The file of a window's rows: one line of counts, then a row a line, its fields parted by tabs, packed by gzip.

A row has the start of the statement in seconds since 1970, its seconds, the rows sent and the rows changed
(NULL where the product does not tell), the number
of its session, its database and its text. The last two are in hexadecimal, whatever is in them. The number of a session
that is an event's has `EVENT` before it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

EVENT = "event "


class Counts(NamedTuple):
    """What the window's job has seen: the server's start, and in the window the statements that clients sent to it.

    `questions` has the end of a session as one (COM_QUIT), and no USE.
    `sessions_before` were there as the window opened, `running` are the statements that ran as it closed.
    """

    started: str
    questions: int
    sessions_before: int
    running: int


class Row(NamedTuple):
    """One row of the table. `database` is None where the session had chosen none.

    `session` tells apart the sessions of two starts of the server, too.
    """

    start_s: float
    duration_s: float
    rows_sent: int
    rows_affected: int | None
    session: str
    database: str | None
    text: str
    is_of_event: bool = False


class RowsFile:
    """The rows of one file. `unreadable` and `is_cut` are whole once all were taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts: Counts | None = None
        self.unreadable = 0
        self.is_cut = False
        self._started = ""

    def rows(self) -> Iterator[Row]:
        """In the order in which the statements ended."""
        try:
            with gzip.open(self._path, "rb") as file:
                for number, line in enumerate(file):
                    try:
                        if number == 0:
                            self.counts = _counts(line)
                            self._started = self.counts.started
                        else:
                            yield self._row(line)
                    except (ValueError, IndexError):
                        self.unreadable += 1
        except (EOFError, zlib.error, OSError):
            self.is_cut = True

    def _row(self, line: bytes) -> Row:
        start, seconds, sent, affected, session, database, text = line.rstrip(b"\n").decode("ascii").split("\t")
        return Row(
            float(start), float(seconds), int(sent),
            None if affected == "NULL" else int(affected), f"{self._started}-{session}",
            None if database == "NULL" else _text(database) or None, _text(text), session.startswith(EVENT),
        )  # fmt: skip


def _counts(line: bytes) -> Counts:
    started, *numbers = line.decode("ascii").split("\t")[:4]
    return Counts(started, int(numbers[0]), int(numbers[1]), int(numbers[2]))


def _text(in_hexadecimal: str) -> str:
    return bytes.fromhex(in_hexadecimal).decode("utf-8", "surrogateescape")
