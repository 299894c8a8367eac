"""Puts the benchmark's data back as it was after loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.operators.base import OtterflowOperator
from otterflow.operators.data import restore_data
from otterflow.operators.jobs import KillsItsJob
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RestoreOperator(KillsItsJob, OtterflowOperator):
    """Restores the data from the snapshot; `begin` skips it where that is not due."""

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Restore; returns the method and its seconds."""
        trial = repository.trial(self.experiment, self.iteration)
        with Workbench(repository, self.experiment) as bench:
            return restore_data(bench, f"{self.iteration:04d}-{trial.attempt}-restore", self.remember_job)
