"""A private MariaDB server: made by `mariadb-install-db`, on loopback and a free port, driven by its own user.

Its option file ends with the line that a tuned server needs, `!includedir` of the folder with otterflow's knobs file,
which lies outside the data directory so that no restore can overwrite it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from stack.processes import MARKER, StackError, free_port, is_alive, start, tail, wait_until
from stack.users import ServerUser

if TYPE_CHECKING:
    import pymysql

USER = "otterflow"
"""The tuning user. It may do everything here; the README says what a user needs on a server that is not private."""
DATABASE = "bench"
"""The database that benchmarks load and run in."""
SERVER = Path("/usr/sbin/mariadbd")
"""Where Debian's package has the server's program; the others are on the PATH."""
CLIENTS = ("mariadb", "mariadb-admin", "mariadb-dump", "mariadb-import", "mariadb-check")
"""What a tuned server needs beside its own program."""

_SOCKET_PATH_LIMIT = 107  # bytes in sockaddr_un.sun_path, without the closing zero


class PrivateMariadb:
    """One MariaDB server under `root`, owned by `user`.

    `data_dir`, `config_file`, `knobs_file`, `log_file` and `port` are what a target file says of it. The password of
    the user `otterflow` is random and lies in `password_file`, mode 600, which belongs to the invoking user.
    """

    def __init__(self, root: Path, user: ServerUser) -> None:
        root = root.resolve()
        self.root, self.user = root, user
        self.data_dir = root / "data"
        self.config_file = root / "config" / "my.cnf"
        self.knobs_file = root / "config" / "conf.d" / "zz-otterflow.cnf"
        self.log_file = root / "log" / "mariadb.log"
        self.start_log = root / "log" / "start.log"
        self.socket = root / "run" / "sock"
        self.pid_file = root / "run" / "pid"
        self.tmp_dir = root / "tmp"
        """Not /tmp: a server that starts deletes what another there holds, for its own of an earlier time."""
        self.password_file = root / "password"
        self.host = "127.0.0.1"
        self.bin_dir = root / "bin"

    @property
    def port(self) -> int:
        """The port the server was made with."""
        found = re.search(r"^port = (\d+)$", self.config_file.read_text(), flags=re.MULTILINE)
        if found is None:
            raise StackError(f"{self.config_file} sets no port; the server was not made by this module")
        return int(found[1])

    @property
    def password(self) -> str:
        """The password of the user `otterflow`."""
        return self.password_file.read_text().strip()

    @property
    def pid(self) -> int | None:
        """The process id of the running server, whoever started it, or None: it works in its data directory."""
        for process in psutil.process_iter(["name"]):
            try:
                if process.info["name"] == SERVER.name and Path(process.cwd()) == self.data_dir and is_alive(process):
                    return int(process.pid)
            except (psutil.Error, OSError):
                continue
        return None

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self.pid is not None

    def create(self) -> None:
        """Make the data directory, the option file and the password; the server is not started. Once only."""
        if len(os.fsencode(self.socket)) > _SOCKET_PATH_LIMIT:
            raise StackError(f"{self.socket} is too long for a socket's path; use a folder with a shorter one")
        if not SERVER.exists():
            raise StackError(f"there is no {SERVER}; `make setup` with DBMS=mariadb installs it")
        self.user.make_dir(self.root, 0o755)
        files = (self.config_file, self.knobs_file, self.log_file, self.socket)
        for folder in (self.tmp_dir, *(path.parent for path in files)):
            self.user.make_dir(folder, 0o700)
        self._link_programs()
        self._run(
            "mariadb-install-db", "--no-defaults", f"--datadir={self.data_dir}", "--skip-test-db",
            "--auth-root-authentication-method=socket", f"--auth-root-socket-user={self.user.name}",
        )  # fmt: skip
        self.user.write_file(self.config_file, self._configuration(free_port()))
        self.password_file.unlink(missing_ok=True)
        descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")

    def start(self, timeout_s: int = 60) -> None:
        """Start the server and wait until it answers; the first time, make the user and the database as well."""
        if not self.password_file.exists():
            self.create()
        if self.is_running:
            return
        argv = self.user.command(SERVER, f"--defaults-file={self.config_file}", **{MARKER: str(self.root)})
        process = start(argv, log=self.start_log, cwd=self.root)

        def settled() -> bool:
            return self._answers() or not is_alive(process)

        wait_until(settled, timeout_s=timeout_s, what="MariaDB accepts connections", log=self.log_file)
        if not is_alive(process):
            raise StackError(f"MariaDB ended at its start\n{tail(self.start_log)}\n{tail(self.log_file)}")
        self._make_user_and_database()

    def stop(self, timeout_s: int = 60) -> None:
        """Stop the server, and kill it if it does not go. Raises StackError if it still lives after that."""
        pid = self.pid
        if pid is None:
            return
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(timeout_s)
        except psutil.TimeoutExpired:
            process.kill()
        wait_until(
            lambda: not self.is_running, timeout_s=timeout_s, what=f"process {pid} (MariaDB) ends", log=self.log_file
        )

    def restart(self) -> None:
        """Stop, then start."""
        self.stop()
        self.start()

    def connect(self, database: str | None = DATABASE) -> pymysql.Connection[pymysql.cursors.DictCursor]:
        """A new connection as the tuning user, each statement committed by itself; rows are dictionaries."""
        import pymysql

        return pymysql.connect(
            host=self.host, port=self.port, user=USER, password=self.password, database=database, autocommit=True,
            cursorclass=pymysql.cursors.DictCursor, connect_timeout=10,
        )  # fmt: skip

    def sql(self, text: str) -> None:
        """Run statements as the server's own root, over its socket."""
        argv = self.user.command("mariadb", "--no-defaults", f"--socket={self.socket}", f"--user={self.user.name}")
        done = subprocess.run(argv, check=False, input=text, capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise StackError(f"mariadb ended with exit code {done.returncode}: {done.stderr}")

    def _answers(self) -> bool:
        argv = self.user.command(
            "mariadb-admin", "--no-defaults", f"--socket={self.socket}", f"--user={self.user.name}", "ping"
        )
        return subprocess.run(argv, check=False, capture_output=True, cwd="/").returncode == 0

    def _make_user_and_database(self) -> None:
        self.sql(
            f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
        )

    def _link_programs(self) -> None:
        """One folder with all programs, as a target's `bin_dir`: Debian has the server's in another than the rest."""
        self.bin_dir.mkdir(exist_ok=True)
        self.bin_dir.chmod(0o755)
        for path in (SERVER, *(Path(found) for name in CLIENTS if (found := shutil.which(name)))):
            (self.bin_dir / path.name).unlink(missing_ok=True)
            (self.bin_dir / path.name).symlink_to(path)

    def _configuration(self, port: int) -> str:
        return (
            "# A private server: loopback only.\n"
            "[mysqld]\n"
            f"datadir = {self.data_dir}\n"
            f"socket = {self.socket}\n"
            f"pid-file = {self.pid_file}\n"
            f"tmpdir = {self.tmp_dir}\n"
            f"log-error = {self.log_file}\n"
            f"bind-address = {self.host}\n"
            f"port = {port}\n"
            "skip-name-resolve\n"
            "\n# Last, so that it wins over every line above.\n"
            f"!includedir {self.knobs_file.parent}\n"
        )

    def _run(self, program: str, *arguments: str) -> None:
        # A server that starts removes the temporary tables of any other from the folder for them.
        own = {MARKER: str(self.root), "TMPDIR": str(self.tmp_dir)}
        argv = self.user.command(program, *arguments, **own)
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=self.root)
        if done.returncode != 0:
            raise StackError(f"{program} ended with exit code {done.returncode}: {done.stdout}\n{done.stderr}")
