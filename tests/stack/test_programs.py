"""Which programs a private cluster runs: POSTGRES_BIN, and clients from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from otterflow.errors import InvalidInput
from stack import programs
from stack.demo import DemoSettings
from stack.processes import StackError
from stack.programs import CLIENT_PROGRAMS, SERVER_PROGRAMS, bin_dir_from_environment, find_client, whole_bin_dir

MakePrograms = Callable[..., Path]


@pytest.fixture
def make_programs(tmp_path: Path) -> MakePrograms:
    """Makes a folder of programs that say their version and do nothing else."""

    def make(folder: str, names: tuple[str, ...], major: int = 15) -> Path:
        path = tmp_path / folder
        path.mkdir(parents=True)
        for name in names:
            (path / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {major}.1'\n")
            (path / name).chmod(0o755)
        return path

    return make


def test_without_postgres_bin_the_newest_installed_is_taken() -> None:
    assert bin_dir_from_environment({}) is None
    assert bin_dir_from_environment({"POSTGRES_BIN": ""}) is None
    assert DemoSettings.from_environment({}).bin_dir is None


def test_postgres_bin_names_the_folder_of_the_demos_server(make_programs: MakePrograms) -> None:
    folder = make_programs("pg16/bin", SERVER_PROGRAMS, 16)
    assert DemoSettings.from_environment({"POSTGRES_BIN": str(folder)}).bin_dir == folder
    assert bin_dir_from_environment({"POSTGRES_BIN": os.path.relpath(folder)}) is not None


def test_a_postgres_bin_without_a_server_is_refused_with_what_it_lacks(make_programs: MakePrograms) -> None:
    folder = make_programs("clients", ("psql", "pg_ctl"))
    with pytest.raises(InvalidInput) as refused:
        bin_dir_from_environment({"POSTGRES_BIN": str(folder)})
    message = str(refused.value)
    assert message.startswith("POSTGRES_BIN: ")
    assert str(folder) in message
    assert "initdb, postgres" in message
    assert "pg_ctl to" not in message
    assert "/usr/lib/postgresql/16/bin" in message, "an example of a folder that would do"


@pytest.mark.parametrize(
    ("major", "says", "words"),
    [(11, None, "otterflow needs 12 or newer"), (15, "#!/bin/sh\necho libpq.so.5 >&2; exit 127\n", "libpq.so.5")],
)
def test_a_postgres_bin_that_cannot_be_used_is_refused(
    make_programs: MakePrograms, major: int, says: str | None, words: str
) -> None:
    folder = make_programs("bin", SERVER_PROGRAMS, major)
    if says is not None:
        (folder / "postgres").write_text(says)
    with pytest.raises(InvalidInput, match=words):
        bin_dir_from_environment({"POSTGRES_BIN": str(folder)})


def test_a_postgres_bin_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no folder"):
        bin_dir_from_environment({"POSTGRES_BIN": str(tmp_path / "bin")})


def test_a_folder_with_all_programs_is_used_as_it_is(make_programs: MakePrograms, tmp_path: Path) -> None:
    folder = make_programs("whole", SERVER_PROGRAMS + CLIENT_PROGRAMS)
    assert whole_bin_dir(folder, tmp_path / "links") == folder
    assert not (tmp_path / "links").exists()


def test_client_programs_that_a_folder_lacks_come_from_the_path(
    make_programs: MakePrograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_programs("server", (*SERVER_PROGRAMS, "psql"), 12)
    clients = make_programs("clients", CLIENT_PROGRAMS, 15)
    monkeypatch.setenv("PATH", f"{clients}{os.pathsep}{os.environ['PATH']}")
    folder = whole_bin_dir(server, tmp_path / "links")
    assert {path.name: path.readlink().parent for path in folder.iterdir()} == {
        **dict.fromkeys(CLIENT_PROGRAMS, clients),
        **dict.fromkeys((*SERVER_PROGRAMS, "psql"), server),
    }


def test_clients_that_are_nowhere_are_named(
    make_programs: MakePrograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_programs("server", (*SERVER_PROGRAMS, *CLIENT_PROGRAMS[1:]))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "DISTRIBUTION", tmp_path)
    with pytest.raises(StackError, match=f"^{CLIENT_PROGRAMS[0]}: neither in {server} nor on the PATH"):
        whole_bin_dir(server, tmp_path / "links")


def test_behind_debians_wrapper_the_newest_installed_client_is_taken(
    make_programs: MakePrograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = make_programs("usr/bin", ("pg_wrapper",))
    (wrapper / "psql").symlink_to(wrapper / "pg_wrapper")
    for major in (9, 15, 16):
        make_programs(f"postgresql/{major}/bin", ("psql",))
    monkeypatch.setenv("PATH", str(wrapper))
    monkeypatch.setattr(programs, "DISTRIBUTION", tmp_path / "postgresql")
    assert find_client("psql") == tmp_path / "postgresql/16/bin/psql"
