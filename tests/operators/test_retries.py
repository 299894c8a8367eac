"""Tasks whose worker died in the middle, begun again or cleared: what was done is used, what was half done is not."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import psycopg
import pytest

from otterflow.hosts import data
from otterflow.hosts.workbench import Workbench
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SKIPPED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration


class WorkerDied(BaseException):
    """Stands for a SIGKILL: nothing of the task runs after it."""


@pytest.fixture
def dies_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the worker die as soon as a data job, named by the end of its name, has ended on the host."""

    def arm(job: str) -> None:
        real = data._must

        def must(bench: Workbench, name: str, *args: Any, **kwargs: Any) -> float:
            seconds = real(bench, name, *args, **kwargs)
            if name.endswith(job):
                monkeypatch.setattr(data, "_must", real)
                raise WorkerDied(name)
            return seconds

        monkeypatch.setattr(data, "_must", must)

    return arm


def bench_database(host: DatabaseHost) -> tuple[int, str]:
    """The benchmark's database: its OID, which a new one would not have, and otterflow's mark."""
    with host.cluster.connect("postgres") as connection:
        row = connection.execute(
            "SELECT oid::int, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'bench'"
        ).fetchone()
    assert row is not None
    return row


def test_a_load_whose_worker_died_is_taken_up_again(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], dies_after: Any
) -> None:
    with lab.cluster.connect("postgres") as connection:  # whatever another test has loaded
        connection.execute("DROP DATABASE bench")
        connection.execute("CREATE DATABASE bench")
    dies_after("load")
    with pytest.raises(WorkerDied):
        dags.run("tuning_experiment", params)
    oid, mark = bench_database(lab)
    assert mark == "otterflow data loading used", "not fresh before the task has seen the job's end"
    run = dags.run_task("tuning_experiment", "take_snapshot", params)
    assert run.states["take_snapshot"] == SUCCESS, run.errors
    assert bench_database(lab)[0] == oid, "the database that the first try has loaded was dropped"
    assert bench_database(lab)[1].endswith(" fresh")


def test_a_restore_whose_worker_died_is_whole_and_not_done_twice(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], dies_after: Any
) -> None:
    dies_after("restore")
    form = {**params, "benchmark": "pgbench_tpcb", "restore_every": 1, "iterations": 2}
    with pytest.raises(WorkerDied):
        dags.follow("tuning_experiment", form)
    oid, mark = bench_database(lab)
    assert mark.endswith(" fresh"), "it has taken the former database's place when it was whole"
    again = dags.run("tuning_iteration", {"experiment": "in-process", "iteration": 1})
    assert again.states["restore"] == SKIPPED, explain([again])
    assert bench_database(lab)[0] == oid
    assert open_repository().trials("in-process")[1].state == "ok"


def test_a_run_whose_job_was_killed_is_cleared_and_measures(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    """The job's folder is still there, with its verdict; a run that is cleared must not read that."""
    killer = threading.Thread(target=kill_the_job_under_load, args=(lab,))

    def start_killer(run: Run, task: str) -> None:
        if task == "benchmark":
            killer.start()

    form = {**params, "benchmark": "pgbench_tpcb", "warmup_s": 0, "duration_s": 6, "iterations": 1}
    runs = dags.follow("tuning_experiment", form, before=start_killer)
    killer.join()
    assert runs[-1].run_id == "in-process-0000", explain(runs)
    assert runs[-1].states["benchmark"] == FAILED, explain(runs)
    assert "was ended from outside" in str(runs[-1].errors["benchmark"])
    assert lab.cluster.is_running
    again = dags.follow("tuning_iteration", {"experiment": "in-process", "iteration": 0})
    assert [r.state for r in again] == [SUCCESS, SUCCESS], explain(again)
    assert open_repository().trials("in-process")[0].state == "ok"


def kill_the_job_under_load(host: DatabaseHost) -> None:
    """Wait until the measured run is busy, then end the experiment's jobs on the host."""
    deadline = time.monotonic() + 300
    with Workbench(open_repository(), "in-process", ConnectedHost) as bench:
        bench.host.session.run("true", what="connecting ahead of time", timeout_s=10)
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error), host.cluster.connect("postgres") as connection:
                busy = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'bench' AND query LIKE 'UPDATE pgbench%'"
                ).fetchone()
                if busy and busy[0] >= 2:
                    bench.jobs.kill()
                    return
            time.sleep(0.05)
