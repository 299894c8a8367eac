"""Keeping the whole data directory as a copy and putting it back: bash for remote jobs.

A copy puts back *everything* that the server holds, not the benchmark's database alone. So it is refused, when it is
taken and again immediately before it is put back, while the server holds anything of anybody else's; and it is not put
back once an account, a privilege or the like has changed since it was taken. The server is stopped in order before it
is copied: the redo log in the copy is one that a server with a redo log of another size can begin with.
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
from otterflow.dbms.mysql_family.job_client import client_functions
from otterflow.dbms.mysql_family.others import PASSWORDS_SQL, facts_sql, others_sql, outside_sql
from otterflow.dbms.mysql_family.service import FamilyService
from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.start_report import STILL_RUNNING
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import join

FACTS_FILE = "server.txt"
"""What the server held beside its databases when the copy was taken; see `others.facts_sql`."""


def take(service: FamilyService, target: Target) -> str:
    """Bash that copies the stopped server's data directory into `$new`, and starts the server again."""
    # The server is started again before the copy is declared whole: the experiment must not hang on the disk's speed.
    return f"""{_refusals(target)}
{client_functions(service.product, target)}
{_questions(target)}
{service.functions(target)}
{_AS_IT_COMES}
refuse_others
facts > "$new/{FACTS_FILE}"
as_it_comes stop_server || {{ echo "the server did not stop" >&2; exit {STILL_RUNNING}; }}
trap 'rm -rf -- "$new"; as_it_comes start_server' EXIT
echo "copying $data"
cp -a --reflink=auto -- "$data" "$new/data"
{NOTE_FILES}
trap 'rm -rf -- "$new"' EXIT
as_it_comes start_server"""


def restore(service: FamilyService, target: Target, access: DatabaseAccess) -> str:
    """Bash that puts `$kept` in the place of the data directory; the server is left stopped."""
    kept_files = join(["mysqld-auto.cnf", *_today_inside(target)])
    return f"""{begin_swap(target)}
{_refusals(target)}
{REFUSE_DAMAGE}
{_IDENTITY}
if [ "$(identity "$data")" != "$(identity "$kept/data")" ]; then
  refuse "$kept is a copy of another server than $data; remove it and take a snapshot again"
fi
{client_functions(service.product, target)}
{_questions(target)}
{service.functions(target)}
{_AS_IT_COMES}
rm -rf -- "$aside" "$old"
( set +eu
{service.is_up_command(target, access)} ) > /dev/null || as_it_comes start_server
refuse_others
refuse_changes
{COPY_ASIDE}
refuse_others
refuse_changes
as_it_comes stop_server || {{ echo "the server did not stop" >&2; exit {STILL_RUNNING}; }}
# The snapshot is of the data; configuration and log stay those of today.
for name in {kept_files}; do
  rm -rf -- "${{aside:?}}/$name"
  if [ -e "$data/$name" ]; then cp -a --reflink=auto -- "$data/$name" "$aside/$name"; fi
done
{CHANGE_PLACES}"""


def facts_command(folder: str) -> str:
    """Print what the server held when the copy in `folder` was taken; nothing where that is not known."""
    return print_facts(folder, FACTS_FILE)


# The service's functions look at exit codes themselves, and are no script that ends at the first.
_AS_IT_COMES = 'as_it_comes() ( set +eu +o pipefail; "$@" )'

# MySQL keeps the name that it has made for itself in auto.cnf; MariaDB's Aria one in the head of its control file.
_IDENTITY = """identity() {
  if [ -e "$1/auto.cnf" ]; then cat -- "$1/auto.cnf"; fi
  if [ -e "$1/aria_log_control" ]; then head -c 20 -- "$1/aria_log_control" | od -An -tx1 -j 4; fi
}"""


def _refusals(target: Target) -> str:
    """Bash that ends the script where a copy of the data directory would not be all of the data."""
    return f"""{data_of(target)}
{REFUSE_FUNCTION}
if [ ! -r "$data/mysql" ]; then refuse "$data is not readable by $(id -un), or is no data directory"; fi
linked=$(find "$data" \\( -type l -o -name '*.isl' \\) -print -quit)
if [ -n "$linked" ] || [ -L "$data" ]; then refuse "${{linked:-$data}} leads out of the data directory"; fi
{CAN_BE_SWAPPED}
for file in master.info multi-master.info; do
  if [ -s "$data/$file" ]; then refuse "the server is a replica of another"; fi
done"""


def _questions(target: Target) -> str:
    """Bash that asks the running server what of others' it holds, and what has changed since the copy was taken."""
    return f"""refuse_others() {{
  local others
  others=$(ask <<'SQL'
{outside_sql()};
SQL
)
  if [ -n "$others" ]; then refuse "the server keeps data elsewhere: ${{others//$'\\n'/, }}"; fi
  others=$(ask <<'SQL'
{others_sql(target.database)};
SQL
)
  if [ -n "$others" ]; then refuse "it would put back the whole server, which also holds ${{others//$'\\n'/, }}"; fi
}}
facts() {{
  {{
    ask <<'SQL'
{facts_sql()};
SQL
    ask 2> /dev/null <<'SQL' || true
{PASSWORDS_SQL};
SQL
  }} | LC_ALL=C sort -u
}}
{refuse_changes(FACTS_FILE)}"""


def _today_inside(target: Target) -> list[str]:
    """The parts of the data directory that hold the log and the server's option file, where they lie there."""
    paths = [target.log_file]
    if isinstance(target.service, OwnServer):
        paths.append(target.service.config_file)
    return parts_inside(target, *paths)
