"""The job that observes a live server. It runs on the driver host like any benchmark, so it outlives its task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from otterflow.dbms.base import Observation
from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.remote.shell import join
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.no_rates import NoRates


@dataclass(frozen=True)
class LiveWorkload(NoRates):
    """Observes; loads nothing, warms nothing up but lets `warmup_s` pass, and leaves the data alone."""

    settings: LiveSettings
    observation: Observation
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """What the observation is made by."""
        return self.observation.programs()

    def data_fingerprint(self) -> str:
        """No data of otterflow's; no database is ever marked with it."""
        return "live"

    def estimated_bytes(self) -> int:
        """Nothing is added to the server's disk."""
        return 0

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Never: raises TypeError, for the data of a live server are not otterflow's to make anew."""
        raise TypeError(f"database {access.database!r} is of a live server, into which nothing is ever loaded")

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """A wait: after a change of configuration the server's own load settles it."""
        if not asked.warms_up:
            return None
        return JobScript(join(["sleep", f"{asked.warmup_s:g}"]) + "\n", {}, asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """One window, over one connection that is idle but for a look at the load now and then."""
        built = self.observation.observe(access, bin_dir, scope=self.settings.scope, duration_s=asked.duration_s)
        return replace(built, timeout_s=asked.duration_s + self.run_timeout_s)

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the two snapshots; raises BenchmarkFailed."""
        return self.observation.read_result(results, self.settings.least_transactions)

    def progress(self, line: str) -> str | None:
        """The load since the line before."""
        return self.observation.progress(line)
