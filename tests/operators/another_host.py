"""Another machine beside the database host: a user of its own, and other folders under the paths of the first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from stack.checkout import Checkout
from stack.users import ServerUser, remove_user, server_user


@dataclass(frozen=True)
class UserElsewhere(ServerUser):
    """A user whose processes find the folder `own` in the place of `hidden`, as on a machine that has no such data."""

    own: Path
    hidden: Path

    def command(self, *argv: str | Path, **environment: str) -> list[str]:
        """As of any user, in a name space of mounts."""
        mounted = 'mount --bind -- "$1" "$2" && shift 2 && exec "$@"'
        unshare = ["unshare", "--mount", "sh", "-c", mounted, "sh", str(self.own), str(self.hidden)]
        return [*unshare, *super().command(*argv, **environment)]


@contextmanager
def another_host(hidden: Path) -> Iterator[tuple[Path, UserElsewhere]]:
    """A folder for the other machine's servers, and its user; both are gone afterwards."""
    if os.geteuid() != 0:
        pytest.skip("a second user takes root")
    root = Path(tempfile.mkdtemp(prefix="otterflow-elsewhere-"))
    root.chmod(0o755)
    (root / "stack").mkdir()
    checkout = Checkout(root)
    try:
        user = server_user(checkout)
        yield root, UserElsewhere(**asdict(user), own=user.make_dir(root / "own", 0o755), hidden=hidden)
    finally:
        checkout.release()
        remove_user(checkout)
        shutil.rmtree(root)
