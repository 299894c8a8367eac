"""Keeping one database as a dump and putting it back: bash for remote jobs.

Every table is a file of its own, so several are written and read at the same time. A restore makes a database beside
the benchmark's, fills it, and changes all tables in one statement when it is whole (`database.move_sql`); the former
tables are dropped last. So whatever fails, and wherever it is interrupted, there is a whole database of the name, and
the same script may simply be run again: it clears away what the interrupted one left.
"""

from __future__ import annotations

from otterflow.dbms.mysql_family import dump_sql
from otterflow.dbms.mysql_family.database import beside, drop_sql, make_mark_sql, mark_text, set_mark_sql
from otterflow.dbms.mysql_family.job_client import client_functions
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.snapshot_folder import NOT_POSSIBLE
from otterflow.dbms.target import Target
from otterflow.remote.shell import join, quote

_DUMP = (
    "--single-transaction", "--skip-lock-tables", "--skip-add-locks", "--no-autocommit", "--hex-blob",
    "--no-tablespaces", "--default-character-set=utf8mb4", "--max-allowed-packet=1G",
)  # fmt: skip
"""One transaction for each table: that is what makes its load quick. No lock: a foreign key's other table, which is
loaded at the same time, would have to be locked with it."""
RESTORING = mark_text("restoring", "used")


def take(product: Product, target: Target) -> str:
    """Bash that dumps the database into `$new`, and proves the dump by a restore of it."""
    return f"""{_functions(product, target)}
clear_leftovers
echo "dumping database $database"
mkdir -- "$new/data"
ask > "$new/characters" {_here(dump_sql.characters(target.database))}
ask > "$new/mark" {_here(dump_sql.mark(target.database))}
ask > "$new/tables" {_here(dump_sql.tables(target.database))}
ask > "$new/views" {_here(dump_sql.views(target.database))}
in_parallel dump_table < "$new/tables"
dump_rest > "$new/rest.sql"
echo "restoring the dump, to know that it can be done"
restore_from "$new"
"""


def restore(product: Product, target: Target) -> str:
    """Bash that puts the database back from `$kept`."""
    return f"""{_functions(product, target)}
clear_leftovers
echo "restoring from $kept"
restore_from "$kept"
echo restored
"""


def parallel_function(jobs: int) -> str:
    """A function that runs a command for each line of its input, with its number and itself, some at the same time."""
    # Each is waited for by its id: `wait -n` may miss one that has ended before.
    return f"""in_parallel() {{
  local line pid number=0 failed=0 pids=()
  while IFS= read -r line; do
    if [ "${{#pids[@]}}" -ge {jobs} ]; then wait "${{pids[0]}}" || failed=1; pids=("${{pids[@]:1}}"); fi
    number=$((number + 1))
    "$@" "$number" "$line" < /dev/null &
    pids+=("$!")
  done
  for pid in "${{pids[@]}}"; do wait "$pid" || failed=1; done
  return "$failed"
}}"""


def load_function(product: Product, target: Target) -> str:
    """A function `load_sql DATABASE`: the SQL of its input. MariaDB's dumps begin with a line that MySQL refuses."""
    client = f"as_client {program(target, product.client)} --batch --max-allowed-packet=1G"
    # Before an error the client tells the statement, which has data in it.
    quiet = "2> >(sed -n '/^ERROR/p' >&2)"
    return f"load_sql() {{ sed '1{{/enable the sandbox mode/d}}' | {client} --database=\"$1\" {quiet}; }}"


def _functions(product: Product, target: Target) -> str:
    new, old = beside(target.database)
    database = target.database
    dump_program = program(target, product.dump)
    words = join([*_DUMP, *product.dump_options])
    return f"""{client_functions(product, target)}
{parallel_function(target.snapshot.jobs)}
{load_function(product, target)}
database={quote(database)}
remove_new() {{ [ -z "${{new:-}}" ] || rm -rf -- "$new"; }}
end_jobs() {{ kill $(jobs -p) 2> /dev/null || true; }}
drop_beside() {{ ask <<< {quote(drop_sql(new))}; }}
drop_old() {{ ask <<< {quote(drop_sql(old))}; }}
dump_table() {{
  as_client {dump_program} {words} --skip-triggers -- "$database" "$2" |
    gzip -1 > "$new/data/$(printf '%06d' "$1").sql.gz"
}}
dump_rest() {{
  local views
  as_client {dump_program} {words} --no-create-info --no-data --triggers --routines --events -- "$database"
  mapfile -t views < "$new/views"
  if [ "${{#views[@]}}" -gt 0 ]; then as_client {dump_program} {words} --no-data -- "$database" "${{views[@]}}"; fi
}}
clear_leftovers() {{
  local whose
  whose=$(ask {_here(dump_sql.whose(database))}
)
  if [ -n "$whose" ]; then echo "snapshot: database $database $whose; nothing was touched" >&2; exit {NOT_POSSIBLE}; fi
  drop_beside
  drop_old
}}
load_file() {{ gzip -dc -- "$2" | load_sql {quote(new)}; }}
end_sessions() {{
  ask {_here(dump_sql.sessions(database))} | ask --force || true
}} 2> /dev/null
put_in_place() {{
  local statement
  end_sessions
  ask {_here(dump_sql.drop_what_stays(database))} | ask
  statement=$(ask {_here(dump_sql.swap(database, new, old))}
)
  ask <<< "$statement"
}}
restore_from() {{
  local round mark
  mark=$(cat -- "$1/mark")
  trap 'end_jobs; drop_beside || echo "a database beside $database is left; the next try drops it"; remove_new' EXIT
  {{ printf '%s ' {quote(f"CREATE DATABASE {identifier(new)}")}; cat -- "$1/characters"; }} | ask
  ask <<< {quote(make_mark_sql(new, RESTORING))}
  find "$1/data" -name '*.sql.gz' | sort | in_parallel load_file
  ask {_here(dump_sql.analyze(new))} | ask > /dev/null
  {{ printf '%s ' {quote(f"CREATE DATABASE IF NOT EXISTS {identifier(database)}")}; cat -- "$1/characters"; }} | ask
  ask <<< {quote(f"CREATE DATABASE {identifier(old)}")}
  for round in 1 2 3 4 5; do
    if put_in_place; then break; fi
    if [ $round = 5 ]; then echo "database $database could not be replaced; its tables stay" >&2; exit 1; fi
    sleep 1
  done
  load_sql "$database" < "$1/rest.sql"
  set_mark "$mark"
  trap remove_new EXIT
  drop_beside
  drop_old || echo "a database beside $database is left; the next restore drops it"
}}
set_mark() {{
  {{ printf '%s ' {quote(set_mark_sql(database))}; printf "'%s';\n" "$1"; }} | ask
}}
"""


def _here(sql: str) -> str:
    """SQL as a command's input."""
    return f"<<< {quote(sql)}"
