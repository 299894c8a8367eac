"""Keeping the benchmark's data and putting it back: bash scripts for remote jobs, by the target's snapshot method.

A snapshot is a folder `<snapshot.dir>/<target>-<method>` with `data` and a marker file. It is made under another name
and renamed when whole, so half a snapshot is never taken for one. The marker holds the fingerprint of what was kept;
another benchmark, scale or server version asks for another fingerprint, and the snapshot is made anew.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from otterflow.dbms.access import DatabaseAccess
from otterflow.dbms.postgresql.service import STILL_RUNNING, program, service_functions
from otterflow.remote.shell import join, quote
from otterflow.target import SnapshotMethod, Target

MAINTENANCE_DATABASE = "postgres"
"""Where to be connected while the benchmark's database is dropped and made."""
NOT_POSSIBLE = 65
"""Exit code of a script that refused before it touched anything; stderr says why."""
MARKER = "snapshot.json"


@dataclass(frozen=True)
class JobScript:
    """A script for `RemoteJob.start_or_attach`, and the files beside it; those may hold secrets."""

    script: str
    files: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SnapshotState:
    """A whole snapshot on the target: what it was made of, and its size."""

    fingerprint: str
    size_bytes: int


def fingerprint(data: Mapping[str, object], server_version: int, method: SnapshotMethod) -> str:
    """What a snapshot holds, as 16 hexadecimal digits: the benchmark's data (name, scale, ...), server, method."""
    record = json.dumps([dict(data), server_version, str(method)], sort_keys=True, default=str)
    return hashlib.sha256(record.encode()).hexdigest()[:16]


def snapshot_dir(target: Target) -> str:
    """The snapshot's folder on the target."""
    return f"{target.snapshot.dir.rstrip('/')}/{target.name}-{target.snapshot.method}"


def snapshot_state_command(target: Target) -> str:
    """Print the marker, or nothing where there is no whole snapshot; see `parse_snapshot_state`."""
    marker = quote(f"{snapshot_dir(target)}/{MARKER}")
    return f"if [ -e {marker} ]; then cat -- {marker}; fi"


def parse_snapshot_state(text: str) -> SnapshotState | None:
    """The snapshot on the target, None if there is none or if its marker is not readable as one."""
    try:
        record = json.loads(text)
        return SnapshotState(str(record["fingerprint"]), int(record["size_bytes"]))
    except (ValueError, KeyError, TypeError):
        return None


def take_snapshot(target: Target, access: DatabaseAccess, mark: str) -> JobScript:
    """Keep the data under the fingerprint `mark`, in place of what was kept before.

    `dump` leaves the server running; `copy` stops it, and starts it again whatever happens. Exit code `NOT_POSSIBLE`
    means that nothing was touched.
    """
    if target.snapshot.method is SnapshotMethod.dump:
        body = _client(target, access) + _DUMP.format(
            pg_dump=program(target, "pg_dump"), jobs=target.snapshot.jobs, database=quote(target.database)
        )
    else:
        body = f"{_refusals(target)}\n{service_functions(target)}\n{_COPY}"
    return JobScript(_in_new_folder(target, mark, body), _files(access))


def restore_snapshot(target: Target, access: DatabaseAccess, mark: str) -> JobScript:
    """Put the data back. `dump` leaves the server running, `copy` leaves it stopped, for the restart to start.

    A script that was ended half-way may simply be run again. Exit code `NOT_POSSIBLE` when the snapshot is not the one
    of the fingerprint `mark`, or when nothing could be touched.
    """
    head = f"""set -euo pipefail
kept={quote(snapshot_dir(target))}
if ! grep -qF {quote(json.dumps(mark))} "$kept/{MARKER}"; then
  echo "snapshot: $kept holds no snapshot {mark}; take one first" >&2
  exit {NOT_POSSIBLE}
fi
"""
    if target.snapshot.method is SnapshotMethod.dump:
        return JobScript(head + _client(target, access) + _restore_dump(target), _files(access))
    return JobScript(head + _restore_copy(target), _files(access))


