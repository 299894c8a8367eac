"""A user's own program as a benchmark: it puts load on the server for a time, and prints its result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.command.jobs import bash, data_fingerprint, load_job, own_job, said
from otterflow.workloads.command.output import RESULT_FILE, read_result
from otterflow.workloads.command.settings import CommandSettings
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.no_rates import NoRates

RESULT_BYTES = 65_536
"""How much of the output's end is kept for the parser."""

KEEP_THE_END = f"""\
tail -c {RESULT_BYTES} output.txt > {RESULT_FILE}
rm -f output.txt
"""


@dataclass(frozen=True)
class CommandWorkload(NoRates):
    """Any program on the driver host that can load data and run against them. Times are in seconds."""

    settings: CommandSettings
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """What the benchmark file names, and what the scripts are made of."""
        return (*self.settings.programs, "bash", "tee", "tail")

    def data_fingerprint(self) -> str:
        """The scale, the load command and the files."""
        return f"command-{data_fingerprint(self.settings)}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading, as the benchmark file says."""
        return self.settings.scale * self.settings.bytes_per_scale

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """The user's load command."""
        return load_job(self.settings, access, bin_dir, self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The user's warm-up command, or the measured one, whose result nobody reads."""
        if not asked.warms_up:
            return None
        return own_job(
            self.settings,
            access,
            bin_dir,
            script=_asked(asked.warmup_s, 2 * asked.seed) + bash("warm_up.sh") + "\n",
            file="warm_up.sh",
            command=self.settings.warm_up or self.settings.run,
            timeout_s=asked.warmup_s + self.run_timeout_s,
        )

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The user's measured command; the end of its standard output is kept."""
        run = bash("run.sh") + " | tee output.txt\n" + KEEP_THE_END
        return own_job(
            self.settings,
            access,
            bin_dir,
            script=_asked(asked.duration_s, 2 * asked.seed + 1) + run,
            file="run.sh",
            command=self.settings.run,
            timeout_s=asked.duration_s + self.run_timeout_s,
            results=(RESULT_FILE,),
        )

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the command's last line; raises BenchmarkFailed."""
        return read_result(results, self.settings.measures)

    def progress(self, line: str) -> str | None:
        """Whatever the command says, but for its result."""
        return None if line.lstrip().startswith("{") else said(line)


def _asked(seconds: float, seed: int) -> str:
    return f"export OTTERFLOW_DURATION_S={math.ceil(seconds)} OTTERFLOW_SEED={seed}\n"
