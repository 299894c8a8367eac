"""The first task of a recording: which interval it is, and whether it can be recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput, Problem
from otterflow.operators.base import skip
from otterflow.operators.recording_task import RecordingOperator
from otterflow.workloads.recording.definition import LONGEST, SHORTEST, RecordingDefinition

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository

EARLY = timedelta(seconds=30)
"""How far the scheduler's clock may be ahead of the worker's."""


class CheckRecordingOperator(RecordingOperator):
    """Returns how the interval is recorded. Skips it where it cannot be any more; fails, with all that is wrong."""

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Decide by the clock, the source's holder, the budget, and what is found on both hosts."""
        from otterflow.hosts.recording_check import prepare

        definition = self.definition
        start, end = interval_of(definition, context["dag_run"])
        recording = definition.recording_id(start)
        self.log.info("recording %s: from %s to %s", recording, start.isoformat(), end.isoformat())
        check_interval(definition, start, end, datetime.now(UTC))
        if not definition.looks_back:
            holder = repository.holder(definition.source)
            if holder is not None:
                skip(f"source {definition.source!r} is held by experiment {holder!r}, which writes its settings")
        with self.hosts() as at:
            plan = prepare(at, recording, start, end)
        self.log.info("%s, share %g, from %s", plan.method, plan.share, ", ".join(plan.log["patterns"]))
        return plan.record()


def interval_of(definition: RecordingDefinition, dag_run: Any) -> tuple[datetime, datetime]:
    """The run's data interval where it has one, as a scheduled or backfilled run of a log has; else by its file."""
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    if definition.looks_back and start is not None and end is not None and start < end:
        return start.astimezone(UTC), end.astimezone(UTC)
    return definition.interval(dag_run.run_after.astimezone(UTC))


def check_interval(definition: RecordingDefinition, start: datetime, end: datetime, now: datetime) -> None:
    """Raise InvalidInput, or skip, where the interval cannot be recorded now."""
    if definition.looks_back:
        if not SHORTEST <= end - start <= LONGEST:
            raise InvalidInput(Problem("interval", f"it is {end - start} long", "1 minute to 24 hours are right"))
        if end > now + EARLY:
            found = f"it ends at {end:%Y-%m-%d %H:%M} UTC, which is in the future"
            raise InvalidInput(Problem("interval", found, "a log is read when its interval is over"))
    elif end < now + min(SHORTEST, definition.length / 2):
        skip(
            f"the window closed at {end:%Y-%m-%d %H:%M} UTC, or closes in a moment; what is past is only in logs "
            "(method server_log)"
        )
