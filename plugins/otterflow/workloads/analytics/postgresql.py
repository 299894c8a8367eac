"""A stream for psql: it has variables of its own, and times each query.

Source: https://www.postgresql.org/docs/current/app-psql.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otterflow.dbms.postgresql.sql_files import END_IF_ABANDONED, PSQL
from otterflow.dbms.postgresql.sql_files import load_steps as psql_load_steps

PROGRAMS = ("psql", "stdbuf")
STREAM = f"stdbuf -oL {PSQL} --file=stream.sql"
"""Prints a line for the name of each query, and one for its time."""


def load_steps(files: Sequence[Path], scale: int) -> str:
    """Bash that runs the files in the order of their numbers, with `:scale`."""
    return psql_load_steps(files, {"scale": scale})


def session_files(session_sql: str, scale: int, limit_s: float) -> dict[str, str]:
    """What each session of the load starts with."""
    return {"session.sql": END_IF_ABANDONED + session_sql}


def stream_sql(session_sql: str, queries: Sequence[Path], limit_s: float) -> str:
    r"""One pass: rows go to /dev/null, `\timing` and `\echo` to psql's output."""
    lines = [END_IF_ABANDONED + session_sql, r"\o /dev/null", r"\timing on"]
    for path in queries:
        lines += [rf"\echo query {path.stem}", rf"\i {path.name}"]
    return "\n".join(lines) + "\n"


def stream_files(queries: Sequence[Path]) -> Sequence[Path]:
    """What lies beside the stream: it has each query read from its file."""
    return queries
