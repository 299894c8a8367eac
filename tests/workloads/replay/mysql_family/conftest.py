"""Servers of the family that listen on loopback, each made for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from otterflow.workloads.replay.replayer.answers import Access
from stack.mariadb import PrivateMariadb
from stack.processes import free_port
from tests.dbms.mysql_family.servers import ALL, Server, running

PASSWORD = "p ä:\\ß'\" €"


@dataclass
class Place:
    """A running server, and how the replayer reaches it: as a user who may do everything."""

    name: str
    server: Server
    knobs: dict[str, object] = field(default_factory=dict)

    @property
    def is_mysql(self) -> bool:
        return self.name.startswith("mysql")

    @property
    def socket(self) -> str:
        return str(self.server.private.socket)

    def restart(self, **knobs: object) -> None:
        """Have these knobs in force beside those that it was made with."""
        private = self.server.private
        text = "[mysqld]\n" + "".join(f"{name} = {value}\n" for name, value in (self.knobs | knobs).items())
        private.user.write_file(private.knobs_file, text, 0o644)
        private.restart()

    def sql(self, text: str, parameters: Any = ()) -> list[dict[str, Any]]:
        """A statement by another client."""
        return self.server.query(text, parameters)

    def user(self, name: str, plugin: str, password: str) -> None:
        """Make a user anew who is known by the plugin."""
        self.sql(f"DROP USER IF EXISTS '{name}'@'%'")
        if self.is_mysql:
            self.sql(f"CREATE USER '{name}'@'%%' IDENTIFIED WITH {plugin} BY %s", [password])
        else:
            self.sql(f"CREATE USER '{name}'@'%%' IDENTIFIED VIA {plugin} USING PASSWORD(%s)", [password])
        self.sql(f"GRANT ALL ON *.* TO '{name}'@'%'")

    def access(self, **changes: Any) -> Access:
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.knobs["port"],
            "user": "replay",
            "database": "test_wire",
        }
        return Access(**(given | {"password": PASSWORD} | changes))

    def variable(self, name: str) -> Any:
        return self.sql(f"SELECT @@{name} AS v")[0]["v"]


@contextmanager
def place(name: str) -> Iterator[Place]:
    with running(name) as server:
        private = server.private
        if isinstance(private, PrivateMariadb):
            knobs: dict[str, object] = {"port": private.port}
        else:
            knobs = {"skip_networking": "OFF", "bind_address": "127.0.0.1", "port": free_port()}
        made = Place(name, server, knobs | {"max_allowed_packet": "128M", "loose_local_infile": "ON"})
        made.restart()
        made.user("replay", "caching_sha2_password" if made.is_mysql else "mysql_native_password", PASSWORD)
        made.sql("CREATE DATABASE test_wire")
        made.sql("CREATE TABLE test_wire.t (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE=InnoDB")
        made.sql("INSERT INTO test_wire.t VALUES (1, 'a'), (2, 'b'), (3, NULL)")
        yield made


@pytest.fixture(scope="module", params=list(ALL))
def server(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One of the family's servers."""
    with place(request.param) as found:
        yield found
