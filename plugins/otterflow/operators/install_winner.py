"""Leaves the best configuration in force on the target, or the baseline if nothing beat it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.outcome import outcome
from otterflow.experiment.standing import standing
from otterflow.experiment.summary import report
from otterflow.hosts import knobs_file
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_FINISH

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class InstallWinnerOperator(OtterflowOperator):
    """Puts the winner of the comparison in force, reads back, and records it as the last good configuration."""

    may = IN_FINISH

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Choose by the comparison, install, read back."""
        from otterflow.experiment.reduction import arms

        with self.workbench(repository) as bench:
            trials = repository.trials(self.experiment)
            configurations = arms(bench.experiment, bench.plan, trials)
            measurements = repository.measurements(self.experiment)
            stands = standing(measurements, bench.plan.goal, bench.plan.spec.looks)
            for arm, fault in stands.faulty.items():
                self.log.warning("%s cannot win: %s", arm, fault)
            chosen = stands.winner
            if not bench.plan.spec.install and chosen != BASELINE:
                self.log.info("%s has won; it is proposed, and the baseline is left in force (install is off)", chosen)
                chosen = BASELINE
            config = configurations[chosen] if bench.plan.spec.install else dict(bench.experiment.baseline or {})
            text = knobs_file.text_of(bench.experiment, config)
            in_force = bench.server.put_in_force(text, config)
            repository.record_last_good(self.experiment, configuration=config, file=text)
            result = outcome(bench.experiment, bench.plan, trials, measurements, configurations, in_force)
            self.log.info("%s", report(result))
        return {"installed": chosen, "configuration": config}
