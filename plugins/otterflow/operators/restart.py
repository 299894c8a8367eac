"""Brings the trial's configuration into force and makes sure that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.hosts.steps import bring_into_force
from otterflow.hosts.trial import ends_by_its_fault
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_TRIAL

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RestartOperator(OtterflowOperator):
    """Restarts the server with the trial's knobs file and reads back what is in force; a live server is only reloaded.

    Writes the file first where it is not the trial's: a run that was cleared after a fault begins with the last good
    configuration. Raises ServerCrashed or NotApplied, after having ended the trial in that state.
    """

    may = IN_TRIAL

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Bring into force and read back; returns the seconds and the configuration in force."""
        trial = repository.trial(self.experiment, self.iteration)
        with self.workbench(repository) as bench, ends_by_its_fault(bench, trial):
            found = bring_into_force(bench, trial.wanted)
        repository.record_seconds(self.experiment, self.iteration, "restart.server", found.seconds)
        repository.record_in_force(self.experiment, self.iteration, found.configuration)
        return {"seconds": found.seconds, "in_force": found.configuration}
