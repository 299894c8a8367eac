"""Makes the recording on the source's host, and brings it to where it is replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.operators.recording_task import CAPTURE, RecordingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RecordLoadOperator(RecordingOperator):
    """Reads the source's log where it is; returns the recording's id once it is whole on the driver host."""

    def work(self, repository: Repository, context: Context) -> str:
        """Record; where the recording is there already, only see that it is whole."""
        plan = self.plan(context)
        captured = context["ti"].xcom_pull(task_ids=CAPTURE) if plan.settings else None
        with self.hosts() as at:
            manifest = at.record(plan, captured)
        self.log.info(
            "recording %s: %s statements of %s sessions, %s bytes", plan.recording, f"{manifest.statements:,}",
            f"{manifest.sessions:,}", f"{manifest.bytes:,}",
        )  # fmt: skip
        for said in manifest.missing:
            self.log.warning("it is not complete: %s", said)
        return plan.recording
