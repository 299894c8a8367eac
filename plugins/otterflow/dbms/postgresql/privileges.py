"""What the SQL user may do, and what it lacks for tuning its target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.postgresql.quoting import identifier, literal
from otterflow.dbms.target import Target
from otterflow.errors import Problem

MAY_READ_FILES_SQL = """
SELECT has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
       AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS may
"""
"""Whether the role may read pg_file_settings in this database: asked first, for a refusal is an error in the log."""

MAY_CHECKPOINT_SQL = """
SELECT me.rolsuper OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles r
                               WHERE r.rolname = 'pg_checkpoint' AND pg_has_role(r.oid, 'USAGE')) AS may
  FROM pg_catalog.pg_roles me WHERE me.rolname = current_user
"""
"""Whether the role may ask for a checkpoint; before PostgreSQL 15 only a superuser may."""


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

    The data of a `live` server are never loaded or restored, so it needs no privilege for that. Whose the database is
    is another question, asked by whoever knows what is in it: `not_owned`.
    """
    if row["superuser"]:
        return []
    user = identifier(row["name"])
    problems = []
    if not (row["read_all_settings"] and row["read_all_stats"]):
        found = f"user {row['name']!r} may not read all settings and statistics"
        problems.append(Problem(_field(target), found, f"GRANT pg_monitor TO {user}"))
    if live:
        return problems
    if not row["createdb"]:
        found = f"user {row['name']!r} may not create database {target.database!r}, which is made anew for the data"
        problems.append(Problem(_field(target), found, f"ALTER ROLE {user} CREATEDB"))
    if not row["signal_backend"]:
        found = f"user {row['name']!r} may not end other users' sessions in {target.database!r}, which would stop that"
        problems.append(Problem(_field(target), found, f"GRANT pg_signal_backend TO {user}"))
    return problems


def not_owned(row: Mapping[str, Any], target: Target) -> list[Problem]:
    """That the user cannot drop the database, which is otterflow's or empty; none where it is absent."""
    if row["superuser"] or row["owns_database"] is not False:
        return []
    found = f"user {row['name']!r} does not own database {target.database!r}, which is dropped and made anew"
    advice = (
        "name one that is not there yet, or, as this one is empty, of otterflow's making, or a copy, "
        f"ALTER DATABASE {identifier(target.database)} OWNER TO {identifier(row['name'])}"
    )
    return [Problem(_field(target), found, advice)]


def limits_of(row: Mapping[str, Any]) -> list[Problem]:
    """What works less well for want of a privilege, but works; for the log and not to refuse the target."""
    if row["superuser"] or row["read_file_settings"]:
        return []
    user = identifier(row["name"])
    advice = (
        f"GRANT SELECT ON pg_file_settings TO {user}; GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO {user}"
    )
    return [Problem("pg_file_settings", "errors in configuration files are seen only after a restart", advice)]


def _field(target: Target) -> str:
    return f"sql_conn_id {target.sql_conn_id!r}"
