"""A private PostgreSQL cluster: made by `initdb`, on loopback and a free port, driven with `pg_ctl`.

Its configuration ends with the line that a tuned server needs, `include_if_exists` of otterflow's knobs file, which
lies outside the data directory so that no restore can overwrite it.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from stack.processes import MARKER, StackError, free_port, is_alive, tail, wait_until
from stack.programs import find_bin_dir, major_of, whole_bin_dir
from stack.users import ServerUser

ROLE = "otterflow"
"""The tuning role. A superuser here; the README says what a role needs at least on a server that is not private."""
DATABASE = "bench"
"""The database that benchmarks load and run in."""

_SOCKET_PATH_LIMIT = 107  # bytes in sockaddr_un.sun_path, without the closing zero


class PrivateCluster:
    """One PostgreSQL cluster under `root`, owned by `user`.

    `data_dir`, `knobs_file`, `log_file` and `port` are what a target file says of it. The password of the role
    `otterflow` is random and lies in `password_file`, mode 600, which belongs to the invoking user. The cluster is made
    and run with the programs in `bin_dir`, by default those of the newest PostgreSQL that is installed.
    """

    def __init__(self, root: Path, user: ServerUser, bin_dir: Path | None = None) -> None:
        root = root.resolve()
        self.root, self.user = root, user
        self._asked_bin_dir = bin_dir
        self._bin_dir_file = root / "bin_dir"
        self.data_dir = root / "data"
        self.config_dir = root / "config"
        self.knobs_file = self.config_dir / "knobs.conf"
        self.log_file = root / "log" / "postgresql.log"
        self.socket_dir = root / "run"
        self.password_file = root / "password"
        self.host = "127.0.0.1"

    @property
    def bin_dir(self) -> Path:
        """The folder with all programs that the cluster is run with; fixed when it is made."""
        if self._bin_dir_file.exists():
            return Path(self._bin_dir_file.read_text().strip())
        return self._asked_bin_dir or find_bin_dir()

    @property
    def major(self) -> int:
        """The server's major version."""
        return major_of(self.bin_dir / "postgres")

    @property
    def can_be_dumped(self) -> bool:
        """Whether pg_dump is not older than the server, which it would refuse."""
        return major_of(self.bin_dir / "pg_dump") >= self.major

    @property
    def port(self) -> int:
        """The port the cluster was made with."""
        return int(_setting(self.data_dir / "postgresql.conf", "port"))

    @property
    def password(self) -> str:
        """The password of the role `otterflow`."""
        return self.password_file.read_text().strip()

    @property
    def pid(self) -> int | None:
        """The process id of the running postmaster, whoever started it, or None."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
            running = psutil.Process(pid)
            ours = Path(running.cwd()) == self.data_dir and is_alive(running)
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if ours else None

    @property
    def is_running(self) -> bool:
        """Whether the postmaster lives."""
        return self.pid is not None

    @property
    def system_identifier(self) -> int:
        """The number that initdb gave the cluster: the first eight bytes of its control file."""
        return int.from_bytes((self.data_dir / "global" / "pg_control").read_bytes()[:8], sys.byteorder)

    def create(self) -> None:
        """Make the cluster, its configuration and its password files; the server is not started. Once only."""
        socket_path = self.socket_dir / ".s.PGSQL.65535"
        if len(os.fsencode(socket_path)) > _SOCKET_PATH_LIMIT:
            raise StackError(f"{socket_path} is too long for a socket's path; use a folder with a shorter one")
        for folder in (self.root, self.config_dir, self.log_file.parent, self.socket_dir):
            self.user.make_dir(folder, 0o755 if folder == self.root else 0o700)
        bin_dir = self._asked_bin_dir or find_bin_dir()
        if not self.user.can_reach(bin_dir):
            raise StackError(f"the servers' user {self.user.name!r} may not enter {bin_dir}; use programs elsewhere")
        self._bin_dir_file.write_text(f"{whole_bin_dir(bin_dir, self.root / 'bin')}\n")
        password = secrets.token_urlsafe(24)
        handed = self.user.write_file(self.root / "initdb-password", password + "\n")
        self._run(
            "initdb", "--pgdata", self.data_dir, "--username", ROLE, "--pwfile", handed, "--encoding=UTF8",
            "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync",
        )  # fmt: skip
        handed.unlink()
        port = free_port()
        self._write_invokers_file(self.password_file, password + "\n")
        config = self.data_dir / "postgresql.conf"
        self.user.write_file(config, config.read_text() + self._configuration(port))

    def start(self, timeout_s: int = 60) -> None:
        """Start the server and wait until it answers; the first time, make the database `bench` as well."""
        if not (self.data_dir / "PG_VERSION").exists():
            self.create()
        self._refuse_other_programs()
        if self.is_running:
            return
        self._run("pg_ctl", "start", "-D", self.data_dir, "-l", self.log_file, "-w", "-t", timeout_s, "--silent")
        with self.connect("postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if known is None:
            self._make_database()

    def stop(self, timeout_s: int = 60) -> None:
        """Stop the server, at once if it does not go quietly. Raises StackError if it still lives after that."""
        pid = self.pid
        if pid is None:
            return
        for mode in ("fast", "immediate"):
            done = self._try("pg_ctl", "stop", "-D", self.data_dir, "-m", mode, "-w", "-t", timeout_s, "--silent")
            if done.returncode == 0:
                break
        else:
            psutil.Process(pid).kill()
        wait_until(
            lambda: not self.is_running, timeout_s=timeout_s, what=f"process {pid} (PostgreSQL) ends", log=self.log_file
        )

    def restart(self) -> None:
        """Stop, then start."""
        self.stop()
        self.start()

    def dsn(self, database: str = DATABASE) -> str:
        """How to reach the server over TCP, with the password: for this process only, never for a command line."""
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, dbname=database, user=ROLE, password=self.password, connect_timeout=10
        )

    def connect(self, database: str = DATABASE, *, autocommit: bool = True) -> psycopg.Connection[tuple[Any, ...]]:
        """A new connection as the tuning role."""
        return psycopg.connect(self.dsn(database), autocommit=autocommit)

    @property
    def preloads_statements(self) -> bool:
        """Whether pg_stat_statements is there (Debian: postgresql-contrib) and so preloaded."""
        share = re.search(r"^share_path=(.+)$", self._try("initdb", "--show", "-D", self.data_dir).stdout, re.MULTILINE)
        return share is not None and (Path(share[1]) / "extension/pg_stat_statements.control").exists()

    def renew_database(self) -> None:
        """Drop the database, with whatever is in it and whoever is connected, and make it again: empty, unmarked."""
        name = sql.Identifier(DATABASE)
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))

    def _refuse_other_programs(self) -> None:
        asked, made_with = self._asked_bin_dir, (self.bin_dir / "postgres").resolve()
        if asked is not None and (asked / "postgres").resolve() != made_with:
            raise StackError(f"{self.data_dir} was made with {made_with}, not with {asked}; `make clean` removes it")

    def _make_database(self) -> None:
        with self.connect("template1") as template:
            if self.preloads_statements:
                template.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _configuration(self, port: int) -> str:
        preload = "shared_preload_libraries = 'pg_stat_statements'\n" if self.preloads_statements else ""
        return (
            "\n# A private server: loopback only.\n"
            f"listen_addresses = '{self.host}'\n"
            f"port = {port}\n"
            f"unix_socket_directories = '{self.socket_dir}'\n"
            "unix_socket_permissions = 0700\n"
            f"{preload}"
            "log_line_prefix = '%m [%p] %q%u@%d '\n"
            "\n# Last, so that it wins over every line above.\n"
            f"include_if_exists = '{self.knobs_file}'\n"
        )

    def _write_invokers_file(self, path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)

    def _try(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        argv = self.user.command(self.bin_dir / program, *map(str, arguments), **{MARKER: str(self.root)})
        # The postmaster inherits these descriptors: a pipe would never reach its end, and this call never return.
        output = self.root / f"{program}.out"
        with output.open("w") as file:
            done = subprocess.run(
                argv, check=False, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self.root, text=True
            )
        return subprocess.CompletedProcess(argv, done.returncode, output.read_text(), "")

    def _run(self, program: str, *arguments: object) -> None:
        done = self._try(program, *arguments)
        if done.returncode != 0:
            raise StackError(f"{program} ended with exit code {done.returncode}: {done.stdout}\n{tail(self.log_file)}")


def _setting(config: Path, name: str) -> str:
    values = re.findall(rf"^{name} = '?([^'\n]+)'?$", config.read_text(), flags=re.MULTILINE)
    if not values:
        raise StackError(f"{config} sets no {name}; the cluster was not made by this module")
    return str(values[-1])
