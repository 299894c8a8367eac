"""A host of the family whose load is recorded or replayed: its server as its users and its administrator meet it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pymysql

from stack.family_host import FamilyHost
from stack.mariadb import DATABASE, USER, PrivateMariadb
from stack.suite_host import SuiteHost
from stack.suite_server import SuiteServer
from tests.dbms.mysql_family.servers import THIS_MACHINES
from tests.operators.family_hosts import running_host

PRODUCTS = ("mariadb", "mysql")
PASSWORD = "own"


class MysqlWithUser(SuiteHost):
    """A MySQL with the tuning user of a MariaDB's host, who has a password."""

    @property
    def sql_connection(self) -> dict[str, object]:
        """That user's."""
        return super().sql_connection | {"login": USER, "password": PASSWORD}

    def start(self) -> None:
        """See `SuiteHost.start`; the user is made at the first."""
        super().start()
        Source(self).sql(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};"
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';"
            f"GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;"
        )


class Source:
    """The server of a host."""

    def __init__(self, host: FamilyHost) -> None:
        self.host = host

    @property
    def server(self) -> PrivateMariadb | SuiteServer:
        return self.host.server

    @property
    def password(self) -> str:
        return self.server.password if isinstance(self.server, PrivateMariadb) else PASSWORD

    @property
    def way(self) -> dict[str, Any]:
        """How PyMySQL gets there as the tuning user."""
        server = self.server
        if isinstance(server, PrivateMariadb):
            return {"host": server.host, "port": server.port, "user": USER, "password": self.password}
        return {"unix_socket": str(server.socket), "user": USER, "password": self.password}

    def connect(self, database: str | None = DATABASE) -> pymysql.Connection[pymysql.cursors.DictCursor]:
        """As that user; rows are dictionaries."""
        return pymysql.connect(**self.way, database=database, autocommit=True, cursorclass=pymysql.cursors.DictCursor)

    def sql(self, text: str) -> None:
        """Statements of the server's own root, by its client program."""
        server = self.server
        if isinstance(server, PrivateMariadb):
            server.sql(text)
            return
        argv = [str(server.bin_dir / "mysql"), "--no-defaults", f"--socket={server.socket}", "--user=root"]
        done = subprocess.run(argv, check=False, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def dump(self) -> str:
        """What the database has now, its routines and events, too."""
        server = self.server
        options = ["--no-defaults", f"--socket={server.socket}", "--routines", "--events"]
        if isinstance(server, PrivateMariadb):
            argv = server.user.command("mariadb-dump", *options, f"--user={server.user.name}", DATABASE)
        else:
            argv = [str(server.bin_dir / "mysqldump"), *options, "--user=root", "--set-gtid-purged=OFF", DATABASE]
        return subprocess.run(argv, check=True, capture_output=True, cwd="/").stdout.decode()

    def sysbench(self, command: str, *options: str) -> None:
        """Sysbench's read and write load on two tables of its own: prepared statements, their values sent apart."""
        spelt = {"host": "host", "port": "port", "unix_socket": "socket", "user": "user", "password": "password"}
        argv = [
            "sysbench", "oltp_read_write", "--db-driver=mysql", f"--mysql-db={DATABASE}", "--tables=2",
            *(f"--mysql-{spelt[name]}={value}" for name, value in self.way.items()), "--table-size=500", *options,
            command,
        ]  # fmt: skip
        subprocess.run(argv, check=True, capture_output=True, timeout=120)


def host_of(dbms: str, name: str = "private", **fields: Any) -> AbstractContextManager[FamilyHost]:
    """A running host with a server of that product; the test is skipped, and says why, where none can be had."""
    server = {"mariadb": THIS_MACHINES, "mysql": "mysql-9"}[dbms]
    return running_host(server, name, of_suite=MysqlWithUser, **fields)


@contextmanager
def cleaned(host: FamilyHost) -> Iterator[FamilyHost]:
    """The host with its server up, and neither a knobs file nor a lock; afterwards again."""
    _put_back(host)
    yield host
    _put_back(host)


def _put_back(host: FamilyHost) -> None:
    server = host.server
    if server.knobs_file.exists():
        server.knobs_file.unlink()
        server.stop()
    server.start()
    host.break_lock()
