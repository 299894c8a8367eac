"""Stands for a schedule whose file is wrong."""

from __future__ import annotations

from otterflow import settings
from otterflow.operators.read_file import ReadFileOperator


class ReadScheduleOperator(ReadFileOperator):
    """Fails with what is wrong with a schedule's file."""

    def read(self) -> None:
        """Read it."""
        from otterflow.experiment.schedule import load_schedule

        load_schedule(settings.schedules_dir() / self.file)
