"""The one thing on a private host that needs root: dropping the page cache, by one small script under sudo."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from stack.users import ServerUser

SCRIPT = Path("/usr/local/sbin/otterflow-free-cache")
SUDOERS = Path("/etc/sudoers.d/otterflow")
_SOURCE = Path(__file__).resolve().parents[1] / "scripts" / "otterflow-free-cache"


def sudoers_line(user: ServerUser) -> str:
    """The rule that lets `user` run the script, without arguments and without a password, and nothing else."""
    return f'{user.name} ALL=(root) NOPASSWD: {SCRIPT} ""\n'


def grant(user: ServerUser) -> bool:
    """Install the script and its sudoers line for the borrowed user; says whether `user` may drop the cache now.

    Only root can do that, and only where sudo is installed and the kernel lets root drop the cache.
    """
    if user.borrowed and shutil.which("visudo") and os.access("/proc/sys/vm/drop_caches", os.W_OK):
        _install(_SOURCE.read_text(), SCRIPT, 0o755)
        candidate = SUDOERS.with_name(f".{SUDOERS.name}.{os.getpid()}")  # sudo ignores names with a dot
        _install(sudoers_line(user), candidate, 0o440)
        try:
            subprocess.run(["visudo", "-q", "-c", "-f", candidate], check=True)
            candidate.replace(SUDOERS)
        finally:
            candidate.unlink(missing_ok=True)
    return granted_to(user)


def revoke() -> None:
    """Take the script and the sudoers line away again."""
    SUDOERS.unlink(missing_ok=True)
    SCRIPT.unlink(missing_ok=True)


def granted_to(user: ServerUser) -> bool:
    """Whether `user` may run the script with `sudo -n`."""
    if not (shutil.which("sudo") and SCRIPT.exists()):
        return False
    asked = user.command("sudo", "-n", "-l", SCRIPT)
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0


def _install(text: str, path: Path, mode: int) -> None:
    fresh = path.with_name(f".{path.name}.new.{os.getpid()}")
    fresh.write_text(text)
    os.chown(fresh, 0, 0)
    fresh.chmod(mode)
    fresh.replace(path)
