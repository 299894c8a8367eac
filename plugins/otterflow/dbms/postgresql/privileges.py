"""What the SQL user may do, and what it lacks for tuning its target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.postgresql.quoting import literal
from otterflow.errors import Problem
from otterflow.target import SnapshotMethod, Target


def privileges_sql(database: str) -> str:
    """One row on the connected user; `owns_database` is NULL where the database does not exist."""
    return f"""
SELECT current_user::text AS name, r.rolsuper AS superuser, r.rolcreatedb AS createdb,
       pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS read_all_settings,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS read_all_stats,
       pg_has_role(current_user, 'pg_signal_backend', 'USAGE') AS signal_backend,
       has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
         AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS read_file_settings,
       (SELECT pg_has_role(current_user, d.datdba, 'USAGE')
          FROM pg_catalog.pg_database d WHERE d.datname = {literal(database)}) AS owns_database
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = current_user
"""  # noqa: S608 quoted


def missing_privileges(row: Mapping[str, Any], target: Target, *, live: bool = False) -> list[Problem]:
    """What must be granted before the target can be tuned; none for a superuser. `row` is `privileges_sql`'s.

    The data of a `live` server are never restored, so it needs no privilege for that.
    """
    if row["superuser"]:
        return []
    user = row["name"]
    field = f"sql_conn_id {target.sql_conn_id!r}"
    problems = []
    if not (row["read_all_settings"] and row["read_all_stats"]):
        found = f"user {user!r} may not read all settings and statistics"
        problems.append(Problem(field, found, f'GRANT pg_monitor TO "{user}"'))
    if target.snapshot.method is SnapshotMethod.dump and not live:
        problems += _to_restore(row, target, field)
    return problems


def limits_of(row: Mapping[str, Any]) -> list[Problem]:
    """What works less well for want of a privilege, but works; for the log and not to refuse the target."""
    if row["superuser"] or row["read_file_settings"]:
        return []
    advice = (
        f'GRANT SELECT ON pg_file_settings TO "{row["name"]}"; '
        f'GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO "{row["name"]}"'
    )
    return [Problem("pg_file_settings", "errors in configuration files are seen only after a restart", advice)]


def _to_restore(row: Mapping[str, Any], target: Target, field: str) -> list[Problem]:
    user, database = row["name"], target.database
    problems = []
    if not row["createdb"]:
        found = f"user {user!r} may not create database {database!r} anew when it is restored"
        problems.append(Problem(field, found, f'ALTER ROLE "{user}" CREATEDB, or use snapshot.method copy'))
    if row["owns_database"] is False:
        found = f"user {user!r} does not own database {database!r}, which a restore drops"
        problems.append(Problem(field, found, f'ALTER DATABASE "{database}" OWNER TO "{user}"'))
    if not row["signal_backend"]:
        found = f"user {user!r} may not end other users' sessions in {database!r}, which would stop a restore"
        problems.append(Problem(field, found, f'GRANT pg_signal_backend TO "{user}"'))
    return problems
