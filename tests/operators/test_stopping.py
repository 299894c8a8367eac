"""An experiment ends early when the form's stopping rule says that too little is left, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import DagRunTriggerException

from otterflow.errors import InvalidInput
from otterflow.experiment.loop import OUTLOOK
from otterflow.experiment.spec import ExperimentSpec
from otterflow.operators.check_experiment import CheckExperimentOperator
from otterflow.operators.connections import open_repository
from otterflow.operators.next_iteration import NextIterationOperator
from otterflow.repository import Repository
from tests.operators.harness import context
from tests.repository.samples import new_experiment, prepare

FORM: dict[str, Any] = {
    "experiment": "e",
    "target": "example_command",
    "benchmark": "analytics",
    "stop_below_percent": 4.0,
    "stop_confidence": 0.8,
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository with an experiment whose trial 0 has ended."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    found = open_repository()
    spec = ExperimentSpec.from_params(FORM)
    found.create_experiment(
        new_experiment("e", target=spec.target, benchmark=spec.benchmark, objective="run_time", spec=spec.record())
    )
    prepare(found, "e")
    found.hold_target(spec.target, "e")
    found.set_experiment_state("e", "running")
    found.plan_trial("e", 0, kind="baseline", wanted={"jit": True}, repairs=[], reasons={}, seed=0)
    found.begin_try("e", 0)
    found.end_trial("e", 0, "crashed", message="as the test wants")
    return found


def triggered(repository: Repository, left: dict[str, Any]) -> DagRunTriggerException:
    repository.add_reasons("e", 0, {OUTLOOK: left})
    task = NextIterationOperator(task_id="next_iteration", experiment="e", iteration=0)
    with pytest.raises(DagRunTriggerException) as raised:
        task.execute(context(run_id="e-0000"))
    return raised.value


def test_little_left_with_enough_confidence_finishes_the_experiment(repository: Repository) -> None:
    left = {"expected_percent": 1.0, "below_percent": 4.0, "probability_below": 0.85}
    assert triggered(repository, left).trigger_dag_id == "tuning_finish"
    experiment = repository.experiment("e")
    assert experiment.state == "finishing"
    assert "less than 4 % is still to be gained with probability 0.85 (stop_confidence 0.8)" in experiment.message


@pytest.mark.parametrize("left", [{}, {"expected_percent": 1.0, "below_percent": 4.0, "probability_below": 0.79}])
def test_otherwise_the_next_iteration_is_triggered(repository: Repository, left: dict[str, Any]) -> None:
    trigger = triggered(repository, left)
    assert (trigger.trigger_dag_id, trigger.dag_run_id) == ("tuning_iteration", "e-0001")
    assert repository.experiment("e").state == "running"


def test_an_experiment_that_ended_early_is_resumed_with_the_forms_new_rule(repository: Repository) -> None:
    repository.set_experiment_state("e", "finished", "less than 4 % is still to be gained")
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    task.execute(context({**FORM, "stop_below_percent": None, "resume": True}))
    assert repository.experiment("e").spec["stop_below_percent"] is None
    repository.name_heir("e", "adhoc_airflow/no_run", "adhoc_airflow/e-0000", state="running")
    repository.take_lease("e", "adhoc_airflow/e-0000")
    left = {"expected_percent": 1.0, "below_percent": 4.0, "probability_below": 0.85}
    assert triggered(repository, left).trigger_dag_id == "tuning_iteration"


@pytest.mark.parametrize(
    ("field", "value"), [("direction", "minimise"), ("constraints", ["throughput > 1"]), ("objective", "throughput")]
)
def test_a_resumed_experiment_keeps_its_goal(repository: Repository, field: str, value: Any) -> None:
    repository.set_experiment_state("e", "finished", "by the test")
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    with pytest.raises(InvalidInput, match=f"{field}: .* differs from the experiment's .*; resume with the same"):
        task.execute(context({**FORM, field: value, "resume": True}))
