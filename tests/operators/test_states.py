"""What the tasks around the loop refuse or leave alone, by the experiment's state; no host is there to be touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import DagRunTriggerException

from otterflow.errors import InvalidInput, MayNotAct, TargetHeld
from otterflow.experiment.spec import ExperimentSpec
from otterflow.operators.check_experiment import CheckExperimentOperator
from otterflow.operators.connections import open_repository
from otterflow.operators.start_iterations import StartIterationsOperator, first_trial
from otterflow.operators.stop import StopOperator
from otterflow.repository import Repository
from tests.operators.harness import context
from tests.repository.samples import new_experiment, prepare

FORM: dict[str, Any] = {"experiment": "e", "target": "example_command", "benchmark": "analytics", "iterations": 5}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An empty repository of its own."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    return open_repository()


def create(repository: Repository, *, inspected: bool = True) -> None:
    """An experiment as check_experiment and, if `inspected`, check_target leave it."""
    spec = ExperimentSpec.from_params(FORM)
    repository.create_experiment(
        new_experiment("e", target=spec.target, benchmark=spec.benchmark, objective="run_time", spec=spec.record())
    )
    repository.hold_target(spec.target, "e")
    if inspected:
        prepare(repository, "e", baseline={"jit": True})


def plan(repository: Repository, iteration: int) -> None:
    repository.plan_trial("e", iteration, kind="model", wanted={"jit": False}, repairs=[], reasons={}, seed=0)


def test_a_first_trial_that_was_planned_already_is_the_one_to_trigger(repository: Repository) -> None:
    create(repository)
    assert first_trial(repository, "e") == 0
    repository.set_experiment_state("e", "running")
    assert first_trial(repository, "e") == 0
    assert len(repository.trials("e")) == 1


@pytest.mark.slow
def test_a_resumed_experiment_leaves_the_run_of_a_trial_that_was_begun_alone(repository: Repository) -> None:
    """That run's id exists, so triggering it again would start nothing."""
    create(repository)
    first_trial(repository, "e")
    repository.begin_try("e", 0)
    repository.end_trial("e", 0, "failed", message="as the test wants")
    plan(repository, 1)
    repository.begin_try("e", 1)
    repository.set_experiment_state("e", "stopped", "by the test")
    assert first_trial(repository, "e") == 2


def test_an_experiment_that_runs_is_not_resumed(repository: Repository) -> None:
    create(repository)
    repository.set_experiment_state("e", "running")
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    with pytest.raises(InvalidInput, match="resume: 'e' is running; wait until it has ended, or stop it"):
        task.execute(context({**FORM, "iterations": 9, "resume": True}))
    assert repository.experiment("e").spec["iterations"] == 5


def test_a_resumed_experiment_says_what_it_keeps(repository: Repository) -> None:
    create(repository)
    repository.set_experiment_state("e", "stopped", "by the test")
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    done = task.execute(context({**FORM, "iterations": 9, "seed": 7, "resume": True}))
    assert done["kept"] == {"seed": 0}
    kept = repository.experiment("e").spec
    assert (kept["iterations"], kept["seed"]) == (9, 0)


@pytest.mark.parametrize("finish_now", ["True", "False"])
def test_stopping_before_the_target_was_inspected_touches_nothing(repository: Repository, finish_now: str) -> None:
    create(repository, inspected=False)
    StopOperator(task_id="request_stop", experiment="e", finish_now=finish_now).execute(context(run_id="stop"))
    assert repository.experiment("e").state == "stopped"
    assert repository.holder("example_command") is None
    with pytest.raises(MayNotAct, match="experiment 'e' is stopped; its runs are history"):
        StopOperator(task_id="request_stop", experiment="e", finish_now=finish_now).execute(context(run_id="stop"))


def test_a_stop_that_was_noted_is_a_success_and_not_skipped(repository: Repository) -> None:
    create(repository)
    repository.set_experiment_state("e", "running")
    StopOperator(task_id="request_stop", experiment="e", finish_now="False").execute(context(run_id="stop"))
    stopping = repository.experiment("e")
    assert (stopping.state, stopping.stop_requested) == ("running", True)


@pytest.mark.slow
def test_an_experiment_whose_knobs_were_not_in_force_is_finished_now(repository: Repository) -> None:
    """As recover leaves it, and as the docs advise."""
    create(repository)
    first_trial(repository, "e")
    repository.set_experiment_state("e", "failed", "work_mem: is overridden")
    repository.release_target("example_command", "e")
    with pytest.raises(InvalidInput, match="'e' is failed already; tick 'Finish now' to compare what it has measured"):
        StopOperator(task_id="request_stop", experiment="e", finish_now="False").execute(context(run_id="stop"))
    with pytest.raises(DagRunTriggerException) as raised:
        StopOperator(task_id="request_stop", experiment="e", finish_now="True").execute(context(run_id="stop"))
    assert (raised.value.trigger_dag_id, raised.value.dag_run_id) == ("tuning_finish", "e-finish-1")
    stopping = repository.experiment("e")
    assert (stopping.state, stopping.stop_requested) == ("finishing", True)
    assert stopping.message == "stopped by the user; it had failed: work_mem: is overridden"
    assert repository.holder("example_command") == "e"


