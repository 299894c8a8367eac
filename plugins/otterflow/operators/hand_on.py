"""What the tasks share that trigger the run that goes on: it is named before it is triggered, and begun once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow.experiment.run_names import TUNING_ITERATION
from otterflow.operators.connections import open_repository
from otterflow.operators.guard import Guarded
from otterflow.operators.paused import warn_if_paused
from otterflow.operators.triggers import UNDER_WAY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Experiment, Repository


class HandOnOperator(Guarded, TriggerDagRunOperator):
    """Names the run that goes on with the experiment, its heir, and triggers it.

    A task that is begun again triggers the heir that was named already: where its run exists by then, it is skipped.

    :param experiment: the experiment's name (templated).
    """

    template_fields: Sequence[str] = ("experiment",)
    ui_color = "#e8f4ea"
    iteration: str | int = -1

    def __init__(self, *, experiment: str = "{{ params.experiment }}", **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=TUNING_ITERATION, logical_date=None, skip_when_already_exists=True, **kwargs
        )  # which Dag it is, is decided when it is triggered
        self.experiment = experiment

    def execute(self, context: Context) -> None:
        """Ask whether the task may act, name the heir unless that was done, and trigger it."""
        repository = open_repository()
        self.admit(repository, context, self.task_id, self.experiment, int(self.iteration))
        experiment = repository.experiment(self.experiment)
        heir = experiment.heir or self.name_heir(repository, experiment, context)
        self.trigger_dag_id, _, self.trigger_run_id = heir.partition("/")
        self.conf = self.conf_of(repository, self.trigger_dag_id)
        warn_if_paused(context, self.trigger_dag_id, self.trigger_run_id)
        super().execute(context)

    def name_heir(self, repository: Repository, experiment: Experiment, context: Context) -> str:
        """Decide who goes on and record it; `<dag>/<run id>`."""
        raise NotImplementedError

    def conf_of(self, repository: Repository, dag_id: str) -> dict[str, Any]:
        """The parameters of the heir's run."""
        raise NotImplementedError


def new_run(context: Context, dag_id: str, wanted: str) -> str:
    """`<dag>/<run id>` for a run that Airflow does not have yet: with the wanted id, or with a number after it.

    An id is taken where a run was triggered and then refused or never begun, or where Airflow knows an earlier
    experiment of that name that the repository does not; triggering it would start nothing.
    """
    found, number = wanted, 1
    while context["ti"].get_dr_count(dag_id=dag_id, run_ids=[found]):
        number += 1
        found = f"{wanted}.{number}"
    return f"{dag_id}/{found}"


def is_under_way(context: Context, run: str) -> bool:
    """Whether Airflow has that run and it has not ended."""
    dag_id, _, name = run.partition("/")
    return bool(context["ti"].get_dr_count(dag_id=dag_id, run_ids=[name], states=UNDER_WAY))
