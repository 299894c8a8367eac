"""How a target is reached. This room is handed its SSH and its SQL, and knows nothing of where they come from.

`operators.connected_host` makes them from Airflow's connections. A script that has other means writes a class of this
shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.dbms.values import DatabaseAccess, Query
    from otterflow.remote.session import Session


class Host(Protocol):
    """The doors to one target. Each is opened when it is first used; a wrong one raises InvalidInput then."""

    @property
    def target(self) -> Target:
        """Whose doors they are."""

    @property
    def is_live(self) -> bool:
        """Whether SQL that asks for no database is to go to the target's own, where its users work, and which stays."""

    @property
    def session(self) -> Session:
        """SSH to the target."""

    @property
    def driver_session(self) -> Session:
        """SSH to the machine that runs the benchmark; `session` itself unless the target names another."""

    def new_session(self, *, on_driver: bool) -> Session:
        """SSH over a connection of its own, which is not disturbed by a command under way; the caller closes it."""

    def query(self, database: str | None = None) -> AbstractContextManager[Query]:
        """SQL on the target while the block runs: `with host.query() as query`."""

    @property
    def access(self) -> DatabaseAccess:
        """The benchmark's database as the machine sees it that runs the benchmark."""

    @property
    def local_access(self) -> DatabaseAccess:
        """The benchmark's database as the target itself sees it."""

    def close(self) -> None:
        """Close what was opened."""


class OpenHost(Protocol):
    """Gives the doors to a target; nothing is opened yet."""

    def __call__(self, target: Target, *, is_live: bool = False) -> Host:
        """`is_live` as in `Host`."""


def both_sessions(host: Host) -> Iterator[Session]:
    """SSH to the target, and to the driver host where that is another machine."""
    yield host.session
    if host.driver_session is not host.session:
        yield host.driver_session


def driver_bin_dir(target: Target) -> str | None:
    """Where the DBMS's programs are on the driver host; on a machine of its own they must be on the PATH."""
    return target.bin_dir if target.driver_ssh_conn_id is None else None
