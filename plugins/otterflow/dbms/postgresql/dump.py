"""Keeping one database as a dump and putting it back: bash for remote jobs.

A restore makes a database beside the benchmark's, fills it, and gives it the name in one transaction when it is whole;
the former database is dropped last. So whatever fails, and wherever it is interrupted, there is a whole database of the
name, and the same script may simply be run again: it clears away what the interrupted one left.
"""

from __future__ import annotations

from otterflow.dbms.postgresql.database import MAINTENANCE_DATABASE, MARK, beside
from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.postgresql.quoting import literal
from otterflow.dbms.postgresql.upkeep import upkeep_functions
from otterflow.dbms.snapshot_folder import NOT_POSSIBLE
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import quote

CREATE_FILE, PROPERTIES_FILE = "create.sql", "properties.sql"


def client(target: Target, access: DatabaseAccess) -> str:
    """Bash functions that lead PostgreSQL's clients to the server; the password stays in the job's file.

    `as_client` runs any of them, `ask` psql; in the maintenance database, unless it is told another.
    """
    variables = access.to(MAINTENANCE_DATABASE).environment() | {
        "PGAPPNAME": "otterflow",
        "PGCONNECT_TIMEOUT": "20",
        # What takes long here may take as long as the task; a role's or the database's own limits are for users.
        "PGOPTIONS": "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 "
        "-c default_transaction_read_only=off",
    }
    # What the host's environment may hold for libpq must not lead elsewhere; nor may this reach a server's environment.
    lines = ["as_client() (", "  unset PGSERVICE PGSERVICEFILE PGPASSWORD PGPASSFILE PGOPTIONS PGHOSTADDR"]
    lines += [f"  export {name}={quote(value)}" for name, value in variables.items()]
    if access.files():
        lines.append('  export PGPASSFILE="$PWD/pgpass"')
    lines += ['  "$@"', ")"]
    lines.append(f'ask() {{ as_client {program(target, "psql")} -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }}')
    return "\n".join([*lines, ""])


def take(target: Target, access: DatabaseAccess) -> str:
    """Bash that dumps the database into `$new`, and proves the dump by a restore of it."""
    pg_dump = program(target, "pg_dump")
    return f"""{client(target, access)}
{_functions(target)}
clear_leftovers
echo "dumping database $database"
as_client {pg_dump} --format=directory --jobs={target.snapshot.jobs} --compress=1 \\
  --file="$new/data" --dbname="$database"
ask -v database="$database" > "$new/{CREATE_FILE}" <<'SQL'
{_CREATE_SQL}SQL
ask -v database="$database" > "$new/{PROPERTIES_FILE}" <<'SQL'
{_PROPERTIES_SQL}SQL
echo "restoring the dump, to know that it can be done"
restore_from "$new"
"""


def restore(target: Target, access: DatabaseAccess) -> str:
    """Bash that puts the database back from `$kept`."""
    return f"""{client(target, access)}
{_functions(target)}
clear_leftovers
echo "restoring from $kept"
restore_from "$kept"
echo restored
"""


def _functions(target: Target) -> str:
    new, old = beside(target.database)
    restore_program, jobs = program(target, "pg_restore"), target.snapshot.jobs
    return f"""{upkeep_functions(target)}database={quote(target.database)} beside={quote(new)} aside={quote(old)}
remove_new() {{ [ -z "${{new:-}}" ] || rm -rf -- "$new"; }}
drop_database() {{
  ask -v database="$1" <<'SQL'
{_DROP_SQL}SQL
}}
is_there() {{ [ -n "$(ask -v database="$1" <<< {quote(_IS_THERE_SQL)})" ]; }}
clear_leftovers() {{
  local whose
  whose=$(ask -v database="$database" <<'SQL'
{_WHOSE_SQL}SQL
)
  if [ -n "$whose" ]; then echo "snapshot: database $database $whose; nothing was touched" >&2; exit {NOT_POSSIBLE}; fi
  drop_database "$beside"
  if is_there "$database"; then drop_database "$aside"; fi
}}
unknown_settings() {{
  local names
  names=$({restore_program} --section=pre-data --file=- "$1" |
    sed -n '1,/^SET row_security/s/^SET \\([a-z_.]*\\) = .*/\\1/p')
  ask -v names="$names" <<'SQL'
{_UNKNOWN_SETTINGS_SQL}SQL
}}
fill() {{
  local unknown name expression=
  unknown=$(unknown_settings "$1")
  if [ -z "$unknown" ]; then
    as_client {restore_program} --exit-on-error --jobs={jobs} --dbname="$beside" "$1"
    return
  fi
  echo "pg_restore is newer than the server, which has no $(echo $unknown): their lines are left out, in one session"
  for name in $unknown; do expression+="/^SET $name = /d;"; done
  {restore_program} --file=- "$1" | sed "1,/^SET row_security/{{$expression}}" |
    ask --dbname="$beside" > /dev/null
}}
put_in_place() {{
  ask -v database="$database" -v beside="$beside" -v aside="$aside" <<'SQL'
{_SWAP_SQL}SQL
}}
restore_from() {{
  local round
  trap 'drop_database "$beside" || echo "database $beside is left; the next try drops it"; remove_new' EXIT
  ask -v beside="$beside" --file="$1/{CREATE_FILE}"
  ask -v beside="$beside" <<< {quote(_BEGUN_SQL)}
  fill "$1/data"
  ask -v beside="$beside" --file="$1/{PROPERTIES_FILE}"
  echo "vacuum and analyze"
  vacuum_own "$beside"
  for round in 1 2 3 4 5; do
    if put_in_place; then break; fi
    if [ $round = 5 ]; then echo "database $database could not be replaced; it is as it was" >&2; exit 1; fi
    sleep 1
  done
  trap remove_new EXIT
  drop_database "$aside" || echo "database $aside is left; the next restore drops it"
  checkpoint_if_allowed
}}
"""


