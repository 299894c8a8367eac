"""The one thing on a private host that needs root: dropping the page cache, by one small script under sudo.

Script and sudoers rule have names of the checkout's own. A file of such a name that does not carry the checkout's mark
is somebody else's: it is neither replaced nor removed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack.checkout import THIS, Checkout
from stack.processes import StackError
from stack.users import ServerUser

_SOURCE = Path(__file__).resolve().parents[1] / "scripts" / "otterflow-free-cache"


@dataclass(frozen=True)
class FreeCacheRule:
    """The script that drops the page cache and the rule that allows it, as `checkout` installs them."""

    checkout: Checkout = THIS
    script_dir: Path = Path("/usr/local/sbin")
    sudoers_dir: Path = Path("/etc/sudoers.d")

    @property
    def script(self) -> Path:
        """Where the script is; the target file names it."""
        return self.script_dir / f"{self.checkout.name}-free-cache"

    @property
    def sudoers(self) -> Path:
        """Where the rule is. sudo ignores names with a dot, and this one has none."""
        return self.sudoers_dir / self.checkout.name

    def grant(self, user: ServerUser) -> bool:
        """Install script and rule for the borrowed user; says whether `user` may drop the cache now.

        Only root can do that, and only where sudo is installed and the kernel lets root drop the cache. Raises
        StackError where a file of that name is not ours.
        """
        if user.borrowed and shutil.which("visudo") and os.access("/proc/sys/vm/drop_caches", os.W_OK):
            self.install(user)
        return self.granted_to(user)

    def install(self, user: ServerUser) -> None:
        """Write the script, then the rule once visudo has found it sound. Raises StackError for a foreign file."""
        for path in (self.script, self.sudoers):
            self._refuse_foreign(path)
        first, _, rest = _SOURCE.read_text().partition("\n")
        self._candidate(self.script, f"{first}\n{self.checkout.comment}{rest}", 0o755).replace(self.script)
        rule = self.checkout.comment + self.sudoers_line(user)
        candidate = self._candidate(self.sudoers, rule, 0o440)
        try:
            subprocess.run(["visudo", "-q", "-c", "-f", candidate], check=True)
            candidate.replace(self.sudoers)
        finally:
            candidate.unlink(missing_ok=True)

    def revoke(self) -> None:
        """Take the rule and the script away again, where they are ours."""
        for path in (self.sudoers, self.script):
            if self._is_ours(path):
                path.unlink()

    def granted_to(self, user: ServerUser) -> bool:
        """Whether `user` may run the script with `sudo -n`."""
        if not (shutil.which("sudo") and self.script.exists()):
            return False
        asked = user.command("sudo", "-n", "-l", self.script)
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0

    def sudoers_line(self, user: ServerUser) -> str:
        """The rule that lets `user` run the script, without arguments and without a password, and nothing else."""
        return f'{user.name} ALL=(root) NOPASSWD: {self.script} ""\n'

    def _is_ours(self, path: Path) -> bool:
        return path.is_file() and not path.is_symlink() and self.checkout.comment in path.read_text(errors="replace")

    def _refuse_foreign(self, path: Path) -> None:
        if os.path.lexists(path) and not self._is_ours(path):
            mark = self.checkout.comment.strip()
            raise StackError(f"{path} exists and lacks our line {mark!r}: somebody else's. Move it away, or remove it")

    @staticmethod
    def _candidate(path: Path, text: str, mode: int) -> Path:
        fresh = path.with_name(f".{path.name}.new.{os.getpid()}")
        fresh.write_text(text)
        if os.geteuid() == 0:
            os.chown(fresh, 0, 0)
        fresh.chmod(mode)
        return fresh
