"""What this checkout is called on the machine, so that several checkouts can work on one machine at the same time.

Root lends the private servers a user, a script and a sudoers rule, which belong to the whole machine. Each checkout
gives them names of its own, marks them as its own, and never touches what lacks the mark. A process that uses them
holds the checkout; what nobody holds may be taken away again (stack/belongings.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def make_passable(folder: Path) -> None:
    """Make a folder in the checkout's `.build`, which the servers' user may enter whatever the umask."""
    for made in (folder.parent, folder):
        if not made.exists():
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o755)


class Checkout:
    """The checkout in `folder`: its name, its mark, and which processes use what it has made outside of the folder."""

    def __init__(self, folder: Path = PROJECT) -> None:
        self.folder = folder.resolve()
        self._lock: int | None = None

    @property
    def name(self) -> str:
        """A name that no other folder's checkout has: good for a user (at most 32 characters) and for a file."""
        return f"otterflow-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:10]}"

    @property
    def mark(self) -> str:
        """What everything of this checkout carries; one line, without the colon that a user's entry may not have."""
        return f"made by {self.name}, removed by make clean"

    @property
    def comment(self) -> str:
        """The mark as a line of a script or of a sudoers file, with the folder that it comes from."""
        return f"# {self.mark} in {json.dumps(str(self.folder))}\n"

    def hold(self) -> None:
        """Let this process count as one that uses the checkout's belongings, until it ends or `release` is called.

        Waits while another process takes them away. The lock lies on the checkout's own folder `stack`, so that it
        leaves no file and a process that is killed holds it no longer.
        """
        if self._lock is None:
            self._lock = os.open(self.folder / "stack", os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def hold_alone(self) -> bool:
        """Whether no other process holds the checkout; then none can until this one releases it."""
        if self._lock is None:
            self._lock = os.open(self.folder / "stack", os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Hold the checkout no longer."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


THIS = Checkout()
"""The checkout that this file belongs to."""
