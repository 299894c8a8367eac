"""Closes the experiment: `result.json`, the outcome in the repository, and the target free again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.experiment.outcome import outcome
from otterflow.experiment.summary import report
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_FINISH

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ReportOperator(OtterflowOperator):
    """Prints what came of the experiment, writes `result.json` under otterflow's home, and returns the same.

    An experiment that was resumed has a `result-<run>.json` for each time it finished; `result.json` is the newest.
    """

    may = IN_FINISH

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Compose, write, record, release."""
        from otterflow.experiment.recommendation import arms

        with self.workbench(repository) as bench:
            experiment, trials = bench.experiment, repository.trials(self.experiment)
            in_force = bench.server.read_back(experiment.last_good.configuration) if experiment.last_good else {}
            result = outcome(
                experiment,
                bench.plan,
                trials,
                repository.measurements(self.experiment),
                arms(experiment, bench.plan, trials),
                in_force,
            )
            bench.jobs.clean()
            bench.server.release()
        path = write_result(settings.home_dir() / "results" / self.experiment, result)
        self.log.info("%s", report(result, str(path)))
        repository.record_outcome(self.experiment, result)
        state = "stopped" if experiment.stop_requested else "finished"
        repository.close_experiment(self.experiment, state, experiment.finished_because)
        return result


def write_result(folder: Path, result: dict[str, Any]) -> Path:
    """Write the result under its run's number and as `result.json`, whose path is returned; earlier runs stay."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2) + "\n"
    newest = folder / "result.json"
    for path in (folder / f"result-{result['run']}.json", newest):
        path.write_text(text)
    return newest
