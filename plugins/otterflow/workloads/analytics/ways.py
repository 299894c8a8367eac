"""The DBMSs that a stream of queries is run on: one file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from otterflow.workloads.analytics import mysql_family, postgresql


class Way(Protocol):
    """What differs from one DBMS to another."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """The programs that load and run."""

    @property
    def STREAM(self) -> str:
        """Bash that runs `stream.sql`, and prints the lines `query <name>` and `Time: <milliseconds> ms`."""

    def load_steps(self, files: Sequence[Path], scale: int) -> str:
        """Bash that runs the load's files, after an access's prologue."""

    def session_files(self, session_sql: str, scale: int, limit_s: float) -> dict[str, str]:
        """The files that each session of the load starts with."""

    def stream_sql(self, session_sql: str, queries: Sequence[Path], limit_s: float) -> str:
        """The text of `stream.sql`: one pass over the queries."""

    def stream_files(self, queries: Sequence[Path]) -> Sequence[Path]:
        """The files that lie beside it."""


WAYS: Mapping[str, Way] = {
    "postgresql": postgresql,
    "mariadb": mysql_family.Way("mariadb"),
    "mysql": mysql_family.Way("mysql"),
}
"""By the DBMS's name."""
