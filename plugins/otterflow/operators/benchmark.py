"""Runs the benchmark against the configuration in force and measures it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import Hopeless, ServerStopped
from otterflow.hosts.measurement import Measurement, measure
from otterflow.hosts.trial import begin_anew, end_early, ends_by_its_fault, lookout_of
from otterflow.hosts.window import TrialWindow
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_TRIAL

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class BenchmarkOperator(OtterflowOperator):
    """Warms up, then measures, with the server's and the host's counters read before and after the measured window.

    The work is done by detached jobs on the driver host: a task that is run again after its worker was killed attaches
    to them. Returns the result in the shape of the design's contract. Raises a TrialFault, after having ended the
    trial in its state, when the benchmark fails, is not to be believed, runs past its limit, or kills the server. A
    server that somebody stopped is none of these: the task fails and is retried, on a new try of the same trial. Nor
    is a trial that was ended because it could come to nothing: it is told by what it would have given at best.
    """

    may = IN_TRIAL

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Measure the trial, or return what a killed try of this task had measured already."""
        trial = repository.trial(self.experiment, self.iteration)
        if trial.result is not None:
            self.log.info("the result of iteration %s is recorded already", self.iteration)
            return trial.result
        with self.workbench(repository) as bench:
            bench.server.begin_turn()
            name = f"{self.iteration:04d}-{trial.attempt}"
            window = TrialWindow(repository, trial)
            try:
                with ends_by_its_fault(bench, trial):
                    repeats, lookout = bench.plan.spec.repeats, lookout_of(bench, trial)
                    measured = measure(bench, Measurement(name, trial.wanted, repeats, window, lookout=lookout))
            except Hopeless as found:
                return end_early(bench, trial, found)
            except ServerStopped:
                begin_anew(repository, trial)
                raise
            finally:
                self.forget_job()
            repository.record_result(
                self.experiment,
                self.iteration,
                result=measured.result,
                objective=measured.value,
                repeats=measured.repeats,
                attempt=trial.attempt,  # a try that was opened meanwhile is another task's
            )
            repository.record_seconds(self.experiment, self.iteration, "benchmark.window", measured.window_s)
            bench.jobs.clean(name)
        return measured.result
