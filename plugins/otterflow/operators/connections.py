"""From Airflow's connections to open doors: the repository, an SSH session, and SQL through the SSH tunnel."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from otterflow import settings
from otterflow.dbms.registry import dbms_named
from otterflow.dbms.values import Login
from otterflow.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from airflow.providers.ssh.hooks.ssh import SSHHook
    from airflow.sdk import Connection
    from paramiko import SSHClient

    from otterflow.dbms.target import Target
    from otterflow.dbms.values import DatabaseAccess, Query
    from otterflow.remote.session import Session
    from otterflow.repository import Repository

LOCAL = "127.0.0.1"
CONNECT_TIMEOUT_S = 10


def connection(conn_id: str, field: str) -> Connection:
    """The Airflow connection of that id. Raises InvalidInput that names the field that asked for it, or the extra."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        if variable in os.environ:  # which Airflow passes over with an error in the log
            what = f"{variable} cannot be read as connection {conn_id!r}"
            advice = "write JSON with conn_type, host, login, port as a number, and extra as an object"
            raise InvalidInput(Problem(field, what, advice)) from None
        advice = f"add it under Admin, Connections, or set {variable} where Airflow runs"
        raise InvalidInput(Problem(field, f"Airflow has no connection {conn_id!r}", advice)) from None
    if not _is_object(found.extra):
        advice = 'write it as in {"key_file": "/path/id_ed25519"}, with names and texts in double quotes'
        raise InvalidInput(Problem(f"connection {conn_id!r}", "its extra is no JSON object", advice))
    return found


def _is_object(extra: str | None) -> bool:
    try:
        return not extra or isinstance(json.loads(extra), dict)
    except ValueError:
        return False


def open_repository() -> Repository:
    """The repository behind the connection `otterflow_repository`, or the embedded SQLite file without one.

    Raises RepositoryUnavailable when it cannot be reached.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from otterflow.repository import Repository
    from otterflow.repository.addressed import url_of

    try:
        found = BaseHook.get_connection(settings.REPOSITORY_CONN_ID)
    except AirflowNotFoundException:
        return Repository.open(f"sqlite:///{settings.private_home() / 'repository.db'}")
    return Repository.open(url_of(settings.REPOSITORY_CONN_ID, found))


def ssh_hook(conn_id: str, field: str) -> SSHHook:
    """The provider's hook for an SSH connection. It keeps one connection and opens it again when it was lost.

    Keys are taken in the forms that people paste. Raises InvalidInput that names the connection and its field.
    """
    from airflow.providers.ssh.hooks.ssh import SSHHook

    from otterflow.remote.session import send_at_once

    usable = _with_usable_keys(connection(conn_id, field))

    class Hook(SSHHook):
        @classmethod
        def get_connection(cls, conn_id: str) -> Connection:
            return usable

        def get_conn(self) -> SSHClient:
            client = super().get_conn()
            send_at_once(client)
            return client

    try:
        # One attempt: who may be retried is decided by the task's retry policy, by the type of the error.
        return Hook(ssh_conn_id=conn_id, cmd_timeout=None, conn_timeout=CONNECT_TIMEOUT_S, conn_retry_attempts=1)
    except Exception as error:  # the provider raises whatever its parsing ran into
        raise InvalidInput(
            Problem(f"connection {conn_id!r}", str(error), "correct it under Admin, Connections")
        ) from None


def _with_usable_keys(found: Connection) -> Connection:
    """The SSH connection with `host_key`, `private_key` and `key_file` as the provider reads them."""
    import attrs

    from otterflow.remote import keys

    extra = dict(found.extra_dejson)
    if extra.get("private_key") and extra.get("key_file"):
        advice = "keep the one that is meant"
        raise InvalidInput(Problem(_extra_field(found, "key_file"), "and private_key are both set", advice))
    if extra.get("host_key"):
        with _naming(found, "host_key"):
            extra["host_key"] = keys.host_key_of(str(extra["host_key"]))
    passphrase = extra.get("private_key_passphrase")
    if extra.get("private_key"):
        with _naming(found, "private_key"):
            extra["private_key"] = keys.private_key_of(str(extra["private_key"]))
            keys.check_private_key(extra["private_key"], passphrase)
    elif extra.get("key_file"):
        with _naming(found, "key_file"):
            text = keys.key_file_text(str(extra["key_file"]))
            keys.check_private_key(text, passphrase)
        if passphrase:  # which the provider uses for `private_key` alone
            del extra["key_file"]
            extra["private_key"] = text
    return attrs.evolve(found, extra=json.dumps(extra))


@contextmanager
def _naming(found: Connection, name: str) -> Iterator[None]:
    """What is wrong with a field of the connection's extra, as a problem that names both."""
    try:
        yield
    except ValueError as error:
        what, _, advice = str(error).partition("; ")
        raise InvalidInput(Problem(_extra_field(found, name), what, advice)) from None


