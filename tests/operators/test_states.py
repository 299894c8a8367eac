"""What the tasks around the loop refuse or leave alone, by the experiment's state; no host is there to be touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from otterflow.errors import InvalidInput
from otterflow.experiment import ExperimentSpec
from otterflow.operators.check_experiment import CheckExperimentOperator
from otterflow.operators.connections import open_repository
from otterflow.operators.start_iterations import first_trial
from otterflow.operators.stop import StopOperator
from otterflow.repository import NewExperiment, Repository

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
        NewExperiment(
            name="e", target=spec.target, benchmark=spec.benchmark, objective="run_time", spec=spec.record(), seed=0,
            code_version="test", target_definition={},
        )
    )  # fmt: skip
    repository.hold_target(spec.target, "e")
    if inspected:
        repository.prepare_experiment(
            "e", space=[], live={}, facts={}, versions={}, hardware={}, rules={}, catalog_hash="",
            baseline={"jit": True}, baseline_file="",
        )  # fmt: skip


def plan(repository: Repository, iteration: int) -> None:
    repository.plan_trial("e", iteration, kind="model", wanted={"jit": False}, repairs=[], reasons={}, seed=0)


def test_a_first_trial_that_was_planned_already_is_the_one_to_trigger(repository: Repository) -> None:
    create(repository)
    assert first_trial(repository, "e") == 0
    repository.set_experiment_state("e", "running")
    assert first_trial(repository, "e") == 0
    assert len(repository.trials("e")) == 1


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
        task.execute({"params": {**FORM, "iterations": 9, "resume": True}})
    assert repository.experiment("e").spec["iterations"] == 5


def test_a_resumed_experiment_says_what_it_keeps(repository: Repository) -> None:
    create(repository)
    repository.set_experiment_state("e", "stopped", "by the test")
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    done = task.execute({"params": {**FORM, "iterations": 9, "seed": 7, "resume": True}})
    assert done["kept"] == {"seed": 0}
    kept = repository.experiment("e").spec
    assert (kept["iterations"], kept["seed"]) == (9, 0)


@pytest.mark.parametrize("finish_now", ["True", "False"])
def test_stopping_before_the_target_was_inspected_touches_nothing(repository: Repository, finish_now: str) -> None:
    create(repository, inspected=False)
    with pytest.raises(AirflowSkipException, match="there is nothing to finish"):
        StopOperator(task_id="request_stop", experiment="e", finish_now=finish_now).execute({})
    assert repository.experiment("e").state == "stopped"
    assert repository.holder("example_command") is None
    with pytest.raises(InvalidInput, match="'e' is stopped already"):
        StopOperator(task_id="request_stop", experiment="e", finish_now=finish_now).execute({})
