"""A private database host with a MariaDB: the server that the SSH user owns."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from otterflow.remote.host_lock import LOCKS
from stack.host import CONNECTIONS, Host, PrivateServer
from stack.mariadb import DATABASE, SERVER, USER, PrivateMariadb
from stack.users import ServerUser


class MariadbHost(Host):
    """A host with a MariaDB of Debian's package."""

    title = "MariaDB"

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
    def server(self) -> PrivateServer:
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

    def locks(self) -> list[Path]:
        """Those of the data directory, which a lock's name ends with."""
        digest = sha256(str(self.mariadb.data_dir).encode()).hexdigest()[:8]
        return list(Path(LOCKS).glob(f"otterflow-*-{digest}.lock"))

    def _server_record(self) -> dict[str, object]:
        return {
            "dbms": "mariadb",
            "service": {"kind": "own_server", "config_file": str(self.mariadb.config_file)},
            "bin_dir": str(self.mariadb.bin_dir),
            "data_dir": str(self.mariadb.data_dir),
            "log_file": str(self.mariadb.log_file),
            "knobs_file": str(self.mariadb.knobs_file),
            "database": DATABASE,
            "snapshot": {"dir": str(self.snapshot_dir), "method": "copy"},
        }
