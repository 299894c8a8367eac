"""One look at a target over SSH, in one round trip: programs, folders, log, what sudo allows.

The command prints its findings as records, one a line: kind, key and value, tab between. Keys are otterflow's own
words, never a path, so nothing on the host can break the format. What a DBMS looks at besides is its own part's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from otterflow.dbms.snapshot_folder import OLD
from otterflow.dbms.target import Target
from otterflow.remote.shell import has_glob, join, quote, quote_glob

TOOLS = ("timeout", "setsid", "flock", "base64", "mktemp", "find", "mountpoint")
"""What remote jobs and commands need on the host, beside bash and the core utilities."""


@dataclass(frozen=True)
class Probe:
    """What `probe_command` saw, by kind and key; an absent record reads as an empty text."""

    records: Mapping[tuple[str, str], str]

    def __getitem__(self, at: tuple[str, str]) -> str:
        return self.records.get(at, "")

    @property
    def user(self) -> str:
        """The SSH user's name on the host."""
        return self["user", "name"]


def look_command(
    target: Target, programs: Mapping[str, str], records: Iterable[str], *, data_directory: str | None = None
) -> str:
    """One bash command that looks at everything.

    `programs` are those of the DBMS that must be there, by name, each with its path, quoted. `data_directory` is what
    the server says of it, where it could be asked. `records` are the DBMS's own lines of bash; they may use what is
    before them: `record`, `may_sudo` and `$data`.
    """
    logs = quote_glob(target.log_file) if has_glob(target.log_file) else quote(target.log_file)
    folders = {
        "snapshot.dir": target.snapshot.dir,
        "work_dir": target.work_dir,
        "knobs_file": posixpath.dirname(target.knobs_file),
        "data_dir": posixpath.dirname(target.data_dir.rstrip("/")),
    }
    return "\n".join(
        [
            _FUNCTIONS,
            'record user name "$(id -un)"',
            *(f"look_for tool {name} {name}" for name in TOOLS),
            *(f"look_for program {quote(name)} {path}" for name, path in programs.items()),
            *(f"folder {key} {quote(path)}" for key, path in folders.items()),
            f"data={quote(target.data_dir)}",
            f"closed_to_server {quote(posixpath.dirname(target.knobs_file))}",
            _same_folder(data_directory),
            _left_aside(target),
            f"shopt -s nullglob; logs=({logs})",
            _LOG,
            *records,
            *_free_cache_records(target),
            "exit 0\n",
        ]
    )


def may_sudo_records(commands: Iterable[Iterable[str]]) -> Iterable[str]:
    """Lines for `look_command`: whether sudo allows each command without a password."""
    for words in map(list, commands):
        yield f"may_sudo {quote(' '.join(words))} {join(words)}"


def parse_probe(text: str) -> Probe:
    """The records that `probe_command` printed; other lines are passed over."""
    records = {}
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) == 3:
            records[parts[0], parts[1]] = parts[2].strip()
    return Probe(records)


def _free_cache_records(target: Target) -> Iterable[str]:
    if target.free_cache.method == "sudo":
        command = quote(target.free_cache.command)
        yield f"if [ -x {command} ]; then may_sudo free_cache {command}; fi"


def _same_folder(data_directory: str | None) -> str:
    if data_directory is None:
        return ":"
    return f"""server={quote(data_directory)}
record data server "$server"
if [ ! "$data" -ef "$server" ] && [ "${{data%/}}" != "${{server%/}}" ]; then record data same no; fi"""


def _left_aside(target: Target) -> str:
    """Whether a restore by copy was cut off while there was no data directory."""
    old = quote(target.data_dir.rstrip("/") + OLD)
    return f'if [ ! -e "$data" ] && [ -e {old} ]; then record data aside {old}; fi'


_FUNCTIONS = """record() { printf '%s\\t%s\\t%s\\n' "$1" "$2" "$(printf %s "$3" | tr '\\t\\n' '  ')"; }
look_for() {
  local path
  if ! path=$(command -v -- "$3"); then return; fi
  if [ "$1" = program ]; then path=$("$path" --version 2>&1 | head -n 1); fi
  record "$1" "$2" "$path"
}
folder() {
  local path=$2
  if [ -d "$path" ]; then
    if [ -w "$path" ] && [ -x "$path" ]; then record folder "$1" writable; else record folder "$1" "not writable"; fi
    return
  fi
  if [ -e "$path" ]; then record folder "$1" "no folder"; return; fi
  while [ ! -e "$path" ]; do path=$(dirname -- "$path"); done
  if [ -d "$path" ] && [ -w "$path" ]; then record folder "$1" "can be made"; else record folder "$1" "not there"; fi
}
closed_to_server() {
  local at=$1 user mode owner group others=1
  user=$(stat -L -c %U -- "$data" 2> /dev/null) || return
  if [ "$user" = "$(id -un)" ]; then return; fi
  while :; do
    if read -r mode owner group < <(stat -L -c '%a %U %G' -- "$at" 2> /dev/null); then
      if [ "$owner" = "$user" ]; then others=0100
      elif grep -qxF -- "$group" <(id -Gn -- "$user" | tr ' ' '\n'); then others=010
      else others=01; fi
      if [ $((0$mode & others)) -eq 0 ]; then record closed folder "$at"; record closed user "$user"; return; fi
    fi
    if [ "$at" = / ] || [ "$at" = . ]; then return; fi
    at=$(dirname -- "$at")
  done
}
may_sudo() {
  local name=$1; shift
  if sudo -n -l -- "$@" > /dev/null 2>&1; then record sudo "$name" allowed; else record sudo "$name" ""; fi
}"""

_LOG = """state=
if [ ${#logs[@]} -eq 1 ] && [ -d "${logs[0]}" ]; then
  if [ -r "${logs[0]}" ] && [ -x "${logs[0]}" ]; then state=readable; else state="not readable"; fi
fi
for log in "${logs[@]}"; do
  if [ -f "$log" ]; then if [ -r "$log" ]; then state=readable; else state=${state:-not readable}; fi; fi
done
record log state "$state\""""
