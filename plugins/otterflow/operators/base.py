"""What all of otterflow's tasks have in common: which trial they serve, their time limit, and who retries what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule

from otterflow.errors import ConnectionFault, MayNotAct, OtterflowError, RepositoryUnavailable
from otterflow.operators.connections import open_repository
from otterflow.operators.guard import Guarded
from otterflow.operators.told_to_end import ToldToEnd, raise_unless_cancelled

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.hosts.workbench import Workbench
    from otterflow.remote.job import RemoteJob
    from otterflow.repository import Repository

RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                [ConnectionFault, RepositoryUnavailable, ToldToEnd], RetryAction.RETRY, reason="worth another try"
            ),
        ],
        default=RetryAction.FAIL,
    ),
}
"""A lost connection is retried with back-off, and so is a task whose worker was killed (it raised nothing); a refused
configuration, wrong input and refused credentials are not: a retry would only fail again, later."""


class OtterflowOperator(Guarded, BaseOperator):
    """One task of an experiment. Each class says in `may` when its task may act.

    Cancelling the task ends the remote job that is under way on its workbench.

    :param experiment: the experiment's name; from the run's conf unless given (templated).
    :param iteration: the trial that the run makes; -1 outside of an iteration (templated).
    """

    template_fields: Sequence[str] = ("experiment", "iteration")
    ui_color = "#e8f4ea"
    _job: RemoteJob | None = None

    def __init__(
        self, *, experiment: str = "{{ params.experiment }}", iteration: str | int = -1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.experiment = experiment
        self.iteration = cast("int", iteration)  # a template until it is executed

    def execute(self, context: Context) -> Any:
        """Ask whether the task may act, do the work, and record what it took with the trial, also when it failed."""
        self.iteration = int(self.iteration)
        repository = open_repository()
        try:
            self.admit(repository, context, self.task_id, self.experiment, self.iteration)
        except MayNotAct:
            self.refused(repository)
            raise
        started = time.monotonic()
        try:
            result = self.work(repository, context)
        except BaseException:
            try:
                self._record_seconds(repository, started)
            except OtterflowError as error:  # the task's own error is the one to show
                self.log.warning("the task's seconds could not be recorded: %s", error)
            raise
        self._record_seconds(repository, started)
        return result

    def workbench(self, repository: Repository) -> Workbench:
        """The experiment at its target, for a `with`; its jobs are remembered."""
        from otterflow.hosts.workbench import Workbench
        from otterflow.operators.connected_host import ConnectedHost

        return Workbench(repository, self.experiment, ConnectedHost, self.remember_job)

    def remember_job(self, job: RemoteJob) -> None:
        """The job that is to end with this task. Its session must be of its own: the task's may be in mid-command."""
        self._job = job

    def forget_job(self) -> None:
        """No job is under way any more."""
        self._job = None

    def on_kill(self) -> None:
        """End the remote process group; Airflow calls this when the task is out of time or told to end.

        Raises ToldToEnd, and the job goes on, where the task is to be done again.
        """
        raise_unless_cancelled()
        if self._job is not None:
            self._job.kill()

    def refused(self, repository: Repository) -> None:
        """What is still to be done where the task may not act; nothing, for most."""

    def _record_seconds(self, repository: Repository, started: float) -> None:
        if self.iteration >= 0:
            seconds = round(time.monotonic() - started, 3)
            repository.record_seconds(self.experiment, self.iteration, self.task_id, seconds)
            repository.count_time(self.experiment, seconds)

    def work(self, repository: Repository, context: Context) -> Any:
        """What the task does; returns its XCom."""
        raise NotImplementedError


def skip(reason: str) -> NoReturn:
    """End the task as skipped, with the reason in its log."""
    from airflow.sdk.exceptions import AirflowSkipException

    raise AirflowSkipException(reason)
