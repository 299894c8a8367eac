"""Keeping the whole data directory as a copy and putting it back: bash for remote jobs.

A copy puts back *everything* of the cluster, not the benchmark's database alone. So it is refused, when it is taken and
again immediately before it is put back, while the cluster holds anything of anybody else's; and it is not put back once
a role, a tablespace or the like has changed since it was taken.
"""

from __future__ import annotations

from otterflow.dbms.postgresql.cluster import MAY_READ_PASSWORDS_SQL, PASSWORDS_SQL, facts_sql, others_sql
from otterflow.dbms.postgresql.dump import client
from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.postgresql.service import STILL_RUNNING, is_up_command, service_functions
from otterflow.dbms.snapshot_folder import NOT_POSSIBLE
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import join, quote

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
trap 'rm -rf -- "$new"' EXIT
start_server"""


def restore(target: Target, access: DatabaseAccess) -> str:
    """Bash that puts `$kept` in the place of the data directory; the server is left stopped."""
    control = f"LC_ALL=C {program(target, 'pg_controldata')}"
    kept_files = join(["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", *_log_inside(target)])
    return f"""data={quote(target.data_dir.rstrip("/"))}
aside="$data.otterflow-new" old="$data.otterflow-old"
if [ ! -e "$data" ] && [ -e "$old" ]; then mv -T -- "$old" "$data"; fi
{_refusals(target)}
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
trap 'if [ ! -e "$data" ]; then mv -T -- "$old" "$data"; fi; rm -rf -- "$aside"' EXIT
echo "copying $kept"
cp -a --reflink=auto -- "$kept/data" "$aside"
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
sync -f -- "$aside"
mv -T -- "$data" "$old"
mv -T -- "$aside" "$data"
trap - EXIT
sync -f -- "$data"
rm -rf -- "$old"
echo restored
"""


def facts_command(folder: str) -> str:
    """Print what the cluster held when the copy in `folder` was taken; nothing where that is not known."""
    path = quote(f"{folder}/{FACTS_FILE}")
    return f"if [ -e {path} ]; then cat -- {path}; fi"


def _refusals(target: Target) -> str:
    """Bash that ends the script where a copy of the data directory would not be all of the data."""
    return f"""data={quote(target.data_dir.rstrip("/"))}
refuse() {{ echo "snapshot.method copy: $1; use snapshot.method dump" >&2; exit {NOT_POSSIBLE}; }}
if [ ! -r "$data/PG_VERSION" ]; then refuse "$data is not readable by $(id -un), or is no data directory"; fi
if [ -n "$(find "$data/pg_tblspc" -mindepth 1 -print -quit)" ]; then refuse "the cluster has tablespaces"; fi
if [ -L "$data" ] || [ -L "$data/pg_wal" ]; then refuse "$data or its pg_wal is a symbolic link"; fi
if mountpoint -q -- "$data"; then refuse "$data is a mount point and cannot be swapped"; fi
if [ ! -w "$(dirname -- "$data")" ]; then refuse "$(dirname -- "$data") is not writable by $(id -un)"; fi"""


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
refuse_changes() {{
  local changed
  changed=$(facts | LC_ALL=C comm -3 - "$kept/{FACTS_FILE}" | sed 's/^\\t//' | cut -f 1 | sort -u)
  if [ -n "$changed" ]; then
    refuse "since the snapshot was taken these were made, changed or removed, which it would undo: \\
${{changed//$'\\n'/, }}; stop the experiment and resume it, which takes a new snapshot"
  fi
}}"""


def _log_inside(target: Target) -> list[str]:
    """The part of the data directory that holds the log, if it is there."""
    inside = target.data_dir.rstrip("/") + "/"
    return [target.log_file.removeprefix(inside).split("/")[0]] if target.log_file.startswith(inside) else []
