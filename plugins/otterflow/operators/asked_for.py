"""What the first task of a Dag has decided, for those behind it: which experiment, with which form, until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import MachineryFault
from otterflow.operators.base import skip

if TYPE_CHECKING:
    from airflow.sdk import Context


def asked_for(context: Context, check: str) -> dict[str, Any]:
    """What task `check` returned: the `experiment`, its `form`, when the wait for it `closes`, and what else it said.

    Skips the task where that one was skipped: a rule such as `none_failed` lets those behind it start all the same.
    Raises MachineryFault where it failed, so that a run whose last task starts whatever happened is not green for it.
    """
    asked = context["ti"].xcom_pull(task_ids=check)
    if asked is not None:
        return dict(asked)
    state = state_of(context, check)
    if state in {"failed", "upstream_failed"}:
        raise MachineryFault(f"{check} is {state}, and nothing was begun; its log says why")
    skip(f"this run was left out; the log of {check} says why")


def state_of(context: Context, task: str) -> str | None:
    """What Airflow calls the state of another task of this run; None where it has none yet."""
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task], run_ids=[ti.run_id])
    state = states.get(ti.run_id, {}).get(task)
    return None if state is None else str(state)
