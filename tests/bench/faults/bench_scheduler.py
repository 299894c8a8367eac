"""Airflow's scheduler is killed in the middle of a benchmark and of a restart: on the whole stack, run by `make bench`.

What its workers were doing goes on without it. The scheduler that is started again takes those tasks for lost and has
them done once more, beside the first ones: so each is at work twice for a while.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from stack.lab import Lab
from stack.processes import belonging_to
from tests.e2e.watching import must_not_have_failed, run_state, states, wait_for, watched
from tests.operators.conftest import small_benchmarks
from tests.operators.test_experiment_in_process import as_shown, in_force_on

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

LONG_S = 600
"""How long a step may take on a machine that has other work."""
TAKEN_FOR_LOST = {"AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5"}
"""When a new scheduler has the tasks of a dead one done again: once it was silent for half a minute."""
FIRST, SECOND, FINISH = "killed-0000", "killed-0001", "killed-finish-1"


@dataclass(frozen=True)
class Gate:
    """A benchmark that lasts until it is let through, and writes down each of its runs."""

    folder: Path

    @property
    def runs(self) -> list[str]:
        """The job folders of the runs that have begun."""
        return (self.folder / "runs").read_text().splitlines()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Runs that are at work do not end meanwhile."""
        shut = self.folder / "shut"
        shut.touch()
        try:
            yield
        finally:
            shut.unlink()

    def write(self, benchmarks: Path) -> None:
        """The benchmark's file."""
        self.folder.mkdir()
        (self.folder / "runs").touch(mode=0o666)
        (self.folder / "runs").chmod(0o666)
        run = f'echo "$PWD" >> {self.folder}/runs; sleep 1; while [ -e {self.folder}/shut ]; do sleep 0.2; done'
        load = 'psql --no-psqlrc --quiet --command="DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT 1 AS n"'
        workload = {"driver": "batch", "load": load, "run": run, "bytes_per_scale": 8192}
        record = {"name": "gated", "title": "gated", "kind": "mixed", "objective": "run_time", "workload": workload}
        limits = {"passes": 1, "warmup_passes": 0, "load_timeout_s": 60, "run_timeout_s": LONG_S}
        (benchmarks / "gated.yaml").write_text(yaml.safe_dump(record | limits))


@pytest.fixture
def gate_and_lab() -> Iterator[tuple[Gate, Lab]]:
    """A lab whose scheduler can be killed, and its benchmark."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-scheduler-"))
    folder.chmod(0o755)
    include, gate = small_benchmarks(folder), Gate(folder / "gate")
    gate.write(include / "benchmarks")
    lab = Lab(folder / "lab", environment={"OTTERFLOW_INCLUDE_DIR": str(include), **TAKEN_FOR_LOST})
    try:
        lab.start(print)
        with watched(lab):
            yield gate, lab
    finally:
        lab.stop()
        assert not belonging_to(lab.root), "nothing is left running"
        shutil.rmtree(folder)


@contextmanager
def nobody_acts_on_the_server(lab: Lab) -> Iterator[None]:
    """Every command that would act on the server waits meanwhile."""
    (lock,) = lab.host.locks()
    with (lock / "flock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def tries(lab: Lab, run_id: str, task_id: str) -> int:
    """How often the task was begun, or is about to be."""
    found = {t["task_id"]: int(t["try_number"]) for t in lab.airflow.client.task_instances("tuning_iteration", run_id)}
    return found[task_id]


def kill_in_the_middle_of(lab: Lab, run_id: str, task_id: str) -> None:
    """Kill the scheduler while the task is at work, start one again, and wait until that has begun the task anew."""
    lab.airflow.kill_scheduler()
    assert states(lab, "tuning_iteration", run_id)[task_id] == "running"
    lab.airflow.start_scheduler()

    def begun_again() -> bool:
        must_not_have_failed(lab, "killed")
        return tries(lab, run_id, task_id) > 1 and states(lab, "tuning_iteration", run_id)[task_id] == "running"

    wait_for(f"{task_id} of {run_id} is at work again", begun_again, LONG_S)


def is_at_work(lab: Lab, run_id: str, task_id: str) -> bool:
    """Whether the task is; a run that has failed ends the wait for it."""
    must_not_have_failed(lab, "killed")
    known = run_state(lab, "tuning_iteration", run_id)
    return known is not None and states(lab, "tuning_iteration", run_id)[task_id] == "running"


def test_a_scheduler_that_is_killed_loses_no_trial_and_blames_none(gate_and_lab: tuple[Gate, Lab]) -> None:
    gate, lab = gate_and_lab
    form = {"experiment": "killed", "target": "demo", "benchmark": "gated", "iterations": 2, "restore_every": 0}
    with gate.shut():
        lab.airflow.client.trigger(
            "tuning_experiment", {**form, "reference_every": 0, "final_rounds": 3, "ablation_percent": 0}, "killed"
        )
        wait_for("the baseline is measured", lambda: is_at_work(lab, FIRST, "benchmark") and gate.runs, LONG_S)
        kill_in_the_middle_of(lab, FIRST, "benchmark")
    wait_for("trial 1 is begun", lambda: run_state(lab, "tuning_iteration", SECOND), LONG_S)
    with nobody_acts_on_the_server(lab):
        wait_for("its restart waits", lambda: is_at_work(lab, SECOND, "restart"), LONG_S)
        kill_in_the_middle_of(lab, SECOND, "restart")

    def finished() -> bool:
        must_not_have_failed(lab, "killed")
        return run_state(lab, "tuning_finish", FINISH) == "success"

    wait_for("the experiment ends", finished, LONG_S)
    assert [run_state(lab, "tuning_iteration", run_id) for run_id in (FIRST, SECOND)] == ["success", "success"]
    trials = lab.repository.trials("killed")
    assert [(t.iteration, t.attempt, t.state) for t in trials] == [(0, 1, "ok"), (1, 1, "ok")], [
        t.message for t in trials
    ]
    measured = [job for job in gate.runs if ".000" in job]
    assert len(measured) == len(set(measured)) == 2, gate.runs
    experiment = lab.repository.experiment("killed")
    assert experiment.state == "finished"
    assert experiment.outcome is not None
    assert lab.repository.holder("demo") is None
    assert not lab.host.locks()
    shown = in_force_on(lab.host)
    assert {k: shown[k] for k in experiment.outcome["in_force"]} == {
        k: as_shown(v) for k, v in experiment.outcome["in_force"].items()
    }
