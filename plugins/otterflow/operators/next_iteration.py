"""Triggers the run of the next iteration, or the finish when the budget is spent or a stop was requested."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.experiment.run_names import TUNING_FINISH, TUNING_ITERATION, finish_run_id, run_id
from otterflow.operators.guard import AFTER_TRIAL
from otterflow.operators.hand_on import HandOnOperator, new_run

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Experiment, Repository


class NextIterationOperator(HandOnOperator):
    """Keeps the loop going.

    :param experiment: the experiment's name (templated).
    :param iteration: the iteration that this run has made (templated).
    """

    may = replace(AFTER_TRIAL, states=frozenset({"running", "finishing"}), passes_on=True)
    template_fields = ("experiment", "iteration")

    def __init__(self, *, iteration: str | int = "{{ params.iteration }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.iteration = iteration

    def name_heir(self, repository: Repository, experiment: Experiment, context: Context) -> str:
        """The run of the next trial, or of the finish."""
        from otterflow.experiment.loop import reason_to_end

        upcoming = int(self.iteration) + 1
        reason = reason_to_end(experiment, repository.trials(self.experiment, metrics=()), upcoming, datetime.now(UTC))
        if reason is None:
            heir = new_run(context, TUNING_ITERATION, run_id(self.experiment, upcoming))
            repository.name_heir(self.experiment, self.run_name, heir)
            return heir
        repository.stop_clock(self.experiment)
        self.log.info("no further trial: %s", reason)
        heir = new_run(context, TUNING_FINISH, finish_run_id(self.experiment, experiment.comparison))
        repository.name_heir(self.experiment, self.run_name, heir, state="finishing", message=reason)
        return heir

    def conf_of(self, repository: Repository, dag_id: str) -> dict[str, Any]:
        """The experiment, and for a trial its iteration."""
        upcoming = {"iteration": int(self.iteration) + 1} if dag_id == TUNING_ITERATION else {}
        return {"experiment": self.experiment, **upcoming}
