"""A private database host with a MariaDB or MySQL of another Debian suite, reached by its socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from stack.family_host import FamilyHost
from stack.host import CONNECTIONS
from stack.mariadb import DATABASE
from stack.suite_server import SuiteServer
from stack.suites import Unpacked
from stack.users import ServerUser


class SuiteHost(FamilyHost):
    """A host with a server that the SSH user owns; its root has no password, and the socket is the only way to it."""

    def __init__(
        self,
        root: Path,
        programs: Unpacked,
        name: str = "private",
        user: ServerUser | None = None,
        *,
        connections: str = CONNECTIONS,
        fields: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(root, name, user, connections=connections, fields=fields)
        self._server = SuiteServer(self.root / "my", self.user, programs)
        self.dbms, self.title = ("mysql", "MySQL") if self._server.is_mysql else ("mariadb", "MariaDB")

    def start(self) -> None:
        """Start both servers; see `Host.start`."""
        super().start()
        self._server.link_programs()

    @property
    def server(self) -> SuiteServer:
        """The MariaDB or MySQL."""
        return self._server

    @property
    def programs(self) -> str:
        """The version, as the server's program says it."""
        return f"{self.title} {self._server.programs.version} runs with the programs in {self._server.bin_dir}."

    @property
    def sql_connection(self) -> dict[str, object]:
        """The server's root, at its socket."""
        return {"conn_type": "generic", "host": str(self._server.socket), "login": "root", "schema": DATABASE}

    def _server_record(self) -> dict[str, object]:
        return super()._server_record() | {"sql_tunnel": False}
