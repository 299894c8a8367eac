"""The last task of `tuning_experiment`: plans the first trial and triggers its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow.experiment import ExperimentSpec
from otterflow.operators.connections import open_repository

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


def run_id(experiment: str, iteration: int) -> str:
    """The run id of an iteration; the same for a retry, so that a run is never triggered twice."""
    return f"{experiment}-{iteration:04d}"


class StartIterationsOperator(TriggerDagRunOperator):
    """Plans trial 0, the baseline, or for a resumed experiment a reference trial of what is in force, and triggers it.

    :param experiment: the experiment's name (templated).
    """

    template_fields = ("experiment",)
    ui_color = "#e8f4ea"

    def __init__(self, *, experiment: str = "{{ params.experiment }}", **kwargs: Any) -> None:
        super().__init__(trigger_dag_id="tuning_iteration", logical_date=None, skip_when_already_exists=True, **kwargs)
        self.experiment = experiment

    def execute(self, context: Context) -> None:
        """Plan and trigger."""
        repository = open_repository()
        iteration = first_trial(repository, self.experiment)
        repository.set_experiment_state(self.experiment, "running")
        self.trigger_run_id = run_id(self.experiment, iteration)
        self.conf = {"experiment": self.experiment, "iteration": iteration}
        super().execute(context)


def first_trial(repository: Repository, name: str) -> int:
    """Plan the trial that the experiment starts with, and return its iteration; a task begun again finds the same."""
    experiment = repository.experiment(name)
    trials = repository.trials(name)
    ended = [t for t in trials if t.state.ended]
    begun = [t for t in trials if t.state != "planned"]
    if trials and experiment.state == "running":
        return trials[-1].iteration  # a task begun again: its first try has planned, and may have triggered
    iteration = begun[-1].iteration + 1 if begun else 0
    wanted = experiment.last_good.configuration if ended and experiment.last_good else experiment.baseline
    repository.plan_trial(
        name,
        iteration,
        kind="reference" if ended else "baseline",
        wanted=wanted or {},
        repairs=[],
        reasons={
            "idea": "what is in force now, measured again" if ended else "the configuration in force before tuning"
        },
        seed=ExperimentSpec.from_params(experiment.spec).seed,
    )
    return iteration
