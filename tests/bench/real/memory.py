"""A limit on the memory of a server and its page cache: a cgroup that the server starts in, where one may be made."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
LEFT_S = 10.0
"""For the kernel to let go of a group whose last process has ended."""


class NoLimit(Exception):
    """No cgroup may be made here. The message says why."""


class MemoryLimit:
    """A group of processes that together have `size` bytes of memory, files that they have read included.

    Made by `limited`. Both versions of cgroups; with the second the memory controller must be on for the groups below
    the root. Sources: kernel documentation, admin-guide/cgroup-v1/memory.rst and admin-guide/cgroup-v2.rst.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        limit = "memory.limit_in_bytes" if (folder / "memory.limit_in_bytes").exists() else "memory.max"
        (folder / limit).write_text(str(size))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What is started meanwhile belongs to the group, with all that it starts in its turn."""
        before = _group_of_this_process(self._folder.parent)
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (before / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Take the group away; its processes must have ended. Raises OSError where one still lives."""
        deadline = time.monotonic() + LEFT_S
        while True:
            try:
                self._folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return


@contextmanager
def limited(size: int) -> Iterator[MemoryLimit]:
    """A group of its own for this process to start a server in. Raises NoLimit."""
    root = CGROUPS / "memory" if (CGROUPS / "memory").exists() else CGROUPS
    folder = root / f"otterflow-bench-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        raise NoLimit(f"no memory cgroup may be made here: {error}") from error
    try:
        limit = MemoryLimit(folder, size)
    except OSError as error:
        folder.rmdir()
        raise NoLimit(f"{folder} takes no limit: {error}") from error
    try:
        yield limit
    finally:
        limit.remove()


def _group_of_this_process(root: Path) -> Path:
    """Where the process is now, below `root`."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            folder = root / path.lstrip("/")
            if (folder / "cgroup.procs").exists():
                return folder
    return root
