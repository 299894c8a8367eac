"""Asks an experiment to end after the trial under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow.errors import InvalidInput, Problem
from otterflow.operators.base import skip
from otterflow.operators.connections import open_repository
from otterflow.operators.next_iteration import finish_run_id

if TYPE_CHECKING:
    from airflow.sdk import Context


class StopOperator(TriggerDagRunOperator):
    """Marks the experiment; with `finish_now` it also triggers `tuning_finish`.

    :param experiment: the experiment's name (templated).
    :param finish_now: "True" when no run of the experiment is under way that would trigger the finish (templated).
    """

    template_fields = ("experiment", "finish_now")
    ui_color = "#e8f4ea"

    def __init__(self, *, experiment: str = "{{ params.experiment }}", finish_now: str, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id="tuning_finish", logical_date=None, skip_when_already_exists=True, **kwargs)
        self.experiment = experiment
        self.finish_now = finish_now

    def execute(self, context: Context) -> None:
        """Mark, and trigger if asked."""
        repository = open_repository()
        experiment = repository.experiment(self.experiment)
        if experiment.state.ended:
            advice = "only an experiment that is under way can be stopped"
            raise InvalidInput(Problem("experiment", f"{experiment.name!r} is {experiment.state} already", advice))
        if experiment.baseline is None:
            repository.set_experiment_state(self.experiment, "stopped", "stopped before its target was inspected")
            repository.release_target(experiment.target, self.experiment)
            skip("nothing of the target was touched yet: there is nothing to finish")
        repository.request_stop(self.experiment, "stop_experiment was triggered")
        if str(self.finish_now) != "True":
            skip("the trial under way ends as usual, and its next_iteration triggers tuning_finish")
        repository.set_experiment_state(self.experiment, "finishing", "stopped by the user")
        self.trigger_run_id = finish_run_id(self.experiment, experiment.comparison)
        self.conf = {"experiment": self.experiment}
        super().execute(context)
