"""The doors to a target by Airflow's connections, as the room `hosts` is handed them."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from otterflow.operators.connections import database_access, sql_query, ssh_hook, ssh_session

if TYPE_CHECKING:
    from airflow.providers.ssh.hooks.ssh import SSHHook

    from otterflow.dbms.target import Target
    from otterflow.dbms.values import DatabaseAccess, Query
    from otterflow.remote.session import Session


class ConnectedHost:
    """A `hosts.host.Host`. Use as a context manager, or call `close`; that closes the SSH sessions it opened."""

    def __init__(self, target: Target, *, is_live: bool = False) -> None:
        self.target = target
        self.is_live = is_live
        self._stack = ExitStack()

    def __enter__(self) -> ConnectedHost:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the sessions."""
        self._stack.close()

    @cached_property
    def session(self) -> Session:
        """SSH to the target."""
        return self._stack.enter_context(ssh_session(self._hook))

    @cached_property
    def driver_session(self) -> Session:
        """SSH to the machine that runs the benchmark."""
        if self.target.driver_ssh_conn_id is None:
            return self.session
        return self._stack.enter_context(self.new_session(on_driver=True))

    def new_session(self, *, on_driver: bool) -> Session:
        """SSH over a connection of its own."""
        return ssh_session(self._new_hook(on_driver=on_driver))

    def query(self, database: str | None = None) -> AbstractContextManager[Query]:
        """SQL on the target."""
        if database is None and self.is_live:
            database = self.target.database
        return sql_query(self.target, self._hook if self.target.sql_tunnel else None, database=database)

    @cached_property
    def access(self) -> DatabaseAccess:
        """The benchmark's database as the driver host sees it."""
        return database_access(self.target, from_driver=True)

    @cached_property
    def local_access(self) -> DatabaseAccess:
        """The benchmark's database as the target itself sees it."""
        return database_access(self.target, from_driver=False)

    @cached_property
    def _hook(self) -> SSHHook:
        """One SSH connection to the target, which commands and the SQL tunnel share."""
        return self._new_hook(on_driver=False)

    def _new_hook(self, *, on_driver: bool) -> SSHHook:
        target = self.target
        if on_driver and target.driver_ssh_conn_id is not None:
            return ssh_hook(target.driver_ssh_conn_id, f"{target.name}.yaml: driver_ssh_conn_id")
        return ssh_hook(target.ssh_conn_id, f"{target.name}.yaml: ssh_conn_id")
