"""Sees that a source's logging is as it was before the window, whatever became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.operators.recording_task import RecordingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class PutBackLogOperator(RecordingOperator):
    """Ends the job that logs, if it still lives, and takes its settings out of the source's knobs file."""

    def work(self, repository: Repository, context: Context) -> None:
        """Also after a job that was killed, or a host that was restarted."""
        with self.hosts() as at:
            at.put_back(self.plan(context).recording)
