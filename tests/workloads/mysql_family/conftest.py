"""A database of their own on the private MariaDB for workloads' scripts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from otterflow.dbms.mysql_family.access import DatabaseAccess
from stack.mariadb import USER
from stack.mariadb_host import MariadbHost
from tests.dbms.mysql_family.conftest import mariadb_host

__all__ = ["mariadb_host"]


@pytest.fixture(scope="module")
def database(mariadb_host: MariadbHost) -> Iterator[DatabaseAccess]:
    """An empty database, reached over TCP with a password; dropped afterwards."""
    server, name = mariadb_host.mariadb, f"workloads_{uuid.uuid4().hex[:8]}"
    server.sql(f"CREATE DATABASE {name}")
    yield DatabaseAccess(server.host, server.port, USER, name, server.password, program="mariadb")
    server.sql(f"DROP DATABASE {name}")


@pytest.fixture
def bin_dir(mariadb_host: MariadbHost) -> str:
    """Where the client programs are."""
    return str(mariadb_host.mariadb.bin_dir)
