"""What a live server must offer before it is observed and given new configurations without a restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.errors import Problem
from otterflow.workloads.live.output import NOT_INSTALLED

REQUIREMENTS_SQL = """
SELECT current_user::text AS name, current_database()::text AS database,
       has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE') AS may_reload,
       EXISTS (SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max') AS preloaded,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements') AS made,
       (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries') AS libraries"""
"""One row, asked in the target's database: the user, what they may do, and whether statements are counted."""


def problems(row: Mapping[str, Any], *, needs_statements: bool) -> list[Problem]:
    """What is missing, of `REQUIREMENTS_SQL`'s row; pg_stat_statements only where the objective is read from it."""
    found = []
    if not row["may_reload"]:
        advice = f'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO "{row["name"]}"'
        found.append(Problem("sql_conn_id", f"user {row['name']!r} may not reload the configuration", advice))
    if needs_statements and (problem := statements_problem(row)):
        found.append(problem)
    return found


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
