"""Puts the benchmark's data back as it was after loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.hosts.steps import restore
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_TRIAL

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RestoreOperator(OtterflowOperator):
    """Restores the data from the snapshot; `begin` skips it where that is not due."""

    may = IN_TRIAL

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Restore; returns the method and its seconds."""
        trial = repository.trial(self.experiment, self.iteration)
        with self.workbench(repository) as bench:
            bench.server.begin_turn()
            return restore(bench, f"{self.iteration:04d}-{trial.attempt}")
