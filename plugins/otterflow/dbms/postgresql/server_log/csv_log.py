"""Reads `csvlog`: records of 23 to 26 fields by release, with line ends and quotation marks within the fields."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.record import CUT, UNREADABLE, Damage, LogRecord

_LEAST_FIELDS, _MOST_FIELDS = 23, 40
_START = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^,]{1,32},")

csv.field_size_limit(2**31 - 1)  # Python's own limit of 128 KiB is less than a statement may have


def read_csv_log(lines: Iterable[bytes], clock: LogClock, damage: Damage) -> Iterator[LogRecord]:
    """The records of one file's lines. One that is cut, by the file's end or by a crash, is counted in `damage`."""
    for data in _whole(lines, damage):
        fields = _fields(data)
        record = None if fields is None else _record(fields, clock)
        if record is None:
            damage.add(UNREADABLE)
        else:
            damage.reached(record.time_s)
            yield record


def _whole(lines: Iterable[bytes], damage: Damage) -> Iterator[bytes]:
    """Lines put together until no quotation mark is open."""
    held: list[bytes] = []
    is_open = False
    for line in lines:
        if is_open and _START.match(line) and _is_whole(line):
            # A crash cut the record that is held; its open mark would swallow all that follows.
            damage.add(UNREADABLE)
            held, is_open = [], False
        held.append(line)
        is_open ^= bool(line.count(b'"') % 2)
        if not is_open and line.endswith(b"\n"):
            yield b"".join(held)
            held = []
    if held:
        damage.add(CUT)


def _is_whole(line: bytes) -> bool:
    return line.count(b'"') % 2 == 0 and _fields(line) is not None


def _fields(data: bytes) -> list[str] | None:
    """The fields of one record, None where it is none."""
    try:
        rows = list(csv.reader([data.decode("utf-8", "surrogateescape")], strict=True))
    except csv.Error:
        return None
    if len(rows) != 1 or not _LEAST_FIELDS <= len(rows[0]) <= _MOST_FIELDS:
        return None
    return rows[0]


def _record(fields: list[str], clock: LogClock) -> LogRecord | None:
    try:
        time_s = clock.seconds(fields[0])
        start_s = clock.seconds(fields[8]) if fields[8] else None
    except ValueError:
        return None
    return LogRecord(
        time_s, fields[5], fields[2], fields[11], fields[13], fields[1], start_s, fields[9], fields[12], fields[14],
        fields[18], fields[19], fields[23] if len(fields) > 23 else "", fields[25] if len(fields) > 25 else "",
    )  # fmt: skip
