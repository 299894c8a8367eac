"""A private database host with a MySQL of another Debian suite, reached by its socket."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from otterflow.remote.host_lock import LOCKS
from stack.host import CONNECTIONS, Host, PrivateServer
from stack.suite_server import SuiteServer
from stack.suites import Unpacked
from stack.users import ServerUser

DATABASE = "bench"


class MysqlHost(Host):
    """A host with a MySQL that the SSH user owns; its root has no password, and the socket is the only way to it."""

    title = "MySQL"

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
        self.mysql = SuiteServer(self.root / "my", self.user, programs)

    def start(self) -> None:
        """Start both servers; see `Host.start`."""
        super().start()
        self.mysql.link_programs()

    @property
    def server(self) -> PrivateServer:
        """The MySQL."""
        return self.mysql

    @property
    def programs(self) -> str:
        """The version, as the server's program says it."""
        return f"MySQL {self.mysql.programs.version} runs with the programs in {self.mysql.bin_dir}."

    @property
    def sql_connection(self) -> dict[str, object]:
        """The server's root, at its socket."""
        return {"conn_type": "generic", "host": str(self.mysql.socket), "login": "root", "schema": DATABASE}

    def locks(self) -> list[Path]:
        """Those of the data directory, which a lock's name ends with."""
        digest = sha256(str(self.mysql.data_dir).encode()).hexdigest()[:8]
        return list(Path(LOCKS).glob(f"otterflow-*-{digest}.lock"))

    def _server_record(self) -> dict[str, object]:
        return {
            "dbms": "mysql",
            "service": {"kind": "own_server", "config_file": str(self.mysql.config_file)},
            "sql_tunnel": False,
            "bin_dir": str(self.mysql.bin_dir),
            "data_dir": str(self.mysql.data_dir),
            "log_file": str(self.mysql.log_file),
            "knobs_file": str(self.mysql.knobs_file),
            "database": DATABASE,
            "snapshot": {"dir": str(self.snapshot_dir), "method": "copy"},
        }
