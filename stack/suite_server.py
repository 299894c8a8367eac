"""A private server of another Debian suite's MariaDB or MySQL: on a socket alone, without passwords, for tests.

It is made empty, runs as the servers' user, and is thrown away: what is tried on it may break it.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from stack.processes import MARKER, StackError, is_alive, start, tail, wait_until
from stack.suites import Unpacked
from stack.users import ServerUser

if TYPE_CHECKING:
    import pymysql

CLIENTS = {True: ("mysql", "mysqladmin", "mysqldump"), False: ("mariadb", "mariadb-admin", "mariadb-dump")}
"""The client programs that a tuned server needs, of MySQL or else of MariaDB."""
_BOOTSTRAP = ("mariadb_system_tables.sql", "mariadb_performance_tables.sql", "mariadb_system_tables_data.sql")
"""What MariaDB's own tables are made from; MySQL makes them itself."""
_ROOT = json.dumps({"access": 2**64 - 1, "plugin": "mysql_native_password", "authentication_string": ""})
"""MariaDB's user root, who may do everything (each bit is a right) and has no password; MySQL makes it itself."""


class SuiteServer:
    """One server under `root`; `knobs_file` is read last."""

    def __init__(self, root: Path, user: ServerUser, programs: Unpacked) -> None:
        root = root.resolve()
        self.root, self.user, self.programs = root, user, programs
        self.data_dir = root / "data"
        self.config_file = root / "config" / "my.cnf"
        self.knobs_file = root / "config" / "conf.d" / "zz-otterflow.cnf"
        self.log_file = root / "log" / "server.log"
        self.start_log = root / "log" / "start.log"
        self.socket = root / "run" / "sock"
        self.tmp_dir = root / "tmp"
        self.bin_dir = root / "bin"
        self.process: psutil.Process | None = None

    @property
    def is_mysql(self) -> bool:
        """Whether it is MySQL, which is made another way."""
        return self.programs.release.server.endswith("mysqld")

    @property
    def pid(self) -> int | None:
        """The process id of the running server, whoever started it, or None."""
        found = self._found()
        return None if found is None else int(found.pid)

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self.pid is not None

    def start(self, timeout_s: int = 120) -> None:
        """Start the server and wait until it answers; the first time, make it. Raises StackError if it ends."""
        if self.is_running:
            return
        if not self.config_file.exists():
            self._create()
        argv = self._command(f"--defaults-file={self.config_file}")
        process = self.process = start(argv, log=self.start_log, cwd=self.root)

        def settled() -> bool:
            return self._answers() or not is_alive(process)

        wait_until(settled, timeout_s=timeout_s, what="the server accepts connections", log=self.log_file)
        if not is_alive(process):
            raise StackError(f"the server ended at its start\n{tail(self.start_log)}\n{tail(self.log_file)}")

    def stop(self, timeout_s: int = 60) -> None:
        """Stop the server, and kill it if it does not go."""
        process = self._found()
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(timeout_s)

    def restart(self) -> None:
        """Stop, then start."""
        self.stop()
        self.start()

    def link_programs(self) -> None:
        """Make `bin_dir`, as a target's: each program with what it takes to run by its own loader.

        What the fetched packages lack is this machine's own, which speaks to the server as well.
        """
        self.bin_dir.mkdir(exist_ok=True)
        self.bin_dir.chmod(0o755)
        server = self.programs.release.server
        for path in (server, *(f"usr/bin/{name}" for name in CLIENTS[self.is_mysql])):
            program = self.bin_dir / Path(path).name
            program.unlink(missing_ok=True)
            own = shutil.which(program.name)
            if not (self.programs.root / path).exists() and own is not None:
                program.symlink_to(own)
                continue
            program.write_text(f'#!/bin/sh\nexec {shlex.join(self.programs.command(path))} "$@"\n')
            program.chmod(0o755)

    def connect(self, database: str | None = None) -> pymysql.Connection[pymysql.cursors.DictCursor]:
        """A new connection as root, each statement committed by itself; rows are dictionaries."""
        import pymysql

        return pymysql.connect(
            unix_socket=str(self.socket), user="root", database=database, autocommit=True,
            cursorclass=pymysql.cursors.DictCursor, connect_timeout=10,
        )  # fmt: skip

    def _found(self) -> psutil.Process | None:
        """The process that works in the data directory, or the one started here that does not yet."""
        if self.process is not None and is_alive(self.process):
            return self.process
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()) == self.data_dir and is_alive(process):
                    return process
            except (psutil.Error, OSError):
                continue
        return None

    def _answers(self) -> bool:
        import pymysql

        try:
            self.connect().close()
        except (pymysql.Error, OSError):
            return False
        return True

    def _create(self) -> None:
        self.user.make_dir(self.root, 0o755)
        for path in (self.config_file, self.knobs_file, self.log_file, self.socket):
            self.user.make_dir(path.parent, 0o755)
        for folder in (self.data_dir, self.tmp_dir):
            self.user.make_dir(folder, 0o700)
        self.user.write_file(self.config_file, self._configuration())
        if self.is_mysql:
            self._run("--initialize-insecure")
        else:
            folder = self.programs.root / "usr/share/mariadb"
            tables = "\n".join((folder / name).read_text() for name in _BOOTSTRAP if (folder / name).exists())
            root = f"REPLACE INTO global_priv VALUES ('localhost', 'root', '{_ROOT}');"
            self._run("--bootstrap", given=f"CREATE DATABASE mysql;\nUSE mysql;\n{tables}\n{root}\n")

    def _run(self, *arguments: str, given: str = "") -> None:
        argv = self._command(f"--defaults-file={self.config_file}", *arguments)
        done = subprocess.run(
            argv, check=False, input=given, capture_output=True, text=True, cwd=self.root, timeout=300
        )
        if done.returncode != 0:
            raise StackError(f"the server could not be made: {done.stderr[-1000:]}\n{tail(self.log_file)}")

    def _command(self, *arguments: str) -> list[str]:
        argv = self.programs.server(*arguments)
        return self.user.command(Path(argv[0]), *argv[1:], **{MARKER: str(self.root)})

    def _configuration(self) -> str:
        files = self.programs.root / "usr"
        own = "mysqlx = OFF\nsecure_file_priv = NULL\n" if self.is_mysql else ""
        return (
            "# A private server: its socket alone.\n"
            "[mysqld]\n"
            f"{own}"
            "skip_networking\n"
            f"basedir = {files}\n"
            f"lc_messages_dir = {files / 'share' / ('mysql' if self.is_mysql else 'mariadb')}\n"
            f"plugin_dir = {files / 'lib/mysql/plugin'}\n"
            f"datadir = {self.data_dir}\n"
            f"socket = {self.socket}\n"
            f"pid_file = {self.root / 'run' / 'pid'}\n"
            f"tmpdir = {self.tmp_dir}\n"
            f"log_error = {self.log_file}\n"
            "\n# Last, so that it wins over every line above.\n"
            f"!includedir {self.knobs_file.parent}\n"
        )
