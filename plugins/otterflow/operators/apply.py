"""Writes the next configuration to the knobs file; it comes into force at the next run's restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ApplyOperator(OtterflowOperator):
    """Writes the knobs file atomically and asks the server whether it can read every line of it.

    Raises InvalidInput, with the last good file back in place, when the server finds an error in the new one.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Write and check; returns the file's path and text."""
        upcoming = repository.trial(self.experiment, self.iteration + 1)
        with Workbench(repository, self.experiment) as bench:
            server, text = bench.server, bench.config_text(upcoming.wanted)
            server.write_knobs_file(text)
            problems = server.file_problems()
            if problems:
                server.write_knobs_file(bench.last_good_text())
                raise InvalidInput(problems)
            self.log.info("%s now reads:\n%s", bench.plan.target.knobs_file, text)
            return {"knobs_file": bench.plan.target.knobs_file, "text": text}
