"""Closes the experiment: `result.json` and the report, the outcome in the repository, and the target free again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.errors import OtterflowError
from otterflow.experiment.outcome import outcome
from otterflow.experiment.summary import report
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_FINISH

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ReportOperator(OtterflowOperator):
    """Prints what came of the experiment, writes `result.json` under otterflow's home, and returns the same.

    Beside it lie `report.html`, the same for people, and `export.zip`, the best configuration for other tools where it
    differs from the baseline. An experiment that was resumed has a `result-<run>.json` for each time it finished, and
    so a `report-<run>.html`; those without a number are the newest.
    """

    may = IN_FINISH

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Compose, write, record, release."""
        from otterflow.experiment.reduction import arms

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
        self._beside(path.parent, repository)
        state = "stopped" if experiment.stop_requested else "finished"
        repository.close_experiment(self.experiment, state, experiment.finished_because)
        return result

    def _beside(self, folder: Path, repository: Repository) -> None:
        """The report and the bundle. The result is written: a fault in showing it must not keep the target held."""
        from otterflow.report.bundle import export_of
        from otterflow.report.chosen import differing
        from otterflow.report.page import report_page

        experiment, trials = repository.experiment(self.experiment), repository.trials(self.experiment, metrics=())
        result = experiment.outcome or {}

        def page() -> None:
            written = write_twice(folder, "report", "html", result["run"], report_page(experiment, result).encode())
            self.log.info("The report: %s", written)

        def bundle() -> None:
            if not differing(result["best_configuration"], experiment):
                (folder / "export.zip").unlink(missing_ok=True)  # that of a run before this one
            else:
                written = write_twice(folder, "export", "zip", result["run"], export_of(experiment, trials).archive())
                self.log.info("The best configuration for other tools: %s", written)

        for what, make in (("report", page), ("export", bundle)):
            self._try(what, make)

    def _try(self, what: str, make: Callable[[], None]) -> None:
        try:
            make()
        except OtterflowError as error:
            self.log.warning("no %s: %s", what, error)
        except Exception as error:  # whatever it is, the experiment has ended and is to be closed
            self.log.exception("no %s could be written: %s", what, error)


def write_result(folder: Path, result: dict[str, Any]) -> Path:
    """Write the result under its run's number and as `result.json`, whose path is returned; earlier runs stay."""
    return write_twice(folder, "result", "json", result["run"], (json.dumps(result, indent=2) + "\n").encode())


def write_twice(folder: Path, name: str, suffix: str, run: int, content: bytes) -> Path:
    """Write a file under its run's number, and without one as the newest, whose path is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    newest = folder / f"{name}.{suffix}"
    for path in (folder / f"{name}-{run}.{suffix}", newest):
        path.write_bytes(content)
    return newest
