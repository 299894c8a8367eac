"""A private database host with a server of MySQL's family that the SSH user owns."""

from __future__ import annotations

from abc import abstractmethod
from hashlib import sha256
from pathlib import Path

from otterflow.remote.host_lock import LOCKS
from stack.host import Host
from stack.mariadb import DATABASE, PrivateMariadb
from stack.suite_server import SuiteServer


class FamilyHost(Host):
    """What the hosts of a MariaDB and of a MySQL have in common."""

    dbms: str

    @property
    @abstractmethod
    def server(self) -> PrivateMariadb | SuiteServer:
        """The server, started by its option file."""

    def locks(self) -> list[Path]:
        """Those of the data directory, which a lock's name ends with."""
        digest = sha256(str(self.server.data_dir).encode()).hexdigest()[:8]
        return list(Path(LOCKS).glob(f"otterflow-*-{digest}.lock"))

    def _server_record(self) -> dict[str, object]:
        server = self.server
        return {
            "dbms": self.dbms,
            "service": {"kind": "own_server", "config_file": str(server.config_file)},
            "bin_dir": str(server.bin_dir),
            "data_dir": str(server.data_dir),
            "log_file": str(server.log_file),
            "knobs_file": str(server.knobs_file),
            "database": DATABASE,
            "snapshot": {"dir": str(self.snapshot_dir), "method": "copy"},
        }
