"""Asks an experiment to end after the trial under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow.errors import InvalidInput
from otterflow.experiment.run_names import TUNING_FINISH, finish_run_id
from otterflow.experiment.stopping import stop_problem
from otterflow.operators.connections import open_repository
from otterflow.operators.guard import NOT_ENDED, Guarded, Lease, May
from otterflow.operators.hand_on import is_under_way, new_run
from otterflow.operators.paused import warn_if_paused

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Experiment, Repository


class StopOperator(Guarded, TriggerDagRunOperator):
    """Marks the experiment; with `finish_now` it also triggers `tuning_finish`, also of one that failed on the way.

    A trial that is under way is never cut off, for it would look as if its configuration had failed: it ends as usual,
    and its run triggers the finish.

    :param experiment: the experiment's name (templated).
    :param finish_now: "True" to trigger the finish where the last run has failed, or has not begun (templated).
    """

    may = May(states=NOT_ENDED | {"failed"}, lease=Lease.none)
    template_fields = ("experiment", "finish_now")
    ui_color = "#e8f4ea"

    def __init__(self, *, experiment: str = "{{ params.experiment }}", finish_now: str, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id=TUNING_FINISH, logical_date=None, skip_when_already_exists=True, **kwargs)
        self.experiment = experiment
        self.finish_now = finish_now

    def execute(self, context: Context) -> None:
        """Mark, and trigger if asked; a stop that was noted is a success, whether or not it triggers anything."""
        repository = open_repository()
        self.admit(repository, context, self.task_id, self.experiment)
        experiment = repository.experiment(self.experiment)
        now = str(self.finish_now) == "True"
        problem = stop_problem(experiment, finish_now=now)
        if problem is not None:
            raise InvalidInput(problem)
        if experiment.baseline is None:
            repository.close_experiment(self.experiment, "stopped", "stopped before its target was inspected")
            self.log.info("nothing of the target was touched yet: there is nothing to finish")
            return
        if experiment.state.ended:  # request_stop leaves one alone that has
            why = f"stopped by the user; it had failed: {experiment.message}"
            run_id: str | None = self._finish_now(repository, experiment, context, why)
            repository.request_stop(self.experiment, "stop_experiment was triggered")
        else:
            repository.request_stop(self.experiment, "stop_experiment was triggered")
            run_id = self._finish(repository, experiment, context, now=now)
        if run_id is None:
            return
        self.trigger_run_id = run_id
        self.conf = {"experiment": self.experiment}
        warn_if_paused(context, self.trigger_dag_id, run_id)
        super().execute(context)

    def _finish(self, repository: Repository, experiment: Experiment, context: Context, *, now: bool) -> str | None:
        """The run of the finish that is to be triggered, or None where another run does that."""
        if experiment.state == "finishing":
            dag_id, _, run_id = experiment.heir.partition("/")
            if dag_id == TUNING_FINISH:
                return run_id  # named, and perhaps never started
            self.log.info("it is finishing already, by run %s; if that has failed, clear it", experiment.run)
        elif not now:
            self.log.info("the trial under way ends as usual, and its next_iteration triggers tuning_finish")
        elif experiment.run and is_under_way(context, experiment.run):
            self.log.info(
                "run %s is under way: its trial ends as usual, and then it triggers tuning_finish. If the Dag is "
                "paused, unpause it; to give that trial up, mark the run as failed and trigger this again",
                experiment.run,
            )
        else:
            return self._finish_now(repository, experiment, context, "stopped by the user")
        return None

    def _finish_now(self, repository: Repository, experiment: Experiment, context: Context, why: str) -> str:
        """Name the run of the finish as the heir; its run id."""
        repository.stop_clock(self.experiment)
        finish = new_run(context, TUNING_FINISH, finish_run_id(self.experiment, experiment.comparison))
        repository.name_heir(
            self.experiment,
            experiment.run,
            finish,
            instead_of=experiment.heir,
            state="finishing",
            message=why,
            take_target=True,
        )
        return finish.partition("/")[2]
