"""Triggers the run of the next iteration, or the finish when the budget is spent or a stop was requested."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow.operators.connections import open_repository
from otterflow.operators.start_iterations import run_id

if TYPE_CHECKING:
    from airflow.sdk import Context


class NextIterationOperator(TriggerDagRunOperator):
    """Keeps the loop going. The next run's id is the same for a retry, which makes a retry harmless.

    :param experiment: the experiment's name (templated).
    :param iteration: the iteration that this run has made (templated).
    """

    template_fields = ("experiment", "iteration")
    ui_color = "#e8f4ea"

    def __init__(
        self,
        *,
        experiment: str = "{{ params.experiment }}",
        iteration: str | int = "{{ params.iteration }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_dag_id="tuning_iteration", logical_date=None, skip_when_already_exists=True, **kwargs)
        self.experiment = experiment
        self.iteration = iteration

    def execute(self, context: Context) -> None:
        """Decide, then trigger."""
        from otterflow.loop import OUTLOOK, reason_to_finish

        repository = open_repository()
        experiment = repository.experiment(self.experiment)
        upcoming = int(self.iteration) + 1
        left = repository.trial(self.experiment, upcoming - 1).reasons.get(OUTLOOK)
        reason = reason_to_finish(experiment, upcoming, datetime.now(UTC), left)
        if reason is None:
            self.trigger_run_id = run_id(self.experiment, upcoming)
            self.conf = {"experiment": self.experiment, "iteration": upcoming}
        else:
            self.log.info("no further trial: %s", reason)
            repository.set_experiment_state(self.experiment, "finishing", reason)
            self.trigger_dag_id = "tuning_finish"
            self.trigger_run_id = finish_run_id(self.experiment, experiment.comparison)
            self.conf = {"experiment": self.experiment}
        super().execute(context)


def finish_run_id(experiment: str, comparison: int) -> str:
    """The run id of a finish; a resumed experiment has one for each time it finishes."""
    return f"{experiment}-finish-{comparison}"
