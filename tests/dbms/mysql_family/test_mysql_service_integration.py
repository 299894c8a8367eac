"""Restarts of a real MySQL by the commands that its host is given; where none can be had, the test says so."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from otterflow.dbms.mysql.service import SERVICE
from otterflow.dbms.mysql.settings import SETTINGS
from otterflow.dbms.mysql_family.preflight import NO_START
from otterflow.dbms.target import Target
from otterflow.dbms.values import Answer, StartOutcome
from stack.suite_server import SuiteServer
from tests.dbms.mysql_family.conftest import target_of
from tests.dbms.mysql_family.servers import Server, running
from tests.dbms.stopping import stop_command

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("mysql-9") as found:
        yield found


@pytest.fixture
def target(server: Server) -> Target:
    """As a target file would describe it, with programs that run by their own loader."""
    private = server.private
    assert isinstance(private, SuiteServer)
    private.link_programs()
    return target_of(
        dbms="mysql", service={"kind": "own_server", "config_file": str(private.config_file)},
        bin_dir=str(private.bin_dir), data_dir=str(private.data_dir), log_file=str(private.log_file),
        knobs_file=str(private.knobs_file), work_dir=str(private.user.make_dir(private.root / "jobs")),
    )  # fmt: skip


@pytest.fixture
def access(server: Server) -> Any:
    assert isinstance(server.private, SuiteServer)
    return SimpleNamespace(host=str(server.private.socket), port=0, user="root")


def run(server: Server, command: str) -> subprocess.CompletedProcess[str]:
    argv = server.private.user.command("bash", "-c", command)
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd="/", timeout=200)


def restart(server: Server, target: Target, access: Any, *lines: str) -> tuple[StartOutcome, int, str]:
    text = "\n".join(["[mysqld]", *lines, ""])
    server.private.user.write_file(server.private.knobs_file, text, 0o644)
    done = run(server, SERVICE.restart_command(target, access))
    return SERVICE.classify_start(done.returncode, done.stderr), done.returncode, done.stderr


def test_a_restart_brings_the_knobs_file_into_force(server: Server, target: Target, access: Any) -> None:
    outcome, _, said = restart(server, target, access, "max_connections = 77", "innodb_flush_neighbors = 7")
    assert outcome is StartOutcome.up, said
    live = server.settings()
    assert (live["max_connections"].value, live["max_connections"].sourcefile) == (77, target.knobs_file)
    assert live["innodb_flush_neighbors"].value == 2, "clamped"
    assert SETTINGS.read_back({"max_connections": 77, "innodb_flush_neighbors": 7}, live, target.knobs_file) == []
    assert SERVICE.answer(run(server, SERVICE.is_up_command(target, access)).returncode) is Answer.accepts


@pytest.mark.parametrize("line", ["foo_bar = 1", "innodb_flush_method = banana", "innodb_buffer_pool_size = 1.5G"])
def test_what_the_server_says_beforehand_leaves_it_running(
    line: str, server: Server, target: Target, access: Any
) -> None:
    outcome, code, said = restart(server, target, access, line)
    assert (outcome, code) == (StartOutcome.refused, NO_START), said
    assert SERVICE.answer(run(server, SERVICE.is_up_command(target, access)).returncode) is Answer.accepts


def test_a_persisted_value_wins_over_the_knobs_file_and_is_named(server: Server, target: Target, access: Any) -> None:
    server.query("SET PERSIST sort_buffer_size = 65536")
    try:
        assert restart(server, target, access, "sort_buffer_size = 1M")[0] is StartOutcome.up
        [problem] = SETTINGS.read_back({"sort_buffer_size": 2**20}, server.settings(), target.knobs_file)
        assert "RESET PERSIST sort_buffer_size" in problem.advice
    finally:
        server.query("RESET PERSIST sort_buffer_size")


def test_one_that_was_stopped_is_told_from_one_that_runs(server: Server, target: Target, access: Any) -> None:
    assert restart(server, target, access)[0] is StartOutcome.up
    assert run(server, stop_command(SERVICE.functions(target))).returncode == 0
    assert SERVICE.is_shut_down(run(server, SERVICE.control_state_command(target)).stdout.strip())
    assert run(server, SERVICE.start_command(target)).returncode == 0
