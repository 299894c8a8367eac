"""One interval of one database, read from the rows that a window's job has kept: its statements, and what they lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from glob import glob
from pathlib import Path
from typing import Any

from otterflow.dbms.log_interval import AFTER, BEFORE, TORN
from otterflow.dbms.mysql_family.slow_log.rows import RowsFile
from otterflow.dbms.mysql_family.slow_log.sessions import SessionsStatements
from otterflow.dbms.mysql_family.statements.classes import Classes as Classes
from otterflow.dbms.statement import Statement
from otterflow.errors import InvalidInput, Problem

RUNNING = "were still running as the window closed"
FEW, SHARE = 20, 0.01
"""So many statements, or this share of all, that were sent and not logged are not told of: they are otterflow's own,
and those that ran as the window opened or closed."""


class SlowLogReading:
    """What the rows have of the interval. `left_out` and `missing` are whole once all statements were taken."""

    def __init__(self, path: Path, database: str, start: datetime, end: datetime, table: str) -> None:
        self._file = RowsFile(path)
        self._end = end
        self._sessions = SessionsStatements(database, start.timestamp(), end.timestamp(), table)
        self._given = 0

    def statements(self) -> Iterator[Statement]:
        """The statements that began in the interval."""
        for statement in self._sessions.read(self._file.rows()):
            self._given += 1
            yield statement

    @property
    def left_out(self) -> Counter[str]:
        """Statements that were seen and not given, by reason."""
        counts = self._file.counts
        return +(self._sessions.left_out + Counter({RUNNING: counts.running if counts else 0}))

    def missing(self, read_at: datetime) -> Iterator[str]:
        """In sentences, what the rows, read at that time, lack of the interval."""
        if self._file.is_cut:
            yield "the file of the window's rows is cut off"
        if self._file.unreadable:
            yield f"{self._file.unreadable} rows could not be read"
        if read_at < self._end:
            yield f"the rows were read at {_clock(read_at)}, before the interval's end"
        if self._sessions.altered:
            yield (
                f"{self._sessions.altered} statements have a '?' in a value of bytes (_binary '...'), which stands for "
                "any byte that is no text"
            )
        if self._sessions.untold:
            yield (
                f"{self._sessions.untold} statements have bytes that are no UTF-8, and their sessions have not said "
                "by a statement in which character set they are: they are replayed as UTF-8"
            )
        outside = sum(self._sessions.left_out[reason] for reason in (BEFORE, TORN, AFTER))
        if outside > self._given:
            yield (
                f"{outside:,} statements are logged with times outside of the interval, and {self._given:,} with times "
                "in it: the table's times are not what they were taken for"
            )
        counts, logged = self._file.counts, self._sessions.logged
        questions = counts.questions - self._sessions.besides if counts else 0
        if counts and questions - logged > max(FEW, SHARE * questions):
            share = f"{logged:,} ({100 * logged / questions:.0f} %)"
            yield (
                f"the server was sent some {questions:,} statements, of which {share} were logged: those of "
                f"sessions that began within the window, and {counts.sessions_before:,} were there before it"
            )


def open_reading(log: Mapping[str, Any], database: str, start: datetime, end: datetime) -> SlowLogReading:
    """The reading of the file that a window's job has left, on the host that has it. Raises InvalidInput for none."""
    paths = sorted(Path(name) for pattern in log["patterns"] for name in glob(pattern))
    if not paths:
        found = "the file with the window's rows is gone"
        raise InvalidInput(Problem("log", found, "record another interval: the server has none of this one any more"))
    return SlowLogReading(paths[0], database, start, end, str(log["table"]))


def _clock(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
