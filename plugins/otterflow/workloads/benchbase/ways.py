"""The DBMSs that BenchBase is driven on: one file each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from otterflow.dbms.values import DatabaseAccess
from otterflow.workloads.benchbase import mysql_family, postgresql


class Way(Protocol):
    """What differs from one DBMS to another."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """The programs that `AFTER_LOAD` takes."""

    @property
    def DISTRIBUTION(self) -> str:
        """The build of BenchBase that has its JDBC driver."""

    @property
    def TYPE(self) -> str:
        """BenchBase's name of the DBMS."""

    @property
    def JDBC_DRIVER(self) -> str:
        """The class of its JDBC driver."""

    @property
    def AFTER_LOAD(self) -> str:
        """Bash that tends the tables after a load, so that no run begins with that work."""

    def jdbc_url(self, access: DatabaseAccess) -> str:
        """Where the database is, without user and password. Raises InvalidInput where Java does not get there."""


WAYS: Mapping[str, Way] = {
    "postgresql": postgresql,
    "mariadb": mysql_family.Way("mariadb", "MARIADB", "org.mariadb.jdbc.Driver"),
    "mysql": mysql_family.Way("mysql", "MYSQL", "com.mysql.cj.jdbc.Driver"),
}
"""By the DBMS's name."""
