"""Who the private servers run as: PostgreSQL refuses root, so root lends them an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEMO_USER = "otterflow"
"""The ordinary user that is made when the stack is started by root."""


@dataclass(frozen=True)
class ServerUser:
    """The operating-system user of the private servers; `borrowed` says that root hands them over to it."""

    name: str
    uid: int
    gid: int
    borrowed: bool

    def command(self, *argv: str | Path, **environment: str) -> list[str]:
        """`argv` as it is started by the invoking user so that it runs as this one, with `environment` added."""
        assignments = [f"{key}={value}" for key, value in environment.items()]
        command = ["env", *assignments, *map(str, argv)] if assignments else [*map(str, argv)]
        if not self.borrowed:
            return command
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups", "--reset-env", *command]

    def make_dir(self, path: Path, mode: int = 0o700) -> Path:
        """A folder that belongs to this user, made when it is missing."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if self.borrowed:
            os.chown(path, self.uid, self.gid)
        return path

    def write_file(self, path: Path, text: str, mode: int = 0o600) -> Path:
        """A file that belongs to this user, never readable by others than `mode` allows, not even for a moment."""
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
        path.chmod(mode)
        if self.borrowed:
            os.chown(path, self.uid, self.gid)
        return path

    def can_reach(self, path: Path) -> bool:
        """Whether this user may enter `path`, or the nearest folder above it that exists."""
        while not path.exists():
            path = path.parent
        return subprocess.run(self.command("test", "-x", path), check=False, capture_output=True).returncode == 0


def server_user() -> ServerUser:
    """The invoking user, or the ordinary user `otterflow` (made when missing) if that is root."""
    if os.geteuid() != 0:
        entry = pwd.getpwuid(os.geteuid())
        return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, borrowed=False)
    try:
        entry = pwd.getpwnam(DEMO_USER)
    except KeyError:
        entry = _make_demo_user()
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, borrowed=True)


def _make_demo_user() -> pwd.struct_passwd:
    shell = shutil.which("bash") or "/bin/sh"
    subprocess.run(["useradd", "--create-home", "--shell", shell, DEMO_USER], check=True, capture_output=True)
    # useradd leaves the account locked ('!'), and sshd without PAM refuses locked accounts. '*' is no password either,
    # but not locked: the account can be entered with a key alone.
    subprocess.run(["usermod", "-p", "*", DEMO_USER], check=True, capture_output=True)
    return pwd.getpwnam(DEMO_USER)
