"""A server that somebody stops under a benchmark is not a configuration that crashed, in whatever language it logs."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from otterflow.errors import ServerCrashed, ServerStopped
from otterflow.hosts.server import Server
from otterflow.hosts.stoppage import raise_if_it_went_away
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SUCCESS, Dags
from tests.operators.test_faults import under_load

pytestmark = pytest.mark.integration


@pytest.fixture
def server(clean_host: DatabaseHost, host_environment: dict[str, str]) -> Iterator[Server]:
    """The host's server as tasks see it."""
    with ConnectedHost(clean_host.target) as host:
        yield Server(host)


def pg_ctl(host: DatabaseHost, *words: str) -> None:
    """What an administrator types on the host, with messages in the server's own language and not in ours."""
    log = ["-l", str(host.cluster.log_file)] if words[0] != "stop" else []
    argv = host.user.command(
        host.cluster.bin_dir / "pg_ctl", *words, "-w", "-s", "-D", str(host.cluster.data_dir), *log
    )
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=host.cluster.root)


def kill_postmaster(host: DatabaseHost) -> None:
    os.kill(host.cluster.pid or 0, signal.SIGKILL)


def restart_after_a_crash(host: DatabaseHost) -> None:
    """As a supervisor does."""
    kill_postmaster(host)
    deadline = time.monotonic() + 120
    while True:  # its orphans hold the shared memory until they notice
        try:
            return pg_ctl(host, "start")
        except subprocess.CalledProcessError:
            assert time.monotonic() < deadline
            time.sleep(0.5)


def without_a_control_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the SSH user may not read the data directory."""
    monkeypatch.setattr(server, "control_state", lambda: None)


@pytest.mark.parametrize("readable", [True, False])
def test_a_server_stopped_or_restarted_by_an_administrator_is_told_from_a_crash(
    server: Server, clean_host: DatabaseHost, readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not readable:
        without_a_control_file(server, monkeypatch)
    before = server.started()
    raise_if_it_went_away(server, before, "nothing has happened")

    pg_ctl(clean_host, "restart", "-m", "fast")
    with pytest.raises(ServerStopped, match="restarted the server under the benchmark"):
        raise_if_it_went_away(server, before, "job x")

    before = server.started()
    pg_ctl(clean_host, "stop", "-m", "fast")
    with pytest.raises(ServerStopped, match="its configuration is not to blame"):
        raise_if_it_went_away(server, before, "job x")


@pytest.mark.parametrize("readable", [True, False])
def test_a_server_that_died_has_crashed_whether_it_was_started_again_or_not(
    server: Server, clean_host: DatabaseHost, readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not readable:
        without_a_control_file(server, monkeypatch)
    before = server.started()
    kill_postmaster(clean_host)
    with pytest.raises(ServerCrashed, match="died under the benchmark"):
        raise_if_it_went_away(server, before, "job x")
    server.start()

    before = server.started()
    restart_after_a_crash(clean_host)
    with pytest.raises(ServerCrashed, match="is up again"):
        raise_if_it_went_away(server, before, "job x")


def test_a_trial_under_which_the_server_was_restarted_is_measured_again_and_teaches_nothing(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    form = {**params, "benchmark": "pgbench_tpcb", "iterations": 2, "warmup_s": 0}
    started = dags.run("tuning_experiment", form)
    assert started.state == SUCCESS, started.errors
    trial = {"experiment": "in-process", "iteration": 0}
    for task in ("begin", "restart"):
        assert dags.run_task("tuning_iteration", task, trial).states[task] == SUCCESS
    restarter: threading.Thread = under_load(lab, lambda _: pg_ctl(lab, "restart", "-m", "fast"))
    first = dags.run_task("tuning_iteration", "benchmark", trial)
    restarter.join()
    assert first.states["benchmark"] == FAILED
    assert isinstance(first.errors["benchmark"], ServerStopped), first.errors
    assert open_repository().trial("in-process", 0).state == "running", "nothing is recorded against it"

    for task in ("benchmark", "collect"):  # Airflow's retry
        assert dags.run_task("tuning_iteration", task, trial).states[task] == SUCCESS
    measured = open_repository().trial("in-process", 0)
    assert (measured.state, measured.attempt) == ("ok", 2)
    assert measured.in_force == measured.wanted
    assert "server" not in measured.reset, "the window has nothing of the server before its restart"
