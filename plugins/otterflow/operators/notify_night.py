"""Tells people what a night came to: by mail, or by a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from otterflow.errors import MachineryFault
from otterflow.experiment.notices import Notice
from otterflow.operators.check_window import night_of
from otterflow.operators.guard import ANYWHEN, Guarded
from otterflow.operators.sending import send

if TYPE_CHECKING:
    from airflow.sdk import Context


class NotifyNightOperator(Guarded, BaseOperator):
    """Sends each of the schedule's notices. One that cannot be sent does not keep the others back, and fails the task.

    :param notices: by mail or webhook.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"

    def __init__(self, *, notices: Sequence[Notice], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notices = tuple(notices)

    def execute(self, context: Context) -> None:
        """Send them."""
        try:
            name = str(night_of(context)["experiment"])
        except MachineryFault as fault:  # the night never began, which is what somebody has to be told
            subject = f"otterflow: {context['ti'].dag_id} needs a look"
            message = {"subject": subject, "text": f"Run {context['run_id']}: {fault}.", "night": None}
        else:
            row = context["ti"].xcom_pull(task_ids="summary")  # none where the night has no result
            message = said(name, row)
        failed = send(self.notices, message, context)
        if failed:
            raise MachineryFault(f"notices were not sent ({', '.join(failed)}); the night itself is not touched by it")


def said(experiment: str, row: dict[str, Any] | None) -> dict[str, Any]:
    """The notice: a subject, a text, and the night's row for programs."""
    if row is None:
        text = f"{experiment} has no result. The log of the task 'summary' says why."
        return {"subject": f"otterflow: {experiment} needs a look", "text": text, "night": None}
    changed = f"\n\n{row['changed']}" if row.get("changed") else ""
    return {"subject": f"otterflow: {experiment}: {row['then']}", "text": row["verdict"] + changed, "night": row}
