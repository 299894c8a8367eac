"""What all of otterflow's tasks have in common: which trial they serve, their time limit, and who retries what."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule

from otterflow.errors import ConnectionFault, OtterflowError, RepositoryUnavailable
from otterflow.operators.connections import open_repository

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository

RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule([ConnectionFault, RepositoryUnavailable], RetryAction.RETRY, reason="worth another try"),
        ],
        default=RetryAction.FAIL,
    ),
}
"""A lost connection is retried with back-off, and so is a task whose worker was killed (it raised nothing); a refused
configuration, wrong input and refused credentials are not: a retry would only fail again, later."""


class OtterflowOperator(BaseOperator):
    """One task of an experiment.

    :param experiment: the experiment's name; from the run's conf unless given (templated).
    :param iteration: the trial that the run makes; -1 outside of an iteration (templated).
    """

    template_fields = ("experiment", "iteration")
    ui_color = "#e8f4ea"

    def __init__(
        self, *, experiment: str = "{{ params.experiment }}", iteration: str | int = -1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.experiment = experiment
        self.iteration = cast("int", iteration)  # a template until it is executed

    def execute(self, context: Context) -> Any:
        """Do the work and record its seconds with the trial, whether it succeeded or not."""
        self.iteration = int(self.iteration)
        repository = open_repository()
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

    def _record_seconds(self, repository: Repository, started: float) -> None:
        if self.iteration >= 0:
            seconds = round(time.monotonic() - started, 3)
            repository.record_seconds(self.experiment, self.iteration, self.task_id, seconds)

    def work(self, repository: Repository, context: Context) -> Any:
        """What the task does; returns its XCom."""
        raise NotImplementedError


def skip(reason: str) -> None:
    """End the task as skipped, with the reason in its log."""
    from airflow.sdk.exceptions import AirflowSkipException

    raise AirflowSkipException(reason)
