"""The Dags load without a database, quickly, and keep the house's policies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.guard import Guarded, May

DAGS = Path(__file__).resolve().parents[2] / "dags"
DAG_IDS = {
    "tuning_experiment",
    "tuning_iteration",
    "tuning_finish",
    "stop_experiment",
    "undo_tuning",
    "import_ottertune",
    "export_ottertune",
    "model_refresh",
    "replay_verdict",
    "promote_configuration",
    "rollback",
}
SCHEDULES = {"model_refresh": "@hourly"}

LIGHT_PARSE = """
import importlib.util, pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    spec = importlib.util.spec_from_file_location("dag_file", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    heavy = sorted({name.partition(".")[0] for name in sys.modules} & {"sklearn", "scipy", "pandas", "paramiko"})
    print("parsed", path.stem, *heavy)
"""


@pytest.fixture(scope="module")
def bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS))
    assert not bag.import_errors
    return bag


def test_every_file_is_one_dag_of_its_name(bag: Any) -> None:
    """But for the families, which have one for each file of the user's: test_nightly, test_record, test_replay."""
    families = {"nightly", "record", "replay"}
    assert {dag_id for dag_id, dag in bag.dags.items() if Path(dag.fileloc).stem not in families} == DAG_IDS
    assert {path.stem for path in DAGS.glob("*.py")} == DAG_IDS | families


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_every_field_of_a_form_says_its_name_and_what_it_is(bag: Any, dag_id: str) -> None:
    """Airflow shows a parameter's name as it is in the code where the field has no title."""
    for name in bag.dags[dag_id].params:
        param = bag.dags[dag_id].params.get_param(name)
        assert param.schema.get("title"), name
        assert param.description, name


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_policies(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.doc_md, "every Dag says what it does"
    assert "### When this fails" in dag.doc_md
    assert dag.tags == {"otterflow"}
    assert dag.schedule == SCHEDULES.get(dag_id)
    assert not dag.catchup
    if dag.schedule is None:
        assert dag.is_paused_upon_creation is False, "a first trigger would stay queued, and nothing would say so"
    else:
        assert dag.is_paused_upon_creation, "what runs by the clock runs when the user has asked for it"
        assert dag.on_failure_callback, "nobody looks at what runs by the clock, so somebody is told"
    for task in dag.tasks:
        assert task.owner == "otterflow", task.task_id
        assert task.execution_timeout is not None, task.task_id
        assert task.retries >= 1, task.task_id
        assert task.retry_policy is not None, task.task_id


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_every_task_says_when_it_may_act(bag: Any, dag_id: str) -> None:
    from airflow.providers.standard.operators.empty import EmptyOperator

    for task in bag.dags[dag_id].tasks:
        operator = getattr(task, "operator_class", None) or type(task)
        if operator is EmptyOperator:  # it does nothing, at any time
            continue
        assert issubclass(operator, Guarded), task.task_id
        assert isinstance(operator.may, May), task.task_id


def edges(dag: Any) -> dict[str, set[str]]:
    return {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}


def test_the_iterations_flow(bag: Any) -> None:
    assert edges(bag.dags["tuning_iteration"]) == {
        "begin": {"restore", "free_cache", "restart", "recover"},
        "restore": {"free_cache", "restart", "recover"},
        "free_cache": {"restart", "recover"},
        "restart": {"benchmark", "recover"},
        "benchmark": {"collect", "recover"},
        "collect": {"recommend", "recover"},
        "recover": {"recommend"},
        "recommend": {"apply"},
        "apply": {"next_iteration"},
        "next_iteration": set(),
    }


def test_the_experiments_flow(bag: Any) -> None:
    assert edges(bag.dags["tuning_experiment"]) == {
        "check_experiment": {"check_target"},
        "check_target": {"take_snapshot"},
        "take_snapshot": {"start_iterations"},
        "start_iterations": set(),
    }


def test_the_refreshs_flow(bag: Any) -> None:
    """Both ends are leaves: a workload that fails makes the run red, and keeps nothing else from being computed."""
    dag = bag.dags["model_refresh"]
    assert edges(dag) == {
        "find_outdated": {"refresh_workload", "refresh_metrics"},
        "refresh_workload": set(),
        "refresh_metrics": set(),
    }
    assert dag.max_active_runs == 1
    assert dag.get_task("refresh_workload").is_mapped


def test_a_run_that_was_mended_is_red_all_the_same(bag: Any) -> None:
    """Airflow goes by the last tasks: one that runs after a failure alone must not be the only one of them."""
    for dag in bag.dags.values():
        rules = {task.trigger_rule for task in dag.tasks if not task.downstream_task_ids}
        assert rules != {"one_failed"}, dag.dag_id


def test_a_promotions_flow(bag: Any) -> None:
    """Whatever fails once the target is held is made safe; what a person declines is only skipped."""
    dag = bag.dags["promote_configuration"]
    assert edges(dag) == {
        "propose": {"approve"},
        "approve": {"await_window"},
        "await_window": {"recheck"},
        "recheck": {"watch_before", "make_safe"},
        "watch_before": {"install", "make_safe"},
        "install": {"watch_after", "make_safe"},
        "watch_after": {"keep_or_roll_back", "make_safe"},
        "keep_or_roll_back": {"make_safe", "ended"},
        "ended": set(),
        "make_safe": set(),
    }
    assert dag.get_task("approve").response_timeout is not None, "or the execution timeout would be for the person"


def test_the_forms_fields_are_those_of_the_spec(bag: Any) -> None:
    from otterflow.experiment.spec import ExperimentSpec

    dag = bag.dags["tuning_experiment"]
    assert set(dag.params) == set(ExperimentSpec.model_fields)
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("section"), name
        assert param.description, name


@pytest.mark.slow
def test_dags_survive_serialization(bag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in bag.dags.values():
        record = DagSerialization.to_dict(dag)
        assert record["dag"]["dag_id"] == dag.dag_id


@pytest.mark.slow
def test_parsing_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT_PARSE, str(DAGS)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(DAGS.parent / "plugins")},
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("parsed")]
    assert told == [f"parsed {path.stem}" for path in sorted(DAGS.glob("*.py"))]


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_parsing_is_quick_once_airflow_is_loaded(bag: Any, dag_id: str) -> None:
    from airflow.dag_processing.dagbag import DagBag

    best = min(_seconds_to_parse(DagBag, DAGS / f"{dag_id}.py") for _ in range(3))
    assert best < 0.5, f"{dag_id} takes {best:.2f} s"


def _seconds_to_parse(bag: Any, path: Path) -> float:
    begun = time.process_time()  # of this process: others may be at work beside it
    loaded = bag(dag_folder=str(path))
    assert not loaded.import_errors
    assert len(loaded.dags) == 1
    return time.process_time() - begun
