"""The bash scripts that load, run and check a set of own Lua scripts for sysbench 1.0.

sysbench reports no type's numbers, so `runner.lua` counts them: each client leaves a file when it ends, and they are
summed on the driver host.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from otterflow.dbms.mysql_family.sql_files import load_steps, session_files
from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.remote.shell import join
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.sql_folder import digest, load_progress, texts
from otterflow.workloads.sysbench.output import REPORT_FILE, run_progress, run_rate
from otterflow.workloads.sysbench.scripts_output import CHECK_DONE, CHECK_FILE, NUMBERS_FILE, read_scripts
from otterflow.workloads.sysbench.scripts_settings import SysbenchScriptsSettings
from otterflow.workloads.sysbench.ways import Way
from otterflow.workloads.sysbench.workload import LARGEST_SEED

RUNNER = Path(__file__).with_name("runner.lua")
CHECK_SQL = "check.sql"

SUM_AWK = """\
{ sum[$1 " " $2] += $3 }
END { for (name in sum) printf "%s %.0f\\n", name, sum[name] }
"""
SUM_NUMBERS = f"awk -f sum.awk numbers.[0-9]* > {NUMBERS_FILE}\nrm -f numbers.[0-9]*\n"


@dataclass(frozen=True)
class SysbenchScriptsWorkload:
    """Own Lua scripts for sysbench, each drawn by its weight. Times are in seconds."""

    settings: SysbenchScriptsSettings
    way: Way
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """What loads and checks, what runs, and what the numbers are summed with."""
        return (*self.way.PROGRAMS, "sysbench", "awk", "stdbuf", "tee")

    def data_fingerprint(self) -> str:
        """The scale, and a hash of the SQL that makes the data and of the variables in it."""
        chosen = self.settings
        made_with = f"{digest(chosen.load_files)}{chosen.session_sql}{sorted(chosen.data_variables().items())}"
        return f"sysbench_scripts-{chosen.scale}-{hashlib.sha256(made_with.encode()).hexdigest()[:16]}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading."""
        return self.settings.scale * self.settings.bytes_per_scale

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Run the load files in the order of their numbers, then the check, whose first finding fails the load."""
        chosen = self.settings
        check = f'{self._check()}if [ "$(cat {CHECK_FILE})" != {CHECK_DONE} ]; then cat {CHECK_FILE} >&2; exit 1; fi\n'
        steps = load_steps(chosen.load_files, chosen.load_parts)
        script = access.prologue(bin_dir) + steps + (check if chosen.check_sql else "")
        return JobScript(script, self._sql_files(access) | texts(chosen.load_files), self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The same load, whose numbers nobody reads and which is not checked."""
        if not asked.warms_up:
            return None
        script = access.prologue(bin_dir) + join(self._words(access, asked.warmup_s, seed=2 * asked.seed)) + "\n"
        return JobScript(script, self._run_files(access), asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured load, its clients' numbers summed, and then the check."""
        words = self._words(access, asked.duration_s, seed=2 * asked.seed + 1)
        script = access.prologue(bin_dir) + f"{join(words)} | tee {REPORT_FILE}\n{SUM_NUMBERS}" + self._check()
        results = (REPORT_FILE, NUMBERS_FILE, *((CHECK_FILE,) if self.settings.check_sql else ()))
        files = self._run_files(access) | self._sql_files(access)
        return JobScript(script, files, asked.duration_s + self.run_timeout_s, results)

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the report, the summed numbers and the check's findings; raises BenchmarkFailed."""
        return read_scripts(results, log, self.settings)

    def progress(self, line: str) -> str | None:
        """What sysbench says every second of a run, or which file of the load is done."""
        return run_progress(line) or load_progress(line)

    def rate(self, line: str) -> float | None:
        """What sysbench says every second of a run."""
        return run_rate(line)

    def _words(self, access: DatabaseAccess, seconds: float, seed: int) -> list[str]:
        return [
            "stdbuf",
            "-oL",
            "sysbench",
            f"./{RUNNER.name}",
            *self.way.options(access),
            f"--threads={self.settings.threads}",
            f"--time={math.ceil(seconds)}",
            "--events=0",
            f"--rand-seed={1 + seed % LARGEST_SEED}",
            "--percentile=99",
            "--report-interval=1",
            "run",
        ]

    def _check(self) -> str:
        """Bash that leaves the check's findings, one a line, and a last line that tells that it came to its end."""
        if not self.settings.check_sql:
            return ""
        sql = f"cat variables.sql session.sql {CHECK_SQL}"
        return f"{sql} | sql_client --batch --skip-column-names > {CHECK_FILE}\necho {CHECK_DONE} >> {CHECK_FILE}\n"

    def _sql_files(self, access: DatabaseAccess) -> dict[str, str]:
        """What the client needs for the load and for the check."""
        chosen = self.settings
        variables, limit_s, parts = {"scale": chosen.scale, **chosen.variables}, self.load_timeout_s, chosen.load_parts
        session = session_files(variables, chosen.session_sql, limit_s=limit_s, parts=parts)
        return access.files() | session | ({CHECK_SQL: chosen.check_sql} if chosen.check_sql else {})

    def _run_files(self, access: DatabaseAccess) -> dict[str, str]:
        files = {RUNNER.name: RUNNER.read_text(), "plan.lua": self._plan(), "sum.awk": SUM_AWK}
        return access.files() | self.way.files(access) | texts(self.settings.script_files) | files

    def _plan(self) -> str:
        """What `runner.lua` is told. All names are of letters, digits and `_`, all values numbers."""
        chosen = self.settings
        scripts = "".join(f'      {{name = "{name}", weight = {weight}}},\n' for name, weight in chosen.scripts.items())
        variables = ", ".join(f"{name} = {value!r}" for name, value in chosen.variables.items())
        common = str((chosen.folder / "common.lua").is_file()).lower()
        return (
            f"return {{\n   scale = {chosen.scale}, max_tries = {chosen.max_tries}, common = {common},\n"
            f"   variables = {{{variables}}},\n   scripts = {{\n{scripts}   }},\n}}\n"
        )
