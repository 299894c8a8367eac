"""MariaDB and MySQL of other Debian suites than the machine's, each fetched once as a folder of programs.

`fetch("mysql-9")` gives the programs of a release that this machine's own suite lacks. They come from the mirror that
the machine uses already, by `apt-get` with lists of their own; nothing is installed, and neither root nor a container
is needed. They need a newer C library than the machine has, so that library comes with them, and each program runs
through its loader. What a suite has moves on: the version is whatever is there on the day.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.checkout import PROJECT, make_passable
from stack.processes import StackError

CACHE = PROJECT / ".build" / "suites"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/libproxy")
_LOADERS = ("usr/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2")


@dataclass(frozen=True)
class SuiteRelease:
    """Packages of a suite, and the server's program among their files."""

    suite: str
    packages: tuple[str, ...]
    server: str


RELEASES: Mapping[str, SuiteRelease] = {
    "mariadb-11": SuiteRelease("trixie", ("mariadb-server-core", "mariadb-client-core"), "usr/sbin/mariadbd"),
    "mysql-9": SuiteRelease("sid", ("mysql-server-core", "mysql-client-core"), "usr/sbin/mysqld"),
}
"""What can be had beside the machine's own MariaDB. Neither suite has MySQL 8."""


@dataclass(frozen=True)
class Unpacked:
    """A release unpacked under `root`."""

    root: Path
    release: SuiteRelease

    def command(self, program: str, *arguments: str) -> list[str]:
        """A program of it with arguments, through its own loader: the machine's C library may be too old."""
        loader = next((self.root / path for path in _LOADERS if (self.root / path).exists()), None)
        if loader is None:
            raise StackError(f"{self.root} holds no loader ({', '.join(_LOADERS)}); `make clean` has it fetched again")
        libraries = ":".join(str(self.root / path) for path in _LIBRARIES)
        return [str(loader), "--library-path", libraries, str(self.root / program), *arguments]

    def server(self, *arguments: str) -> list[str]:
        """The server with arguments."""
        return self.command(self.release.server, *arguments)

    @property
    def version(self) -> str:
        """The server's version, as `11.8.9`."""
        said = _run(self.server("--no-defaults", "--version"), self.root)
        found = re.search(r"Ver (\d+(?:\.\d+)+)", said)
        if found is None:
            raise StackError(f"{self.release.server} does not say its version: {said.strip()!r}")
        return found[1]


def fetch(name: str, cache: Path = CACHE) -> Unpacked:
    """The release of that key in `RELEASES`. Raises StackError, with the cause, where it cannot be had.

    Of several processes that want one at the same time, one fetches, and the others wait for it.
    """
    release = RELEASES.get(name)
    if release is None:
        raise StackError(f"{name!r} is no release to fetch; there are {', '.join(RELEASES)}")
    unpacked = Unpacked(cache / name, release)
    if not unpacked.root.exists():
        make_passable(cache)
        with _alone(cache):
            if not unpacked.root.exists():
                _make(unpacked)
    return unpacked


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from making something in the folder meanwhile."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make(unpacked: Unpacked) -> None:
    cache, release = unpacked.root.parent, unpacked.release
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
    try:
        _fill(new, release)
        _run(["chmod", "--recursive", "a+rX,go-w", str(new)], cache)
        Unpacked(new, release).version  # noqa: B018 that it runs here
        new.rename(unpacked.root)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _fill(folder: Path, release: SuiteRelease) -> None:
    """Download the packages with all they need, which apt-get checks, and unpack them into the folder."""
    if shutil.which("apt-get") is None or not KEYRING.exists():
        raise StackError(f"packages of Debian's {release.suite} need apt-get and {KEYRING}")
    apt = folder / "apt"
    for path in ("lists/partial", "cache/archives/partial"):
        (apt / path).mkdir(parents=True)
    (apt / "status").touch()  # no package is there yet: the C library is fetched as well
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {release.suite} main\n")
    options = [
        f"Dir::Etc::sourcelist={apt}/sources.list", "Dir::Etc::sourceparts=/dev/null", f"Dir::State::Lists={apt}/lists",
        f"Dir::State::status={apt}/status", f"Dir::Cache={apt}/cache", "APT::Sandbox::User=",
        "APT::Update::Error-Mode=any", "APT::Install-Recommends=false", "APT::Keep-Downloaded-Packages=true",
        "Debug::NoLocking=true",
    ]  # fmt: skip
    command = ["apt-get", "--quiet", *(word for option in options for word in ("-o", option))]
    _run([*command, "update"], folder)
    _run([*command, "--yes", "--download-only", "install", *release.packages], folder)
    for archive in sorted((apt / "cache/archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(archive), str(folder)], folder)
    shutil.rmtree(apt)


def _mirror() -> str:
    """The address of the mirror that the machine gets Debian's packages from."""
    said = _run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages"], Path("/"))
    for line in said.splitlines():
        address, _, origin = line.partition(" ")
        if origin.strip() == "Debian" and address.rstrip("/").endswith("/debian"):
            return address
    raise StackError("this machine gets no packages from a mirror of Debian; `apt-get update` may be all it lacks")


def _run(command: Sequence[str], cwd: Path) -> str:
    """What the command printed. Raises StackError with its last lines if it failed."""
    done = subprocess.run(
        command, check=False, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise StackError(
            "a release of another Debian suite could not be fetched or does not run here: "
            f"`{' '.join(command[:2])} ...` ended with exit code {done.returncode}; is the network there?\n{said}"
        )
    return done.stdout
