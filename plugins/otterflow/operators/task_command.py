"""The command `python -m otterflow task TASK --experiment NAME`: one task of one experiment, without a scheduler.

It is the very task of the Dag, with its guard in force: one that may not act touches nothing and says why. It acts as
the run in whose hands the experiment is, as if the task was cleared in that run, so it is not for an experiment that
Airflow has a task of under way. Connections are read from `AIRFLOW_CONN_*`, and from Airflow's database if there is
one. What the task would trigger is only told.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import otterflow
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.run_names import TUNING_FINISH, TUNING_ITERATION, finish_run_id, run_id
from otterflow.operators.connections import open_repository
from otterflow.operators.guard import Guarded

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator

    from otterflow.repository import Repository

log = logging.getLogger(__name__)

DAG_IDS = ("tuning_experiment", TUNING_ITERATION, TUNING_FINISH)
DAGS = Path(otterflow.__file__).resolve().parents[2] / "dags"
SERVER = ("_AIRFLOW_PROCESS_CONTEXT", "server")
"""By this variable Airflow's own programs say that they may look for connections in Airflow's database."""
BY_HAND = "by-hand"
"""The run id of a task before there is an experiment in whose runs it could be."""


class TaskFailed(Exception):
    """The task has failed; how, is in the message."""


def add_to(commands: Any) -> None:
    """Add the command and its options to the parser's commands."""
    text = "Run one task of one experiment, as its Dag would, and print what it returns as JSON."
    parser = commands.add_parser("task", help="one task of one experiment, without a scheduler", description=text)
    parser.add_argument("task", help="its name in the Dag, such as check_target, restart or benchmark")
    parser.add_argument("--experiment", required=True, help="the experiment's name")
    parser.add_argument(
        "--iteration", type=int, help="the trial, for a task of tuning_iteration (default: the newest, planned or made)"
    )
    parser.add_argument(
        "--conf", default="{}", metavar="JSON", help="more of the form's fields, for check_experiment: "
        '\'{"target": "staging", "benchmark": "analytics"}\'',
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> str:
    os.environ.setdefault(*SERVER)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)-7s %(name)s: %(message)s")
    dag = _dag_of(given.task, finish=given.iteration is None)
    task = dag.get_task(given.task)
    repository = open_repository()
    print(repository)
    conf = {**_fields(given.conf), "experiment": given.experiment}
    if dag.dag_id == TUNING_ITERATION:
        conf["iteration"] = _newest(repository, given.experiment) if given.iteration is None else given.iteration
    elif given.iteration is not None:
        advice = f"leave it out, or use a task of {TUNING_ITERATION}"
        raise InvalidInput(Problem("--iteration", f"{given.task} is a task of {dag.dag_id}, which has none", advice))
    run = BY_HAND
    if not (isinstance(task, Guarded) and task.may.states is None):  # else there may be no experiment yet
        run = _run_id(repository, dag.dag_id, given.experiment, conf.get("iteration", -1))
    log.info("task %s of run %s/%s", given.task, dag.dag_id, run)
    return _executed(dag, given.task, {**{name: dag.params[name] for name in dag.params}, **conf}, run)


def _dag_of(task: str, *, finish: bool) -> DAG:
    """The Dag that has the task. `recover` is in two; it is the one of `tuning_finish` if `finish`."""
    found = list(_dags())
    having = [dag for dag in found if dag.has_task(task)]
    if not having:
        names = "; ".join(f"{dag.dag_id}: {', '.join(dag.task_ids)}" for dag in found)
        raise InvalidInput(Problem("task", f"{task!r} is in no Dag of an experiment", f"use one of {names}"))
    return having[-1 if finish else 0]


def _dags() -> Iterator[DAG]:
    from airflow.dag_processing.dagbag import DagBag

    for dag_id in DAG_IDS:
        bag = DagBag(dag_folder=str(DAGS / f"{dag_id}.py"))
        for path, error in bag.import_errors.items():
            raise TaskFailed(f"{path} cannot be imported: {error}")
        yield bag.dags[dag_id]


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise InvalidInput(Problem("--conf", f"{text!r} is no JSON object", 'write it as in {"target": "staging"}'))
    return fields


def _newest(repository: Repository, experiment: str) -> int:
    trials = repository.trials(experiment, metrics=())
    if not trials:
        found = f"experiment {experiment!r} has no trial yet"
        raise InvalidInput(Problem("--iteration", found, "run check_target, take_snapshot and start_iterations first"))
    return trials[-1].iteration


def _run_id(repository: Repository, dag_id: str, experiment: str, iteration: int) -> str:
    """The run as which the task acts: the one that has the experiment, or is to have it next; else a new one."""
    standing = repository.standing(experiment, iteration)
    usual = {
        TUNING_ITERATION: run_id(experiment, iteration),
        TUNING_FINISH: finish_run_id(experiment, repository.experiment(experiment).comparison),
    }.get(dag_id, "")
    for run in (standing.heir, standing.run):
        of, _, name = run.partition("/")
        if of == dag_id and usual in ("", name.partition(".")[0]):
            return name
    return usual or BY_HAND


@dataclass(frozen=True)
class AloneTask:
    """What the operators use of Airflow's task instance, where there is no Airflow: no run, and no Dag is paused."""

    task_id: str
    map_index: int = -1

    def get_dr_count(self, dag_id: str, run_ids: list[str], states: list[str] | None = None) -> int:
        """None of these runs is known."""
        return 0

    def get_dag(self, dag_id: str) -> SimpleNamespace:
        """A Dag that is not paused."""
        return SimpleNamespace(dag_id=dag_id, is_paused=False)

    def xcom_push(self, key: str, value: Any) -> None:
        """Show it; there is nobody to keep it for."""
        log.info("XCom %s: %s", key, value)


def _executed(dag: DAG, name: str, params: Mapping[str, Any], run: str) -> str:
    """Execute the task; what it returned, or what else became of it, as JSON."""
    from airflow.sdk.bases.operator import ExecutorSafeguard
    from airflow.sdk.exceptions import (
        AirflowSkipException,
        DagRunTriggerException,
        DownstreamTasksSkipped,
        TaskDeferred,
    )

    task = cast("BaseOperator", dag.get_task(name)).prepare_for_execution()
    context: Any = {"params": params, "run_id": run, "ti": AloneTask(name), "task": task, "dag": dag}
    task.render_template_fields(context)
    ExecutorSafeguard.tracker.set(task)
    try:
        became: Any = task.execute(context)
    except AirflowSkipException as skipped:
        became = {"skipped": str(skipped)}
    except DownstreamTasksSkipped as skipped:
        became = {"skips": sorted(skipped.tasks)}
    except DagRunTriggerException as trigger:
        became = {"would_trigger": trigger.trigger_dag_id, "run_id": trigger.dag_run_id, "conf": trigger.conf}
    except TaskDeferred as deferred:
        became = {"would_wait": deferred.trigger.serialize()[1]}
    except KeyboardInterrupt:
        task.on_kill()
        raise TaskFailed(f"{name} was interrupted; its remote job, if there was one, is ended") from None
    except Exception as error:
        log.debug("%s", name, exc_info=error)
        raise TaskFailed(f"{name} failed: {type(error).__name__}: {error}") from error
    return json.dumps(became, indent=1, default=str)
