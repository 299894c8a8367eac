"""A recording to write, read and damage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from otterflow.dbms.postgresql.server_log.files import LogFormat
from otterflow.dbms.postgresql.server_log.reading import LogReading
from otterflow.dbms.postgresql.statements.classes import Classes
from otterflow.dbms.statement import Statement
from otterflow.dbms.statements.dialect import dialect_of
from otterflow.workloads.recording.making import make_recording
from otterflow.workloads.recording.manifest import Manifest, Origin
from otterflow.workloads.recording.writing import RecordingWriter

ORIGIN = Origin(
    "shop", "postgresql", "shop", datetime(2026, 11, 29, 2, tzinfo=UTC), datetime(2026, 11, 29, 3, tzinfo=UTC),
    "server_log",
)  # fmt: skip

STATEMENTS = [
    Statement("a", 0.0, "BEGIN", 1, duration_ms=0.1),
    Statement("b", 0.02, "SELECT n FROM stock WHERE name = 'zebra'", duration_ms=0.4, rows=3),
    Statement("a", 0.05, "UPDATE stock SET n = $1 WHERE id = $2", 1, ("5", None), "take", 0.5),
    Statement("a", 0.05, "COMMIT", 1, duration_ms=2.0),
    Statement("b", 0.1, "SELECT caf\udce9 'a\nb' FROM t", error="42703", duration_ms=0.0),
    Statement("b", 3599.5, "SELECT n FROM stock WHERE name = 'gnu'", duration_ms=0.6, statement_class="-12"),
    Statement("c", 3599.6, "SELECT 1", None, (), duration_ms=0.1),
]


def write(folder: Path, statements: list[Statement] = STATEMENTS, dbms: str = "postgresql", **options: int) -> Manifest:
    origin, classes = replace(ORIGIN, dbms=dbms), dialect_of(dbms).classes()
    with RecordingWriter(folder, origin, classes, **({"max_bytes": 10**9, "keep_free_bytes": 0} | options)) as writer:
        for statement in statements:
            writer.add(statement)
        return writer.finish()


def record_log(
    paths: list[Path], log_format: LogFormat, origin: Origin, folder: Path, read_at: datetime, *, max_bytes: int = 10**9
) -> Manifest:
    """The recording of a log's files as they were at `read_at`."""
    reading = LogReading(paths, log_format, origin.database, origin.start, origin.end)
    return make_recording(reading, origin, folder, read_at, Classes(), max_bytes=max_bytes, keep_free_bytes=0)
