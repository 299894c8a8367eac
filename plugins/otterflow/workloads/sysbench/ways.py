"""The DBMSs that sysbench is driven on: one file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from otterflow.dbms.values import DatabaseAccess
from otterflow.workloads.sysbench import mysql_family, postgresql


class Way(Protocol):
    """What differs from one DBMS to another."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """The programs that `after_load` takes."""

    def options(self, access: DatabaseAccess) -> list[str]:
        """Sysbench's options that lead to the database."""

    def files(self, access: DatabaseAccess) -> dict[str, str]:
        """Files that the options speak of, beside those of the access."""

    def after_load(self, tables: Sequence[str]) -> str:
        """A command that tends the tables after a load."""


WAYS: Mapping[str, Way] = {
    "postgresql": postgresql,
    "mariadb": mysql_family.Way("mariadb"),
    "mysql": mysql_family.Way("mysql"),
}
"""By the DBMS's name."""
