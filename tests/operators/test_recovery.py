"""A server that recovers from a crash for longer than a start may take: it is waited for, and never stopped."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from otterflow.errors import StillRecovering
from otterflow.hosts import server as server_module
from otterflow.hosts.server import Server
from otterflow.hosts.workbench import Workbench
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import Dags, Run
from tests.operators.test_experiment_in_process import explain
from tests.operators.test_faults import is_last_good

pytestmark = pytest.mark.integration

LONGER_THAN_A_START_S = 7.0


def startup_process(host: DatabaseHost) -> psutil.Process | None:
    """The process that replays the WAL after a crash."""
    pid = host.cluster.pid
    try:
        for child in psutil.Process(pid).children() if pid else []:
            if "startup" in " ".join(child.cmdline()):
                return child
    except psutil.Error:
        return None
    return None


class SlowRecovery(threading.Thread):
    """Stops the startup process as soon as there is one, and lets it go on after `for_s` seconds.

    Remembers which process it was and whether it was still there then: nobody has stopped the recovery.
    """

    def __init__(self, host: DatabaseHost, for_s: float) -> None:
        super().__init__()
        self.host, self.for_s = host, for_s
        self.held: psutil.Process | None = None
        self.survived = False
        self.let_go = threading.Event()

    def run(self) -> None:
        deadline = time.monotonic() + 300
        while self.held is None and time.monotonic() < deadline:
            self.held = startup_process(self.host)
        if self.held is None:
            return
        os.kill(self.held.pid, signal.SIGSTOP)
        self.let_go.wait(self.for_s)
        self.survived = self.held.is_running()
        if self.survived:
            os.kill(self.held.pid, signal.SIGCONT)


def crash(host: DatabaseHost) -> None:
    """Leave enough to replay for its process to be seen, then kill the postmaster."""
    with host.cluster.connect("postgres") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS replayed AS SELECT 1 AS n")
        connection.execute("CHECKPOINT")
        connection.execute("INSERT INTO replayed SELECT generate_series(1, 400000)")
    postmaster = psutil.Process(host.cluster.pid)
    children = postmaster.children()
    postmaster.kill()
    psutil.wait_procs([postmaster, *children], timeout=20)


@contextmanager
def slowly_recovering(host: DatabaseHost, for_s: float) -> Iterator[SlowRecovery]:
    slow = SlowRecovery(host, for_s)
    crash(host)
    slow.start()
    try:
        yield slow
    finally:
        slow.let_go.set()
        slow.join()


@pytest.fixture
def bench(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> Iterator[Workbench]:
    """A workbench whose target allows a start 5 s."""
    dags.run_task("tuning_experiment", "check_experiment", params)
    with Workbench(open_repository(), "in-process", ConnectedHost) as bench:
        yield bench


def impatient(bench: Workbench, **limits: int) -> Server:
    """The server with its shortest limit of a start."""
    target = bench.plan.target.model_copy(update={"start_timeout_s": 5, **limits})
    return Server(bench.open_host(target))


def test_a_recovery_longer_than_a_start_may_take_is_waited_for(
    lab: DatabaseHost, bench: Workbench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "SAY_EVERY_S", 1.0)
    with caplog.at_level(logging.INFO), slowly_recovering(lab, LONGER_THAN_A_START_S) as slow:
        impatient(bench).restart()
    assert slow.survived, "the recovery was stopped"
    assert "waiting for the server's recovery" in caplog.text
    with lab.cluster.connect("postgres") as connection:
        assert connection.execute("SELECT count(*) FROM replayed").fetchone() == (400001,)
        connection.execute("DROP TABLE replayed")


def test_data_that_a_restore_has_left_aside_are_put_back_before_anything_else(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The host went down between the two renames of a file system that cannot exchange two folders."""
    data = lab.cluster.data_dir

    def cut(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0001", "benchmark"):
            lab.cluster.stop()
            data.rename(f"{data}.otterflow-old")

    with caplog.at_level(logging.WARNING):
        runs = dags.follow("tuning_experiment", params | {"iterations": 2}, before=cut)
    by_id = {run.run_id: run for run in runs}
    assert "recover" in by_id["in-process-0001"].states, explain(runs)
    assert f"{data} was left as {data}.otterflow-old by a restore that was cut off, and is put back" in caplog.text
    assert lab.cluster.is_running
    assert is_last_good(lab)


def test_a_recovery_past_its_limit_is_left_alone_and_not_called_a_bad_configuration(
    lab: DatabaseHost, bench: Workbench
) -> None:
    with slowly_recovering(lab, 60) as slow:
        server = impatient(bench, recovery_timeout_s=5)
        for again in (server.restart, server.start):  # as restart does, and recover after it
            with pytest.raises(StillRecovering, match="recovery_timeout_s of target"):
                again()
        slow.let_go.set()
        slow.join()
        assert slow.survived, "the recovery was stopped"
        server.start()
    with lab.cluster.connect("postgres") as connection:
        connection.execute("DROP TABLE replayed")
