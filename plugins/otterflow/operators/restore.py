"""Puts the benchmark's data back as it was after loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import ConnectionFault, InvalidInput, Problem
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
        self._may_go_on(repository)
        trial = repository.begin_try(self.experiment, self.iteration)
        with Workbench(repository, self.experiment) as bench:
            every = bench.plan.spec.restore_every
            if every == 0:
                skip("restore_every is 0: the data stays as it is")
            if self.iteration % every:
                skip(f"data is restored every {every} iterations; this is iteration {self.iteration}")
            try:
                fresh = is_fresh(bench)
            except ConnectionFault:
                fresh = False  # an earlier try of this task has stopped the server for its copy
            if fresh:
                skip("the data is as it was loaded: no benchmark has run on it since")
            return restore_data(bench, f"{self.iteration:04d}-{trial.attempt}-restore", self.remember_job)

    def _may_go_on(self, repository: Repository) -> None:
        """Hold the target, for a run that is cleared after the experiment had given it free."""
        experiment = repository.experiment(self.experiment)
        if experiment.state in ("finished", "stopped"):
            found = f"{experiment.name!r} has {experiment.state}; its runs are history"
            raise InvalidInput(Problem("experiment", found, "resume it with tuning_experiment"))
        repository.hold_target(experiment.target, experiment.name)
        if experiment.state == "failed":
            repository.set_experiment_state(experiment.name, "running")