def test_an_experiment_that_failed_is_not_finished_while_another_has_its_target(repository: Repository) -> None:
    create(repository)
    repository.set_experiment_state("e", "failed", "work_mem: is overridden")
    repository.release_target("example_command", "e")
    repository.hold_target("example_command", "other")
    with pytest.raises(TargetHeld, match="held by experiment 'other'"):
        StopOperator(task_id="request_stop", experiment="e", finish_now="True").execute(context(run_id="stop"))
    assert repository.experiment("e").state == "failed"


def with_runs(*runs: tuple[str, str, str]) -> Any:
    """A task's context whose Airflow knows these runs, each by its Dag, run id and state."""
    found = context(run_id="stop")
    found["ti"].known.update({(dag_id, run_id): state for dag_id, run_id, state in runs})
    return found


def under_way(repository: Repository) -> None:
    """Trial 0 is being measured by its run."""
    create(repository)
    first_trial(repository, "e")
    repository.set_experiment_state("e", "running")
    repository.take_lease("e", "tuning_iteration/e-0000")
    repository.begin_try("e", 0)


@pytest.mark.slow
def test_finish_now_during_a_trial_waits_for_it(repository: Repository) -> None:
    under_way(repository)
    stop = StopOperator(task_id="request_stop", experiment="e", finish_now="True")
    stop.execute(with_runs(("tuning_iteration", "e-0000", "running")))
    stopping = repository.experiment("e")
    assert (stopping.state, stopping.stop_requested, stopping.heir) == ("running", True, "")
    with pytest.raises(DagRunTriggerException) as raised:
        stop.execute(with_runs(("tuning_iteration", "e-0000", "failed")))
    assert raised.value.dag_run_id == "e-finish-1"
    assert repository.experiment("e").heir == "tuning_finish/e-finish-1"


@pytest.mark.slow
def test_a_stop_that_is_begun_again_triggers_the_finish_that_it_has_named(repository: Repository) -> None:
    under_way(repository)
    stop = StopOperator(task_id="request_stop", experiment="e", finish_now="True")
    for _ in range(2):
        with pytest.raises(DagRunTriggerException) as raised:
            stop.execute(with_runs(("tuning_iteration", "e-0000", "failed")))
        assert raised.value.dag_run_id == "e-finish-1"
    repository.take_lease("e", "tuning_finish/e-finish-1")
    stop.execute(with_runs(("tuning_finish", "e-finish-1", "running")))


@pytest.mark.slow
def test_a_finish_whose_run_id_is_taken_gets_a_new_one(repository: Repository) -> None:
    """Airflow remembers an experiment of that name which the repository does not."""
    under_way(repository)
    taken = with_runs(("tuning_finish", "e-finish-1", "success"), ("tuning_finish", "e-finish-1.2", "failed"))
    with pytest.raises(DagRunTriggerException) as raised:
        StopOperator(task_id="request_stop", experiment="e", finish_now="True").execute(taken)
    assert raised.value.dag_run_id == "e-finish-1.3"


@pytest.mark.slow
def test_a_run_that_waits_in_a_paused_dag_is_not_in_the_way_of_a_resume(repository: Repository) -> None:
    """Finish now takes the experiment from it, and the resume makes the same trial by a run of another id."""
    under_way(repository)
    repository.end_trial("e", 0, "crashed", message="as the test wants")
    plan(repository, 1)
    repository.name_heir("e", "tuning_iteration/e-0000", "tuning_iteration/e-0001")
    waits = ("tuning_iteration", "e-0001", "queued")
    with pytest.raises(DagRunTriggerException):
        StopOperator(task_id="request_stop", experiment="e", finish_now="True").execute(with_runs(waits))
    repository.close_experiment("e", "stopped")
    repository.extend("e", iterations=9, time_budget_min=None, run="tuning_experiment/resume")
    repository.take_lease("e", "tuning_experiment/resume")
    start = StartIterationsOperator(task_id="start_iterations", experiment="e")
    again = with_runs(waits)
    start.run_name = "tuning_experiment/resume"
    assert start.name_heir(repository, repository.experiment("e"), again) == "tuning_iteration/e-0001.2"
    with pytest.raises(MayNotAct, match="in the hands of run"):
        repository.take_lease("e", "tuning_iteration/e-0001")
