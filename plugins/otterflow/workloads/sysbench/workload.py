"""The scripts that load and run sysbench 1.0. Source: sysbench(1), and /usr/share/sysbench/oltp_common.lua.

What differs from one DBMS to another is in `ways`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.values import DatabaseAccess
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.remote.shell import join
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.sysbench.output import REPORT_FILE, read_result, run_progress, run_rate
from otterflow.workloads.sysbench.settings import SysbenchSettings
from otterflow.workloads.sysbench.ways import Way

BYTES_PER_ROW = 256
"""A row with its entries in two indexes, measured with 100,000 and 400,000 rows a table: 255."""
LARGEST_SEED = 2**31 - 2
"""sysbench's seed is a C int, and 0 means the current time."""
LOAD_SEED = 1

_LOAD_PROGRESS = re.compile(r"(Inserting \d+ records into|Creating a secondary index on) '(\w+)'")


@dataclass(frozen=True)
class SysbenchWorkload:
    """One of sysbench's OLTP tests. Times are in seconds."""

    settings: SysbenchSettings
    way: Way
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """sysbench, what its tables are tended with after the load, and what the scripts are made of."""
        return ("sysbench", *self.way.PROGRAMS, "stdbuf", "tee")

    def data_fingerprint(self) -> str:
        """All OLTP tests share the same tables."""
        return f"sysbench-{self.settings.tables}-{self.settings.table_size}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading."""
        return self.settings.scale * BYTES_PER_ROW

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Drop and fill the tables, several at the same time, then tend them, so that no run begins with that work."""
        chosen = self.settings
        threads = min(chosen.load_threads, chosen.tables)
        prepare = (f"--threads={threads}", f"--rand-seed={LOAD_SEED}", "prepare")
        tables = [f"sbtest{number}" for number in range(1, chosen.tables + 1)]
        lines = [
            join([*self._words(access), "cleanup"]),
            join(["stdbuf", "-oL", *self._words(access), *prepare]),
            self.way.after_load(tables),
        ]
        script = access.prologue(bin_dir) + "\n".join(lines) + "\n"
        return JobScript(script, self._files(access), self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The same load, whose numbers nobody reads."""
        if not asked.warms_up:
            return None
        words = self._run_words(access, asked.warmup_s, seed=2 * asked.seed)
        script = access.prologue(bin_dir) + join([*words, "run"]) + "\n"
        return JobScript(script, self._files(access), asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured load, with a histogram of the latencies in the report."""
        words = [*self._run_words(access, asked.duration_s, seed=2 * asked.seed + 1), "--histogram=on", "run"]
        script = access.prologue(bin_dir) + f"{join([*words])} | tee {REPORT_FILE}\n"
        return JobScript(script, self._files(access), asked.duration_s + self.run_timeout_s, (REPORT_FILE,))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the report; raises BenchmarkFailed."""
        return read_result(results, log)

    def progress(self, line: str) -> str | None:
        """What sysbench says every second of a run, and for every table of a load."""
        run = run_progress(line)
        if run:
            return run
        load = _LOAD_PROGRESS.search(line)
        return f"loading: {load.group(1).lower()} {load.group(2)}" if load else None

    def rate(self, line: str) -> float | None:
        """What sysbench says every second of a run."""
        return run_rate(line)

    def _files(self, access: DatabaseAccess) -> dict[str, str]:
        return access.files() | self.way.files(access)

    def _words(self, access: DatabaseAccess) -> list[str]:
        chosen = self.settings
        return [
            "sysbench",
            chosen.test,
            *self.way.options(access),
            f"--tables={chosen.tables}",
            f"--table-size={chosen.table_size}",
        ]

    def _run_words(self, access: DatabaseAccess, seconds: float, seed: int) -> list[str]:
        chosen = self.settings
        return [
            "stdbuf",
            "-oL",
            *self._words(access),
            f"--threads={chosen.threads}",
            f"--time={math.ceil(seconds)}",
            f"--rand-type={chosen.rand_type}",
            f"--rand-seed={1 + seed % LARGEST_SEED}",
            f"--db-ps-mode={'auto' if chosen.prepared else 'disable'}",
            "--percentile=99",
            "--report-interval=1",
        ]
