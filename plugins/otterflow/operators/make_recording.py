"""Has an interval recorded that is to be replayed and was not, as long as the source's logs reach back to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from otterflow import settings
from otterflow.experiment.backfill import load_replay
from otterflow.operators.base import skip
from otterflow.operators.check_interval import PATIENCE, run_that_makes
from otterflow.operators.check_recording import interval_of
from otterflow.operators.connections import open_repository
from otterflow.operators.guard import ANYWHEN, Guarded
from otterflow.operators.hand_on import is_under_way
from otterflow.operators.paused import how_to_unpause, is_paused

if TYPE_CHECKING:
    from airflow.sdk import Context


class MakeRecordingOperator(Guarded, TriggerDagRunOperator):
    """Triggers the recording's Dag for the run's interval; the next task waits for what comes of it.

    Skipped, with the reason, where the recording is there, is being made, or may still come by its own schedule, where
    the source's log is not what it is made from, or where that Dag is paused.

    :param recording: the name of the recording's file.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"

    def __init__(self, *, recording: str, **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=f"record_{recording}",
            logical_date=None,
            reset_dag_run=True,  # one that came to nothing before
            **kwargs,
        )
        self.recording = recording

    def execute(self, context: Context) -> None:
        """Trigger, or say why not."""
        replay, dag_run = load_replay(settings.recordings_dir() / f"{self.recording}.yaml"), context["dag_run"]
        definition = replay.recording
        if dag_run.run_type == "scheduled" and not replay.block.scheduled:
            skip("scheduled is off in the block replay: only a backfill replays")
        start, end = interval_of(definition, dag_run)
        recording = definition.recording_id(start)
        if any(each.id == recording for each in open_repository().recordings(self.recording)):
            skip(f"recording {recording} is there")
        if not definition.looks_back:
            skip(f"method {definition.method.value} records as time passes, and the interval is past")
        if datetime.now(UTC) < end + PATIENCE:
            skip(f"recording {recording} may still come by the schedule of {self.trigger_dag_id}")
        if is_paused(context, self.trigger_dag_id):
            dag_id = self.trigger_dag_id
            skip(f"{dag_id} is paused, which would make the recording: {how_to_unpause(dag_id)}")
        if is_under_way(context, run_that_makes(recording)):
            skip(f"run {run_that_makes(recording)} is making it")
        self.log.info("%s is made from what the source's log has of %s to %s", recording, start, end)
        self.trigger_run_id, self.run_after = run_that_makes(recording).partition("/")[2], end
        super().execute(context)
