"""Has the source log its load while the interval lasts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from otterflow.operators.recording_task import RecordingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository

AFTER = timedelta(seconds=3)


class CaptureLoadOperator(RecordingOperator):
    """Begins the job on the source's host, waits without a worker, and returns from when until when it logged.

    The job puts the source's settings back by itself, whatever becomes of this task.
    """

    def work(self, repository: Repository, context: Context) -> None:
        """Switch on, and defer until the interval's end."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        plan = self.plan(context)
        with self.hosts() as at:
            at.begin_capture(plan)
        self.log.info("logging is on; the host itself switches it off at the interval's end")
        moment = datetime.fromisoformat(plan.end) + AFTER
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resume")

    def resume(self, context: Context, event: Any) -> dict[str, Any]:
        """See that the window was kept to its end."""
        with self.hosts() as at:
            captured = at.end_capture(self.plan(context))
        if captured.because:
            self.log.warning("the window ended early: %s", captured.because)
        return asdict(captured)
