"""A copy of the whole data directory in the place of the server's, whatever DBMS it is: the bash that both need.

The copy is made beside the data directory, and the two change places in one step of the file system: at no moment is
there none, whatever ends the restore. A file system or a host that cannot do that gets two renames. What a restore that
was cut off between them has left is put right by whoever starts the server next.
"""

from __future__ import annotations

from otterflow.dbms.snapshot_folder import NEW, NOT_POSSIBLE, OLD
from otterflow.dbms.target import Target
from otterflow.remote.shell import quote

REFUSE_FUNCTION = f'refuse() {{ echo "snapshot.method copy: $1; use snapshot.method dump" >&2; exit {NOT_POSSIBLE}; }}'

CAN_BE_SWAPPED = """if mountpoint -q -- "$data"; then refuse "$data is a mount point and cannot be swapped"; fi
if [ ! -w "$(dirname -- "$data")" ]; then refuse "$(dirname -- "$data") is not writable by $(id -un)"; fi"""

FILES_FILE = "files.txt"
"""The size and the name of each file of a copy, as it was taken."""

LIST_FUNCTION = """list_files() { ( cd -- "$1" && find . -type f -printf '%s %p\\n' ) | LC_ALL=C sort; }"""

NOTE_FILES = f"""{LIST_FUNCTION}
list_files "$new/data" > "$new/{FILES_FILE}\""""
"""For a copy that has just been made."""

REFUSE_DAMAGE = f"""{LIST_FUNCTION}
damaged=$(list_files "$kept/data" | LC_ALL=C comm -13 - "$kept/{FILES_FILE}" | sed -n '1,5s/^[0-9]* //p')
if [ -n "$damaged" ]; then
  echo "snapshot: of $kept/data files are missing, or not as long as they were: ${{damaged//$'\\n'/, }}; nothing was \
touched. Bring them back; or remove $kept, then stop the experiment and resume it, which takes a new snapshot" >&2
  exit {NOT_POSSIBLE}
fi"""
"""Before a copy takes the place of the data: one that has lost files, or their ends, would leave a server without any.
What has changed inside of a file is not seen; the server's own checksums tell that."""

COPY_ASIDE = """trap 'if [ ! -e "$data" ]; then mv -T -- "$old" "$data"; fi; rm -rf -- "$aside"' EXIT
echo "copying $kept"
cp -a --reflink=auto -- "$kept/data" "$aside\""""
"""The server may still run; whatever ends the script from here on leaves its data where they were."""

EXCHANGE_FUNCTION = """exchange() {
  mv --exchange -T -- "$1" "$2" 2> /dev/null || python3 - "$1" "$2" 2> /dev/null <<'PYTHON'
import ctypes, os, sys
HERE, EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
first, second = map(os.fsencode, sys.argv[1:])
sys.exit(ctypes.CDLL(None).renameat2(HERE, first, HERE, second, EXCHANGE))
PYTHON
}"""
"""Two folders change their names in one step: by coreutils of 9.5 and later, or by renameat2(2); else it fails."""

CHANGE_PLACES = f"""sync -f -- "$aside"
{EXCHANGE_FUNCTION}
if ! exchange "$aside" "$data"; then
  echo "the copy and the data cannot change places in one step here; they are renamed one after the other"
  mv -T -- "$data" "$old"
  mv -T -- "$aside" "$data"
fi
trap - EXIT
sync -f -- "$data"
rm -rf -- "$aside" "$old"
echo restored
"""
"""For a server that is stopped. What is under the other names afterwards is what the restore has replaced."""


def data_of(target: Target) -> str:
    """Bash that names the data directory."""
    return f"data={quote(target.data_dir.rstrip('/'))}"


def begin_swap(target: Target) -> str:
    """Bash that names the folders, and puts right what a restore has left that was cut off between two renames."""
    return f"""{data_of(target)}
aside="$data{NEW}" old="$data{OLD}"
{put_back_command(target)}"""


def put_back_command(target: Target) -> str:
    """Put the data directory back that a restore has left aside when it was cut off between two renames.

    Nothing is done where there is a data directory, so it may be run at any time; stderr says what was done. Exit code
    1, with the reason, where it cannot be put back.
    """
    data = target.data_dir.rstrip("/")
    folder, old = quote(data), quote(data + OLD)
    said = quote(f"{data} was left as {data + OLD} by a restore that was cut off, and is put back")
    return f"if [ ! -e {folder} ] && [ -e {old} ]; then mv -T -- {old} {folder} && echo {said} >&2; fi"


def refuse_changes(facts_file: str) -> str:
    """Bash that refuses where `facts` tells otherwise than the file that was kept with the copy."""
    return f"""refuse_changes() {{
  local changed
  changed=$(facts | LC_ALL=C comm -3 - "$kept/{facts_file}" | sed 's/^\\t//' | cut -f 1 | sort -u)
  if [ -n "$changed" ]; then
    refuse "since the snapshot was taken these were made, changed or removed, which it would undo: \\
${{changed//$'\\n'/, }}; stop the experiment and resume it, which takes a new snapshot"
  fi
}}"""


def print_facts(folder: str, facts_file: str) -> str:
    """Print what the server held when the copy in `folder` was taken; nothing where that is not known."""
    path = quote(f"{folder}/{facts_file}")
    return f"if [ -e {path} ]; then cat -- {path}; fi"


def parts_inside(target: Target, *paths: str) -> list[str]:
    """The parts of the data directory in which these lie, of those that lie there."""
    inside = target.data_dir.rstrip("/") + "/"
    return [path.removeprefix(inside).split("/")[0] for path in paths if path.startswith(inside)]
