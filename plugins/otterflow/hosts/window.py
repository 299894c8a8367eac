"""The counters around a measured window: read, kept with the trial, and turned into what happened in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otterflow.dbms.base import Metrics
from otterflow.dbms.registry import dbms_named
from otterflow.remote import proc

if TYPE_CHECKING:
    from otterflow.hosts.host import Host
    from otterflow.repository import Repository, Trial

RUNS_S = "runs_s"
"""The key of the counters after a window that has the seconds of the measured jobs, by their host's own clock."""
LAG_S, LAG_SHARE, LAG_OF_A_RUN_S = 5.0, 0.1, 1.5
"""How much longer than its runs a window may be: two readings on a busy host, and the change from run to run."""


class NoWindow:
    """Counters that nobody asked for: the final comparison compares the objective alone."""

    def begin(self, host: Host) -> None:
        """Nothing."""

    def end(self, host: Host, runs_s: float) -> None:
        """Nothing."""


class TrialWindow(NoWindow):
    """The counters around a trial's measured window, kept in the repository."""

    def __init__(self, repository: Repository, trial: Trial) -> None:
        self._repository = repository
        self._trial = trial

    def begin(self, host: Host) -> None:
        """Record the counters before the window. The first record of a try stays: a task begun again is inside it."""
        trial = self._trial
        if not self._repository.raw_counters(trial.experiment, trial.iteration).before:
            self._repository.record_before(trial.experiment, trial.iteration, _counters(host))

    def end(self, host: Host, runs_s: float) -> None:
        """Record the counters after the window, and for how long in it the measured runs were at work."""
        counters = _counters(host) | {RUNS_S: runs_s}
        self._repository.record_after(self._trial.experiment, self._trial.iteration, counters)


def _counters(host: Host) -> dict[str, Any]:
    done = host.session.run(proc.sample_command(), what="reading the host's load", timeout_s=30)
    with host.query(host.target.database) as query:
        counted = dbms_named(host.target.dbms).metrics.counters(query, texts=host.target.keep_statement_texts)
        return {"dbms": counted, "host": proc.parse_sample(done.stdout).as_dict()}


@dataclass(frozen=True)
class Rates:
    """What happened in the window, or why that is not to be told."""

    window_s: float
    metrics: dict[str, float] = field(default_factory=dict)
    host: dict[str, float] = field(default_factory=dict)
    reset: list[str] = field(default_factory=list)
    left_out: str | None = None


def rates(metrics: Metrics, before: Mapping[str, Any], after: Mapping[str, Any], runs: int) -> Rates:
    """Rates from the counters around a window, where it fits the seconds that its runs took."""
    window_s = metrics.seconds_between(before["dbms"], after["dbms"])
    left_out = misfit(window_s, after.get(RUNS_S, window_s), runs)
    if left_out is not None:
        return Rates(window_s, left_out=left_out)
    window = metrics.window_between(before["dbms"], after["dbms"])
    host = proc.host_rates(proc.HostSample.from_dict(before["host"]), proc.HostSample.from_dict(after["host"]))
    return Rates(window_s, window.metrics, host, window.reset)


def misfit(window_s: float, runs_s: float, runs: int) -> str | None:
    """Why the counters of a window of `window_s` seconds say nothing of its `runs` measured jobs; None where they do.

    A task that was begun again may have come long after its job had ended; rates per second of all that time would
    tell the tuner of a server that hardly worked.
    """
    longest = runs_s * (1 + LAG_SHARE) + LAG_S + LAG_OF_A_RUN_S * (runs - 1)
    if window_s > 0 and runs_s - 1.0 <= window_s <= longest:
        return None
    return (
        f"the counters were read {window_s:.1f} s apart, and the measured runs took {runs_s:.1f} s: the task was begun "
        "again after they had ended, or a clock was set"
    )