# A database that an interrupted DROP has left invalid can only be dropped, and takes no other order.
_DROP_SQL = r"""SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS false', datname)
  FROM pg_database WHERE datname = :'database' AND datconnlimit <> -2 \gexec
SELECT count(pg_terminate_backend(pid)) AS terminated
  FROM pg_stat_activity
 WHERE datname = :'database' AND pid <> pg_backend_pid() AND backend_type = 'client backend' \gset
SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname = :'database' \gexec
"""

_IS_THERE_SQL = "SELECT 1 FROM pg_database WHERE datname = :'database'"

_BEGUN_SQL = f'COMMENT ON DATABASE :"beside" IS {literal(MARK + " restoring used")}'

_WHOSE_SQL = f"""SELECT 'is not what otterflow loaded: its comment does not say so'
  FROM pg_database
 WHERE datname = :'database' AND coalesce(shobj_description(oid, 'pg_database'), '') NOT LIKE {literal(MARK + " %")};
"""  # noqa: S608 a constant

_UNKNOWN_SETTINGS_SQL = r"""SELECT name FROM regexp_split_to_table(:'names', '\n') AS name
 WHERE name <> '' AND current_setting(name, true) IS NULL;
"""

# Who is connected to the database keeps it from being renamed; who connects while it is renamed waits, and finds the
# new one.
_SWAP_SQL = r"""SELECT format('DROP DATABASE %I', datname)
  FROM pg_database WHERE datname = :'database' AND datconnlimit = -2 \gexec
SELECT count(pg_terminate_backend(pid)) AS terminated
  FROM pg_stat_activity
 WHERE datname IN (:'database', :'beside') AND pid <> pg_backend_pid() AND backend_type = 'client backend' \gset
BEGIN;
SELECT format('ALTER DATABASE %I RENAME TO %I', datname, :'aside')
  FROM pg_database WHERE datname = :'database' \gexec
ALTER DATABASE :"beside" RENAME TO :"database";
COMMIT;
"""

# pg_restore makes a database only under the name that the dump has. Columns that not all versions have are taken from
# the row as JSON.
_CREATE_SQL = r"""SELECT format('CREATE DATABASE :"beside" TEMPLATE template0 OWNER %I ENCODING %L',
              pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding))
    || format(' LC_COLLATE %L LC_CTYPE %L', d.datcollate, d.datctype)
    || CASE r.of->>'datlocprovider'
         WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(r.of->>'daticulocale', r.of->>'datlocale'))
         WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', r.of->>'datlocale')
         ELSE '' END
    || coalesce(' ICU_RULES ' || quote_literal(nullif(r.of->>'daticurules', '')), '')
    || CASE WHEN t.spcname = 'pg_default' THEN '' ELSE format(' TABLESPACE %I', t.spcname) END
    || ';'
  FROM pg_database d
  JOIN pg_tablespace t ON t.oid = d.dattablespace
 CROSS JOIN LATERAL (SELECT to_jsonb(d) AS of) r
 WHERE d.datname = :'database';
"""

# The values of list settings are kept as they are written, others as one text.
_PROPERTIES_SQL = r"""SELECT format('COMMENT ON DATABASE :"beside" IS %L;', shobj_description(oid, 'pg_database'))
  FROM pg_database WHERE datname = :'database';
SELECT format('ALTER DATABASE :"beside" CONNECTION LIMIT %s;', datconnlimit)
  FROM pg_database WHERE datname = :'database' AND datconnlimit <> -1;
SELECT 'REVOKE ALL ON DATABASE :"beside" FROM PUBLIC;'
  FROM pg_database WHERE datname = :'database' AND datacl IS NOT NULL;
SELECT format('GRANT %s ON DATABASE :"beside" TO %s%s;', a.privilege_type,
              CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
              CASE WHEN a.is_grantable AND a.grantee <> d.datdba THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a WHERE d.datname = :'database';
SELECT CASE WHEN s.setrole = 0 THEN 'ALTER DATABASE :"beside" SET '
            ELSE format('ALTER ROLE %I IN DATABASE :"beside" SET ', pg_get_userbyid(s.setrole)) END
    || e.name || ' TO '
    || CASE WHEN e.name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
            THEN CASE WHEN e.value = '""' THEN '''''' ELSE e.value END
            ELSE quote_literal(e.value) END
    || ';'
  FROM pg_db_role_setting s
  JOIN pg_database d ON d.oid = s.setdatabase
 CROSS JOIN LATERAL unnest(s.setconfig) AS c(entry)
 CROSS JOIN LATERAL (SELECT split_part(c.entry, '=', 1), substr(c.entry, strpos(c.entry, '=') + 1)) AS e(name, value)
 WHERE d.datname = :'database';
"""
