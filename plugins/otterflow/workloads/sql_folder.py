"""A benchmark's folder of SQL, whatever the dialect: how its files are named, what is wrong with them, what they hold.

The files of `load/` are run in the order of their numbers, those of one number at the same time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

LOAD_NAME = re.compile(r"[0-9]{2}_[a-z0-9_]{1,60}")
"""`NN_name`, the name of a load file without its `.sql`."""
LOAD_SHAPE = "NN_name.sql"

_LOADED = re.compile(r"loaded: (\S+)\.sql(?:@(\d+))?\s*$")


def files_problem(folder: Path, name: re.Pattern[str], shape: str, suffix: str = ".sql") -> str | None:
    """What is wrong with a folder of files whose names match `name`, which a message calls `shape`; or None."""
    files = sorted(folder.glob(f"*{suffix}"))
    if not files:
        return f"{folder} has no {shape}"
    odd = [path.name for path in files if not name.fullmatch(path.stem)]
    return f"{folder}: {', '.join(odd)} not named like {shape} (lower case, digits and _)" if odd else None


def load_progress(line: str) -> str | None:
    """What a line of the load's output says; None if it is of no step's end."""
    found = _LOADED.match(line)
    if not found:
        return None
    return f"loaded {found.group(1)}" + (f", part {int(found.group(2)) + 1}" if found.group(2) else "")


def digest(paths: Iterable[Path]) -> str:
    """A short hash of the files' names and texts."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.name}\0{path.read_text()}\0".encode())
    return whole.hexdigest()[:16]


def texts(paths: Iterable[Path]) -> dict[str, str]:
    """The files as a job's, by name."""
    return {path.name: path.read_text() for path in paths}
