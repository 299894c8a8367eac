"""Runs the benchmark against the configuration in force and measures it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import TrialFault
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.jobs import KillsItsJob
from otterflow.operators.measurement import TrialWindow, measure
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class BenchmarkOperator(KillsItsJob, OtterflowOperator):
    """Warms up, then measures, with the server's and the host's counters read before and after the measured window.

    The work is done by detached jobs on the driver host: a task that is run again after its worker was killed attaches
    to them. Returns the result in the shape of the design's contract. Raises a TrialFault, after having ended the
    trial in its state, when the benchmark fails, is not to be believed, runs past its limit, or kills the server.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Measure the trial, or return what a killed try of this task had measured already."""
        trial = repository.trial(self.experiment, self.iteration)
        if trial.result is not None:
            self.log.info("the result of iteration %s is recorded already", self.iteration)
            return trial.result
        with Workbench(repository, self.experiment) as bench:
            window = TrialWindow(repository, trial)
            name = f"{self.iteration:04d}-{trial.attempt}"
            try:
                measured = measure(bench, name, trial.wanted, bench.plan.spec.repeats, window, self.remember_job)
            except TrialFault as fault:
                bench.end_trial(trial, fault)
                raise
            finally:
                self.forget_job()
            repository.record_result(
                self.experiment,
                self.iteration,
                result=measured.result,
                objective=measured.value,
                repeats=measured.repeats,
            )
            repository.record_seconds(self.experiment, self.iteration, "benchmark.window", measured.window_s)
            bench.clean_jobs(name)
        return measured.result
