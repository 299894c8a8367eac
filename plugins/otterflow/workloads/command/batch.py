"""A user's own piece of work with an end, such as a nightly job: each pass is timed from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.command.jobs import bash, data_fingerprint, load_job, own_job, said
from otterflow.workloads.command.settings import BatchSettings
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.no_rates import NoRates
from otterflow.workloads.passes import PROGRAMS, pass_loop, pass_progress

PASSES_FILE = "passes.txt"

_LINE = re.compile(r"pass (?P<pass>\d+)|pass_ms (?P<pass_ms>\d+)|measured_ms (?P<measured_ms>\d+)")


@dataclass(frozen=True)
class BatchWorkload(NoRates):
    """Any program on the driver host that does a fixed piece of work and then ends. Times are in seconds."""

    settings: BatchSettings
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """What the benchmark file names, and what the scripts are made of."""
        return (*self.settings.programs, "bash", *PROGRAMS)

    def data_fingerprint(self) -> str:
        """The scale, the load command and the files."""
        return f"batch-{data_fingerprint(self.settings)}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading, as the benchmark file says."""
        return self.settings.scale * self.settings.bytes_per_scale

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """The user's load command."""
        return load_job(self.settings, access, bin_dir, self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The work itself, for the plan's passes of warm-up."""
        if not asked.warms_up:
            return None
        return self._passes(access, bin_dir, asked.warmup_passes, asked.warmup_s, 2 * asked.seed, results=())

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured passes."""
        seed = 2 * asked.seed + 1
        return self._passes(access, bin_dir, asked.passes, asked.duration_s, seed, results=(PASSES_FILE,))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the passes' times; raises BenchmarkFailed."""
        return read_passes(results.get(PASSES_FILE, ""))

    def progress(self, line: str) -> str | None:
        """When a pass begins and ends, and whatever the command says."""
        if line.startswith("measured_ms "):
            return None
        return pass_progress(line, "work") or said(line)

    def _passes(
        self,
        access: DatabaseAccess,
        bin_dir: str | None,
        passes: int,
        budget_s: float,
        seed: int,
        results: tuple[str, ...],
    ) -> JobScript:
        loop = pass_loop(bash("run.sh"), PASSES_FILE, passes=passes, budget_s=budget_s)
        return own_job(
            self.settings,
            access,
            bin_dir,
            script=f"export OTTERFLOW_SEED={seed}\n" + loop,
            file="run.sh",
            command=self.settings.run,
            timeout_s=budget_s + self.run_timeout_s,
            results=results,
        )


def read_passes(text: str) -> BenchmarkResult:
    """The result of passes: a pass is a transaction, and run time the median over them.

    Raises BenchmarkFailed with a sentence for text that is empty, cut short, or holds anything else.
    """
    times_s: list[float] = []
    begun, measured_s = 0, None
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise BenchmarkFailed(f"the times of the passes hold the line {line[:100]!r}, which is none")
        value = int(found.group(found.lastgroup or 0))
        if found.lastgroup == "pass":
            begun += 1
        elif found.lastgroup == "pass_ms":
            times_s.append(value / 1000)
        else:
            measured_s = value / 1000
    if not times_s:
        raise BenchmarkFailed("the times of the passes hold no whole pass")
    if begun != len(times_s):
        raise BenchmarkFailed(f"pass {begun} did not end")
    if measured_s is None:
        raise BenchmarkFailed(f"the times of the passes are cut short after pass {begun}")
    return BenchmarkResult(
        throughput=len(times_s) / measured_s if measured_s else None,
        latency_ms={"mean": fmean(times_s) * 1000},
        errors=0,
        transactions=len(times_s),
        seconds=measured_s,
        run_time_s=median(times_s),
        passes_s=tuple(times_s),
    )
