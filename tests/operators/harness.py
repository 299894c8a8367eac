"""Runs the project's Dags inside the test's process, task by task, with the real operators and no Airflow database.

It asks Airflow's own trigger rules which tasks may start, and runs the last of them, so that a task that need not wait
for another does not. It follows the runs that tasks trigger. Hosts, servers and benchmarks are real. What Airflow
itself adds (scheduling, retries, processes) is tested end to end.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException, DownstreamTasksSkipped, TaskDeferred

from tests.dags.orders import ENDED, RUNNING, UPSTREAM_FAILED, what_airflow_does
from tests.dags.orders import FAILED as FAILED
from tests.dags.orders import SKIPPED as SKIPPED
from tests.dags.orders import SUCCESS as SUCCESS

DAGS = Path(__file__).resolve().parents[2] / "dags"

_BAD = {FAILED, UPSTREAM_FAILED}


@dataclass
class Run:
    """One Dag run: each task's state, what it returned, and the error of those that failed."""

    dag_id: str
    conf: dict[str, Any]
    run_id: str
    states: dict[str, str] = field(default_factory=dict)
    returned: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)
    triggered: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """As Airflow decides it: by the leaves."""
        return self.leaf_state

    leaf_state: str = SUCCESS
    dag_run: Any = None
    """What a task reads of its run's interval, where a test says it."""


def _verdict(dag: Any, task_id: str, states: dict[str, str]) -> str:
    """What becomes of a task that has no state yet."""
    upstream = dag.get_task(task_id).upstream_task_ids
    return what_airflow_does(dag, task_id, [(name, states[name]) for name in upstream if name in states])


@dataclass(frozen=True)
class TaskInstance:
    """What these operators use of Airflow's: an XCom pushed as the return value counts as returned."""

    run: Run
    task_id: str
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    map_index: int = -1

    @property
    def dag_id(self) -> str:
        """The Dag of its run."""
        return self.run.dag_id

    @property
    def run_id(self) -> str:
        """Its run."""
        return self.run.run_id

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:
        """The states of tasks of its own run, as Airflow's API server tells them."""
        assert (dag_id, run_ids) == (self.dag_id, [self.run_id])
        return {self.run_id: {task: self.run.states[task] for task in task_ids if task in self.run.states}}

    def get_dr_count(self, dag_id: str, run_ids: list[str], states: list[str] | None = None) -> int:
        """How many of those runs there are, in one of the states."""
        found = [self.known.get((dag_id, run_id)) for run_id in run_ids]
        return sum(state is not None and (states is None or state in states) for state in found)

    def xcom_push(self, key: str, value: Any) -> None:
        if key == "return_value":
            self.run.returned[self.task_id] = value

    def xcom_pull(self, *, task_ids: str) -> Any:
        """What a task before has returned."""
        return self.run.returned.get(task_ids) if self.run.states.get(task_ids) == SUCCESS else None

    @staticmethod
    def get_dag(dag_id: str) -> SimpleNamespace:
        """What Airflow's API server says of a Dag: none is paused."""
        return SimpleNamespace(dag_id=dag_id, is_paused=False)


def context(params: dict[str, Any] | None = None, run_id: str = "no_run") -> Any:
    """What an operator is executed with, where no Dag is paused."""
    return {"params": params or {}, "run_id": run_id, "ti": TaskInstance(Run("no_dag", {}, run_id), "no_task")}


def _nobody_waits(deferred: TaskDeferred) -> Any:
    raise AssertionError(f"a task is deferred, and the test says nothing of it: {deferred.trigger.serialize()}")


