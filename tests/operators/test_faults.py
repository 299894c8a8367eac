"""What goes wrong on a host, done to it for real, and what the server is left with."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from otterflow.errors import MachineryFault
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SKIPPED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import as_shown, explain, in_force_on

pytestmark = pytest.mark.integration


def force(iteration: int, **knobs: Any) -> None:
    """Put values into the configuration that is planned for an iteration."""
    repository = open_repository()
    trial = repository.trial("in-process", iteration)
    repository.plan_trial(
        "in-process", iteration, kind="model", wanted={**trial.wanted, **knobs}, repairs=[], reasons={}, seed=0
    )


def under_load(host: DatabaseHost, act: Callable[[psycopg.Connection[Any]], None]) -> threading.Thread:
    """In the background: wait until a measured run is busy on the server, then `act` over a connection to it."""

    def wait_and_act() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error), host.cluster.connect("postgres") as connection:
                running = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'bench' AND application_name LIKE 'pgbench%'"
                    " OR (datname = 'bench' AND application_name = 'otterflow' AND backend_type = 'client backend')"
                ).fetchone()
                if running and running[0] >= 2 and host.cluster.pid:
                    act(connection)
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def kill_postmaster_under_load(host: DatabaseHost) -> threading.Thread:
    """SIGKILL the postmaster in a measured run."""
    return under_load(host, lambda _: os.kill(host.cluster.pid or 0, signal.SIGKILL))


def is_last_good(host: DatabaseHost) -> bool:
    """Whether the server is up on the configuration that the repository calls the last good one."""
    good = open_repository().experiment("in-process").last_good
    assert good is not None
    shown = in_force_on(host)
    return all(shown[knob] == as_shown(value) for knob, value in good.configuration.items())


def test_configurations_that_stop_the_server_are_results_and_the_loop_goes_on(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    left_well: list[str] = []
    killers: list[threading.Thread] = []

    def sabotage(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0000", "apply"):
            force(1, shared_buffers=2**30 - 1)  # 8 TiB: no such memory
        elif (run.run_id, task) == ("in-process-0001", "apply"):
            force(2, wal_compression="bogus")
        elif (run.run_id, task) == ("in-process-0003", "benchmark"):
            killers.append(kill_postmaster_under_load(lab))
        elif task == "recommend" and run.states["recover"] == SUCCESS and is_last_good(lab):
            left_well.append(run.run_id)

    form = {**params, "benchmark": "pgbench_tpcb", "iterations": 5}
    runs = dags.follow("tuning_experiment", form, before=sabotage)
    for killer in killers:
        killer.join()
    by_id = {r.run_id: r for r in runs}
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert by_id["in-process-0001"].states["restart"] == FAILED
    assert by_id["in-process-0002"].states["restart"] == FAILED
    assert by_id["in-process-0003"].states["benchmark"] == FAILED
    assert left_well == ["in-process-0001", "in-process-0002", "in-process-0003"]

    trials = open_repository().trials("in-process")
    assert [t.state for t in trials] == ["ok", "crashed", "crashed", "crashed", "ok"]
    assert "shared memory" in trials[1].message + trials[1].log_tail
    assert "wal_compression" in trials[2].message
    assert "died under the benchmark" in trials[3].message
    assert open_repository().experiment("in-process").state == "finished"
    assert is_last_good(lab)


def test_a_knob_that_is_overridden_stops_the_experiment_with_its_name_and_it_can_be_finished_now(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    def override(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0001", "restart"):
            with lab.cluster.connect("postgres") as connection:
                connection.execute("ALTER SYSTEM SET work_mem = '1234kB'")

    runs = dags.follow("tuning_experiment", params, before=override)
    last = runs[-1]
    assert (last.run_id, last.state) == ("in-process-0001", FAILED), explain(runs)
    assert "work_mem" in str(last.errors["restart"])
    assert "1234kB" in str(last.errors["restart"])
    assert "ALTER SYSTEM RESET work_mem" in str(last.errors["restart"])
    assert isinstance(last.errors["recover"], MachineryFault)
    repository = open_repository()
    assert repository.trials("in-process")[1].state == "not_applied"
    assert repository.experiment("in-process").state == "failed"
    assert repository.holder(lab.name) is None
    assert lab.cluster.is_running

    with lab.cluster.connect("postgres") as connection:
        connection.execute("ALTER SYSTEM RESET work_mem")
    stop = dags.run("stop_experiment", {"experiment": "in-process", "finish_now": True})
    assert [trigger[0] for trigger in stop.triggered] == ["tuning_finish"], stop.errors
    finish = dags.run("tuning_finish", {"experiment": "in-process"})
    assert finish.state == SUCCESS, finish.errors
    assert repository.experiment("in-process").state == "stopped"
    assert is_last_good(lab)


def test_a_knob_that_is_changed_under_the_benchmark_ends_the_trial_as_not_applied(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    """Before the run all was as wanted; what it has measured is of two configurations."""

    def change(connection: psycopg.Connection[Any]) -> None:
        connection.execute("ALTER SYSTEM SET work_mem = '1234kB'")
        connection.execute("SELECT pg_reload_conf()")

    changers: list[threading.Thread] = []

    def start_changing(run: Run, task: str) -> None:
        if task == "benchmark":
            changers.append(under_load(lab, change))

    runs = dags.follow("tuning_experiment", {**params, "benchmark": "pgbench_tpcb"}, before=start_changing)
    for thread in changers:
        thread.join()
    assert (runs[-1].run_id, runs[-1].state) == ("in-process-0000", FAILED), explain(runs)
    assert "work_mem" in str(runs[-1].errors["benchmark"])
    trial = open_repository().trials("in-process")[0]
    assert trial.state == "not_applied"
    assert trial.objective is None


def test_a_failed_benchmark_is_a_result_and_a_run_cleared_after_a_fault_goes_on(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    """The benchmark's table is taken away in one trial; then the machinery fails once and the run is cleared."""

    def sabotage(run: Run, task: str) -> None:
        with contextlib.suppress(psycopg.Error):
            if (run.run_id, task) == ("in-process-0001", "benchmark"):
                with lab.cluster.connect("bench") as connection:
                    connection.execute("ALTER TABLE pgbench_accounts RENAME TO gone")
            if (run.run_id, task) == ("in-process-0002", "benchmark"):
                with lab.cluster.connect("bench") as connection:
                    connection.execute("ALTER TABLE gone RENAME TO pgbench_accounts")
                lab.sshd.stop()
            if (run.run_id, task) == ("in-process-0002", "recover"):
                lab.sshd.start()

    form = {**params, "benchmark": "pgbench_tpcb", "iterations": 3}
    runs = dags.follow("tuning_experiment", form, before=sabotage)
    assert runs[-1].run_id == "in-process-0002", explain(runs)
    assert runs[2].state == SUCCESS, explain(runs)
    assert runs[-1].state == FAILED
    trials = open_repository().trials("in-process")
    assert trials[1].state == "failed"
    assert "pgbench_accounts" in trials[1].message
    assert trials[2].state == "running"
    assert lab.cluster.is_running

    again = dags.follow("tuning_iteration", {"experiment": "in-process", "iteration": 2})
    assert [r.state for r in again] == [SUCCESS, SUCCESS], explain(again)
    assert open_repository().trials("in-process")[2].state == "ok"
    assert again[0].states["recover"] == SKIPPED


