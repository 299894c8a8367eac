"""The clock of a worker, set in the middle of a task: for otterflow's code in the test's own process.

The host's commands and the database server keep the machine's clock, as they do where only the worker's is wrong.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo

import pytest


class WorkerClock:
    """What otterflow's modules read the time of day from; `set_by` moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.off_by = timedelta()
        self._monkeypatch = monkeypatch

    def set_by(self, seconds: float) -> None:
        """Set it forward, or back where `seconds` is negative. Modules that are loaded later are not deceived."""
        self.off_by += timedelta(seconds=seconds)
        clock = self

        class Moved(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one, as is stored
                return datetime.now(tz) + clock.off_by

        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == "otterflow" and getattr(module, "datetime", None) is datetime:
                self._monkeypatch.setattr(module, "datetime", Moved)
