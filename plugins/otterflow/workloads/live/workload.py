"""The job that observes a live server. It runs on the driver host like any benchmark, so it outlives its task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.access import DatabaseAccess
from otterflow.workloads.job import JobScript, RunPlan, access_files, command, prologue
from otterflow.workloads.live.observation import AFTER_FILE, BEFORE_FILE, observe_sql
from otterflow.workloads.live.output import read_result
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.result import BenchmarkResult

STATEMENT_TIMEOUT_S = 60
"""No look at the statistics takes longer; a server that is too busy for it is not to be bothered."""

_LOAD = re.compile(r"live (-?[\d.]+) s, (-?[\d.]+) commits/s, (\d+) active")


@dataclass(frozen=True)
class LiveWorkload:
    """Observes; loads nothing, warms nothing up but lets `warmup_s` pass, and leaves the data alone."""

    settings: LiveSettings
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """psql, and what it waits with."""
        return ("psql", "sleep")

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
        return JobScript(command("sleep", f"{asked.warmup_s:g}") + "\n", {}, asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """One window, over one connection that is idle but for a look at the load now and then."""
        options = f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c default_transaction_read_only=on"
        script = (
            prologue(access, bin_dir)
            + f"export PGOPTIONS='{options} -c search_path=pg_catalog'\n"
            + command("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1")
            + " --file=observe.sql\n"
        )
        files = access_files(access) | observe_sql(self.settings.scope, asked.duration_s)
        return JobScript(script, files, asked.duration_s + self.run_timeout_s, (BEFORE_FILE, AFTER_FILE))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the two snapshots; raises BenchmarkFailed."""
        return read_result(results, self.settings.least_transactions)

    def progress(self, line: str) -> str | None:
        """The load since the line before."""
        found = _LOAD.fullmatch(line.strip())
        if found is None:
            return None
        at, rate, active = found.groups()
        return f"{float(at):.0f} s: {float(rate):,.1f} transactions/s, {active} active sessions"