def space_needed(target: Target, *, database_bytes: int, data_dir_bytes: int) -> dict[str, int]:
    """Folder to bytes that a snapshot and a restore write there, with a tenth to spare.

    A dump is compressed and so smaller than the database; a copy needs its size twice, once in the snapshot and once
    beside the data directory (nothing where the file system shares blocks, which is not counted on).
    """
    if target.snapshot.method is SnapshotMethod.dump:
        return {target.snapshot.dir: database_bytes * 11 // 10}
    size = data_dir_bytes * 11 // 10
    return {target.snapshot.dir: size, posixpath.dirname(target.data_dir.rstrip("/")): size}


def _files(access: DatabaseAccess) -> dict[str, str]:
    return {"pgpass": access.pgpass} if access.pgpass else {}


def _client(target: Target, access: DatabaseAccess) -> str:
    """Bash that leads the PostgreSQL clients to the server; the password stays in the job's file."""
    variables = access.to(MAINTENANCE_DATABASE).environment() | {"PGAPPNAME": "otterflow", "PGCONNECT_TIMEOUT": "20"}
    # What the host's environment may hold for libpq must not lead elsewhere.
    lines = ["unset PGSERVICE PGSERVICEFILE PGPASSWORD PGPASSFILE PGOPTIONS PGHOSTADDR"]
    lines += [f"export {name}={quote(value)}" for name, value in variables.items()]
    if access.pgpass:
        lines.append('export PGPASSFILE="$PWD/pgpass"')
    return "\n".join([*lines, ""])


def _in_new_folder(target: Target, mark: str, body: str) -> str:
    marker = json.dumps({"fingerprint": mark, "size_bytes": "SIZE"}).replace('"SIZE"', "%s")
    return f"""set -euo pipefail
umask 077
kept={quote(snapshot_dir(target))}
new="$kept.new"
mkdir -p -- "$(dirname -- "$kept")"
rm -rf -- "$new"
mkdir -- "$new"
trap 'rm -rf -- "$new"' EXIT
{body}
size=$(du -sb -- "$new/data" | cut -f 1)
printf {quote(marker + chr(92) + "n")} "$size" > "$new/{MARKER}"
sync -f -- "$new"
rm -rf -- "$kept"
mv -T -- "$new" "$kept"
trap - EXIT
echo "snapshot of $size bytes kept in $kept"
"""


_DUMP = """echo "dumping database {database}"
{pg_dump} --format=directory --jobs={jobs} --compress=1 --file="$new/data" {database}
"""

# The server is started again before the copy is declared whole: the experiment must not hang on the disk's speed.
_COPY = f"""stop_server || {{ echo "the server did not stop" >&2; exit {STILL_RUNNING}; }}
trap 'rm -rf -- "$new"; start_server' EXIT
echo "copying $data"
cp -a --reflink=auto -- "$data" "$new/data"
trap 'rm -rf -- "$new"' EXIT
start_server"""


_DROP_SQL = r"""SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS false', datname)
  FROM pg_database WHERE datname = :'database' \gexec
SELECT count(pg_terminate_backend(pid)) AS terminated
  FROM pg_stat_activity WHERE datname = :'database' AND pid <> pg_backend_pid() \gset
DROP DATABASE IF EXISTS :"database";
"""


def _restore_dump(target: Target) -> str:
    psql = f"{program(target, 'psql')} -X -q -v ON_ERROR_STOP=1"
    database = quote(target.database)
    return f"""echo "dropping database {target.database}"
{psql} -v database={database} <<'SQL'
{_DROP_SQL}SQL
echo "restoring from $kept"
{program(target, "pg_restore")} --create --exit-on-error --jobs={target.snapshot.jobs} \\
  --dbname={MAINTENANCE_DATABASE} "$kept/data"
echo "vacuum and analyze"
{program(target, "vacuumdb")} --quiet --analyze --jobs={target.snapshot.jobs} --dbname={database}
{psql} -c CHECKPOINT || echo "no CHECKPOINT: the user may not; the restart makes one"
echo restored
"""


def _refusals(target: Target) -> str:
    """Bash that ends the script where a copy of the data directory would not be all of the data."""
    return f"""data={quote(target.data_dir.rstrip("/"))}
refuse() {{ echo "snapshot.method copy: $1; use snapshot.method dump" >&2; exit {NOT_POSSIBLE}; }}
if [ ! -r "$data/PG_VERSION" ]; then refuse "$data is not readable by $(id -un), or is no data directory"; fi
if [ -n "$(find "$data/pg_tblspc" -mindepth 1 -print -quit)" ]; then refuse "the cluster has tablespaces"; fi
if [ -L "$data" ] || [ -L "$data/pg_wal" ]; then refuse "$data or its pg_wal is a symbolic link"; fi
if mountpoint -q -- "$data"; then refuse "$data is a mount point and cannot be swapped"; fi
if [ ! -w "$(dirname -- "$data")" ]; then refuse "$(dirname -- "$data") is not writable by $(id -un)"; fi"""


def _restore_copy(target: Target) -> str:
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
{service_functions(target)}
echo "copying $kept"
rm -rf -- "$aside"
cp -a --reflink=auto -- "$kept/data" "$aside"
stop_server || {{ echo "the server did not stop" >&2; exit {STILL_RUNNING}; }}
# The snapshot is of the data; configuration and log stay those of today.
for name in {kept_files}; do
  if [ -e "$data/$name" ]; then
    rm -rf -- "${{aside:?}}/$name"
    cp -a --reflink=auto -- "$data/$name" "$aside/$name"
  fi
done
rm -rf -- "$old"
mv -T -- "$data" "$old"
mv -T -- "$aside" "$data"
sync -f -- "$data"
rm -rf -- "$old"
echo restored
"""


def _log_inside(target: Target) -> list[str]:
    """The part of the data directory that holds the log, if it is there."""
    inside = target.data_dir.rstrip("/") + "/"
    return [target.log_file.removeprefix(inside).split("/")[0]] if target.log_file.startswith(inside) else []
