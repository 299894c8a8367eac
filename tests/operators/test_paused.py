"""What the tasks say of a Dag that is paused, so that a run which waits for ever has been told of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, DagRunTriggerException, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from otterflow.errors import ConnectionFault, InvalidInput
from otterflow.experiment.spec import ExperimentSpec
from otterflow.operators.check_experiment import CheckExperimentOperator
from otterflow.operators.connections import open_repository
from otterflow.operators.next_iteration import NextIterationOperator
from otterflow.operators.paused import is_paused
from otterflow.operators.start_iterations import StartIterationsOperator
from otterflow.operators.stop import StopOperator
from otterflow.repository import Repository
from tests.repository.samples import new_experiment, prepare

FORM: dict[str, Any] = {"experiment": "e", "target": "example_command", "benchmark": "analytics", "iterations": 5}


def answers(dags: Mapping[str, bool | int], params: Mapping[str, Any] | None = None) -> Any:
    """A task's context whose Airflow says of each Dag whether it is paused, or answers with an HTTP status."""

    def get_dag(dag_id: str) -> SimpleNamespace:
        answer = dags.get(dag_id, False)
        if not isinstance(answer, bool):
            detail = {"status_code": answer, "message": "as the test wants"}
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))
        return SimpleNamespace(is_paused=answer)

    ti = SimpleNamespace(get_dag=get_dag, get_dr_count=lambda **asked: 0)
    return {"params": params or {}, "run_id": "no_run", "ti": ti}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An empty repository of its own."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    return open_repository()


@pytest.fixture
def under_way(repository: Repository) -> Repository:
    """A repository with an experiment whose trial 0 has ended."""
    spec = ExperimentSpec.from_params(FORM)
    repository.create_experiment(
        new_experiment("e", target=spec.target, benchmark=spec.benchmark, objective="run_time", spec=spec.record())
    )
    repository.hold_target(spec.target, "e")
    prepare(repository, "e", baseline={"jit": True})
    repository.plan_trial("e", 0, kind="baseline", wanted={"jit": True}, repairs=[], reasons={}, seed=0)
    repository.begin_try("e", 0)
    repository.end_trial("e", 0, "crashed", message="as the test wants")
    repository.set_experiment_state("e", "running")
    return repository


def test_an_experiment_does_not_start_while_a_dag_that_it_needs_is_paused(repository: Repository) -> None:
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    with pytest.raises(InvalidInput) as refused:
        task.execute(answers({"tuning_iteration": True, "tuning_finish": True}, FORM))
    said = str(refused.value).splitlines()
    assert len(said) == 2
    for dag_id, line in zip(("tuning_iteration", "tuning_finish"), said, strict=True):
        assert line.startswith(f"{dag_id}: this Dag is paused, so its runs would not start; unpause it")
        assert "the switch beside its name" in line
        assert line.endswith(f"airflow dags unpause {dag_id}")
    assert repository.experiments() == [], "the name is still free"


def test_a_paused_dag_is_told_of_together_with_what_else_is_wrong(repository: Repository) -> None:
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    with pytest.raises(InvalidInput) as refused:
        task.execute(answers({"tuning_finish": True}, {**FORM, "target": "no_such_target"}))
    assert [problem.field for problem in refused.value.problems][-1] == "tuning_finish"
    assert "no_such_target" in str(refused.value)


def test_a_dag_that_airflow_does_not_know_is_told_of(repository: Repository) -> None:
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    with pytest.raises(InvalidInput, match="tuning_finish: Airflow knows no Dag of this name; see its import errors"):
        task.execute(answers({"tuning_finish": 404}, FORM))


def test_no_answer_is_worth_another_try() -> None:
    with pytest.raises(ConnectionFault, match="did not say whether tuning_finish is paused"):
        is_paused(answers({"tuning_finish": 503}), "tuning_finish")


OPERATORS = [
    pytest.param(
        lambda: NextIterationOperator(task_id="t", experiment="e", iteration=0), "tuning_iteration", "e-0001", id="next"
    ),
    pytest.param(
        lambda: NextIterationOperator(task_id="t", experiment="e", iteration=4),
        "tuning_finish",
        "e-finish-1",
        id="last",
    ),
    pytest.param(
        lambda: StopOperator(task_id="t", experiment="e", finish_now="True"), "tuning_finish", "e-finish-1", id="stop"
    ),
    pytest.param(
        lambda: StartIterationsOperator(task_id="t", experiment="e"), "tuning_iteration", "e-0000", id="start"
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("operator", "dag_id", "run_id"), OPERATORS)
def test_whoever_triggers_a_paused_dag_says_that_the_run_waits(
    under_way: Repository, caplog: pytest.LogCaptureFixture, operator: Any, dag_id: str, run_id: str
) -> None:
    for iteration in range(1, 5):
        if run_id == "e-finish-1":
            under_way.plan_trial("e", iteration, kind="model", wanted={}, repairs=[], reasons={}, seed=0)
            under_way.begin_try("e", iteration)
            under_way.end_trial("e", iteration, "crashed", message="as the test wants")
    with caplog.at_level(logging.WARNING), pytest.raises(DagRunTriggerException) as triggered:
        operator().execute(answers({dag_id: True}))
    assert (triggered.value.trigger_dag_id, triggered.value.dag_run_id) == (dag_id, run_id)
    assert f"{dag_id} is paused; the run {run_id} waits until it is unpaused" in caplog.text
    assert f"airflow dags unpause {dag_id}" in caplog.text


@pytest.mark.parametrize("answer", [False, 404])
def test_nothing_is_said_of_a_dag_that_is_not_paused(
    under_way: Repository, caplog: pytest.LogCaptureFixture, answer: bool | int
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(DagRunTriggerException):
        NextIterationOperator(task_id="t", experiment="e", iteration=0).execute(answers({"tuning_iteration": answer}))
    assert "waits" not in caplog.text


def test_the_next_run_is_triggered_though_airflow_does_not_say_whether_its_dag_is_paused(
    under_way: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(DagRunTriggerException):
        NextIterationOperator(task_id="t", experiment="e", iteration=0).execute(answers({"tuning_iteration": 503}))
    assert "did not say whether tuning_iteration is paused" in caplog.text
