"""Waiting for what happens in a lab, and reading it from Airflow and from the repository."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx

from stack.lab import Lab, MariadbLab

RUNS_OF = ("tuning_experiment", "tuning_iteration", "tuning_finish")
_WATCHED: list[Lab | MariadbLab] = []


@contextmanager
def watched(lab: Lab | MariadbLab) -> Iterator[None]:
    """Within the block nobody waits for a lab whose Airflow has lost a process: see `wait_for`."""
    _WATCHED.append(lab)
    try:
        yield
    finally:
        _WATCHED.remove(lab)


def wait_for(what: str, condition: Callable[[], Any], timeout_s: float = 600) -> Any:
    """What `condition` gives once that is true; an AssertionError that says `what` when it never is.

    On a machine that has other work too, the API server may answer late, or that its database is locked: it is asked
    again. Raises StackError, with the end of its log, once a process of a watched lab's Airflow has ended by itself.
    """
    deadline = time.monotonic() + timeout_s
    refused: httpx.HTTPError | None = None
    while time.monotonic() < deadline:
        for lab in _WATCHED:
            lab.airflow.must_run()
        try:
            found = condition()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and not error.response.is_server_error:
                raise
            refused, found = error, None
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"not within {timeout_s:g} s: {what}") from refused


def must_not_have_failed(lab: Lab | MariadbLab, name: str) -> None:
    """Raise an AssertionError with the logs of the failed tasks where a run of the experiment is red."""
    for dag_id in RUNS_OF:
        for run in lab.airflow.client.dag_runs(dag_id):
            run_id = str(run["dag_run_id"])
            if run["state"] == "failed" and (run_id == name or run_id.startswith(f"{name}-")):
                raise AssertionError(f"{run_id} failed: {logs_of_failed(lab, dag_id, run_id)}")


def logs_of_failed(lab: Lab | MariadbLab, dag_id: str, run_id: str) -> list[list[str]]:
    """The end of the log of each task that has failed."""
    client = lab.airflow.client
    failed = [t for t in client.task_instances(dag_id, run_id) if t["state"] == "failed"]
    return [client.task_log(dag_id, run_id, t["task_id"], t["try_number"])[-20:] for t in failed]


def states(lab: Lab | MariadbLab, dag_id: str, run_id: str) -> dict[str, str | None]:
    """The state of each task of a run."""
    return {t["task_id"]: t["state"] for t in lab.airflow.client.task_instances(dag_id, run_id)}


def run_state(lab: Lab, dag_id: str, run_id: str) -> str | None:
    """The state of a run; None where there is no such run."""
    runs = {run["dag_run_id"]: str(run["state"]) for run in lab.airflow.client.dag_runs(dag_id)}
    return runs.get(run_id)


def times(lab: Lab, dag_id: str, run_id: str) -> dict[str, tuple[datetime, datetime]]:
    """When each task that was started began and ended, by Airflow's own clock.

    One that was skipped by another was not: Airflow gives it the moment of that as its start and as its end.
    """
    return {
        t["task_id"]: (datetime.fromisoformat(t["start_date"]), datetime.fromisoformat(t["end_date"]))
        for t in lab.airflow.client.task_instances(dag_id, run_id)
        if t["start_date"] and t["end_date"] and t["start_date"] != t["end_date"]
    }


@contextmanager
def paused(lab: Lab, dag_id: str) -> Iterator[None]:
    """The Dag is paused meanwhile."""
    client = lab.airflow.client

    def is_paused(wanted: bool) -> bool:
        if client.dags()[dag_id]["is_paused"] != wanted:
            (client.pause if wanted else client.unpause)(dag_id)
        return bool(client.dags()[dag_id]["is_paused"] == wanted)

    wait_for(f"{dag_id} is paused", lambda: is_paused(True))
    try:
        yield
    finally:
        wait_for(f"{dag_id} is unpaused", lambda: is_paused(False))
