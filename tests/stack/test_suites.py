"""MariaDB and MySQL of other Debian suites: a clear word where they cannot be had."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from stack import suites
from stack.processes import StackError
from stack.suites import RELEASES, SuiteRelease, Unpacked, fetch


def test_what_is_no_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="'oracle' is no release to fetch; there are mariadb-11, mysql-9"):
        fetch("oracle", tmp_path)


def test_a_machine_without_debians_keys_is_told_so_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suites, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(StackError, match="packages of Debian's sid need apt-get and"):
        fetch("mysql-9", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "mysql-9").mkdir()
    assert fetch("mysql-9", tmp_path) == Unpacked(tmp_path / "mysql-9", RELEASES["mysql-9"])


def test_a_program_runs_through_the_loader_it_came_with(tmp_path: Path) -> None:
    unpacked = Unpacked(tmp_path, RELEASES["mysql-9"])
    with pytest.raises(StackError, match="holds no loader"):
        unpacked.server()
    loader = tmp_path / "usr/lib64/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.touch()
    command = unpacked.server("--version")
    assert command[:2] == [str(loader), "--library-path"]
    assert command[3:] == [str(tmp_path / "usr/sbin/mysqld"), "--version"]


@pytest.mark.slow
def test_two_that_want_it_at_once_fetch_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_want_it, filled = Barrier(2), []

    def fill(folder: Path, release: SuiteRelease) -> None:
        filled.append(folder)
        time.sleep(0.3)  # so that the other comes to the same place meanwhile
        (folder / "program").touch()

    monkeypatch.setattr(suites, "_fill", fill)
    monkeypatch.setattr(Unpacked, "version", "9.7.4")

    def want(_: int) -> Unpacked:
        both_want_it.wait(60)
        return fetch("mysql-9", tmp_path)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(want, range(2))
    assert first == second
    assert (first.root / "program").exists()
    assert len(filled) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mysql-9"]