class Dags:
    """The project's Dags, parsed once."""

    def __init__(self) -> None:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=str(DAGS))
        assert not bag.import_errors, bag.import_errors
        self.dags = bag.dags
        self._known: dict[str, dict[tuple[str, str], str]] = {}
        self.answer: Callable[[TaskDeferred], Any] = _nobody_waits
        """What the triggerer tells a task that is deferred."""

    @property
    def known(self) -> dict[tuple[str, str], str]:
        """The runs that Airflow would know, each Dag and run id with its state; a new home is a new Airflow."""
        return self._known.setdefault(os.environ.get("OTTERFLOW_HOME", ""), {})

    def run_id(self, dag_id: str, conf: dict[str, Any]) -> str:
        """The run id where a test gives none: the newest such run's, as if it was cleared; a resume is a new run."""
        own = {"tuning_iteration": "-{iteration:04d}", "tuning_finish": "-finish-"}.get(dag_id)
        if own is not None:
            wanted = conf["experiment"] + own.format(**conf)
            return next(
                (run for dag, run in reversed(self.known) if (dag, run[: len(wanted)]) == (dag_id, wanted)), wanted
            )
        return f"manual-{len(self.known)}" if conf.get("resume") else "manual"

    def task(self, dag_id: str, task_id: str, params: dict[str, Any]) -> Any:
        """A task with its templates filled in."""
        task = copy.copy(self.dags[dag_id].get_task(task_id))
        for name in ("experiment", "iteration", "finish_now", "target", "promotion", "why", "anyway"):
            text = getattr(task, name, None)
            if isinstance(text, str) and "params." in text:
                object.__setattr__(task, name, str(params[name]))
        return task

    def run(
        self,
        dag_id: str,
        conf: dict[str, Any],
        run_id: str | None = None,
        before: Callable[[Run, str], None] = lambda run, task: None,
        dag_run: Any = None,
    ) -> Run:
        """One run; `before` is called ahead of each task that is to be executed."""
        dag: Any = self.dags[dag_id]
        params = {**{name: dag.params[name] for name in dag.params}, **conf}
        run = Run(dag_id, conf, run_id or self.run_id(dag_id, conf), dag_run=dag_run)
        self.known[dag_id, run.run_id] = "running"
        order = [node.task_id for node in dag.topological_sort()]
        while waiting := [task_id for task_id in order if task_id not in run.states]:
            verdicts = {task_id: _verdict(dag, task_id, run.states) for task_id in waiting}
            marked = {task_id: verdict for task_id, verdict in verdicts.items() if verdict in ENDED}
            run.states |= marked
            if not marked:
                startable = [task_id for task_id, verdict in verdicts.items() if verdict == RUNNING]
                assert startable, f"{waiting} wait for ever: {run.states}"
                task_id = startable[-1]
                before(run, task_id)
                self._execute(run, self.task(dag_id, task_id, params), params)
        leaves = [run.states[t.task_id] for t in dag.tasks if not t.downstream_task_ids]
        run.leaf_state = FAILED if any(s in _BAD for s in leaves) else SUCCESS
        self.known[dag_id, run.run_id] = run.leaf_state
        return run

    def run_task(self, dag_id: str, task_id: str, conf: dict[str, Any], run_id: str | None = None) -> Run:
        """One task alone, as Airflow begins it again after its worker was killed, or where it was cleared alone."""
        dag = self.dags[dag_id]
        params = {**{name: dag.params[name] for name in dag.params}, **conf}
        run = Run(dag_id, conf, run_id or self.run_id(dag_id, conf))
        self._execute(run, self.task(dag_id, task_id, params), params)
        return run

    def _execute(self, run: Run, task: Any, params: dict[str, Any]) -> None:
        try:
            ti = TaskInstance(run, task.task_id, self.known)
            context = {"params": params, "run_id": run.run_id, "ti": ti, "dag_run": run.dag_run}
            run.returned[task.task_id] = self._returned(task, context)
        except AirflowSkipException as skipped:
            run.states[task.task_id] = SKIPPED
            run.returned[task.task_id] = str(skipped)
        except DownstreamTasksSkipped as skipped:
            run.states |= {task.task_id: SUCCESS, **dict.fromkeys(skipped.tasks, SKIPPED)}
        except DagRunTriggerException as trigger:
            run.states[task.task_id] = SUCCESS
            triggered = (trigger.trigger_dag_id, trigger.dag_run_id)
            if triggered in self.known:
                run.states[task.task_id] = SKIPPED  # as `skip_when_already_exists` has it
            else:
                self.known[triggered] = "queued"
                run.triggered.append((*triggered, trigger.conf or {}))
        except Exception as error:
            run.states[task.task_id] = FAILED
            run.errors[task.task_id] = error
        else:
            run.states[task.task_id] = SUCCESS

    def _returned(self, task: Any, context: Any) -> Any:
        """What the task returns, in the end, where it is deferred on the way."""
        method = "execute"
        arguments: tuple[Any, ...] = ()
        while True:
            try:
                return getattr(task, method)(context, *arguments)
            except TaskDeferred as deferred:
                method, arguments = deferred.method_name, (self.answer(deferred),)

    def follow(
        self,
        dag_id: str,
        conf: dict[str, Any],
        before: Callable[[Run, str], None] = lambda run, task: None,
        most: int = 50,
        run_id: str | None = None,
    ) -> list[Run]:
        """The run and all that follow from it, until nothing is triggered any more."""
        runs = [self.run(dag_id, conf, run_id, before=before)]
        while runs[-1].triggered and len(runs) < most:
            next_dag, run_id, next_conf = runs[-1].triggered[0]
            runs.append(self.run(next_dag, next_conf, run_id, before=before))
        return runs
