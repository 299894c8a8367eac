"""The scripts that load a stream's data and run the stream, with the DBMS's own client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.analytics.output import TIMINGS_FILE, read_result
from otterflow.workloads.analytics.settings import AnalyticsSettings
from otterflow.workloads.analytics.ways import Way
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.no_rates import NoRates
from otterflow.workloads.passes import PROGRAMS, pass_loop, pass_progress
from otterflow.workloads.sql_folder import digest, load_progress, texts


@dataclass(frozen=True)
class AnalyticsWorkload(NoRates):
    """A fixed set of queries as one stream, each timed in its session. Times are in seconds."""

    settings: AnalyticsSettings
    way: Way
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """What loads and runs, and what the scripts are made of."""
        return (*self.way.PROGRAMS, *PROGRAMS)

    def data_fingerprint(self) -> str:
        """The scale, and a hash of the SQL that makes the data."""
        hashed = digest((self.settings.session_file, *self.settings.load_files))
        return f"analytics-{self.settings.scale}-{hashed}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading."""
        return self.settings.scale * self.settings.bytes_per_scale

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Run the load files in the order of their numbers; those with the same number at the same time."""
        files, scale = self.settings.load_files, self.settings.scale
        script = access.prologue(bin_dir) + self.way.load_steps(files, scale)
        session = self.way.session_files(self._session(), scale, self.load_timeout_s)
        return JobScript(script, access.files() | session | texts(files), self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The stream itself, for the plan's passes of warm-up."""
        if not asked.warms_up:
            return None
        return self._stream(access, bin_dir, asked.warmup_passes, asked.warmup_s, results=())

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured passes, each in a session of its own, with the time of every query."""
        return self._stream(access, bin_dir, asked.passes, asked.duration_s, results=(TIMINGS_FILE,))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the passes' timings; raises BenchmarkFailed."""
        return read_result(results.get(TIMINGS_FILE, ""), log, self.settings.query_names)

    def progress(self, line: str) -> str | None:
        """What a pass or a step of the load says when it begins or ends."""
        return pass_progress(line, "stream") or load_progress(line)

    def _stream(
        self, access: DatabaseAccess, bin_dir: str | None, passes: int, budget_s: float, results: tuple[str, ...]
    ) -> JobScript:
        queries, limit_s = self.settings.query_files, budget_s + self.run_timeout_s
        stream = {"stream.sql": self.way.stream_sql(self._session(), queries, limit_s)}
        files = access.files() | stream | texts(self.way.stream_files(queries))
        step = f"{self.way.STREAM} | tee -a {TIMINGS_FILE}"
        script = access.prologue(bin_dir) + pass_loop(step, TIMINGS_FILE, passes=passes, budget_s=budget_s)
        return JobScript(script, files, limit_s, results)

    def _session(self) -> str:
        return self.settings.session_file.read_text()
