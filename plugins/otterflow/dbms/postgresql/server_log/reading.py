"""One interval of one database, read from a PostgreSQL server's own log: its statements, and what the log lacks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from glob import glob
from pathlib import Path
from typing import Any

from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.files import STDERR, LogFormat, read_files
from otterflow.dbms.postgresql.server_log.record import CUT, UNREADABLE, Damage
from otterflow.dbms.postgresql.server_log.statements import LogStatements
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix
from otterflow.dbms.postgresql.statements.classes import Classes as Classes
from otterflow.dbms.statement import Statement

RELOAD_S = 1.0
"""How long all of a server's processes take to heed a reload."""
LONGEST_S = 600.0
"""A statement is told at its end: so long after the interval's end the log is read on for those that began in it."""
_HAS_PARAMETER = re.compile(r"\$\d")


class LogReading:
    """What the log's files have of the interval. `left_out` and `missing` are whole once all statements were taken."""

    def __init__(
        self, paths: Sequence[Path], log_format: LogFormat, database: str, start: datetime, end: datetime
    ) -> None:
        self._paths, self._format, self._start, self._end = paths, log_format, start, end
        self._start_s, self._end_s = start.timestamp(), end.timestamp()
        self._damage = Damage()
        self._log = LogStatements(database, start.timestamp(), end.timestamp())
        self._without_values = 0

    def statements(self) -> Iterator[Statement]:
        """The statements that began in the interval."""
        for statement in self._all():
            if statement.parameters == () and _HAS_PARAMETER.search(statement.text):
                self._without_values += 1
            yield statement

    def _all(self) -> Iterator[Statement]:
        end_s = self._end.timestamp() + LONGEST_S
        records = read_files(self._paths, self._format, self._damage, self._start.timestamp(), end_s)
        yield from self._log.read(records)
        yield from self._log.close()

    @property
    def left_out(self) -> Counter[str]:
        """Statements, or records, that were seen and not given, by reason."""
        lost = self._lost()
        return +(self._log.left_out + Counter({CUT: lost[CUT]}))

    def missing(self, read_at: datetime) -> Iterator[str]:
        """In sentences, what the log, read at that time, lacks of the interval."""
        log, lost = self._log, self._lost()
        if log.first_s is None:
            yield "the log is empty"
        elif log.first_s > self._start.timestamp() + 1:
            yield f"the log begins at {_clock(log.first_s)}, after the interval's start"
        if read_at < self._end:
            yield f"the log was read at {_clock(read_at.timestamp())}, before the interval's end"
        for at_s, name, value in log.changes:
            # A window's own reloads are just outside of its interval.
            if self._start_s + RELOAD_S < at_s < self._end_s - RELOAD_S:
                yield f"{name} was changed to {value} at {_clock(at_s)}: not all of the interval was logged alike"
        if log.untimed:
            yield f"{log.untimed} statements lack their duration; set log_min_duration_statement = 0"
        if lost[UNREADABLE]:
            yield f"{lost[UNREADABLE]} {UNREADABLE}"
        if self._without_values:
            yield f"{self._without_values} statements lack their values; set log_parameter_max_length = -1"

    def _lost(self) -> Counter[str]:
        """What could not be read of the interval. After a window the log may well be in another format again."""
        return self._damage.between(self._log.before_s, self._end.timestamp())


def open_reading(log: Mapping[str, Any], database: str, start: datetime, end: datetime) -> LogReading:
    """The reading of a log as `dbms.postgresql.recording.log_of` describes it, on the host that has its files."""
    prefix = LinePrefix(log["prefix"]) if log["kind"] == STDERR else None
    log_format = LogFormat(log["kind"], LogClock(log["timezone"]), prefix)
    paths = sorted({Path(name) for pattern in log["patterns"] for name in glob(pattern)})
    return LogReading([path for path in paths if path.is_file()], log_format, database, start, end)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
