"""What the first task of a Dag has decided, for those behind it: which experiment, with which form, until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.operators.base import skip

if TYPE_CHECKING:
    from airflow.sdk import Context


def asked_for(context: Context, check: str) -> dict[str, Any]:
    """What task `check` returned: the `experiment`, its `form`, when the wait for it `closes`, and what else it said.

    Skips the task where that one was skipped: a rule such as `none_failed` lets those behind it start all the same.
    """
    asked = context["ti"].xcom_pull(task_ids=check)
    if asked is None:
        skip(f"this run was left out; the log of {check} says why")
    return dict(asked)
