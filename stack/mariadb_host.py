"""A private database host with a MariaDB: the server that the SSH user owns."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from stack.family_host import FamilyHost
from stack.host import CONNECTIONS
from stack.mariadb import DATABASE, SERVER, USER, PrivateMariadb
from stack.users import ServerUser


class MariadbHost(FamilyHost):
    """A host with a MariaDB of Debian's package."""

    dbms, title = "mariadb", "MariaDB"

    def __init__(
        self,
        root: Path,
        name: str = "private",
        user: ServerUser | None = None,
        *,
        connections: str = CONNECTIONS,
        fields: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(root, name, user, connections=connections, fields=fields)
        self.mariadb = PrivateMariadb(self.root / "maria", self.user)

    @property
    def server(self) -> PrivateMariadb:
        """The MariaDB."""
        return self.mariadb

    @property
    def programs(self) -> str:
        """The version, as the server's program says it."""
        said = subprocess.run([SERVER, "--version"], check=False, capture_output=True, text=True).stdout
        found = re.search(r"Ver (\d+\.\d+\.\d+)", said)
        return f"MariaDB {found[1] if found else '(of an unknown version)'} runs with the program {SERVER}."

    @property
    def sql_connection(self) -> dict[str, object]:
        """The tuning user's. Any type of connection would do: only its fields are read."""
        return {
            "conn_type": "generic",
            "host": self.mariadb.host,
            "port": self.mariadb.port,
            "login": USER,
            "password": self.mariadb.password,
            "schema": DATABASE,
        }
