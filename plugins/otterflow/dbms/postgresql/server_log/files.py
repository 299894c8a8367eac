"""The files of a log, of one format, in the order of their times; also those that were rotated and compressed."""

from __future__ import annotations

import gzip
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import IO, cast

from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.csv_log import read_csv_log
from otterflow.dbms.postgresql.server_log.json_log import read_json_log
from otterflow.dbms.postgresql.server_log.record import Damage, LogRecord
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix, read_stderr_log
from otterflow.errors import InvalidInput, Problem

CSVLOG, JSONLOG, STDERR = "csvlog", "jsonlog", "stderr"
KINDS = (CSVLOG, JSONLOG, STDERR)


@dataclass(frozen=True)
class LogFormat:
    """How a log is written: `csvlog`, `jsonlog` or `stderr`, its clock, and for `stderr` its line prefix."""

    kind: str
    clock: LogClock
    prefix: LinePrefix | None = None

    def __post_init__(self) -> None:
        """Raises InvalidInput for another kind, or a plain log without its prefix."""
        if self.kind not in KINDS:
            raise InvalidInput(
                Problem("log_destination", f"{self.kind!r} is not read", f"use one of {', '.join(KINDS)}")
            )
        if self.kind == STDERR and self.prefix is None:
            raise InvalidInput(Problem("log_line_prefix", "it is missing", "give the server's setting"))

    def records(self, lines: Iterable[bytes], damage: Damage) -> Iterator[LogRecord]:
        """The records of one file's lines."""
        if self.kind == CSVLOG:
            return read_csv_log(lines, self.clock, damage)
        if self.kind == JSONLOG:
            return read_json_log(lines, self.clock, damage)
        if self.prefix is None:
            raise AssertionError("a plain log without its prefix was refused before")
        return read_stderr_log(lines, self.prefix, self.clock, damage)


def read_files(
    paths: Sequence[Path], log_format: LogFormat, damage: Damage, start_s: float = -math.inf, end_s: float = math.inf
) -> Iterator[LogRecord]:
    """The records of all files, the file with the earliest first record first. Empty files are passed over.

    So are files that hold nothing of the time from `start_s` to `end_s`, but for the last one before it: it shows that
    nothing is missing where the next one begins. None is read on after `end_s`.
    """
    firsts: list[tuple[float, str, Path]] = []
    for path in paths:
        with closing(_records(path, log_format, Damage())) as records:
            first = next(records, None)
        if first is not None and first.time_s <= end_s:
            firsts.append((first.time_s, path.name, path))
    firsts.sort()
    before = [number for number, (first_s, _, _) in enumerate(firsts) if first_s <= start_s]
    for _, _, path in firsts[before[-1] if before else 0 :]:
        yield from takewhile(lambda record: record.time_s <= end_s, _records(path, log_format, damage))


def _records(path: Path, log_format: LogFormat, damage: Damage) -> Generator[LogRecord, None, None]:
    with _opened(path) as file:
        yield from log_format.records(file, damage)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")