def _extra_field(found: Connection, name: str) -> str:
    return f"connection {found.conn_id!r}, {name} of its extra"


def ssh_session(hook: SSHHook) -> Session:
    """A session over the hook's connection, not yet opened: it connects when first used."""
    from otterflow.remote.session import Session

    return Session(hook.get_conn, host=_place(hook))


def _place(hook: SSHHook) -> str:
    return f"{hook.remote_host}:{hook.port} (connection {hook.ssh_conn_id!r})"


@contextmanager
def sql_query(target: Target, hook: SSHHook | None, *, database: str | None = None) -> Iterator[Query]:
    """SQL on the target, autocommitted, through a tunnel over `hook`'s SSH connection unless that is None.

    Connected to the connection's database, or to one that is always there where that is the benchmark's, which is
    removed and made. Raises ConnectionFault when the server cannot be reached, AccessRefused when it refuses the
    credentials.
    """
    login, client = _login(target), dbms_named(target.dbms).client
    with ExitStack() as stack:
        if hook is None:
            yield stack.enter_context(client.open_query(login, target, database=database))
            return
        port = stack.enter_context(_tunnel(hook, login, client.address(login)))
        fault = partial(_tunnel_error, hook, *client.address(login))
        yield stack.enter_context(
            client.open_query(login, target, database=database, tunnel_port=port, tunnel_fault=fault)
        )


def _login(target: Target) -> Login:
    """What the target's SQL connection says."""
    found = connection(target.sql_conn_id, sql_field(target))
    return Login(
        host=found.host or None,
        port=found.port,
        user=found.login,
        password=found.password,
        database=found.schema,
        extra=found.extra_dejson,
        place=f"connection {found.conn_id!r}",
    )


def sql_field(target: Target) -> str:
    """What a problem with the target's SQL connection is called."""
    return f"{target.name}.yaml: sql_conn_id"


@contextmanager
def _tunnel(hook: SSHHook, login: Login, server: tuple[str, int]) -> Iterator[int]:
    """The local port of a tunnel to the server while the block runs."""
    from otterflow.remote.faults import connect_error

    host, port = server
    if host.startswith("/"):
        advice = (
            "give the address that the server listens on, or set sql_tunnel: false where Airflow runs on the target"
        )
        found = f"{host!r} is a socket's folder, to which an SSH tunnel does not lead"
        raise InvalidInput(Problem(f"{login.place}: host", found, advice))
    with ExitStack() as stack:
        try:
            tunnel = stack.enter_context(hook.get_tunnel(port, host))
        except Exception as error:
            raise connect_error(error, _place(hook)) from error
        yield tunnel.local_bind_port


def _tunnel_error(hook: SSHHook, host: str, port: int) -> Exception | None:
    """What keeps a tunnel from leading to the server, if anything does."""
    from otterflow.remote.faults import connect_error, forwarding_error

    try:
        transport = hook.get_conn().get_transport()
    except Exception as error:
        return connect_error(error, _place(hook))
    return forwarding_error(transport, _place(hook), (host, port)) if transport is not None else None


def database_access(target: Target, *, from_driver: bool) -> DatabaseAccess:
    """How a command on a host reaches the benchmark's database: the address as the driver or the target sees it."""
    host = target.driver_host if from_driver else None
    return dbms_named(target.dbms).client.access(_login(target), target.database, host)
