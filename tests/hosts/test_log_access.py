"""Who may read a server's log, told by a real shell of a user who may not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from otterflow.hosts.log_access import LogAccess, look_at_log
from stack.users import ServerUser, server_user
from tests.hosts.this_machine import ThisMachine

needs_two_users = pytest.mark.skipif(os.geteuid() != 0, reason="takes a user who may not read what another has")


@pytest.fixture
def user() -> ServerUser:
    return server_user()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A log that everybody may read, in a folder of an odd name; pytest's own folders are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="otterflow-log-") as above:
        Path(above).chmod(0o755)
        made = Path(above) / "a log's folder"
        made.mkdir()
        made.chmod(0o755)  # whatever the umask of who runs the tests
        for name in ("postgresql-Mon.csv", "postgresql-Mon.csv.1.gz"):
            (made / name).write_text("x")
            (made / name).chmod(0o644)
        yield made


def look(folder: Path, user: ServerUser) -> tuple[LogAccess, list[str]]:
    patterns = [f"{folder}/postgresql-*.csv*"]
    found = look_at_log(ThisMachine(user), patterns)
    return found, [str(problem) for problem in found.problems(patterns)]


def test_files_that_can_be_read_are_no_problem(folder: Path, user: ServerUser) -> None:
    found, problems = look(folder, user)
    assert problems == []
    assert len(found.readable) == 2
    assert found.python >= (3, 9)
    assert abs(found.clock_ahead_s) < 1


@needs_two_users
def test_a_file_that_is_closed_is_told_with_its_mode_and_what_to_do(folder: Path, user: ServerUser) -> None:
    (folder / "postgresql-Mon.csv").chmod(0o600)
    _, (problem,) = look(folder, user)
    assert problem.startswith(f"log_file: {user.name!r} may not read the server's log")
    assert "postgresql-Mon.csv: mode 600, root:root" in problem
    assert f"setfacl -R -m u:{user.name}:rX {folder}" in problem


@needs_two_users
def test_a_folder_above_that_is_closed_is_told(folder: Path, user: ServerUser) -> None:
    folder.parent.chmod(0o700)
    _, (problem,) = look(folder, user)
    assert f"{folder.parent}: mode 700, root:root" in problem


@pytest.mark.slow
def test_no_log_at_all_is_told(tmp_path: Path) -> None:
    patterns = [f"{tmp_path}/nothing*"]
    (problem,) = look_at_log(ThisMachine(), patterns).problems(patterns)
    assert f"no file is at {tmp_path}/nothing*" in str(problem)


def test_a_host_without_a_python3_that_is_new_enough(tmp_path: Path) -> None:
    for python, said in (((3, 7), "its python3 is 3.7"), ((), "its python3 is missing")):
        (problem, *_) = LogAccess("u", python, 0.0, ("log",)).problems(["log"])
        assert said in str(problem)
