"""Files that a user names: read where they are regular and of a bounded size, written whole or not at all.

A pipe would be waited for without end, and a link to `/dev/zero` read without end.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

MAX_BYTES = 64 * 2**20
"""More than any file holds that is read whole."""


def read_plain_file(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file. Raises OSError, with the reason as `strerror`, for anything else or a larger one."""
    # Without O_NONBLOCK the opening of a pipe would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(0, f"it is larger than {max_bytes / 2**20:g} MiB")
    return data


def may_be_written(path: Path) -> None:
    """Raise OSError where something stands at the path that is no regular file."""
    if path.exists() and not path.is_file():
        raise OSError(0, "something that is no regular file has that name")


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Put a file with the text in the place of whatever has that name. On OSError nothing of it is left."""
    handle, whole = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(whole, mode)
        os.replace(whole, path)
    except BaseException:
        os.unlink(whole)
        raise
