"""Why no configuration at all could have started the server, from facts of the host rather than from messages.

The server speaks the language of its `lc_messages`, so its words are the last thing to go by. Each fact here is enough
to stop any start: where one holds, the configuration was never tried.
"""

from __future__ import annotations

import ipaddress
import re

from otterflow.dbms.postgresql.target import PgCtl, PgCtlCluster
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import join, quote

_SEEN = "otterflow sees: "

WAS_SEEN = re.compile(rf"^{_SEEN}", re.MULTILINE)
"""Matches what `print_facts` prints, if it prints anything."""

FULL_KIB = 64
"""With less room than this the server cannot even write its lock files."""


def facts_functions(target: Target, access: DatabaseAccess | None) -> str:
    """Bash function `print_facts`: a line for each reason on the host why the server could not start.

    Prints nothing while the server lives. `access` is how a command on the host reaches it; without it nobody looks
    for who holds its port.
    """
    # Sourced after the server's own functions, which may call their data directory `data` as well.
    parts = [_DATA, *_of_the_service(target)]
    if isinstance(target.service, CommandService):
        parts.insert(0, _NOT_IN_A_CONTAINER)
    if access is not None:
        parts.append(_port_taken(access))
    body = "\n".join(f"  {line}" for part in parts for line in part.splitlines())
    return f"{_FUNCTIONS}\nprint_facts() {{\n  local data={quote(target.data_dir)}\n{_NOT_WHILE_IT_LIVES}\n{body}\n}}"


def _of_the_service(target: Target) -> list[str]:
    match target.service:
        case PgCtl():
            postgres = quote(f"{target.bin_dir.rstrip('/')}/postgres") if target.bin_dir else "postgres"
            return [_OWN_DATA, f'made_by_another_version "$({postgres} --version 2> /dev/null)"']
        case SystemdService(unit=unit):
            found = f'[ "$(systemctl show -p LoadState --value {quote(unit)} 2> /dev/null)" != not-found ]'
            return [_may_sudo("systemctl", "start", unit), f"{found} || seen {quote(f'there is no unit {unit}')}"]
        case PgCtlCluster(version=version, cluster=cluster, sudo=sudo):
            return [_may_sudo("pg_ctlcluster", version, cluster, "start")] if sudo else []
        case _:
            return []


def _may_sudo(*words: str) -> str:
    said = quote(f"sudo does not allow `{' '.join(words)}` without a password")
    return f"sudo -n -l -- {join(words)} > /dev/null 2>&1 || seen {said}"


def _port_taken(access: DatabaseAccess) -> str:
    if access.host.startswith("/"):
        socket = f"{access.host.rstrip('/')}/.s.PGSQL.{access.port}"
        words = quote(f"another process listens on {socket}")
        return f"if grep -qF -- {quote(' ' + socket)} /proc/net/unix; then seen {words}; fi"
    addresses = "|".join(["0{8}", "0{32}", *_in_proc(access.host)])
    listening = quote(f"^ *[0-9]+: ({addresses}):{access.port:04X} [0-9A-F]+:0000 0A ")
    words = quote(f"port {access.port} is taken by another process")
    return f"if cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -qE {listening}; then seen {words}; fi"


def _in_proc(host: str) -> list[str]:
    """The address as /proc/net/tcp writes it: words of four bytes, each in the machine's order (little-endian)."""
    try:
        packed = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).packed
    except ValueError:
        return []
    return ["".join(packed[at : at + 4][::-1].hex() for at in range(0, len(packed), 4)).upper()]


_FUNCTIONS = f"""seen() {{ printf '%s%s\\n' {quote(_SEEN)} "$*"; }}
made_by_another_version() {{
  local made program
  {{ read -r made < "$data/PG_VERSION"; }} 2> /dev/null || return 0
  program=$(sed -nE 's/^.*\\) ([0-9]+).*$/\\1/p' <<< "$1")
  if [ -n "$program" ] && [ "$program" != "$made" ]; then
    seen "data_dir $data was made by PostgreSQL $made, and the programs are of $program"
  fi
}}"""

# The command line in /proc is open to all users, the data directory to the server's own alone.
_NOT_WHILE_IT_LIVES = """  local folder word words
  for folder in /proc/[0-9]*; do
    words=()
    { mapfile -d '' -t words < "$folder/cmdline"; } 2> /dev/null
    case ${words[0]:-} in */postgres | */postmaster | postgres | postmaster) ;; *) continue ;; esac
    if [ "$folder/cwd" -ef "$data" ]; then return; fi
    for word in "${words[@]:1}"; do
      if [ "${word%/}" = "${data%/}" ] || [ "${word%/}" = "-D${data%/}" ]; then return; fi
    done
  done"""

# A user's own command may start a container, whose data directory and port are not this host's.
_NOT_IN_A_CONTAINER = 'if [ ! -d "$data" ]; then return; fi'

# The server takes a data directory that only its owner writes, and its group at most reads. A folder that cannot be
# entered says nothing.
_DATA = f"""local at=$data free
if [ ! -d "$data" ]; then
  while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname -- "$at"); done
  if [ ! -d "$at" ] || [ -x "$at" ]; then seen "data_dir $data does not exist"; fi
  return
fi
if [ $((0$(stat -L -c %a -- "$data") & 027)) -ne 0 ]; then
  seen "data_dir $data has mode $(stat -L -c %a -- "$data"), and the server takes only 700 or 750"
fi
if [ -x "$data" ] && [ ! -e "$data/PG_VERSION" ]; then seen "data_dir $data is not a database cluster"; fi
free=$(df -P -k -- "$data" 2> /dev/null | awk 'NR == 2 {{ print $4 }}')
if [ -n "$free" ] && [ "$free" -lt {FULL_KIB} ]; then seen "the file system of data_dir $data is full"; fi"""

_OWN_DATA = """if [ "$EUID" -eq 0 ]; then seen "the SSH user is root, as whom the server does not run"; fi
if [ ! -O "$data" ]; then seen "data_dir $data belongs to $(stat -L -c %U -- "$data"), not to $(id -un)"; fi
if { read -r word < "$data/postmaster.pid"; } 2> /dev/null && [ -O "/proc/$word" ] &&
  ! grep -q '^State:.Z' "/proc/$word/status" 2> /dev/null; then
  seen "$data/postmaster.pid names process $word, which lives and is no server of this data directory"
fi"""
