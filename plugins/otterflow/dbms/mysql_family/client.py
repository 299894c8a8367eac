"""SQL on a server of the family from here, by PyMySQL, and why there is none.

What the server refuses is told by its error number, so in any language.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from otterflow.dbms.mysql_family.access import DatabaseAccess, tls_parameters
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.refusals import KILLED, refused, tells_of_credentials
from otterflow.dbms.values import Login, Query
from otterflow.errors import AccessRefused, ConnectionFault, InvalidInput, Problem

if TYPE_CHECKING:
    import pymysql

    from otterflow.dbms.target import Target

LOCAL = "127.0.0.1"
PORT, USER = 3306, "root"
MAINTENANCE_DATABASE = "information_schema"
"""Everybody may connect to it, and nobody can drop it."""
CONNECT_TIMEOUT_S = 10
_NO_TLS = (2026, 3159)
"""The errors of a connection that is not encrypted as either side demands."""
STATEMENT_TIMEOUT_S = 60
SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""What both products start with, whatever the server at hand has been set to: a statement means the same everywhere."""


@dataclass(frozen=True)
class Client:
    """A product's client: its DBMS's part of that name."""

    product: Product
    MAINTENANCE_DATABASE: ClassVar[str] = MAINTENANCE_DATABASE

    def address(self, login: Login) -> tuple[str, int]:
        """Host and port of the login; this machine and 3306 where none is given. A host with `/` first is a socket."""
        return _address(login)

    def user(self, login: Login) -> str:
        """Who connects."""
        return login.user or USER

    def access(self, login: Login, database: str, host: str | None = None) -> DatabaseAccess:
        """How a command reaches the database, at `host` if given. Raises InvalidInput for what no file can hold."""
        own_host, port = _address(login)
        parameters, password = tls_parameters(login.extra), login.password or ""
        try:
            return DatabaseAccess(
                host or own_host, port, self.user(login), database, password, parameters, self.product.client
            )
        except ValueError as error:
            raise InvalidInput(Problem(login.place, str(error), "no program could be given it")) from None

    @contextmanager
    def open_query(
        self,
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
        import pymysql

        own = login.database if login.database != target.database else None
        name = database or own or MAINTENANCE_DATABASE
        try:
            connection = _connect(login, self.user(login), name, tunnel_port)
        except (pymysql.MySQLError, OSError, RuntimeError) as error:
            raise tunnel_fault() or _connect_error(self.product, error, login, name) from None
        try:
            yield _query_of(connection, target.name)
        finally:
            connection.close()

    def first_rows(self, query: Query, sql: str, *, most: int, timeout_s: float) -> list[dict[str, Any]]:
        """At most `most` rows of a user's own SELECT, in a transaction that writes nothing.

        Its connection is for one use. In brackets, what is no query or two is an error. Raises StatementRefused,
        NotThere and TookTooLong among them, and leaves that transaction to end with the connection.
        """
        asked = f"SELECT * FROM (\n{sql.strip().rstrip(';')}\n) AS answer LIMIT {most:d}"  # noqa: S608 the user's own
        query(time_limit_sql(timeout_s))
        query("START TRANSACTION READ ONLY")
        rows = query(asked)
        query("ROLLBACK")
        return rows


def _address(login: Login) -> tuple[str, int]:
    return login.host or LOCAL, login.port or PORT


def time_limit_sql(timeout_s: float) -> str:
    """The statement that gives every statement of the session a time limit; 0 is none.

    Each product has a variable of its own for it, and reads what is in the other's comment as a comment. Sources:
    https://mariadb.com/kb/en/comment-syntax/ and https://dev.mysql.com/doc/refman/8.4/en/comments.html
    """
    return (
        f"SET @otterflow = 0 /*M!100000 , SESSION max_statement_time = {timeout_s:.3f} */"
        f" /*!80000 , SESSION max_execution_time = {round(timeout_s * 1000):d} */"
    )


def _connect(
    login: Login, user: str, database: str, tunnel_port: int | None
) -> pymysql.Connection[pymysql.cursors.DictCursor]:
    import pymysql

    host, port = _address(login)
    at_socket = host.startswith("/") and tunnel_port is None
    connection = pymysql.connect(
        host="localhost" if at_socket else host,
        unix_socket=host if at_socket else None,
        port=port,
        user=user,
        password=(login.password or "").encode(),
        database=database,
        charset="utf8mb4",
        sql_mode=SQL_MODE,
        init_command=f"{time_limit_sql(STATEMENT_TIMEOUT_S)}, SESSION time_zone = '+00:00'",
        connect_timeout=CONNECT_TIMEOUT_S,
        program_name="otterflow",
        autocommit=True,  # else the first SELECT opens a transaction, and sees the same until its end
        cursorclass=pymysql.cursors.DictCursor,
        defer_connect=True,
        **_tls(login.extra),
    )
    if tunnel_port is None:
        connection.connect()
        return connection
    tunnel = socket.create_connection((LOCAL, tunnel_port), timeout=CONNECT_TIMEOUT_S)
    try:
        connection.connect(tunnel)
    except BaseException:
        tunnel.close()
        raise
    tunnel.settimeout(None)
    return connection


def _tls(extra: Mapping[str, object]) -> dict[str, Any]:
    """PyMySQL's arguments; a certificate is checked where the connection names who signs it."""
    given: dict[str, Any] = dict(tls_parameters(extra))
    for switch in ("ssl_verify_identity", "ssl_disabled"):
        if switch in given:
            given[switch] = True
    return given | ({"ssl_verify_cert": True} if "ssl_ca" in given else {})


def _query_of(connection: pymysql.Connection[pymysql.cursors.DictCursor], target: str) -> Query:
    import pymysql

    def query(sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return list(cursor.fetchall()) if cursor.description else []
        except (pymysql.MySQLError, OSError) as error:
            number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            if not connection.open or number in KILLED or isinstance(error, pymysql.err.InterfaceError | OSError):
                raise ConnectionFault(f"the SQL connection to {target} was lost: {_said(error)}") from None
            raise refused(number, _said(error)) from error

    return query


def _said(error: Exception) -> str:
    """The error's own words, without its number."""
    return str(error.args[-1]) if error.args else str(error)


def _connect_error(product: Product, error: Exception, login: Login, database: str) -> Exception:
    """Why there is no SQL connection, by the server's error number."""
    host, port = _address(login)
    where = f"{product.title} at {host}:{port} ({login.place})"
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    cause = getattr(error, "original_exception", error)
    if isinstance(cause, ssl.SSLError | RuntimeError) or isinstance(error, FileNotFoundError) or number in _NO_TLS:
        advice = "check ssl_ca, ssl_cert, ssl_key, ssl_verify_identity and ssl_disabled in its extra"
        return AccessRefused(f"{where} was not connected to as the connection asks for it: {_said(error)}; {advice}")
    if tells_of_credentials(number):
        advice = "check its login, password and schema, and for whom at which host the server has that account"
        return AccessRefused(f"{where} refused the credentials for database {database!r}: {_said(error)}; {advice}")
    return ConnectionFault(f"{where} cannot be reached: {_said(error)}")
