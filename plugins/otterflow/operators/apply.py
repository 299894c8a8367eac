"""Asks the server what it would say of the next configuration; the next run's restart brings it into force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.hosts import knobs_file
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import AFTER_TRIAL

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ApplyOperator(OtterflowOperator):
    """Writes the knobs file, asks the server whether it would take every line of it, and puts the last good one back.

    Between two runs, and while the Dag is paused, a server that somebody else restarts or reloads comes up as it was.
    What the server refuses is only told here: the next run's `restart` finds the same and records the trial as crashed.
    """

    may = AFTER_TRIAL

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Write, check and put back; returns the file's path and the text that the next run will write."""
        upcoming = repository.trial(self.experiment, self.iteration + 1)
        with self.workbench(repository) as bench:
            server, is_live = bench.server, bench.plan.is_live
            text = knobs_file.measured_text(bench.experiment, upcoming.wanted, is_live=is_live)
            try:
                server.write_knobs_file(text)
                problems = server.file_problems()
            finally:
                server.write_knobs_file(knobs_file.last_good_text(bench.experiment))
            if problems:
                self.log.error("the server refuses the configuration:\n%s", "\n".join(map(str, problems)))
            else:
                self.log.info("the next run will write to %s:\n%s", bench.plan.target.knobs_file, text)
        return {"knobs_file": bench.plan.target.knobs_file, "text": text, "refused": [str(p) for p in problems]}
