"""Keeping the whole data directory as a copy and putting it back: bash for remote jobs.

A copy puts back *everything* of the cluster, not the benchmark's database alone. So it is refused, when it is taken and
again immediately before it is put back, while the cluster holds anything of anybody else's; and it is not put back once
a role, a tablespace or the like has changed since it was taken.
"""

from __future__ import annotations

from otterflow.dbms.data_swap import (
    CAN_BE_SWAPPED,
    CHANGE_PLACES,
    COPY_ASIDE,
    NOTE_FILES,
    REFUSE_DAMAGE,
    REFUSE_FUNCTION,
    begin_swap,
    data_of,
    parts_inside,
    print_facts,
    refuse_changes,
)
from otterflow.dbms.postgresql.cluster import MAY_READ_PASSWORDS_SQL, PASSWORDS_SQL, facts_sql, others_sql
from otterflow.dbms.postgresql.dump import client
from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.postgresql.service import is_up_command, service_functions
from otterflow.dbms.start_report import STILL_RUNNING
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import join

FACTS_FILE = "cluster.txt"
"""What the cluster held beside its databases when the copy was taken; see `cluster.facts_sql`."""


def take(target: Target, access: DatabaseAccess) -> str:
    """Bash that copies the stopped server's data directory into `$new`, and starts the server again."""
    # The server is started again before the copy is declared whole: the experiment must not hang on the disk's speed.
    return f"""{_refusals(target)}
{client(target, access)}
{_questions(target)}
{service_functions(target)}
refuse_others
facts > "$new/{FACTS_FILE}"
stop_server || {{ echo "the server did not stop" >&2; exit {STILL_RUNNING}; }}
trap 'rm -rf -- "$new"; start_server' EXIT
echo "copying $data"
cp -a --reflink=auto -- "$data" "$new/data"
{NOTE_FILES}
trap 'rm -rf -- "$new"' EXIT
start_server"""


def restore(target: Target, access: DatabaseAccess) -> str:
    """Bash that puts `$kept` in the place of the data directory; the server is left stopped."""
    control = f"LC_ALL=C {program(target, 'pg_controldata')}"
    kept_files = join(
        [
            "postgresql.conf",
            "postgresql.auto.conf",
            "pg_hba.conf",
            "pg_ident.conf",
            *parts_inside(target, target.log_file),
        ]
    )
    return f"""{begin_swap(target)}
{_refusals(target)}
{REFUSE_DAMAGE}
identity() {{ {control} "$1" | sed -n 's/^Database system identifier: *//p'; }}
if [ "$(identity "$data")" != "$(identity "$kept/data")" ]; then
  refuse "$kept is a copy of another cluster than $data; remove it and take a snapshot again"
fi
{client(target, access)}
{_questions(target)}
{service_functions(target)}
rm -rf -- "$aside" "$old"
{is_up_command(target, access)} > /dev/null || start_server
refuse_others
refuse_changes
{COPY_ASIDE}
refuse_others
refuse_changes
stop_server || {{ echo "the server did not stop" >&2; exit {STILL_RUNNING}; }}
# The snapshot is of the data; configuration and log stay those of today.
for name in {kept_files}; do
  if [ -e "$data/$name" ]; then
    rm -rf -- "${{aside:?}}/$name"
    cp -a --reflink=auto -- "$data/$name" "$aside/$name"
  fi
done
{CHANGE_PLACES}"""


def facts_command(folder: str) -> str:
    """Print what the cluster held when the copy in `folder` was taken; nothing where that is not known."""
    return print_facts(folder, FACTS_FILE)


def _refusals(target: Target) -> str:
    """Bash that ends the script where a copy of the data directory would not be all of the data."""
    return f"""{data_of(target)}
{REFUSE_FUNCTION}
if [ ! -r "$data/PG_VERSION" ]; then refuse "$data is not readable by $(id -un), or is no data directory"; fi
if [ -n "$(find "$data/pg_tblspc" -mindepth 1 -print -quit)" ]; then refuse "the cluster has tablespaces"; fi
if [ -L "$data" ] || [ -L "$data/pg_wal" ]; then refuse "$data or its pg_wal is a symbolic link"; fi
{CAN_BE_SWAPPED}"""


def _questions(target: Target) -> str:
    """Bash that asks the running server what of others' it holds, and what has changed since the copy was taken."""
    return f"""refuse_others() {{
  local others
  others=$(ask <<'SQL'
{others_sql(target.database)};
SQL
)
  if [ -n "$others" ]; then refuse "it would put back the whole cluster, which also holds ${{others//$'\\n'/, }}"; fi
}}
facts() {{
  ask <<'SQL' | LC_ALL=C sort
{facts_sql(target.database)};
{MAY_READ_PASSWORDS_SQL} \\gset
\\if :may
{PASSWORDS_SQL};
\\endif
SQL
}}
{refuse_changes(FACTS_FILE)}"""