def test_a_line_that_somebody_else_wrote_is_not_called_the_configurations_fault(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    """The trial was recorded as crashed, though the server would have refused any configuration."""
    main = lab.cluster.data_dir / "postgresql.conf"
    text, pids = main.read_text(), []

    def sabotage(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0001", "restart"):
            pids.append(lab.cluster.pid)
            lab.user.write_file(main, text + "work_mem = many\n")

    runs = dags.follow("tuning_experiment", {**params, "iterations": 2}, before=sabotage)
    pids.append(lab.cluster.pid)
    lab.user.write_file(main, text)
    assert (runs[-1].run_id, runs[-1].states["restart"]) == ("in-process-0001", FAILED), explain(runs)
    assert isinstance(runs[-1].errors["restart"], MachineryFault)
    assert f"work_mem = 'many' in {main} line" in str(runs[-1].errors["restart"])
    assert pids[0] == pids[1], "the server was not restarted"
    assert [t.state for t in open_repository().trials("in-process")] == ["ok", "running"]
    again = dags.follow("tuning_iteration", {"experiment": "in-process", "iteration": 1})
    assert [run.state for run in again] == [SUCCESS, SUCCESS], explain(again)
    assert [t.state for t in open_repository().trials("in-process")] == ["ok", "ok"]
