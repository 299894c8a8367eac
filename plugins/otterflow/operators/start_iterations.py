"""The last task of `tuning_experiment`: plans the first trial and triggers its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.experiment.run_names import TUNING_FINISH, TUNING_ITERATION, finish_run_id, run_id
from otterflow.experiment.typed import spec_of
from otterflow.operators.guard import Lease, May
from otterflow.operators.hand_on import HandOnOperator, new_run

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Experiment, Repository


class StartIterationsOperator(HandOnOperator):
    """Plans trial 0, the baseline, or for a resumed experiment a reference trial of what is in force, and triggers it.

    An experiment whose arms are given makes no trials: its finish is triggered.

    :param experiment: the experiment's name (templated).
    """

    may = May(states=frozenset({"preparing", "running", "finishing"}), lease=Lease.needs, passes_on=True)

    def name_heir(self, repository: Repository, experiment: Experiment, context: Context) -> str:
        """The run of the first trial, which is planned here, or of the finish."""
        if spec_of(experiment).arms:
            heir = new_run(context, TUNING_FINISH, finish_run_id(self.experiment, experiment.comparison))
            why = "its arms are given, so no trial is made"
            repository.name_heir(self.experiment, self.run_name, heir, state="finishing", message=why)
            return heir
        iteration = first_trial(repository, self.experiment)
        heir = new_run(context, TUNING_ITERATION, run_id(self.experiment, iteration))
        repository.name_heir(self.experiment, self.run_name, heir, state="running")
        return heir

    def conf_of(self, repository: Repository, dag_id: str) -> dict[str, Any]:
        """The experiment, and the trial that was planned."""
        planned = {"iteration": first_trial(repository, self.experiment)} if dag_id == TUNING_ITERATION else {}
        return {"experiment": self.experiment, **planned}


def first_trial(repository: Repository, name: str) -> int:
    """Plan the trial that the experiment starts with, and return its iteration; a task begun again finds the same."""
    experiment = repository.experiment(name)
    trials = repository.trials(name)
    measured = [t for t in trials if t.state == "ok"]
    begun = [t for t in trials if t.state != "planned"]
    if trials and experiment.state == "running":
        return trials[-1].iteration  # a task begun again: its first try has planned, and may have triggered
    iteration = begun[-1].iteration + 1 if begun else 0
    wanted = experiment.last_good.configuration if measured and experiment.last_good else experiment.baseline
    repository.plan_trial(
        name,
        iteration,
        kind="reference" if measured else "baseline",
        wanted=wanted or {},
        repairs=[],
        reasons={
            "idea": "what is in force now, measured again" if measured else "the configuration in force before tuning"
        },
        seed=spec_of(experiment).seed,
    )
    return iteration
