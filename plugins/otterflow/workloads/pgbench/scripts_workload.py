"""The bash scripts that load, run and check a set of own pgbench scripts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.postgresql.sql_files import END_IF_ABANDONED, PSQL, load_steps, psql_variables
from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.remote.shell import join
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.pgbench.client import LOG_OPTIONS, SUMMARY_FILES, load_words, run_progress, run_rate, summarise
from otterflow.workloads.pgbench.output import LATENCY_FILE, REPORT_FILE
from otterflow.workloads.pgbench.scripts_output import CHECK_DONE, CHECK_FILE, PAUSE, read_scripts
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.sql_folder import digest, load_progress, texts

CHECK_SQL, PAUSE_SQL = "_check.sql", f"{PAUSE}.sql"

UNCOUNTED = """\
-- The check's reads are no part of the load; a superuser may keep them out of the server's counters.
SELECT set_config(name, CASE name WHEN 'track_counts' THEN 'off' ELSE 'none' END, false)
FROM pg_settings
WHERE name IN ('track_counts', 'pg_stat_statements.track')
  AND EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper) \\g /dev/null
"""

SLEEP = """\
\\set us int(-ln(random(1, 1000000) / 1000000.0) * :pause_us)
\\sleep :us us
"""


@dataclass(frozen=True)
class PgbenchScriptsWorkload:
    """Own scripts for pgbench, each drawn by its weight. Times are in seconds."""

    settings: PgbenchScriptsSettings
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """What loads and checks, what runs, and what the log is summarised with."""
        return ("psql", "pgbench", "awk", "sort", "tee")

    def data_fingerprint(self) -> str:
        """The scale, and a hash of the SQL that makes the data and of the variables in it."""
        chosen = self.settings
        made_with = f"{digest(chosen.load_files)}{chosen.session_sql}{sorted(chosen.data_variables().items())}"
        return f"pgbench_scripts-{chosen.scale}-{hashlib.sha256(made_with.encode()).hexdigest()[:16]}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading."""
        return self.settings.scale * self.settings.bytes_per_scale

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Run the load files in the order of their numbers, then the check, whose first finding fails the load."""
        chosen = self.settings
        steps = load_steps(chosen.load_files, self._variables(), chosen.load_parts)
        check = f'{self._check()}if [ "$(cat {CHECK_FILE})" != {CHECK_DONE} ]; then cat {CHECK_FILE} >&2; exit 1; fi\n'
        script = access.prologue(bin_dir) + steps + (check if chosen.check_sql else "")
        return JobScript(script, self._sql_files(access) | texts(chosen.load_files), self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The same load, not logged and not checked."""
        if not asked.warms_up:
            return None
        script = access.prologue(bin_dir) + join([*self._words(asked.warmup_s, seed=2 * asked.seed)]) + "\n"
        return JobScript(script, access.files() | self._scripts(), asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured load, its log reduced to latencies of each script, and then the check."""
        chosen = self.settings
        words = [*self._words(asked.duration_s, seed=2 * asked.seed + 1), *LOG_OPTIONS]
        if chosen.latency_sample < 1:
            words.append(f"--sampling-rate={chosen.latency_sample:g}")
        run = f"{join([*words])} | tee {REPORT_FILE}\n{summarise(len(chosen.scripts))}"
        script = access.prologue(bin_dir) + run + self._check()
        files = self._sql_files(access) | SUMMARY_FILES | self._scripts()
        results = (REPORT_FILE, LATENCY_FILE, *((CHECK_FILE,) if chosen.check_sql else ()))
        return JobScript(script, files, asked.duration_s + self.run_timeout_s, results)

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the report, the summary of the log and the check's findings; raises BenchmarkFailed."""
        return read_scripts(results, log, self.settings)

    def progress(self, line: str) -> str | None:
        """What pgbench says every second of a run, or which file of the load is done."""
        return run_progress(line, self.settings.working_share) or load_progress(line)

    def rate(self, line: str) -> float | None:
        """What pgbench says every second of a run."""
        return run_rate(line)

    def _words(self, seconds: float, seed: int) -> list[str]:
        chosen = self.settings
        words = ["pgbench", "--no-vacuum"]
        words += [f"--file={path.name}@{chosen.scripts[path.stem]}" for path in chosen.script_files]
        if chosen.pause_weight:
            words += [f"--file={PAUSE_SQL}@{chosen.pause_weight}", f"--define=pause_us={chosen.slice_us}"]
        words += [f"--define={name}={value}" for name, value in self._variables().items()]
        words += load_words(chosen, seconds, seed)
        return words + ([f"--max-tries={chosen.max_tries}"] if chosen.max_tries > 1 else [])

    def _variables(self) -> dict[str, int | float]:
        return {"scale": self.settings.scale, **self.settings.variables}

    def _check(self) -> str:
        """Bash that leaves the check's findings, one a line, and a last line that tells that it came to its end."""
        if not self.settings.check_sql:
            return ""
        words = f"{PSQL} --tuples-only --no-align {psql_variables(self._variables())}"
        return f"{words} --file=session.sql --file={CHECK_SQL} > {CHECK_FILE}\necho {CHECK_DONE} >> {CHECK_FILE}\n"

    def _sql_files(self, access: DatabaseAccess) -> dict[str, str]:
        """What psql needs for the load and for the check."""
        files = access.files() | {"session.sql": END_IF_ABANDONED + self.settings.session_sql}
        return files | ({CHECK_SQL: UNCOUNTED + self.settings.check_sql} if self.settings.check_sql else {})

    def _scripts(self) -> dict[str, str]:
        return texts(self.settings.script_files) | ({PAUSE_SQL: SLEEP} if self.settings.pause_weight else {})
