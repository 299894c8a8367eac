"""A server watched under its own users' load: what it must offer, the script that its client runs, and what it left.

Status variables tell how many statements it has answered, of all databases together. Where the performance schema is
on, their mean time and their failures come from there; and where its digests hold all of a database's statements,
which MySQL's do, those of one database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from otterflow.dbms.mysql_family.observation_output import NOT_COUNTED, read_result
from otterflow.dbms.mysql_family.observation_sql import (
    AFTER_FILE,
    BEFORE_FILE,
    COUNTED_SQL,
    Counters,
    observe_files,
    observe_script,
)
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.values import DatabaseAccess, Query, Requirements, StatementRefused
from otterflow.errors import Problem
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript

_USER_SQL = "SELECT CURRENT_USER() AS name, @@performance_schema AS is_on"
_LOAD = re.compile(r"live (-?[\d.]+) s, (-?[\d.]+) statements/s, (-?\d+) active")


class FamilyObservation:
    """The part `observation` for one product; see `otterflow.dbms.base.Observation`."""

    def __init__(self, product: Product, tables: Counters) -> None:
        self.product, self.tables = product, tables

    def requirements(self, query: Query) -> Requirements:
        """What the server lacks: nothing for its throughput, which every user may read."""
        row = query(_USER_SQL)[0]
        advice = self._advice(query, str(row["name"]), is_on=bool(row["is_on"]))
        if advice is None:
            return Requirements([], None)
        found = f"latency_mean cannot be measured: {NOT_COUNTED}; throughput is that of all databases together"
        return Requirements([], Problem("objective", found, f"{advice}; or tune for throughput, which needs neither"))

    @staticmethod
    def _advice(query: Query, user: str, *, is_on: bool) -> str | None:
        """How to have statements counted and read; None where they are."""
        if not is_on:
            return "set performance_schema = ON in an option file and restart the server (once, before tuning)"
        try:
            if next(iter(query(COUNTED_SQL.rstrip("; \n"))[0].values())):
                return None
        except StatementRefused:
            name, _, host = user.rpartition("@")
            return f"GRANT SELECT ON performance_schema.* TO {identifier(name)}@{identifier(host)}"
        return "UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME = 'statements_digest'"

    def programs(self) -> tuple[str, ...]:
        """The client, and what the job waits with."""
        return self.product.client, "sleep"

    def observe(self, access: DatabaseAccess, bin_dir: str | None, *, scope: str, duration_s: float) -> JobScript:
        """One window, over one session that is idle but for a look at the load now and then."""
        script = access.prologue(bin_dir) + observe_script(duration_s)
        files = access.files() | observe_files(self.tables, scope, access.database)
        return JobScript(script, files, results=(BEFORE_FILE, AFTER_FILE))

    def progress(self, line: str) -> str | None:
        """The load since the line before."""
        found = _LOAD.fullmatch(line.strip())
        if found is None:
            return None
        at, rate, active = found.groups()
        return f"{float(at):.0f} s: {float(rate):,.1f} statements/s, {max(0, int(active))} active sessions"

    def read_result(self, results: Mapping[str, str], least_transactions: int) -> BenchmarkResult:
        """The result from the two files that the script left."""
        return read_result(results, least_transactions)
