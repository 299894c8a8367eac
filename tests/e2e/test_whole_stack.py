"""The whole stack: `airflow standalone`, experiments triggered over REST, a real PostgreSQL behind a real sshd."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from stack.lab import Lab
from stack.processes import belonging_to
from tests.operators.conftest import small_benchmarks
from tests.operators.test_experiment_in_process import as_shown, in_force_on

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FORM = {
    "target": "demo",
    "benchmark": "pgbench_tpcb",
    "iterations": 4,
    "restore_every": 3,
    "reference_every": 3,
    "final_rounds": 1,
    "drop_cache": True,
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-e2e-"))
    folder.chmod(0o755)
    kept = os.environ.get("OTTERFLOW_INCLUDE_DIR")
    os.environ["OTTERFLOW_INCLUDE_DIR"] = str(small_benchmarks(folder))
    lab = Lab(folder / "lab", standalone=True, environment={"OTTERFLOW_INCLUDE_DIR": str(folder / "include")})
    try:
        lab.start(print)
        yield lab
    finally:
        lab.stop()
        assert not belonging_to(lab.root), "nothing is left running"
        shutil.rmtree(folder)
        if kept is None:
            del os.environ["OTTERFLOW_INCLUDE_DIR"]


def wait_for(what: str, condition: Callable[[], Any], timeout_s: float = 300) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {timeout_s:g} s: {what}")


def ended(lab: Lab, name: str) -> Any:
    """The experiment once it has ended."""
    known = {e.name: e for e in lab.repository.experiments()}
    return known[name] if name in known and known[name].state.ended else None


def finishes(lab: Lab, name: str) -> Any:
    """Wait for the experiment's end; a run that fails on the way ends the wait with the logs of its failed tasks."""

    def ended_or_failed() -> Any:
        client = lab.airflow.client
        for dag_id in ("tuning_experiment", "tuning_iteration", "tuning_finish"):
            for run in client.dag_runs(dag_id):
                run_id = str(run["dag_run_id"])
                if run["state"] == "failed" and run_id.startswith(name):
                    failed = [t for t in client.task_instances(dag_id, run_id) if t["state"] == "failed"]
                    logs = [client.task_log(dag_id, run_id, t["task_id"], t["try_number"])[-20:] for t in failed]
                    raise AssertionError(f"{run_id} failed: {logs}")
        return ended(lab, name)

    return wait_for(f"experiment {name} ends", ended_or_failed)


def states(lab: Lab, dag_id: str, run_id: str) -> dict[str, str | None]:
    return {t["task_id"]: t["state"] for t in lab.airflow.client.task_instances(dag_id, run_id)}


def test_four_trials_end_with_the_winner_in_force(lab: Lab) -> None:
    client = lab.airflow.client
    client.trigger("tuning_experiment", {**FORM, "experiment": "four"}, "four")
    experiment = finishes(lab, "four")
    assert experiment.state == "finished", experiment.message
    wait_for("the last run ends", lambda: client.dag_run("tuning_finish", "four-finish-1")["state"] == "success", 30)
    trials = lab.repository.trials("four")
    assert [t.state for t in trials] == ["ok"] * 4, [t.message for t in trials]
    assert client.dag_run("tuning_experiment", "four")["state"] == "success"
    for iteration in range(4):
        run_id = f"four-{iteration:04d}"
        assert client.dag_run("tuning_iteration", run_id)["state"] == "success"
        found = states(lab, "tuning_iteration", run_id)
        assert found["restore"] == ("success" if iteration == 3 else "skipped")
        assert found["recover"] == "skipped"
        for task in ("restart", "benchmark", "collect", "next_iteration"):
            assert found[task] == "success", (run_id, task)
    assert [t.kind for t in trials][:2] == ["baseline", "rules"]
    assert trials[3].kind == "reference"
    recommended = client.xcom("tuning_iteration", "four-0000", "recommend")
    assert recommended["iteration"] == 1
    assert recommended["configuration"] == trials[1].wanted
    shown = in_force_on(lab.host)
    outcome = experiment.outcome
    assert outcome["in_force"]
    for knob, value in outcome["in_force"].items():
        assert shown[knob] == as_shown(value), knob
    assert lab.repository.holder("demo") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("iterations", 0), ("iterations", -1), ("iterations", 10**9), ("experiment", "a b;c/d"), ("benchmark", "tpcz")],
)
def test_the_form_refuses_over_rest_and_names_the_field(lab: Lab, field: str, value: Any) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        lab.airflow.client.trigger("tuning_experiment", {**FORM, "experiment": "refused", field: value})
    assert caught.value.response.status_code == 400
    assert field in str(caught.value)
    assert str(value) in str(caught.value)


def task_process(lab: Lab, log_word: str) -> psutil.Process | None:
    """The process that runs a task, found by what Airflow calls it."""
    for process in belonging_to(lab.root):
        try:
            if log_word in " ".join(process.cmdline()):
                return process
        except psutil.Error:
            continue
    return None


def job_is_running(lab: Lab, job: str) -> bool:
    folder = Path(lab.host.target.work_dir) / "jobs" / job
    return (folder / "pid").exists() and not (folder / "exit_code").exists()


def test_a_killed_worker_reattaches_and_a_cancelled_task_ends_its_job(lab: Lab) -> None:
    client = lab.airflow.client
    form = {**FORM, "experiment": "kill", "iterations": 2, "duration_s": 15, "restore_every": 0, "drop_cache": False}
    client.trigger("tuning_experiment", form, "kill")
    wait_for("the measured run of iteration 0", lambda: job_is_running(lab, "kill.0000-1-run1"))
    job_pid = (Path(lab.host.target.work_dir) / "jobs" / "kill.0000-1-run1" / "pid").read_text()
    running = next(t for t in client.task_instances("tuning_iteration", "kill-0000") if t["task_id"] == "benchmark")
    process = psutil.Process(int(running["pid"]))
    os.kill(process.pid, signal.SIGKILL)
    done = wait_for(
        "the benchmark task ends after its retry",
        lambda: states(lab, "tuning_iteration", "kill-0000").get("benchmark") == "success",
    )
    assert done
    trial = lab.repository.trial("kill", 0)
    assert trial.attempt == 1
    assert trial.objective
    second = "\n".join(client.task_log("tuning_iteration", "kill-0000", "benchmark", 2))
    assert "kill.0000-1-run1: attached" in second
    assert job_pid

    wait_for("the measured run of iteration 1", lambda: job_is_running(lab, "kill.0001-1-run1"))
    client.set_task_state("tuning_iteration", "kill-0001", "benchmark", "failed")
    wait_for("the job is ended", lambda: not job_is_running(lab, "kill.0001-1-run1"), 60)
    wait_for("no pgbench is left", lambda: task_process(lab, "pgbench") is None, 30)
    wait_for("recover has ended", lambda: states(lab, "tuning_iteration", "kill-0001")["recover"] == "failed", 120)
    log = "\n".join(client.task_log("tuning_iteration", "kill-0001", "recover"))
    assert "the server is up on the baseline" in log
    wait_for("the run ends", lambda: client.dag_run("tuning_iteration", "kill-0001")["state"] == "failed", 60)
    assert lab.host.cluster.is_running

    client.trigger("stop_experiment", {"experiment": "kill", "finish_now": True}, "stop-kill")
    experiment = wait_for("the experiment ends", lambda: ended(lab, "kill"))
    assert experiment.state == "stopped", experiment.message
    assert lab.repository.holder("demo") is None
