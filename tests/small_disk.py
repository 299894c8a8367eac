"""A small file system of its own, which a test may fill to the last byte."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

BALLAST = "ballast"


@contextlib.contextmanager
def small_disk(size_mib: int) -> Iterator[Path]:
    """The root folder of a file system in memory, gone with all that is on it afterwards; all users may enter."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    folder = Path(tempfile.mkdtemp(prefix="otterflow-disk-"))
    try:
        options = f"size={size_mib}M,mode=0755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        shutil.rmtree(folder)


def fill(folder: Path) -> None:
    """Write until the file system takes no more."""
    with contextlib.suppress(OSError), (folder / BALLAST).open("wb") as file:
        while True:
            file.write(b"\0" * 2**20)
            file.flush()


def make_room(folder: Path) -> None:
    """Take away what `fill` wrote."""
    (folder / BALLAST).unlink(missing_ok=True)
