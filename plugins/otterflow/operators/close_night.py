"""Ends a night's experiment that has not ended by itself when its window closes, or that has turned red."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput
from otterflow.experiment.stopping import can_still_finish
from otterflow.operators.base import skip
from otterflow.operators.check_window import CHECK_WINDOW
from otterflow.operators.connections import open_repository
from otterflow.operators.stop import StopOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CloseNightOperator(StopOperator):
    """As `stop_experiment` with *Finish now*: what is proven by then is left in force. Skipped where all is over."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            experiment=f"{{{{ ti.xcom_pull(task_ids='{CHECK_WINDOW}')['experiment'] }}}}", finish_now="True", **kwargs
        )

    def execute(self, context: Context) -> None:
        """Stop it, unless it has ended or never came to be."""
        try:
            experiment = open_repository().experiment(self.experiment)
        except InvalidInput:
            skip(f"experiment {self.experiment!r} was never recorded: its run of tuning_experiment says why")
        if experiment.state.ended and not can_still_finish(experiment):
            skip(f"experiment {self.experiment!r} has ended: {experiment.state}")
        super().execute(context)
