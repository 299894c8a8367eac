"""The final comparison: baseline, rules, best and reduced, measured again in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.hosts.turns import take_turns
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_FINISH

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class CompareOperator(OtterflowOperator):
    """Measures every arm once a round, in a balanced order, and records each measurement.

    A turn takes the steps that a trial takes. A task that is run again goes on with the turn where it stopped. An arm
    that fails in a turn by a fault of its own cannot win.
    """

    may = IN_FINISH

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Take all turns that are not recorded yet."""
        from otterflow.experiment.reduction import arms

        with self.workbench(repository) as bench:
            try:
                return take_turns(bench, arms(bench.experiment, bench.plan, repository.trials(self.experiment)))
            finally:
                self.forget_job()
