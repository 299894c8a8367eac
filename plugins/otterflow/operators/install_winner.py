"""Leaves the best configuration in force on the target, or the baseline if nothing beat it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.comparison import winner
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench
from otterflow.outcome import broken_arms, ratios

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class InstallWinnerOperator(OtterflowOperator):
    """Puts the winner of the comparison in force, reads back, and records it as the last good configuration."""

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Choose by the comparison, install, read back."""
        with Workbench(repository, self.experiment) as bench:
            repository.hold_target(bench.plan.target.name, self.experiment)
            arms = bench.arms()
            measurements = repository.measurements(self.experiment)
            broken = broken_arms(measurements, bench.plan.goal)
            chosen = winner(ratios(measurements, bench.plan.objective), broken)
            config = arms[chosen]
            text = bench.config_text(config)
            bench.server.put_in_force(text, config)
            repository.record_last_good(self.experiment, configuration=config, file=text)
            self.log.info("in force on %s: %s", bench.plan.target.name, chosen)
        return {"installed": chosen, "configuration": config}
