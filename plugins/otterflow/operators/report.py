"""Closes the experiment: `result.json`, the outcome in the repository, and the target free again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench
from otterflow.outcome import outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ReportOperator(OtterflowOperator):
    """Returns the outcome, the design's `result.json`, and writes it under otterflow's home."""

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Compose, write, record, release."""
        with Workbench(repository, self.experiment) as bench:
            experiment = bench.experiment
            in_force = bench.server.read_back(experiment.last_good.configuration) if experiment.last_good else {}
            result = outcome(
                experiment,
                bench.plan,
                repository.trials(self.experiment),
                repository.measurements(self.experiment),
                bench.arms(),
                in_force,
            )
            bench.clean_jobs()
        path = settings.home_dir() / "results" / self.experiment / "result.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n")
        self.log.info("result written to %s", path)
        repository.record_outcome(self.experiment, result)
        state = "stopped" if experiment.stop_requested else "finished"
        repository.set_experiment_state(self.experiment, state, experiment.message)
        repository.release_target(experiment.target, experiment.name)
        return result
