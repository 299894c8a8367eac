"""SQL on a PostgreSQL server from here, by psycopg, and why there is none.

What the server refuses is told by its SQLSTATE, so in any language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql.access import DatabaseAccess, libpq_parameters
from otterflow.dbms.postgresql.database import MAINTENANCE_DATABASE as MAINTENANCE_DATABASE
from otterflow.dbms.postgresql.database import first_rows_of, read_only_sql
from otterflow.dbms.postgresql.first_answer import ASKS, first_answer, is_refusal
from otterflow.dbms.values import Login, NotThere, Query, StatementRefused, TookTooLong
from otterflow.errors import AccessRefused, ConnectionFault, InvalidInput, Problem

if TYPE_CHECKING:
    import psycopg

    from otterflow.dbms.target import Target

LOCAL = "127.0.0.1"
PORT, USER = 5432, "postgres"
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 60

_NO_SUCH_THING = ("42P01", "3F000", "42883")
"""Undefined table, schema, function. Source: the manual's appendix "PostgreSQL Error Codes"."""
_CANCELLED = "57014"


def address(login: Login) -> tuple[str, int]:
    """Host and port of the login; this machine and 5432 where none is given."""
    return login.host or LOCAL, login.port or PORT


def user(login: Login) -> str:
    """Who connects."""
    return login.user or USER


def access(login: Login, database: str, host: str | None = None) -> DatabaseAccess:
    """How a command reaches the database, at `host` if given. Raises InvalidInput for a password no file can hold."""
    own_host, port = address(login)
    parameters = libpq_parameters(login.extra)
    try:
        return DatabaseAccess.with_password(
            host or own_host, port, user(login), database, login.password or "", parameters
        )
    except ValueError as error:
        raise InvalidInput(Problem(login.place, str(error), "no program could be given it")) from None


@contextmanager
def open_query(
    login: Login,
    target: Target,
    *,
    database: str | None = None,
    tunnel_port: int | None = None,
    tunnel_fault: Callable[[], Exception | None] = lambda: None,
) -> Iterator[Query]:
    """SQL, autocommitted; see `base.Client`.

    The name of the server stays the login's in a tunnel, too: a certificate is checked against it.
    """
    import psycopg
    from psycopg.rows import dict_row

    own = login.database if login.database != target.database else None
    name = database or own or MAINTENANCE_DATABASE
    host, port = address(login)
    at: dict[str, Any] = {**libpq_parameters(login.extra), "host": host, "port": port}
    if tunnel_port is not None:
        at |= {"hostaddr": LOCAL, "port": tunnel_port}
    try:
        conn = psycopg.connect(
            **at,
            user=login.user,
            password=login.password,
            dbname=name,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="otterflow",
            client_encoding="utf8",  # a database of encoding SQL_ASCII would answer with bytes
            options=f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c search_path=pg_catalog",
            autocommit=True,
            row_factory=dict_row,
        )
    except psycopg.OperationalError as error:
        raise tunnel_fault() or _connect_error(error, login, at, name) from None
    with conn:
        yield _query_of(conn, target.name)


def _query_of(conn: psycopg.Connection[dict[str, Any]], target: str) -> Query:
    import psycopg

    def query(sql: Any, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        try:
            cursor = conn.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError) and (conn.closed or conn.broken):
                raise ConnectionFault(f"the SQL connection to {target} was lost: {error}") from None
            raise _refused(error) from error

    return query


def _refused(error: psycopg.Error) -> StatementRefused:
    kinds: dict[str | None, type[StatementRefused]] = dict.fromkeys(_NO_SUCH_THING, NotThere)
    kinds[_CANCELLED] = TookTooLong
    return kinds.get(error.sqlstate, StatementRefused)(error.sqlstate, str(error))


def _connect_error(error: psycopg.OperationalError, login: Login, at: Mapping[str, Any], database: str) -> Exception:
    """Why there is no SQL connection: by what the server answers, for libpq only gives words."""
    host, port = address(login)
    # The port that libpq names is the tunnel's own end, which says nothing.
    said = re.sub(r"connection to server (at|on socket) .*? failed: ", "", str(error))
    where = f"PostgreSQL at {host}:{port} ({login.place})"
    answer = first_answer(str(at.get("hostaddr", host)), at["port"], login.user or "", database)
    got_to_the_password = error.pgconn is not None and (error.pgconn.used_password or error.pgconn.needs_password)
    if answer == ASKS and not got_to_the_password:
        advice = "check sslmode, sslrootcert and the like in its extra"
        return AccessRefused(f"{where} was not connected to as the connection asks for it: {said}; {advice}")
    if is_refusal(answer) and "connection slots" not in said:
        advice = "check its login, password, schema and extra, and the server's pg_hba.conf"
        return AccessRefused(f"{where} refused the credentials: {said}; {advice}")
    return ConnectionFault(f"{where} cannot be reached: {said}")


def first_rows(query: Query, sql: str, *, most: int, timeout_s: float) -> list[dict[str, Any]]:
    """At most `most` rows of a user's own SELECT, in a transaction that writes nothing; its connection is for one use.

    Raises StatementRefused, NotThere and TookTooLong among them, and leaves that transaction to end with the
    connection.
    """
    asked = first_rows_of(sql.strip().rstrip(";"), most)
    for statement in read_only_sql(timeout_s):
        query(statement)
    rows = query(asked)
    query("ROLLBACK")
    return rows
