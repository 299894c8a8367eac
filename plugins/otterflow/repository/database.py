"""Connections to the repository's database: SQLite as the embedded default, PostgreSQL (psycopg 3) for more.

A connection is opened for one transaction and closed after it: tasks live minutes and write seldom, so nothing is
gained by keeping connections, and a forked worker can never share one. Writes on SQLite begin with BEGIN IMMEDIATE,
so that a writer waits for the lock at its start and never loses a transaction half-way to "database is locked".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from otterflow.errors import InvalidInput, Problem, RepositoryUnavailable
from otterflow.repository.values import to_json

BUSY_TIMEOUT_S = 30
"""How long an SQLite writer waits for another one. A write takes milliseconds, so this is a queue of thousands."""

CONNECT_TIMEOUT_S = 10
_WRITES = "otterflow_writes"
_FIELD = "repository"
_EXAMPLES = "give sqlite:////absolute/path.db or postgresql://user:password@host:5432/database"


def checked_url(url: str | URL) -> URL:
    """The URL with its driver filled in.

    Raises InvalidInput, never showing the password, if it cannot be read, names another DBMS, or names an SQLite
    database that the next task would not find again (in memory, or by a relative path).
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError, TypeError):
        # An unquoted "/" or "@" in the password lands in another part of the URL, so nothing of it may be shown.
        advice = f"{_EXAMPLES}, with special characters of the password percent-encoded"
        raise InvalidInput(Problem(_FIELD, "the URL cannot be read", advice)) from None
    backend = parsed.drivername.partition("+")[0]
    if backend in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise InvalidInput(Problem(_FIELD, f"{backend!r} is not supported", _EXAMPLES))
    if not parsed.database or not Path(parsed.database).is_absolute():
        found = f"SQLite database {parsed.database or '(in memory)'!r} would not be found by the next task"
        raise InvalidInput(Problem(_FIELD, found, _EXAMPLES))
    return parsed.set(drivername="sqlite+pysqlite")


@lru_cache(maxsize=16)
def make_engine(url: URL) -> Engine:
    """An engine for a `checked_url`. Connects to nothing yet.

    One for a database in a process: an engine keeps the statements that it has compiled. It keeps no connection.
    """
    if url.get_backend_name() == "postgresql":
        arguments: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "otterflow",
            "client_encoding": "utf8",  # a database of encoding SQL_ASCII would answer with bytes
        }
        arguments = {key: value for key, value in arguments.items() if key not in url.query}
        return create_engine(
            url, poolclass=NullPool, json_serializer=to_json, hide_parameters=True, connect_args=arguments
        )
    engine = create_engine(
        url,
        poolclass=NullPool,
        json_serializer=to_json,
        hide_parameters=True,
        # None leaves BEGIN to us: https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#sqlite-transactions
        connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _keep_foreign_keys(connection: Any, record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class Database:
    """Opens transactions and turns the driver's faults into RepositoryUnavailable."""

    def __init__(self, url: str | URL) -> None:
        self.url = checked_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        engine = make_engine(self.url)
        # A read of several statements sees one state of the database; SQLite's transactions do so by themselves.
        snapshot: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading = engine if self.is_sqlite else engine.execution_options(**snapshot)
        self._writing = engine.execution_options(**{_WRITES: True})

    @property
    def name(self) -> str:
        """The URL for messages, without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection that is in no transaction and is its caller's to use; for migrations."""
        with self.translated(), self._writing.connect() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database."""
        with self.translated(), Session(self._reading) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose writes are all kept when the block ends, and all dropped when it raises."""
        with self.translated(), Session(self._writing) as session, session.begin():
            yield session

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn a fault of the database or the way to it into RepositoryUnavailable; bugs of ours pass as they are."""
        try:
            yield
        except (IntegrityError, DataError, ProgrammingError):
            raise
        except DBAPIError as error:
            raise self.unavailable(str(error.orig)) from error

    def unavailable(self, cause: str) -> RepositoryUnavailable:
        """The typed error for `cause`: it names the database and never its password."""
        password = self.url.password
        shown = cause.strip().replace(str(password), "***") if password else cause.strip()
        return RepositoryUnavailable(
            f"repository {self.name}: {shown}; check that the database is up and that the Airflow connection "
            "otterflow_repository leads to it"
        )
