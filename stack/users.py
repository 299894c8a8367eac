"""Who the private servers run as: PostgreSQL refuses root, so root lends them an ordinary user."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stack.checkout import THIS, Checkout
from stack.processes import StackError, end_all, running_as


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


def server_user(checkout: Checkout = THIS) -> ServerUser:
    """The invoking user, or the checkout's ordinary user (made when missing) if that is root.

    A process that asks as root holds the checkout from then on. Raises StackError where the user's name is taken.
    """
    if os.geteuid() != 0:
        entry = pwd.getpwuid(os.geteuid())
        return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, borrowed=False)
    checkout.hold()
    with _one_at_a_time():
        entry = _entry(checkout.name) or _make_user(checkout)
    if entry.pw_gecos != checkout.mark:
        raise StackError(
            f"the user {entry.pw_name!r} was not made by this checkout ({entry.pw_gecos!r}); rename or remove it"
        )
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, borrowed=True)


def remove_user(checkout: Checkout = THIS) -> None:
    """End what the checkout's user still runs, then remove it and its home; a user without our mark is left alone."""
    entry = _entry(checkout.name)
    if entry is None or entry.pw_gecos != checkout.mark:
        return
    end_all(running_as(entry.pw_uid))
    with _one_at_a_time():
        done = subprocess.run(["userdel", "--remove", checkout.name], check=False, capture_output=True, text=True)
    if _entry(checkout.name) is not None:
        raise StackError(f"userdel could not remove the user {checkout.name!r}: {done.stderr.strip()}")


def _make_user(checkout: Checkout) -> pwd.struct_passwd:
    shell = shutil.which("bash") or "/bin/sh"
    # useradd alone leaves the account locked ('!'), and sshd without PAM refuses locked accounts. '*' is no password
    # either, but not locked: the account can be entered with a key alone.
    command = ["useradd", "--create-home", "--shell", shell, "--password", "*", "--comment", checkout.mark]
    done = subprocess.run([*command, checkout.name], check=False, capture_output=True, text=True)
    entry = _entry(checkout.name)
    if entry is None:
        raise StackError(f"useradd could not make the user {checkout.name!r}: {done.stderr.strip()}")
    return entry


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep other otterflow processes of this machine from making or removing a user meanwhile.

    useradd looks whether the name is free before it locks /etc/passwd: two at once make two entries of one name.
    """
    lock = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
