"""From Airflow's connections to open doors: the repository, an SSH session, and SQL through the SSH tunnel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.errors import AccessRefused, ConnectionFault, InvalidInput, Problem, RepositoryUnavailable

if TYPE_CHECKING:
    from airflow.providers.ssh.hooks.ssh import SSHHook
    from airflow.sdk import Connection

    from otterflow.dbms.access import DatabaseAccess
    from otterflow.remote.session import Session
    from otterflow.repository import Repository
    from otterflow.target import Target

Query = Callable[..., list[dict[str, Any]]]
"""`query(sql, parameters=())` runs one statement and returns its rows as dictionaries ([] where it has none)."""

CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 60


def connection(conn_id: str, field: str) -> Connection:
    """The Airflow connection of that id. Raises InvalidInput that names the field that asked for it."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        advice = f"add it under Admin, Connections, or set AIRFLOW_CONN_{conn_id.upper()} where Airflow runs"
        raise InvalidInput(Problem(field, f"Airflow has no connection {conn_id!r}", advice)) from None


def open_repository() -> Repository:
    """The repository behind the connection `otterflow_repository`, or the embedded SQLite file without one.

    Raises RepositoryUnavailable when it cannot be reached.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from sqlalchemy import URL

    from otterflow.repository import Repository

    try:
        found = BaseHook.get_connection(settings.REPOSITORY_CONN_ID)
    except AirflowNotFoundException:
        home = settings.home_dir()
        home.mkdir(parents=True, exist_ok=True)
        return Repository.open(f"sqlite:///{home / 'repository.db'}")
    if found.conn_type == "sqlite":
        return Repository.open(f"sqlite:///{found.host or found.schema}")
    if found.conn_type in ("postgres", "postgresql"):
        url = URL.create(
            "postgresql+psycopg",
            found.login,
            found.password,
            found.host,
            found.port or 5432,
            found.schema or "otterflow",
        )
        return Repository.open(url)
    raise RepositoryUnavailable(
        f"connection {settings.REPOSITORY_CONN_ID!r} has the type {found.conn_type!r}; use sqlite (the file's path as "
        "host) or postgres"
    )


def ssh_hook(conn_id: str, field: str) -> SSHHook:
    """The provider's hook for an SSH connection. It keeps one connection and opens it again when it was lost."""
    from airflow.providers.ssh.hooks.ssh import SSHHook

    connection(conn_id, field)
    # One attempt: who may be retried is decided by the task's retry policy, by the type of the error.
    return SSHHook(ssh_conn_id=conn_id, cmd_timeout=None, conn_timeout=CONNECT_TIMEOUT_S, conn_retry_attempts=1)


def ssh_session(hook: SSHHook) -> Session:
    """A session over the hook's connection, not yet opened: it connects when first used."""
    from otterflow.remote.session import Session

    return Session(hook.get_conn, host=_place(hook))


def _place(hook: SSHHook) -> str:
    return f"{hook.remote_host}:{hook.port} (connection {hook.ssh_conn_id!r})"


@contextmanager
def sql_query(target: Target, hook: SSHHook | None, *, database: str | None = None) -> Iterator[Query]:
    """SQL on the target, autocommitted, through a tunnel over `hook`'s SSH connection unless that is None.

    Connected to the connection's database, or to `postgres` where that is the benchmark's, which is dropped and made.
    Raises ConnectionFault when the server cannot be reached, AccessRefused when it refuses the credentials.
    """
    import psycopg
    from psycopg.rows import dict_row

    from otterflow.remote.faults import connect_error

    found = connection(target.sql_conn_id, f"{target.name}.yaml: sql_conn_id")
    host, port = found.host or "127.0.0.1", found.port or 5432
    own = found.schema if found.schema != target.database else None
    with ExitStack() as stack:
        if hook is not None:
            try:
                tunnel = stack.enter_context(hook.get_tunnel(port, host))
            except Exception as error:
                raise connect_error(error, _place(hook)) from error
            host, port = "127.0.0.1", tunnel.local_bind_port
        try:
            conn = psycopg.connect(
                host=host,
                port=port,
                user=found.login,
                password=found.password,
                dbname=database or own or "postgres",
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="otterflow",
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c search_path=pg_catalog",
                autocommit=True,
                row_factory=dict_row,
            )
        except psycopg.OperationalError as error:
            raise _connect_error(error, target.sql_conn_id, f"{found.host}:{found.port or 5432}") from None
        stack.enter_context(conn)

        def query(sql: str, parameters: Sequence[Any] | None = None) -> list[dict[str, Any]]:
            try:
                cursor = conn.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError as error:
                if conn.closed or conn.broken:
                    raise ConnectionFault(f"the SQL connection to {target.name} was lost: {error}") from None
                raise

        yield query


def _connect_error(error: Exception, conn_id: str, where: str) -> Exception:
    text = str(error)
    refused = ("password authentication failed", "no pg_hba.conf entry", "no password supplied", "does not exist")
    if any(part in text for part in refused):
        return AccessRefused(
            f"PostgreSQL at {where} refused the credentials of connection {conn_id!r}: {text}; check its login, "
            "password and schema, and the server's pg_hba.conf"
        )
    return ConnectionFault(f"PostgreSQL at {where} (connection {conn_id!r}) cannot be reached: {text}")


def database_access(target: Target, *, from_driver: bool) -> DatabaseAccess:
    """How a command on a host reaches the benchmark's database: the address as the driver or the target sees it."""
    from otterflow.dbms.access import DatabaseAccess

    found = connection(target.sql_conn_id, "sql_conn_id")
    host = target.driver_host if from_driver else "127.0.0.1"
    port, user = found.port or 5432, found.login or "postgres"
    return DatabaseAccess.with_password(host, port, user, target.database, found.password or "")
