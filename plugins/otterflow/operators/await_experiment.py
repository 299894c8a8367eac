"""Waits for an experiment that another Dag has begun, without a worker's slot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from otterflow.operators.asked_for import asked_for
from otterflow.operators.guard import ANYWHEN, Guarded
from otterflow.operators.start_experiment import TUNING_EXPERIMENT
from otterflow.operators.triggers import CLOSED, ENDED, RED, ExperimentTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

_SAID = {
    ENDED: "the experiment has ended",
    CLOSED: "the window has closed",
    RED: "a run of the experiment has failed, and nobody is there to mend it; the log of that run says why",
}


class AwaitExperimentOperator(Guarded, BaseOperator):
    """Deferred until the experiment has ended, the window closes, or a run of it is red; returns which.

    :param check: the task that has named the experiment, and when its window `closes`.
    :param patience: how much longer than the window to wait.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"

    def __init__(self, *, check: str, patience: timedelta = timedelta(0), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check
        self.patience = patience

    def execute(self, context: Context) -> None:
        """Defer."""
        asked = asked_for(context, self.check)
        until = datetime.fromisoformat(asked["closes"]) + self.patience
        name = asked["experiment"]
        self.defer(
            trigger=ExperimentTrigger(name, f"{TUNING_EXPERIMENT}/{name}", until.isoformat()),
            method_name="resume",
        )

    def resume(self, context: Context, event: str) -> str:
        """What ended the wait."""
        self.log.info("%s", _SAID[event])
        return event
