"""Puts the benchmark's data back as it was after loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.data import is_fresh, restore_data
from otterflow.operators.jobs import KillsItsJob
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RestoreOperator(KillsItsJob, OtterflowOperator):
    """Opens the trial, and restores the data from the snapshot when it is due; skipped with its reason otherwise."""

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Begin the trial's try, then restore."""
        trial = repository.begin_try(self.experiment, self.iteration)
        with Workbench(repository, self.experiment) as bench:
            every = bench.plan.spec.restore_every
            if every == 0:
                skip("restore_every is 0: the data stays as it is")
            if self.iteration % every:
                skip(f"data is restored every {every} iterations; this is iteration {self.iteration}")
            if is_fresh(bench):
                skip("the data is as it was loaded: no benchmark has run on it since")
            return restore_data(bench, f"{self.iteration:04d}-{trial.attempt}-restore", self.remember_job)
