"""Bash that tends restored data: vacuum, analyze, checkpoint, with nothing that the role's privileges do not cover.

A statement that is refused, and each shared table of the system that `vacuumdb` passes over, would leave a line in the
server's log, which somebody reads.
"""

from __future__ import annotations

from otterflow.dbms.postgresql.privileges import MAY_CHECKPOINT_SQL
from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.target import Target

OWN_TABLES_SQL = """
SELECT '--table=' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND pg_has_role(c.relowner, 'USAGE')
"""


def upkeep_functions(target: Target) -> str:
    """Functions `vacuum_own DATABASE` and `checkpoint_if_allowed`; `as_client` of `dump.client` leads to the server."""
    psql = f"as_client {program(target, 'psql')} -X -q -At -v ON_ERROR_STOP=1"
    return f"""vacuum_own() {{
  local found tables
  found=$({psql} --dbname="$1" <<'SQL'
{OWN_TABLES_SQL}SQL
  )
  if [ -z "$found" ]; then return; fi
  mapfile -t tables <<< "$found"
  as_client {program(target, "vacuumdb")} --quiet --analyze --jobs={target.snapshot.jobs} --dbname="$1" "${{tables[@]}}"
}}
checkpoint_if_allowed() {{
  if [ "$({psql} <<'SQL'
{MAY_CHECKPOINT_SQL}SQL
  )" = t ]; then {psql} -c CHECKPOINT; else echo "no CHECKPOINT: the user may not; the restart makes one"; fi
}}
"""
