"""A private database host: a server behind an sshd, with the target file and the connections that lead there.

To the rest of otterflow it is what a user's staging server is: reached over SSH with a checked host key, SQL behind a
tunnel, the server driven by the SSH user. `DatabaseHost` has a PostgreSQL; `stack.mariadb_host` has a MariaDB.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import yaml

from otterflow.dbms.registry import target_of
from otterflow.dbms.target import Target
from otterflow.remote.host_lock import LOCKS
from stack.free_cache import FreeCacheRule
from stack.postgres import DATABASE, ROLE, PrivateCluster
from stack.processes import StackError, belonging_to, describe, end_all
from stack.programs import major_of
from stack.sshd import PrivateSshd
from stack.users import ServerUser, server_user

CONNECTIONS = "otterflow_target"
"""How the ids of the connections to a host begin, where it is the only one."""
SSH_CONN_ID = f"{CONNECTIONS}_ssh"
SQL_CONN_ID = f"{CONNECTIONS}_sql"


class PrivateServer(Protocol):
    """A DBMS's server that can be started and stopped."""

    def start(self) -> None:
        """Start it, made on first use."""

    def stop(self) -> None:
        """Stop it."""


class Host(ABC):
    """All servers of one database host under `root`, which the servers' user must be able to enter.

    `targets_dir` holds the target file `<name>.yaml`; `airflow_connections()` is what Airflow's environment needs.
    `connections` is how the connections' ids begin; `fields` are fields of the target file that are to be otherwise.
    """

    title: str
    """The DBMS's name for people."""

    def __init__(
        self,
        root: Path,
        name: str = "private",
        user: ServerUser | None = None,
        *,
        connections: str = CONNECTIONS,
        fields: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self.root = root.resolve()
        self.name = name
        self.user = user or server_user()
        self.sshd = PrivateSshd(self.root / "sshd", self.user)
        self.targets_dir = self.root / "targets"
        self.snapshot_dir = self.root / "snapshots"
        self.work_dir = self.root / "jobs"
        self._connections, self._fields = connections, fields

    @property
    @abstractmethod
    def server(self) -> PrivateServer:
        """The DBMS's server."""

    @property
    @abstractmethod
    def programs(self) -> str:
        """A sentence on the version of the started server, and on its programs."""

    @property
    @abstractmethod
    def sql_connection(self) -> dict[str, object]:
        """Airflow's connection for SQL. It holds the password."""

    @abstractmethod
    def locks(self) -> list[Path]:
        """Otterflow's locks of this server: one where an experiment holds it, else none."""

    @abstractmethod
    def _server_record(self) -> dict[str, object]:
        """The fields of the target file that are of the DBMS's server."""

    def break_lock(self) -> None:
        """Take otterflow's lock of this server away, as its message tells a user to whose Airflow is gone."""
        for lock in self.locks():
            shutil.rmtree(lock)

    @cached_property
    def target(self) -> Target:
        """The host as a target file describes it, checked."""
        return target_of(self._target_record(), f"{self.name}.yaml")

    def start(self) -> None:
        """Start both servers, made on first use, and write the target file. Raises StackError when one does not."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not self.user.can_reach(self.root):
            raise StackError(f"the servers' user {self.user.name!r} may not enter {self.root}; use another folder")
        self.user.make_dir(self.root, 0o755)
        self.user.make_dir(self.snapshot_dir)
        self.user.make_dir(self.work_dir)
        self.server.start()
        self.sshd.start()
        self.targets_dir.mkdir(exist_ok=True)
        self.write_target(self.targets_dir)

    def write_target(self, folder: Path) -> None:
        """Write the target file into a folder."""
        (folder / f"{self.name}.yaml").write_text(yaml.safe_dump(self._target_record(), sort_keys=False))

    def stop(self) -> None:
        """Stop both servers and every job started over SSH. Raises StackError if a process is left."""
        self.server.stop()
        self.sshd.stop()
        end_all(belonging_to(self.root))
        left = belonging_to(self.root)
        if left:
            raise StackError(f"processes of {self.root} are left:\n{describe(left)}")
        self.break_lock()

    def airflow_connections(self) -> dict[str, str]:
        """The environment variables `AIRFLOW_CONN_*` of both connections, as JSON. They hold the SQL password."""
        ssh = {
            "conn_type": "ssh",
            "host": self.sshd.host,
            "port": self.sshd.port,
            "login": self.user.name,
            "extra": {
                "key_file": str(self.sshd.key_file),
                "host_key": self.sshd.host_key,
                "no_host_key_check": False,
                "look_for_keys": False,
                # The provider's default, 10 s without output, would end a silent restore.
                "cmd_timeout": None,
                "keepalive_interval": 15,
            },
        }
        return {
            f"AIRFLOW_CONN_{self._connections.upper()}_{name}": json.dumps(value)
            for name, value in (("SSH", ssh), ("SQL", self.sql_connection))
        }

    def environment(self) -> dict[str, str]:
        """The connections, and where the target file is: what otterflow needs to tune this host."""
        return {**self.airflow_connections(), "OTTERFLOW_TARGETS_DIR": str(self.targets_dir)}

    def _target_record(self) -> dict[str, object]:
        return {
            "name": self.name,
            "description": f"A private {self.title} of {pwd.getpwuid(os.getuid()).pw_name} on this machine.",
            "ssh_conn_id": f"{self._connections}_ssh",
            "sql_conn_id": f"{self._connections}_sql",
            **self._server_record(),
            "free_cache": self._free_cache(),
            "work_dir": str(self.work_dir),
            **self._fields,
        }

    def _free_cache(self) -> dict[str, str]:
        rule = FreeCacheRule()
        return {"method": "sudo" if rule.granted_to(self.user) else "none", "command": str(rule.script)}


class DatabaseHost(Host):
    """A host with a PostgreSQL, `bin_dir` naming which."""

    title = "PostgreSQL"

    def __init__(
        self,
        root: Path,
        name: str = "private",
        user: ServerUser | None = None,
        bin_dir: Path | None = None,
        *,
        connections: str = CONNECTIONS,
        fields: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(root, name, user, connections=connections, fields=fields)
        self.cluster = PrivateCluster(self.root / "pg", self.user, bin_dir)

    @property
    def server(self) -> PrivateServer:
        """The cluster."""
        return self.cluster

    @property
    def programs(self) -> str:
        """The version, the programs' folder, and what an older pg_dump there means."""
        cluster = self.cluster
        text = f"PostgreSQL {cluster.major} runs with the programs in {cluster.bin_dir}."
        if not cluster.can_be_dumped:
            dump = major_of(cluster.bin_dir / "pg_dump")
            text += f" pg_dump there is of version {dump}, so a snapshot is a copy of the data directory."
        return text

    @property
    def sql_connection(self) -> dict[str, object]:
        """The tuning role's."""
        cluster = self.cluster
        return {
            "conn_type": "postgres",
            "host": cluster.host,
            "port": cluster.port,
            "login": ROLE,
            "password": cluster.password,
            "schema": DATABASE,
        }

    def locks(self) -> list[Path]:
        """Those of the cluster's number."""
        if not (self.cluster.data_dir / "global" / "pg_control").exists():
            return []
        return list(Path(LOCKS).glob(f"otterflow-{self.cluster.system_identifier}-*.lock"))

    def _server_record(self) -> dict[str, object]:
        cluster = self.cluster
        return {
            "service": {"kind": "pg_ctl"},
            "bin_dir": str(cluster.bin_dir),
            "data_dir": str(cluster.data_dir),
            "log_file": str(cluster.log_file),
            "knobs_file": str(cluster.knobs_file),
            "database": DATABASE,
            "snapshot": {"dir": str(self.snapshot_dir), "method": "dump" if cluster.can_be_dumped else "copy"},
        }
