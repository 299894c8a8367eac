"""The scripts that load and run an installed BenchBase. Source: https://github.com/cmu-db/benchbase.

BenchBase finds its plugins and data by relative paths, so it is started in its own folder, with the paths of the
configuration and of the results given whole.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.remote.shell import join
from otterflow.workloads.benchbase.configuration import configuration
from otterflow.workloads.benchbase.output import SUMMARY_FILE, read_result
from otterflow.workloads.benchbase.settings import BenchbaseSettings
from otterflow.workloads.benchbase.ways import Way
from otterflow.workloads.definition import RunPlan

CONFIGURATION_FILE = "benchbase.xml"

IN_ITS_FOLDER = f"""\
folder=$PWD
trap 'rm -f -- "$folder/{CONFIGURATION_FILE}"' EXIT
cd -- HOME
"""
"""The configuration holds the password, so it does not outlive the job."""

KEEP_THE_SUMMARY = f"""\
cd -- "$folder"
shopt -s nullglob
summaries=(results/*.summary.json)
if [ "${{#summaries[@]}}" -ne 1 ]; then
    echo "BenchBase left ${{#summaries[@]}} summaries, not one" >&2
    exit 1
fi
mv -- "${{summaries[0]}}" {SUMMARY_FILE}
rm -rf results
"""
"""The raw log of transactions beside it can have millions of lines."""

_THROUGHPUT = re.compile(r"Throughput: ([\d.]+(?:E\d+)?) txn/sec")
_PHASE = re.compile(
    r"((?:Creating new|Finished creating new|Loading data into|Finished loading data into) \S+ database"
    r"|Warmup complete, starting measurements)"
)


@dataclass(frozen=True)
class BenchbaseWorkload:
    """One of BenchBase's benchmarks. Times are in seconds."""

    settings: BenchbaseSettings
    way: Way
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """Java, BenchBase itself, and what its tables are tended with after the load."""
        return (self.settings.java, self._jar, *self.way.PROGRAMS)

    def data_fingerprint(self) -> str:
        """The benchmark and its scale, and a hash of its own options, which may change the data too."""
        chosen = self.settings
        options = hashlib.sha256(repr(sorted(chosen.options.items())).encode()).hexdigest()[:8]
        return f"benchbase-{chosen.benchmark}-{chosen.scale}" + (f"-{options}" if chosen.options else "")

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading."""
        return self.settings.scale * self.settings.bytes_per_scale

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Make the benchmark's tables anew and fill them, then tend them, so that no run begins with that work."""
        java = self._java("--create=true", "--load=true", "--execute=false")
        script = access.prologue(bin_dir) + self._head() + java + self.way.AFTER_LOAD
        return JobScript(script, self._files(access), self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The same load, whose numbers nobody reads."""
        if not asked.warms_up:
            return None
        files = self._files(access, time_s=asked.warmup_s, seed=2 * asked.seed)
        script = access.prologue(bin_dir) + self._head() + self._execute() + 'rm -rf -- "$folder/results"\n'
        return JobScript(script, files, asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured load; only the summary is kept."""
        files = self._files(access, time_s=asked.duration_s, seed=2 * asked.seed + 1)
        script = access.prologue(bin_dir) + self._head() + self._execute() + KEEP_THE_SUMMARY
        return JobScript(script, files, asked.duration_s + self.run_timeout_s, (SUMMARY_FILE,))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the summary; raises BenchmarkFailed."""
        return read_result(results, log)

    def progress(self, line: str) -> str | None:
        """The throughput that BenchBase logs every second, and the phases of a load."""
        throughput = _THROUGHPUT.search(line)
        if throughput:
            return f"{float(throughput.group(1)):,.0f} transactions/s"
        phase = _PHASE.search(line)
        return phase.group(1)[0].lower() + phase.group(1)[1:] if phase else None

    def rate(self, line: str) -> float | None:
        """The throughput that BenchBase logs every second."""
        throughput = _THROUGHPUT.search(line)
        return float(throughput.group(1)) if throughput else None

    def _files(self, access: DatabaseAccess, *, time_s: float = 1, seed: int = 0) -> dict[str, str]:
        text = configuration(self.settings, self.way, access, time_s=time_s, seed=seed)
        return access.files() | {CONFIGURATION_FILE: text}

    @property
    def _home(self) -> str:
        return (self.settings.home or f"/opt/{self.way.DISTRIBUTION}").rstrip("/")

    @property
    def _jar(self) -> str:
        """BenchBase's program."""
        return f"{self._home}/benchbase.jar"

    def _head(self) -> str:
        return IN_ITS_FOLDER.replace("HOME", shlex.quote(self._home))

    def _execute(self) -> str:
        return self._java("--execute=true", "--interval-monitor=1000", '--directory="$folder/results"')

    def _java(self, *options: str) -> str:
        """BenchBase with these options, each of them bash text."""
        words = join([self.settings.java, "-jar", self._jar, f"--bench={self.settings.benchmark}"])
        return f'{words} --config="$folder/{CONFIGURATION_FILE}" {" ".join(options)}\n'
