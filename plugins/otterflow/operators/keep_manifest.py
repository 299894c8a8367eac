"""Has the repository know a recording, and removes those that are kept no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.operators.recording_task import RecordingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class KeepManifestOperator(RecordingOperator):
    """Records the manifest, without a value of the user's, and applies the file's retention."""

    def work(self, repository: Repository, context: Context) -> str:
        """Read the manifest where the recording is; returns the recording's id."""
        from otterflow.hosts.known_recordings import apply_retention, make_known

        plan = self.plan(context)
        with self.hosts() as at:
            make_known(at, plan, repository)
            apply_retention(at, repository)
        return plan.recording
