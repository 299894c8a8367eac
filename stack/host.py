"""A private database host: PostgreSQL behind an sshd, with the target file and the connections that lead there.

To the rest of otterflow it is what a user's staging server is: reached over SSH with a checked host key, SQL behind a
tunnel, `pg_ctl` driven by the SSH user.
"""

from __future__ import annotations

import json
import os
import pwd
from functools import cached_property
from pathlib import Path

import yaml

from otterflow.target import Target
from stack.free_cache import granted_to
from stack.postgres import DATABASE, ROLE, PrivateCluster
from stack.processes import StackError, belonging_to, describe, end_all
from stack.sshd import PrivateSshd
from stack.users import ServerUser, server_user

SSH_CONN_ID = "otterflow_target_ssh"
SQL_CONN_ID = "otterflow_target_sql"


class DatabaseHost:
    """All servers of one database host under `root`, which the servers' user must be able to enter.

    `targets_dir` holds the target file `<name>.yaml`; `airflow_connections()` is what Airflow's environment needs.
    """

    def __init__(self, root: Path, name: str = "private", user: ServerUser | None = None) -> None:
        self.root = root.resolve()
        self.name = name
        self.user = user or server_user()
        self.cluster = PrivateCluster(self.root / "pg", self.user)
        self.sshd = PrivateSshd(self.root / "sshd", self.user)
        self.targets_dir = self.root / "targets"
        self.snapshot_dir = self.root / "snapshots"
        self.work_dir = self.root / "jobs"

    @cached_property
    def target(self) -> Target:
        """The host as a target file describes it, checked."""
        return Target.model_validate(self._target_record())

    def start(self) -> None:
        """Start both servers, made on first use, and write the target file. Raises StackError when one does not."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not self.user.can_reach(self.root):
            raise StackError(f"the servers' user {self.user.name!r} may not enter {self.root}; use another folder")
        self.user.make_dir(self.root, 0o755)
        self.user.make_dir(self.snapshot_dir)
        self.user.make_dir(self.work_dir)
        self.cluster.start()
        self.sshd.start()
        self.targets_dir.mkdir(exist_ok=True)
        (self.targets_dir / f"{self.name}.yaml").write_text(yaml.safe_dump(self._target_record(), sort_keys=False))

    def stop(self) -> None:
        """Stop both servers and every job started over SSH. Raises StackError if a process is left."""
        self.cluster.stop()
        self.sshd.stop()
        end_all(belonging_to(self.root))
        left = belonging_to(self.root)
        if left:
            raise StackError(f"processes of {self.root} are left:\n{describe(left)}")

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
        sql = {
            "conn_type": "postgres",
            "host": self.cluster.host,
            "port": self.cluster.port,
            "login": ROLE,
            "password": self.cluster.password,
            "schema": DATABASE,
        }
        connections = {SSH_CONN_ID: ssh, SQL_CONN_ID: sql}
        return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()}

    def environment(self) -> dict[str, str]:
        """The connections, and where the target file is: what otterflow needs to tune this host."""
        return {**self.airflow_connections(), "OTTERFLOW_TARGETS_DIR": str(self.targets_dir)}

    def _target_record(self) -> dict[str, object]:
        return {
            "name": self.name,
            "description": f"A private PostgreSQL of {pwd.getpwuid(os.getuid()).pw_name} on this machine.",
            "ssh_conn_id": SSH_CONN_ID,
            "sql_conn_id": SQL_CONN_ID,
            "service": {"kind": "pg_ctl"},
            "bin_dir": str(self.cluster.bin_dir),
            "data_dir": str(self.cluster.data_dir),
            "log_file": str(self.cluster.log_file),
            "knobs_file": str(self.cluster.knobs_file),
            "database": DATABASE,
            "snapshot": {"dir": str(self.snapshot_dir), "method": "dump"},
            "free_cache": "sudo" if granted_to(self.user) else "none",
            "work_dir": str(self.work_dir),
        }
