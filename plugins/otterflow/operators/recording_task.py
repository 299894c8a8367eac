"""What the tasks of a recording's Dag have in common: its file, its hosts, and what its first task found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.dbms.registry import load_target
from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.guard import ANYWHEN
from otterflow.workloads.recording.definition import RecordingDefinition, load_recording_definition

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.hosts.record import RecordingPlan, Recordings

CHECK, CAPTURE = "check", "capture"
"""Tasks whose results those behind them ask for."""


class RecordingOperator(OtterflowOperator):
    """One task of a recording.

    :param recording: the name of its file.
    """

    may = ANYWHEN
    template_fields: Sequence[str] = ()

    def __init__(self, *, recording: str, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)
        self.recording = recording

    @property
    def definition(self) -> RecordingDefinition:
        """What its file says now."""
        return load_recording_definition(settings.recordings_dir() / f"{self.recording}.yaml")

    @contextmanager
    def hosts(self) -> Iterator[Recordings]:
        """Source and driver host, for a `with`; jobs are remembered and end with the task."""
        from otterflow.hosts.record import Recordings
        from otterflow.operators.connected_host import ConnectedHost

        definition, folder = self.definition, settings.targets_dir()
        source, replay = (load_target(folder / f"{name}.yaml") for name in (definition.source, definition.replay_on))
        with (
            closing(ConnectedHost(source, is_live=source.has_users)) as source_host,
            closing(ConnectedHost(replay, is_live=replay.has_users)) as replay_host,
        ):
            yield Recordings(definition, source_host, replay_host, self.remember_job)

    @staticmethod
    def plan(context: Context) -> RecordingPlan:
        """What `check` returned. Skips the task where that was skipped."""
        from otterflow.hosts.record import RecordingPlan

        found = context["ti"].xcom_pull(task_ids=CHECK)
        if found is None:
            skip("nothing is recorded; the log of check says why")
        return RecordingPlan(**found)
