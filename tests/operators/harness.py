"""Runs the project's Dags inside the test's process, task by task, with the real operators and no Airflow database.

It keeps Airflow's trigger rules as far as these Dags use them, and follows the runs that tasks trigger. Hosts, servers
and benchmarks are real. What Airflow itself adds (scheduling, retries, processes) is tested end to end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException, DownstreamTasksSkipped

DAGS = Path(__file__).resolve().parents[2] / "dags"

SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED = "success", "failed", "skipped", "upstream_failed"
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


def _may_run(rule: str, upstream: list[str]) -> str | None:
    """None to run, else the state the task takes without running."""
    if rule == "all_success":
        if any(s in _BAD for s in upstream):
            return UPSTREAM_FAILED
        return SKIPPED if SKIPPED in upstream else None
    if rule == "none_failed":
        return UPSTREAM_FAILED if any(s in _BAD for s in upstream) else None
    if rule == "one_failed":
        return None if FAILED in upstream or UPSTREAM_FAILED in upstream else SKIPPED
    if rule == "one_success":
        if SUCCESS in upstream:
            return None
        return UPSTREAM_FAILED if any(s in _BAD for s in upstream) else SKIPPED
    raise AssertionError(f"the harness does not know trigger rule {rule!r}")


@dataclass(frozen=True)
class TaskInstance:
    """What these operators use of Airflow's: an XCom pushed as the return value counts as returned."""

    run: Run
    task_id: str
    map_index: int = -1

    def xcom_push(self, key: str, value: Any) -> None:
        if key == "return_value":
            self.run.returned[self.task_id] = value


class Dags:
    """The project's Dags, parsed once."""

    def __init__(self) -> None:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=str(DAGS))
        assert not bag.import_errors, bag.import_errors
        self.dags = bag.dags

    def task(self, dag_id: str, task_id: str, params: dict[str, Any]) -> Any:
        """A task with its templates filled in."""
        task = copy.copy(self.dags[dag_id].get_task(task_id))
        for name in ("experiment", "iteration", "finish_now"):
            text = getattr(task, name, None)
            if isinstance(text, str) and "params." in text:
                object.__setattr__(task, name, str(params[name]))
        return task

    def run(
        self,
        dag_id: str,
        conf: dict[str, Any],
        run_id: str = "manual",
        before: Callable[[Run, str], None] = lambda run, task: None,
    ) -> Run:
        """One run; `before` is called ahead of each task that is to be executed."""
        dag = self.dags[dag_id]
        params = {**{name: dag.params[name] for name in dag.params}, **conf}
        run = Run(dag_id, conf, run_id)
        for node in dag.topological_sort():
            task_id = node.task_id
            upstream = [run.states[u] for u in node.upstream_task_ids]
            instead = run.states.get(task_id)  # skipped by an earlier task
            if instead is None and upstream:
                instead = _may_run(node.trigger_rule.value, upstream)
            if instead is not None:
                run.states[task_id] = instead
                continue
            before(run, task_id)
            self._execute(run, self.task(dag_id, task_id, params), params)
        leaves = [run.states[t.task_id] for t in dag.tasks if not t.downstream_task_ids]
        run.leaf_state = FAILED if any(s in _BAD for s in leaves) else SUCCESS
        return run

    def run_task(self, dag_id: str, task_id: str, conf: dict[str, Any]) -> Run:
        """One task alone, as Airflow begins it again after its worker was killed."""
        dag = self.dags[dag_id]
        params = {**{name: dag.params[name] for name in dag.params}, **conf}
        run = Run(dag_id, conf, "manual")
        self._execute(run, self.task(dag_id, task_id, params), params)
        return run

    def _execute(self, run: Run, task: Any, params: dict[str, Any]) -> None:
        try:
            context = {"params": params, "ti": TaskInstance(run, task.task_id)}
            run.returned[task.task_id] = task.execute(context)
        except AirflowSkipException as skipped:
            run.states[task.task_id] = SKIPPED
            run.returned[task.task_id] = str(skipped)
        except DownstreamTasksSkipped as skipped:
            run.states |= {task.task_id: SUCCESS, **dict.fromkeys(skipped.tasks, SKIPPED)}
        except DagRunTriggerException as trigger:
            run.states[task.task_id] = SUCCESS
            run.triggered.append((trigger.trigger_dag_id, trigger.dag_run_id, trigger.conf or {}))
        except Exception as error:
            run.states[task.task_id] = FAILED
            run.errors[task.task_id] = error
        else:
            run.states[task.task_id] = SUCCESS

    def follow(
        self,
        dag_id: str,
        conf: dict[str, Any],
        before: Callable[[Run, str], None] = lambda run, task: None,
        most: int = 50,
    ) -> list[Run]:
        """The run and all that follow from it, until nothing is triggered any more."""
        runs = [self.run(dag_id, conf, before=before)]
        while runs[-1].triggered and len(runs) < most:
            next_dag, run_id, next_conf = runs[-1].triggered[0]
            runs.append(self.run(next_dag, next_conf, run_id, before=before))
        return runs
