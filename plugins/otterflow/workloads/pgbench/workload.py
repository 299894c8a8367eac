"""The scripts that load and run pgbench. Source: https://www.postgresql.org/docs/current/pgbench.html."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.access import DatabaseAccess
from otterflow.workloads.job import JobScript, RunPlan, access_files, command, prologue
from otterflow.workloads.pgbench.output import LATENCY_FILE, REPORT_FILE, read_result
from otterflow.workloads.pgbench.settings import PgbenchSettings
from otterflow.workloads.result import BenchmarkResult

BYTES_PER_SCALE = 16 * 1024 * 1024
"""100,000 accounts and their primary key, measured on PostgreSQL 15: 15 MB."""

COUNT_AWK = """\
# pgbench's log: client, transaction, time in us (or "failed", "skipped"), script, end's second, end's microsecond.
# Writes how often each latency was seen, and the other numbers of the summary to the file named by `summary`.
$3 ~ /^[0-9]+$/ && NF >= 6 {
    seen[$3]++
    sum += $3
    ended = $5 * 1000000 + $6
    if (count++ == 0 || ended - $3 < first) first = ended - $3
    if (ended > last) last = ended
    next
}
$3 == "failed" || $3 == "skipped" { other[$3]++; next }
{ other["unreadable"]++ }
END {
    printf "count %.0f\\nsum_us %.0f\\nspan_us %.0f\\n", count, sum, last - first > summary
    printf "failed %d\\nskipped %d\\nunreadable %d\\n", other["failed"], other["skipped"], other["unreadable"] > summary
    for (latency in seen) print latency, seen[latency]
}
"""

PERCENTILES_AWK = """\
# From "latency how-often" lines in rising order: percentiles by nearest rank (the smallest latency that at least the
# given share of all transactions kept).
{ latency[NR] = $1; upto[NR] = total += $2 }
END {
    split("50 95 99", wanted, " ")
    for (p = 1; p <= 3; p++) {
        for (i = 1; i < NR && upto[i] * 100 < wanted[p] * total; i++);
        if (NR > 0) printf "p%d_us %.0f\\n", wanted[p], latency[i]
    }
}
"""

SUMMARISE = f"""\
awk -v summary={LATENCY_FILE} -f count.awk transactions.* > latencies.txt
sort -k1,1n latencies.txt | awk -f percentiles.awk >> {LATENCY_FILE}
rm -f transactions.*
"""

_RUN_PROGRESS = re.compile(r"progress: ([\d.]+) s, ([\d.]+) tps, lat ([\d.]+) ms(?:.*?, (\d+) failed)?")
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
        script = prologue(access, bin_dir) + command(*words) + "\n"
        return JobScript(script, access_files(access), self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The same load, not logged. It starts with pgbench's vacuum, which empties the history of earlier trials."""
        if not asked.warms_up:
            return None
        words = self._load_words(asked.warmup_s, seed=2 * asked.seed)
        script = prologue(access, bin_dir) + command(*words) + "\n"
        return JobScript(script, access_files(access), asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured load: pgbench's report, and its log reduced to latency percentiles where it was written."""
        words = [*self._load_words(asked.duration_s, seed=2 * asked.seed + 1), "--log", "--log-prefix=transactions"]
        if self.settings.latency_sample < 1:
            words.append(f"--sampling-rate={self.settings.latency_sample:g}")
        if asked.warms_up:  # whose vacuum has been done
            words.append("--no-vacuum")
        script = prologue(access, bin_dir) + f"{command(*words)} | tee {REPORT_FILE}\n" + SUMMARISE
        files = access_files(access) | {"count.awk": COUNT_AWK, "percentiles.awk": PERCENTILES_AWK}
        return JobScript(script, files, asked.duration_s + self.run_timeout_s, (REPORT_FILE, LATENCY_FILE))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the report and the latency summary; raises BenchmarkFailed."""
        return read_result(results, log, self.settings.latency_sample)

    def progress(self, line: str) -> str | None:
        """What pgbench says every second of a run, and every few seconds of a load."""
        run = _RUN_PROGRESS.search(line)
        if run:
            seconds, tps, latency, failed = run.groups()
            errors = f", {failed} failed" if failed and failed != "0" else ""
            return f"{float(seconds):.0f} s: {float(tps):,.0f} transactions/s, latency {float(latency):.2f} ms{errors}"
        load = _LOAD_PROGRESS.search(line)
        return f"loading: {load.group(1)} % of the accounts" if load else None

    def _load_words(self, seconds: float, seed: int) -> list[str]:
        chosen = self.settings
        return [
            "pgbench",
            f"--builtin={chosen.script}",
            f"--client={chosen.clients}",
            f"--jobs={chosen.threads}",
            f"--time={math.ceil(seconds)}",
            f"--protocol={chosen.protocol}",
            f"--random-seed={seed}",
            "--progress=1",
        ]
