"""Which programs a private cluster runs: those in one PostgreSQL's folder, and clients from elsewhere if need be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from otterflow.errors import InvalidInput, Problem
from stack.processes import StackError

OLDEST_VERSION = 12
SERVER_PROGRAMS = ("initdb", "pg_ctl", "postgres")
"""What belongs together and is of the server's own version."""
CLIENT_PROGRAMS = ("pg_controldata", "pg_dump", "pg_isready", "pg_restore", "pgbench", "psql", "vacuumdb")
"""What a tuned server needs beside them, and may take from another PostgreSQL."""
DISTRIBUTION = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu put the programs of each major version: `<major>/bin`."""


def find_bin_dir() -> Path:
    """The folder with `initdb` and `pg_ctl` of the newest PostgreSQL that is installed. Raises StackError."""
    usable = [(version, p) for version, p in _installed() if version >= OLDEST_VERSION and (p / "initdb").exists()]
    if usable:
        return max(usable)[1]
    initdb = shutil.which("initdb")
    if initdb:
        return Path(initdb).resolve().parent
    raise StackError(f"no PostgreSQL {OLDEST_VERSION} or newer is installed; `make setup` installs it")


def bin_dir_from_environment(environment: Mapping[str, str]) -> Path | None:
    """The folder that POSTGRES_BIN names, None where it is not set. Raises InvalidInput if no server is in it."""
    text = environment.get("POSTGRES_BIN", "")
    if not text:
        return None
    folder = Path(text).expanduser().absolute()
    example = (
        "name the folder that holds a PostgreSQL's initdb, pg_ctl and postgres, such as /usr/lib/postgresql/16/bin"
    )
    if not folder.is_dir():
        raise InvalidInput(Problem("POSTGRES_BIN", f"{text!r} is no folder", example))
    missing = [name for name in SERVER_PROGRAMS if not os.access(folder / name, os.X_OK)]
    if missing:
        raise InvalidInput(Problem("POSTGRES_BIN", f"{text!r} holds no {', '.join(missing)} to execute", example))
    major = _asked_major(folder / "postgres", "POSTGRES_BIN")
    if major < OLDEST_VERSION:
        found = f"{text!r} holds PostgreSQL {major}"
        raise InvalidInput(Problem("POSTGRES_BIN", found, f"otterflow needs {OLDEST_VERSION} or newer"))
    return folder


def whole_bin_dir(bin_dir: Path, links: Path) -> Path:
    """`bin_dir` where it holds all programs; else `links`, filled with links to them and to clients from the PATH.

    PostgreSQL's programs find their libraries and data by the file that a link leads to. Raises StackError that names
    what is nowhere to be found.
    """
    missing = [name for name in CLIENT_PROGRAMS if not (bin_dir / name).exists()]
    if not missing:
        return bin_dir
    found = {name: find_client(name) for name in missing}
    nowhere = [name for name, path in found.items() if path is None]
    if nowhere:
        raise StackError(f"{', '.join(nowhere)}: neither in {bin_dir} nor on the PATH; `make setup` installs them")
    own = {name: bin_dir / name for name in (*SERVER_PROGRAMS, *CLIENT_PROGRAMS) if (bin_dir / name).exists()}
    links.mkdir(exist_ok=True)
    links.chmod(0o755)
    for name, path in {**found, **own}.items():
        if path is not None:
            (links / name).unlink(missing_ok=True)
            (links / name).symlink_to(path)
    return links


def find_client(name: str) -> Path | None:
    """A client program on the PATH; of the newest installed PostgreSQL where that is the distribution's wrapper."""
    on_path = shutil.which(name)
    if on_path and Path(on_path).resolve().name == name:
        return Path(on_path)
    installed = [(version, p / name) for version, p in _installed() if (p / name).exists()]
    return max(installed)[1] if installed else None


@cache
def major_of(program: Path) -> int:
    """The major version that one of PostgreSQL's programs is of. Raises StackError where it does not say."""
    done = subprocess.run([program, "--version"], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise StackError(f"{program} --version: {(done.stderr or done.stdout).strip() or done.returncode}")
    return int(found[1])


def _asked_major(program: Path, setting: str) -> int:
    try:
        return major_of(program)
    except (StackError, OSError) as error:
        raise InvalidInput(Problem(setting, f"its programs do not run here: {error}", "name another folder")) from None


def _installed() -> list[tuple[int, Path]]:
    return [(int(p.parent.name), p) for p in DISTRIBUTION.glob("*/bin") if p.parent.name.isdigit()]
