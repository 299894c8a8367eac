"""What every workload can do, and which class does it for a benchmark: the seam for new drivers.

A new driver is a settings block in `definition.DriverSettings` and a class of this shape that `workload_for` picks.
An experiment loads once; each trial then runs the warm-up job, reads the server's counters, runs the measured job and
reads the counters again, which is why warm-up and measurement are two scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from otterflow.dbms.base import Dbms
from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.analytics.settings import AnalyticsSettings
from otterflow.workloads.analytics.ways import WAYS as ANALYTICS_WAYS
from otterflow.workloads.analytics.workload import AnalyticsWorkload
from otterflow.workloads.benchbase.settings import BenchbaseSettings
from otterflow.workloads.benchbase.ways import WAYS as BENCHBASE_WAYS
from otterflow.workloads.benchbase.workload import BenchbaseWorkload
from otterflow.workloads.command.batch import BatchWorkload
from otterflow.workloads.command.settings import BatchSettings, CommandSettings
from otterflow.workloads.command.workload import CommandWorkload
from otterflow.workloads.definition import Benchmark, RunPlan, plan
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.live.workload import LiveWorkload
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.pgbench.scripts_workload import PgbenchScriptsWorkload
from otterflow.workloads.pgbench.settings import PgbenchSettings
from otterflow.workloads.pgbench.workload import PgbenchWorkload
from otterflow.workloads.replay.settings import RecordedLoad
from otterflow.workloads.replay.workload import recorded_workload
from otterflow.workloads.sysbench.scripts_settings import SysbenchScriptsSettings
from otterflow.workloads.sysbench.scripts_workload import SysbenchScriptsWorkload
from otterflow.workloads.sysbench.settings import SysbenchSettings
from otterflow.workloads.sysbench.ways import WAYS as SYSBENCH_WAYS
from otterflow.workloads.sysbench.workload import SysbenchWorkload

__all__ = ["JobScript", "RunPlan", "Workload", "plan", "workload_for"]


class Workload(Protocol):
    """How one benchmark is loaded and run, as scripts, and how its output is read.

    `bin_dir` is where the DBMS's client programs are on the driver host, None if they are on its PATH.
    """

    def programs(self) -> tuple[str, ...]:
        """The programs that the driver host must have."""

    def data_fingerprint(self) -> str:
        """A short name for what `load` makes; it changes whenever the data would."""

    def estimated_bytes(self) -> int:
        """About what the loaded data take on the server's disk, indexes included."""

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Make the data in an existing database; what an earlier load left there is replaced."""

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """Load the caches as the measured run will find them; None if the plan asks for no warm-up."""

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured run; its `results` are what `parse` reads."""

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the run's files and log.

        Raises BenchmarkFailed, with a sentence, for output that is empty, cut short or tells of a failure. Whether the
        numbers are to be believed is `otterflow.workloads.belief.believe`'s to say.
        """

    def progress(self, line: str) -> str | None:
        """A line of a running job's log as a sentence for the task's log; None if it says nothing of progress."""

    def rate(self, line: str) -> float | None:
        """The rate (1/s) that a line of a running job's log tells of the last moments; None for another line."""


def workload_for(benchmark: Benchmark, dbms: Dbms) -> Workload:
    """The class that runs this benchmark's driver."""
    settings = benchmark.workload
    if isinstance(settings, PgbenchSettings):
        return PgbenchWorkload(settings, benchmark.load_timeout_s, benchmark.run_timeout_s)
    if isinstance(settings, PgbenchScriptsSettings):
        return PgbenchScriptsWorkload(settings, benchmark.load_timeout_s, benchmark.run_timeout_s)
    if isinstance(settings, AnalyticsSettings | SysbenchSettings | SysbenchScriptsSettings | BenchbaseSettings):
        return _with_way(settings, benchmark, dbms)
    if isinstance(settings, CommandSettings):
        return CommandWorkload(settings, benchmark.load_timeout_s, benchmark.run_timeout_s)
    if isinstance(settings, BatchSettings):
        return BatchWorkload(settings, benchmark.load_timeout_s, benchmark.run_timeout_s)
    if isinstance(settings, LiveSettings):
        return LiveWorkload(settings, dbms.observation, benchmark.run_timeout_s)
    if isinstance(settings, RecordedLoad):
        return recorded_workload(settings, dbms.name, benchmark.run_timeout_s)
    raise TypeError(f"no workload class for the settings {type(settings).__name__}")


def _with_way(
    settings: AnalyticsSettings | SysbenchSettings | SysbenchScriptsSettings | BenchbaseSettings,
    benchmark: Benchmark,
    dbms: Dbms,
) -> Workload:
    """The class of a driver that has a way to each of its DBMSs."""
    limits = benchmark.load_timeout_s, benchmark.run_timeout_s
    if isinstance(settings, AnalyticsSettings):
        return AnalyticsWorkload(settings, ANALYTICS_WAYS[dbms.name], *limits)
    if isinstance(settings, SysbenchSettings):
        return SysbenchWorkload(settings, SYSBENCH_WAYS[dbms.name], *limits)
    if isinstance(settings, SysbenchScriptsSettings):
        return SysbenchScriptsWorkload(settings, SYSBENCH_WAYS[dbms.name], *limits)
    return BenchbaseWorkload(settings, BENCHBASE_WAYS[dbms.name], *limits)
