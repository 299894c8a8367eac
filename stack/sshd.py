"""A private sshd that an ordinary user runs: its own keys and configuration, on loopback and a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from stack.processes import MARKER, StackError, end_all, free_port, is_alive, start, tail, wait_until
from stack.users import ServerUser


class PrivateSshd:
    """An sshd under `root` that lets `user` in with one key, `key_file`, which belongs to the invoking user.

    `settings` are lines of sshd_config in place of the usual ones, `environment` what its sessions are given.
    """

    def __init__(
        self,
        root: Path,
        user: ServerUser,
        *,
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        root = root.resolve()
        self.root, self.user = root, user
        self.settings = dict(settings or {})
        self.environment = {MARKER: str(root), **(environment or {})}
        self.host = "127.0.0.1"
        self.key_file = root / "user_key"
        self.host_key_file = root / "host_key"
        self.config_file = root / "sshd_config"
        self.port_file = root / "port"
        self.pid_file = root / "sshd.pid"
        self.log_file = root / "sshd.log"

    @property
    def port(self) -> int:
        """The port it was made with."""
        return int(self.port_file.read_text())

    @property
    def host_key(self) -> str:
        """Type and key of the host key, as the `host_key` extra of an Airflow SSH connection wants it."""
        kind, key, *_ = self.host_key_file.with_suffix(".pub").read_text().split()
        return f"{kind} {key}"

    @property
    def is_running(self) -> bool:
        """Whether it listens, as ours."""
        return self._process() is not None

    def create(self) -> None:
        """Make the keys and the configuration; nothing is started. Once only."""
        self.user.make_dir(self.root, 0o755)
        for key in (self.key_file, self.host_key_file):
            key.unlink(missing_ok=True)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True)
        if self.user.borrowed:
            os.chown(self.host_key_file, self.user.uid, self.user.gid)
        authorized = self.key_file.with_suffix(".pub").read_text()
        self.user.write_file(self.root / "authorized_keys", authorized)
        self.port_file.write_text(str(free_port()))
        self.user.write_file(self.config_file, self._configuration())

    def start(self, timeout_s: float = 60) -> None:
        """Start it and wait until it answers. Raises StackError with the end of its log."""
        if not self.config_file.exists():
            self.create()
        if self.is_running:
            return
        argv = self.user.command(_sshd(), "-D", "-f", self.config_file, "-E", self.log_file)
        process = start(argv, log=self.root / "sshd.out", cwd=self.root)

        def has_started() -> bool:
            if not is_alive(process):
                raise StackError(f"sshd did not start\n{tail(self.root / 'sshd.out')}\n{tail(self.log_file)}")
            return self._answers()

        wait_until(has_started, timeout_s=timeout_s, what="sshd answers", log=self.log_file)

    def stop(self) -> None:
        """End it and every session it still serves."""
        listener = self._process()
        if listener is not None:
            end_all([listener, *listener.children(recursive=True)])

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int(self.pid_file.read_text()))
            ours = str(self.config_file) in " ".join(process.cmdline())
        except (OSError, ValueError, psutil.Error):
            return None
        return process if ours else None

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _configuration(self) -> str:
        # Of several lines for one setting sshd takes the first.
        own = "".join(f"{name} {value}\n" for name, value in self.settings.items())
        environment = " ".join(f'"{name}={value}"' for name, value in self.environment.items())
        return f"""\
{own}ListenAddress {self.host}
Port {self.port}
HostKey {self.host_key_file}
PidFile {self.pid_file}
AuthorizedKeysFile {self.root / "authorized_keys"}
AllowUsers {self.user.name}
# An sshd without root cannot use PAM, and its files may lie under a world-writable /tmp.
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding local
X11Forwarding no
PrintMotd no
MaxSessions 200
MaxStartups 200:30:400
SetEnv {environment}
Subsystem sftp internal-sftp
LogLevel INFO
"""


def _sshd() -> str:
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise StackError("sshd is not installed; `make setup` installs openssh-server")
    return found
