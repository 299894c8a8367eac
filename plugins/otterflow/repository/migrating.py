"""Brings the repository's tables to the newest revision, also when several processes try at once.

The whole upgrade is one transaction under a lock, on both databases: who comes second waits, finds nothing left to
do, and a process killed half-way leaves the tables as they were.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError

from otterflow.errors import RepositoryUnavailable
from otterflow.repository.database import BUSY_TIMEOUT_S, Database
from otterflow.repository.tables import HEAD_REVISION, VERSION_TABLE

MIGRATIONS_DIR = Path(__file__).parent / "migrations"

LOCK_KEY = 0x0771E2F10F
"""PostgreSQL's advisory lock for migrations: any number that nobody else in the database uses."""

LOCK_TIMEOUT_S = 60


def current_revision(database: Database) -> str | None:
    """The revision the tables are at; None if there are none."""
    with database.connection() as connection:
        return _revision(connection)


def check_revision(database: Database) -> None:
    """Raise RepositoryUnavailable, with what to do, unless the tables are at the revision this code needs."""
    _raise_unless_head(database, current_revision(database))


def migrate(database: Database) -> None:
    """Upgrade the tables to `HEAD_REVISION`. Does nothing if they are there; safe when called by many at once.

    Raises RepositoryUnavailable if the database cannot be reached, the lock is not had within `LOCK_TIMEOUT_S`, the
    user may not create tables, or the tables are of a newer otterflow.
    """
    if database.is_sqlite:
        _make_sqlite_file(database)
    if _is_ready(database):
        return
    with _alone(database) as connection:
        try:
            _upgrade(connection, _revision(connection))
            connection.commit()
        except ProgrammingError as error:
            raise database.unavailable(str(error.orig)) from error
    check_revision(database)


def _is_ready(database: Database) -> bool:
    with database.connection() as connection:
        revision = _revision(connection)
        connection.rollback()
        return revision == HEAD_REVISION and (not database.is_sqlite or _journal_mode(database, connection) == "wal")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 a constant
    return None if revision is None else str(revision)


def _raise_unless_head(database: Database, revision: str | None) -> None:
    if revision == HEAD_REVISION:
        return
    found = "has no tables" if revision is None else f"is at revision {revision}"
    advice = "upgrade it with Repository.open(url, migrate=True)"
    if revision is not None and revision > HEAD_REVISION:
        advice = "a newer otterflow made it, so install that version here as well"
    raise RepositoryUnavailable(f"repository {database.name} {found}, revision {HEAD_REVISION} is needed; {advice}")


def _upgrade(connection: Connection, revision: str | None) -> None:
    """Run Alembic on `connection`, within its transaction."""
    if revision is not None and revision >= HEAD_REVISION:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A connection in a transaction that no other migration runs beside."""
    if database.is_sqlite:
        with database.connection() as connection:
            _journal_mode(database, connection, switch_to="wal")
            yield connection
        return
    with database.connection() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        yield connection


def _make_sqlite_file(database: Database) -> None:
    """The file, and its folder where there is none, for their owner alone; SQLite gives its other files the same mode.

    A file of somebody else's is left as it is.
    """
    file = Path(str(database.url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise database.unavailable(f"folder {str(file.parent)!r} cannot be made: {error.strerror}") from error
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        for part in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            _close_to_others(part)
    except OSError as error:
        raise database.unavailable(f"file {str(error.filename or file)!r}: {error.strerror}") from error


def _close_to_others(file: Path) -> None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        file.chmod(0o600)


def _journal_mode(database: Database, connection: Connection, *, switch_to: str = "") -> str:
    """SQLite's journal mode, after switching to `switch_to` if given; outside of any transaction, as SQLite wants.

    SQLite does not wait for others here, whatever the busy timeout: of 320 processes that opened a new database 8 at a
    time, 2 were told "database is locked" at once. So the waiting is done here.
    """
    statement = f"PRAGMA journal_mode = {switch_to}" if switch_to else "PRAGMA journal_mode"
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    raw = connection.connection.cursor()
    try:
        while True:
            try:
                raw.execute(statement)
                return "".join(raw.fetchone() or ())
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise database.unavailable(str(error)) from error
            time.sleep(0.01)
    finally:
        raw.close()


def _is_busy(error: sqlite3.OperationalError) -> bool:
    primary_code = error.sqlite_errorcode & 0xFF
    return primary_code == sqlite3.SQLITE_BUSY
