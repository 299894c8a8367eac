"""Whether a Dag that is about to be triggered is paused: its runs would wait in state *queued*, and nothing says so.

Tasks may not look into Airflow's database; the API server tells them about a Dag.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowRuntimeError

from otterflow.errors import ConnectionFault, Problem

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def is_paused(context: Context, dag_id: str) -> bool | None:
    """Whether the Dag is paused; None where Airflow does not know it. Raises ConnectionFault if there is no answer."""
    try:
        return bool(context["ti"].get_dag(dag_id).is_paused)
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == HTTPStatus.NOT_FOUND:
            return None
        raise ConnectionFault(f"Airflow's API server did not say whether {dag_id} is paused: {error}") from error


def how_to_unpause(dag_id: str) -> str:
    """What a user does about a paused Dag."""
    return f"unpause it with the switch beside its name in the UI's list of Dags, or run: airflow dags unpause {dag_id}"


def paused_problems(context: Context, dag_ids: Sequence[str]) -> list[Problem]:
    """One problem for each of the Dags that would not run."""
    problems = []
    for dag_id in dag_ids:
        paused = is_paused(context, dag_id)
        if paused is None:
            problems.append(
                Problem(
                    dag_id, "Airflow knows no Dag of this name", "see its import errors, or wait until it is parsed"
                )
            )
        elif paused:
            problems.append(Problem(dag_id, "this Dag is paused, so its runs would not start", how_to_unpause(dag_id)))
    return problems


def warn_if_paused(context: Context, dag_id: str, run_id: str) -> None:
    """Say in the task's log that the run it is about to trigger has to wait; pausing a Dag pauses the tuning."""
    try:
        paused = is_paused(context, dag_id)
    except ConnectionFault as fault:
        log.warning("%s", fault)  # the run is triggered all the same
        return
    if paused:
        log.warning("%s is paused; the run %s waits until it is unpaused: %s", dag_id, run_id, how_to_unpause(dag_id))
