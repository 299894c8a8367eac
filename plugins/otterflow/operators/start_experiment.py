"""Begins the experiment that a Dag's first task has asked for, through the same Dag as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow.operators.asked_for import asked_for
from otterflow.operators.guard import ANYWHEN, Guarded
from otterflow.operators.paused import warn_if_paused

if TYPE_CHECKING:
    from airflow.sdk import Context

TUNING_EXPERIMENT = "tuning_experiment"


class StartExperimentOperator(Guarded, TriggerDagRunOperator):
    """Triggers `tuning_experiment` under the experiment's name; where that run exists, it is left to go on.

    :param check: the task that has named the experiment, and its form.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"

    def __init__(self, *, check: str, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id=TUNING_EXPERIMENT, logical_date=None, skip_when_already_exists=True, **kwargs)
        self.check = check

    def execute(self, context: Context) -> None:
        """Trigger."""
        asked = asked_for(context, self.check)
        self.trigger_run_id = asked["experiment"]
        self.conf = self.form_of(asked)
        warn_if_paused(context, TUNING_EXPERIMENT, self.trigger_run_id)
        super().execute(context)

    def form_of(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The form that it is begun with."""
        return dict(asked["form"])
