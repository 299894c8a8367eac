"""The file of a window's rows: one line of counts, then a row a line, its fields parted by tabs, packed by gzip.

A row has the start of the statement in seconds since 1970, its seconds, the rows sent and the rows changed (NULL where
the product does not tell), the number of its session, its database and its text, in two parts. The last three are in
hexadecimal, whatever is in them. The number of a session that is none of a client's has `NO_CLIENT` before it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NO_CLIENT = "no client "

LONGEST, _CHARACTER = 16_777_215, 4
"""The bytes of a MEDIUMTEXT or MEDIUMBLOB, as which the table has texts: more are cut off there, or at the start of the
character that is the first not to fit, without a mark."""


class Counts(NamedTuple):
    """What the window's job has seen: the server's start, and in the window the statements that clients sent to it.

    `questions` has the end of a session as one (COM_QUIT); see `capture_window.SlowLog.questions`.
    `sessions_before` were there as the window opened, `running` are the statements that ran as it closed. What began
    once logging was on has a number above `newest_before`.
    """

    started: str
    questions: int
    sessions_before: int
    running: int
    newest_before: int


class Row(NamedTuple):
    """One row of the table. `database` is None where the session had chosen none.

    `session` tells apart the sessions of two starts of the server, too. `is_old` is one that was there before logging
    was on. `may_be_cut` is a text that is as long as the table can have it.
    """

    start_s: float
    duration_s: float
    rows_sent: int
    rows_affected: int | None
    session: str
    database: str | None
    text: str
    is_of_client: bool = True
    is_old: bool = False
    may_be_cut: bool = False


class RowsFile:
    """The rows of one file. `unreadable` and `is_cut` are whole once all were taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts: Counts | None = None
        self.unreadable = 0
        self.is_cut = False

    def rows(self) -> Iterator[Row]:
        """In the order in which the statements ended."""
        try:
            with gzip.open(self._path, "rb") as file:
                for line in file:
                    try:
                        if self.counts is None:
                            self.counts = _counts(line)
                        else:
                            yield _row(line, self.counts)
                    except (ValueError, IndexError):
                        self.unreadable += 1
        except (EOFError, zlib.error, OSError):
            self.is_cut = True


def _row(line: bytes, counts: Counts) -> Row:
    start, seconds, sent, affected, session, database, first, rest = line.rstrip(b"\n").decode("ascii").split("\t")
    text = first + rest
    is_of_client = not session.startswith(NO_CLIENT)
    return Row(
        float(start), float(seconds), int(sent),
        None if affected == "NULL" else int(affected), f"{counts.started}-{session}",
        None if database == "NULL" else _text(database) or None, _text(text), is_of_client,
        is_old=is_of_client and int(session) <= counts.newest_before,
        may_be_cut=LONGEST - _CHARACTER < len(text) // 2 <= LONGEST,
    )  # fmt: skip


def _counts(line: bytes) -> Counts:
    started, *numbers = line.decode("ascii").split("\t")[:5]
    questions, sessions_before, running, newest_before = map(int, numbers)
    return Counts(started, questions, sessions_before, running, newest_before)


def _text(in_hexadecimal: str) -> str:
    return bytes.fromhex(in_hexadecimal).decode("utf-8", "surrogateescape")
