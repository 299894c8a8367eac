"""How a recording of PostgreSQL is replayed."""

from __future__ import annotations

from collections.abc import Mapping

from otterflow.dbms.postgresql.statements.dialect import DIALECT
from otterflow.workloads.replay.replayer.postgresql.connection import Connection
from otterflow.workloads.replay.replayer.postgresql.server_times import read_times
from otterflow.workloads.replay.replayer.settings import RunSettings
from otterflow.workloads.replay.replayer.ways import Way


def way_of(dbms: str) -> Way:
    """The only way."""
    return Way(DIALECT, Connection, startup, completed, read_times)


def startup(settings: RunSettings) -> dict[str, str]:
    """Settings of every session. They come with its beginning, so that no RESET and no DISCARD undoes them."""
    return {
        "application_name": settings.application_name,
        "lock_timeout": str(settings.lock_timeout_ms),
        "statement_timeout": str(settings.statement_timeout_ms),
    }


def completed(startup: Mapping[str, str], parameters: Mapping[str, str]) -> dict[str, str]:
    """The encoding is the database's, whose bytes the recording has."""
    return {**startup, "client_encoding": parameters.get("server_encoding", "UTF8")}
