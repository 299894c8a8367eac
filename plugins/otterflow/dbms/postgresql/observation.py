"""A server watched under its own users' load: what it must offer, the script that psql runs, and what it left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from otterflow.dbms.postgresql.observation_output import NOT_INSTALLED
from otterflow.dbms.postgresql.observation_output import read_result as read_result
from otterflow.dbms.postgresql.observation_sql import AFTER_FILE, BEFORE_FILE, observe_sql
from otterflow.dbms.values import DatabaseAccess, Query, Requirements
from otterflow.errors import Problem
from otterflow.remote.script import JobScript
from otterflow.remote.shell import join

STATEMENT_TIMEOUT_S = 60
"""No look at the statistics takes longer; a server that is too busy for it is not to be bothered."""

REQUIREMENTS_SQL = """
SELECT current_user::text AS name, current_database()::text AS database,
       has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE') AS may_reload,
       EXISTS (SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max') AS preloaded,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements') AS made,
       (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries') AS libraries"""
"""One row, asked in the target's database: the user, what they may do, and whether statements are counted."""


def requirements(query: Query) -> Requirements:
    """What the server lacks, asked in the target's database."""
    row = query(REQUIREMENTS_SQL)[0]
    return Requirements(problems(row), statements_problem(row))


def problems(row: Mapping[str, Any]) -> list[Problem]:
    """What is missing for any observation, of `REQUIREMENTS_SQL`'s row."""
    if row["may_reload"]:
        return []
    advice = f'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO "{row["name"]}"'
    return [Problem("sql_conn_id", f"user {row['name']!r} may not reload the configuration", advice)]


def statements_problem(row: Mapping[str, Any]) -> Problem | None:
    """How to install pg_stat_statements, or None where it is there."""
    steps = []
    if not row["preloaded"]:
        libraries = ", ".join(part for part in (row["libraries"], "pg_stat_statements") if part)
        steps.append(f"set shared_preload_libraries = '{libraries}' and restart the server (once, before tuning)")
    if not row["made"]:
        steps.append(f"CREATE EXTENSION pg_stat_statements in database {row['database']!r}")
    if not steps:
        return None
    advice = "; ".join(steps) + "; or tune for throughput, which needs neither"
    return Problem("objective", f"latency_mean cannot be measured: {NOT_INSTALLED}", advice)


_LOAD = re.compile(r"live (-?[\d.]+) s, (-?[\d.]+) commits/s, (\d+) active")


def programs() -> tuple[str, ...]:
    """psql, and what it waits with."""
    return ("psql", "sleep")


def observe(access: DatabaseAccess, bin_dir: str | None, *, scope: str, duration_s: float) -> JobScript:
    """One window, over one connection that is idle but for a look at the load now and then."""
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c default_transaction_read_only=on"
    psql = ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
    script = (
        access.prologue(bin_dir)
        + f"export PGOPTIONS='{options} -c search_path=pg_catalog'\n"
        + f"{join(psql)} --file=observe.sql\n"
    )
    return JobScript(script, access.files() | observe_sql(scope, duration_s), results=(BEFORE_FILE, AFTER_FILE))


def progress(line: str) -> str | None:
    """The load since the line before."""
    found = _LOAD.fullmatch(line.strip())
    if found is None:
        return None
    at, rate, active = found.groups()
    return f"{float(at):.0f} s: {float(rate):,.1f} transactions/s, {active} active sessions"
