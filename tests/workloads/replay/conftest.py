"""A replay against a private server, and SQL on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.statement import Statement
from tests.workloads.replay.harness import Replay, connect, replay_of


@pytest.fixture
def sql(database: DatabaseAccess) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the test's own."""
    with connect(database) as connection:
        yield connection
        connection.execute("DROP TABLE IF EXISTS t")


@pytest.fixture
def replayed(database: DatabaseAccess, tmp_path: Path) -> Replay:
    """Replays statements as fast as possible, unless told otherwise, and gives the result."""

    def run(statements: Iterable[Statement], **changes: Any) -> dict[str, Any]:
        return replay_of(database, tmp_path, statements, **changes)

    return run


@pytest.fixture
def rows(sql: psycopg.Connection[Any]) -> Callable[[str], list[Any]]:
    """The rows of a query."""
    return lambda query: sql.execute(query).fetchall()
