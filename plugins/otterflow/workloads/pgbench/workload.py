"""The scripts that load and run pgbench. Source: https://www.postgresql.org/docs/current/pgbench.html."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.remote.shell import join
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.pgbench.client import LOG_OPTIONS, SUMMARY_FILES, load_words, run_progress, run_rate, summarise
from otterflow.workloads.pgbench.output import LATENCY_FILE, REPORT_FILE, read_result
from otterflow.workloads.pgbench.settings import PgbenchSettings

BYTES_PER_SCALE = 16 * 1024 * 1024
"""100,000 accounts and their primary key, measured on PostgreSQL 15: 15 MB."""

_LOAD_PROGRESS = re.compile(r"\d+ of \d+ (?:tuples|branches) \((\d+)%\)")


@dataclass(frozen=True)
class PgbenchWorkload:
    """One of pgbench's built-in scripts. Times are in seconds."""

    settings: PgbenchSettings
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """pgbench, and what its log is summarised with."""
        return ("pgbench", "awk", "sort", "tee")

    def data_fingerprint(self) -> str:
        """All built-in scripts share the same tables."""
        return f"pgbench-{self.settings.scale}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading."""
        return self.settings.scale * BYTES_PER_SCALE

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Make pgbench's four tables."""
        words = ("pgbench", "--initialize", "--quiet", f"--scale={self.settings.scale}")
        script = access.prologue(bin_dir) + join([*words]) + "\n"
        return JobScript(script, access.files(), self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The same load, not logged. It starts with pgbench's vacuum, which empties the history of earlier trials."""
        if not asked.warms_up:
            return None
        words = self._words(asked.warmup_s, seed=2 * asked.seed)
        script = access.prologue(bin_dir) + join([*words]) + "\n"
        return JobScript(script, access.files(), asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured load: pgbench's report, and its log reduced to latency percentiles where it was written."""
        words = [*self._words(asked.duration_s, seed=2 * asked.seed + 1), *LOG_OPTIONS]
        if self.settings.latency_sample < 1:
            words.append(f"--sampling-rate={self.settings.latency_sample:g}")
        if asked.warms_up:  # whose vacuum has been done
            words.append("--no-vacuum")
        script = access.prologue(bin_dir) + f"{join([*words])} | tee {REPORT_FILE}\n" + summarise()
        files = access.files() | SUMMARY_FILES
        return JobScript(script, files, asked.duration_s + self.run_timeout_s, (REPORT_FILE, LATENCY_FILE))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the report and the latency summary; raises BenchmarkFailed."""
        return read_result(results, log, self.settings.latency_sample)

    def progress(self, line: str) -> str | None:
        """What pgbench says every second of a run, and every few seconds of a load."""
        if run := run_progress(line):
            return run
        load = _LOAD_PROGRESS.search(line)
        return f"loading: {load.group(1)} % of the accounts" if load else None

    def rate(self, line: str) -> float | None:
        """What pgbench says every second of a run."""
        return run_rate(line)

    def _words(self, seconds: float, seed: int) -> list[str]:
        return ["pgbench", f"--builtin={self.settings.script}", *load_words(self.settings, seconds, seed)]
