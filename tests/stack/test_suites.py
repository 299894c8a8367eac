"""MariaDB and MySQL of other Debian suites: a clear word where they cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import suites
from stack.processes import StackError
from stack.suites import RELEASES, Unpacked, fetch


def test_what_is_no_release_is_named(tmp_path: Path):
    with pytest.raises(StackError, match="'oracle' is no release to fetch; there are mariadb-11, mysql-9"):
        fetch("oracle", tmp_path)


def test_a_machine_without_debians_keys_is_told_so_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(suites, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(StackError, match="packages of Debian's sid need apt-get and"):
        fetch("mysql-9", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "mysql-9").mkdir()
    assert fetch("mysql-9", tmp_path) == Unpacked(tmp_path / "mysql-9", RELEASES["mysql-9"])


def test_a_program_runs_through_the_loader_it_came_with(tmp_path: Path):
    unpacked = Unpacked(tmp_path, RELEASES["mysql-9"])
    with pytest.raises(StackError, match="holds no loader"):
        unpacked.server()
    loader = tmp_path / "usr/lib64/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.touch()
    command = unpacked.server("--version")
    assert command[:2] == [str(loader), "--library-path"]
    assert command[3:] == [str(tmp_path / "usr/sbin/mysqld"), "--version"]
