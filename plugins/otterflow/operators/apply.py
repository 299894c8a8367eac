"""Writes the next configuration to the knobs file; it comes into force at the next run's restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ApplyOperator(OtterflowOperator):
    """Writes the knobs file atomically and asks the server whether it would take every line of it.

    A file that it would refuse is not left there: the last good one is put back, so that a server that is restarted by
    somebody else in the meantime comes up. The next run's `restart` finds the same and records the trial as crashed.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Write and check; returns the file's path and text."""
        upcoming = repository.trial(self.experiment, self.iteration + 1)
        with Workbench(repository, self.experiment) as bench:
            server, text = bench.server, bench.config_text(upcoming.wanted)
            server.write_knobs_file(text)
            try:
                problems = server.file_problems()
            except Exception:
                server.write_knobs_file(bench.last_good_text())  # nothing unchecked is left on the host
                raise
            if problems:
                server.write_knobs_file(bench.last_good_text())
                self.log.error("the server refuses the configuration:\n%s", "\n".join(map(str, problems)))
            else:
                self.log.info("%s now reads:\n%s", bench.plan.target.knobs_file, text)
        return {"knobs_file": bench.plan.target.knobs_file, "text": text, "refused": [str(p) for p in problems]}
