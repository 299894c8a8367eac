"""Stands for a recording whose block `replay` is wrong."""

from __future__ import annotations

from otterflow import settings
from otterflow.operators.read_file import ReadFileOperator


class ReadReplayOperator(ReadFileOperator):
    """Fails with what is wrong with the block `replay` of a recording's file."""

    def read(self) -> None:
        """Read it."""
        from otterflow.experiment.backfill import load_replay

        load_replay(settings.recordings_dir() / self.file)
