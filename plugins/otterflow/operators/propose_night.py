"""Asks, after a night whose winner was proposed, whether it may go where the schedule says; one question, not many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow import settings
from otterflow.experiment.schedule import load_schedule
from otterflow.operators.base import skip
from otterflow.operators.connections import open_repository
from otterflow.operators.guard import ANYWHEN, Guarded
from otterflow.operators.hand_on import new_run
from otterflow.operators.paused import warn_if_paused
from otterflow.operators.promotion_task import PROMOTE_CONFIGURATION

if TYPE_CHECKING:
    from airflow.sdk import Context


class ProposeNightOperator(Guarded, TriggerDagRunOperator):
    """Triggers `promote_configuration` for the newest night. Skipped where the night has proposed nothing.

    Where the schedule's last question is still without an answer, its run is done again: it asks about this night in
    the place of the other.

    :param schedule: the schedule's name.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"

    def __init__(self, *, schedule: str, **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=PROMOTE_CONFIGURATION, logical_date=None, skip_when_already_exists=True, **kwargs
        )
        self.schedule = schedule

    def execute(self, context: Context) -> None:
        """Decide whose run it is, and trigger it."""
        row = context["ti"].xcom_pull(task_ids="summary")
        if row is None or row["then"] != "proposed":
            skip("this night has proposed nothing" if row else "this night has no result")
        form = load_schedule(settings.schedules_dir() / f"{self.schedule}.yaml").promotion()
        older = open_repository().supersede_unanswered(form.target, self.schedule)
        self.conf = form.record()
        if older is not None and older.form == self.conf:
            self.trigger_run_id = older.run.partition("/")[2]
            self.reset_dag_run = True
            self.skip_when_already_exists = False
            self.log.info("promotion %s has no answer; its question makes way for this night's", older.id)
        else:
            self.trigger_run_id = new_run(context, PROMOTE_CONFIGURATION, row["experiment"]).partition("/")[2]
        warn_if_paused(context, PROMOTE_CONFIGURATION, self.trigger_run_id)
        super().execute(context)
