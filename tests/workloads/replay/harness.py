"""Makes a recording of some statements and replays it against the private server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.statement import Statement
from otterflow.dbms.statements.dialect import dialect_of
from otterflow.workloads.recording.manifest import Origin
from otterflow.workloads.recording.writing import RecordingWriter
from otterflow.workloads.replay.replayer.programs import mix, replay
from otterflow.workloads.replay.replayer.settings import MixSettings, ReplaySettings
from tests.workloads.recording.samples import ORIGIN

Replay = Callable[..., dict[str, Any]]


def at(*texts: str, session: str = "a", start_s: float = 0.0, step_s: float = 0.001, **fields: Any) -> list[Statement]:
    """Statements of a session, one each step."""
    return [Statement(session, start_s + place * step_s, text, **fields) for place, text in enumerate(texts)]


def settings_record(access: DatabaseAccess, folder: Path, **changes: Any) -> dict[str, Any]:
    """Settings for a replay of `folder / recording`, with the password in a file."""
    password = folder / "password"
    password.write_text(access.pgpass.strip().rpartition(":")[2] + "\n")
    password.chmod(0o600)
    return {
        "recording": str(folder / "recording"), "result_file": str(folder / "result.json"), "host": access.host,
        "port": access.port, "user": access.user, "database": access.database, "password_file": str(password),
        "deadline_s": 60, **changes,
    }  # fmt: skip


def record(folder: Path, statements: Iterable[Statement], origin: Origin = ORIGIN) -> None:
    """Write the recording."""
    classes = dialect_of(origin.dbms).classes()
    with RecordingWriter(folder / "recording", origin, classes, max_bytes=10**9, keep_free_bytes=0) as writer:
        for statement in statements:
            writer.add(statement)
        writer.finish()


def replay_of(
    access: DatabaseAccess, folder: Path, statements: Iterable[Statement], origin: Origin = ORIGIN, **changes: Any
) -> dict[str, Any]:
    """Record, replay, and give the result as its file has it."""
    record(folder, statements, origin)
    replay(ReplaySettings(**{"schedule": "fast", **settings_record(access, folder, **changes)}))
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def mix_of(access: DatabaseAccess, folder: Path, statements: Iterable[Statement], **changes: Any) -> dict[str, Any]:
    """Record, run a mix of it, and give the result as its file has it."""
    record(folder, statements)
    mix(MixSettings(**settings_record(access, folder, **changes)))
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def connect(access: DatabaseAccess) -> psycopg.Connection[Any]:
    password = access.pgpass.strip().rpartition(":")[2]
    return psycopg.connect(
        host=access.host, port=access.port, user=access.user, dbname=access.database, password=password, autocommit=True
    )
