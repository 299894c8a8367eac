"""A task that is told to end: whether it was cancelled, or is to be done again and may be at work elsewhere already."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

log = logging.getLogger(__name__)

CANCELLED = frozenset({"failed", "upstream_failed", "skipped", "removed", "success"})
"""The states of a task that nobody will do any more."""
ASK_S = 3.0
"""How long Airflow is asked for the task's state. It kills the process five seconds after the signal."""


class ToldToEnd(BaseException):
    """The task was told to end and is to be done again, by its next try.

    No Exception, so that nothing on the way takes it for a fault that it knows how to mend.
    """


def raise_unless_cancelled() -> None:
    """Raise ToldToEnd unless the task was cancelled or is out of time: for an operator's `on_kill`.

    A task is also told to end when it is somebody else's by now: the scheduler was killed, and the next one has it done
    again; its run was cleared; its worker is shut down. It then stops where it is, for whoever has it by now may be at
    work already; what runs on the host goes on, and the next try attaches to it.
    """
    if not has_timed_out() and (state := task_state()) not in CANCELLED:
        raise ToldToEnd(f"told to end, and not cancelled (its state is {state}): what runs on the host goes on")


def has_timed_out() -> bool:
    """Whether the task ends because of its own time limit, which Airflow's `execution_timeout` is."""
    from airflow.sdk.exceptions import AirflowTaskTimeout

    return isinstance(sys.exc_info()[1], AirflowTaskTimeout)


def task_state() -> str | None:
    """What Airflow calls the state of the task under way by now; None where it does not say in time.

    Asked from a thread of its own: a signal may have come in the middle of another question to Airflow.
    """
    from airflow.sdk import get_current_context

    ti: Any = get_current_context()["ti"]
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        asked = pool.submit(ti.get_task_states, dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
        return str(asked.result(ASK_S)[ti.run_id][ti.task_id])
    except Exception as error:  # whatever keeps Airflow from saying: the job is the next try's
        log.warning("Airflow does not say what this task's state is by now: %s", error)
        return None
    finally:
        pool.shutdown(wait=False)
