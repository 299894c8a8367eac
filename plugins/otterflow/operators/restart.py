"""Brings the trial's configuration into force and makes sure that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import TrialFault
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RestartOperator(OtterflowOperator):
    """Restarts the server with the trial's knobs file and reads back what is in force; a live server is only reloaded.

    Writes the file first where it is not the trial's: a run that was cleared after a fault begins with the last good
    configuration. Raises ServerCrashed or NotApplied, after having ended the trial in that state.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Bring into force and read back; returns the seconds and the configuration in force."""
        trial = repository.trial(self.experiment, self.iteration)
        with Workbench(repository, self.experiment) as bench:
            try:
                if bench.server.write_knobs_file(bench.config_text(trial.wanted)):
                    self.log.info("wrote iteration %s to %s", self.iteration, bench.plan.target.knobs_file)
                    bench.server.preflight()
                seconds = bench.server.bring_into_force()
                in_force = bench.server.read_back(trial.wanted)
            except TrialFault as fault:
                bench.end_trial(trial, fault)
                raise
        repository.record_seconds(self.experiment, self.iteration, "restart.server", round(seconds, 3))
        repository.record_in_force(self.experiment, self.iteration, in_force)
        return {"seconds": round(seconds, 3), "in_force": in_force}
