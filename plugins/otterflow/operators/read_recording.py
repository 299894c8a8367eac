"""Stands for a recording whose file is wrong."""

from __future__ import annotations

from otterflow import settings
from otterflow.operators.read_file import ReadFileOperator


class ReadRecordingOperator(ReadFileOperator):
    """Fails with what is wrong with the file of a recording."""

    def read(self) -> None:
        """Read it."""
        from otterflow.workloads.recording.definition import load_recording_definition

        load_recording_definition(settings.recordings_dir() / self.file)
