"""The folder in which a snapshot lies on its target, whatever DBMS it is of.

A snapshot is a folder `<snapshot.dir>/<target>-<method>` with `data`, what else the method needs, and a marker file. It
is made under another name and renamed when whole, so half a snapshot is never taken for one, and the one before it goes
last. The marker holds the fingerprint of what was kept; another benchmark, scale or server version asks for another
fingerprint, and the snapshot is made anew.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.target import SnapshotMethod, Target
from otterflow.remote.shell import join, quote

MARKER = "snapshot.json"
NOT_POSSIBLE = 65
"""Exit code of a script that refused before it touched anything; stderr says why."""
NEW, OLD = ".otterflow-new", ".otterflow-old"
"""What is appended to the data directory's name for the copy that takes its place, and for what it replaces."""


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


def in_new_folder(target: Target, mark: str, body: str) -> str:
    """Bash that runs `body`, which fills the folder `$new`, and puts that in the place of what was kept before."""
    marker = json.dumps({"fingerprint": mark, "size_bytes": "SIZE"}).replace('"SIZE"', "%s")
    return f"""set -euo pipefail
umask 077
kept={quote(snapshot_dir(target))}
new="$kept.new" old="$kept.old"
mkdir -p -- "$(dirname -- "$kept")"
if [ ! -e "$kept" ] && [ -e "$old" ]; then mv -T -- "$old" "$kept"; fi
rm -rf -- "$new" "$old"
mkdir -- "$new"
trap 'rm -rf -- "$new"' EXIT
{body}
size=$(du -sb -- "$new/data" | cut -f 1)
printf {quote(marker + chr(92) + "n")} "$size" > "$new/{MARKER}"
sync -f -- "$new"
if [ -e "$kept" ]; then mv -T -- "$kept" "$old"; fi
mv -T -- "$new" "$kept"
trap - EXIT
rm -rf -- "$old"
echo "snapshot of $size bytes kept in $kept"
"""


def of_kept_folder(target: Target, mark: str, body: str) -> str:
    """Bash that runs `body`, which reads the folder `$kept`; `NOT_POSSIBLE` unless that is snapshot `mark`."""
    return f"""set -euo pipefail
kept={quote(snapshot_dir(target))}
if ! grep -qF {quote(json.dumps(mark))} "$kept/{MARKER}"; then
  echo "snapshot: $kept holds no snapshot {mark}; take one first" >&2
  exit {NOT_POSSIBLE}
fi
{body}"""


def space_needed(
    target: Target, *, database_bytes: int, data_dir_bytes: int, loaded: bool = False, restores: bool = True
) -> dict[str, int]:
    """Folder to bytes that a load, a snapshot and a restore write there, with a tenth to spare.

    A dump is compressed and so smaller than the database, and is restored beside it. A copy needs its size twice, once
    in the snapshot and once beside the data directory (nothing where the file system shares blocks, which is not
    counted on). Data that are `loaded` already are not loaded again; without `restores` nothing is kept.
    """
    data_dir, database = target.data_dir.rstrip("/"), database_bytes * 11 // 10
    needed = {target.data_dir: 0 if loaded else database}
    if not restores:
        return needed
    if target.snapshot.method is SnapshotMethod.dump:
        return {target.data_dir: needed[target.data_dir] + database, target.snapshot.dir: database}
    size = data_dir_bytes * 11 // 10
    return {**needed, target.snapshot.dir: size, posixpath.dirname(data_dir): size}


def remove_snapshots_command(target: Target) -> str:
    """Delete the target's snapshots and print their folders; a folder without otterflow's marker is left."""
    base = f"{target.snapshot.dir.rstrip('/')}/{target.name}"
    kept = join([f"{base}-{method}" for method in SnapshotMethod])
    return f"""set -eu
for folder in {kept}; do
  if [ -e "$folder/{MARKER}" ]; then rm -rf -- "${{folder:?}}"; printf '%s\\n' "$folder"; fi
  for half in "$folder.new" "$folder.old"; do
    if [ -d "$half" ]; then rm -rf -- "${{half:?}}"; printf '%s\\n' "$half"; fi
  done
done
rmdir -- {quote(target.snapshot.dir)} 2> /dev/null || true
"""


def remove_work_dir_command(target: Target) -> str:
    """Delete the log of the starts, and the folders of jobs and recordings once they are empty.

    Prints the folder if it is gone.
    """
    work_dir = target.work_dir.rstrip("/")
    return f"""rm -f -- {quote(f"{work_dir}/{target.name}.start.log")}
jobs={quote(f"{work_dir}/jobs")}
if [ -d "$jobs" ] && [ "$(ls -A -- "$jobs")" = .lock ]; then flock -n "$jobs/.lock" rm -f -- "$jobs/.lock"; fi
rmdir -- "$jobs" {quote(f"{work_dir}/recordings")} 2> /dev/null
rmdir -- {quote(work_dir)} 2> /dev/null
if [ ! -e {quote(work_dir)} ]; then printf '%s\\n' {quote(work_dir)}; fi
"""


def left_on_host_command(target: Target) -> str:
    """Print the copies of the data directory that a restore by `copy` left beside it when it was cut off."""
    data = target.data_dir.rstrip("/")
    both = join([data + NEW, data + OLD])
    return f'for folder in {both}; do if [ -e "$folder" ]; then printf \'%s\\n\' "$folder"; fi; done'
