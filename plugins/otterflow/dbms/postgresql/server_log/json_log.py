"""Reads `jsonlog`, which PostgreSQL has from release 15 on: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.record import CUT, UNREADABLE, Damage, LogRecord


def read_json_log(lines: Iterable[bytes], clock: LogClock, damage: Damage) -> Iterator[LogRecord]:
    """The records of one file's lines. One that is cut or no JSON is counted in `damage`."""
    for line in lines:
        if not line.endswith(b"\n"):
            damage.add(CUT)
            continue
        try:
            record = _record(json.loads(line.decode("utf-8", "surrogateescape")), clock)
        except (ValueError, KeyError, TypeError, RecursionError):
            damage.add(UNREADABLE)
        else:
            damage.reached(record.time_s)
            yield record


def _record(record: dict[str, Any], clock: LogClock) -> LogRecord:
    start = record.get("session_start")
    return LogRecord(
        time_s=clock.seconds(record["timestamp"]),
        session=record["session_id"],
        database=record.get("dbname", ""),
        severity=record["error_severity"],
        message=record.get("message", ""),
        user=record.get("user", ""),
        session_start_s=clock.seconds(start) if start else None,
        virtual_transaction=record.get("vxid", ""),
        sqlstate=record.get("state_code", ""),
        detail=record.get("detail", ""),
        context=record.get("context", ""),
        query=record.get("statement", ""),
        backend_type=record.get("backend_type", ""),
        query_id=str(record.get("query_id", "")),
    )
