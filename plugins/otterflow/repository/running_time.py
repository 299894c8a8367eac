"""For how long an experiment ran: what its time budget counts.

A task says what it took, by a clock that nobody sets. Of what lies between two tasks, at most `LONGEST_GAP_S` counts:
by the worker's clock, which may be set meanwhile, or be another worker's. So the experiment's clock stands while it has
ended, while a red run waits for somebody, and while the Dag is paused.
"""

from __future__ import annotations

from otterflow.repository.records import LONGEST_GAP_S
from otterflow.repository.store import Store, find_experiment
from otterflow.repository.tables import ExperimentRow
from otterflow.repository.values import now


class RunningTimeStore(Store):
    """The clock of each experiment."""

    def start_clock(self, experiment: str) -> None:
        """Count the time from now on, and of the time since it was counted last at most `LONGEST_GAP_S`."""
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            _count(row)
            row.clock_at = now()

    def count_time(self, experiment: str, took_s: float) -> None:
        """Count what the task took that ends now, and of what lay before it at most `LONGEST_GAP_S`."""
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            if row.clock_at is not None:
                _count(row, took_s)
                row.clock_at = now()

    def stop_clock(self, experiment: str) -> None:
        """Count the time until now, and no further."""
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            _count(row)
            row.clock_at = None


def _count(row: ExperimentRow, took_s: float = 0.0) -> None:
    """Add the time since it was counted last, of which `took_s` is certain; a clock that was set adds a gap at most."""
    if row.clock_at is not None:
        passed_s = (now() - row.clock_at).total_seconds()
        row.ran_s += min(max(passed_s, took_s), took_s + LONGEST_GAP_S)
