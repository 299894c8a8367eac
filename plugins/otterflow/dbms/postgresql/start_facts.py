"""Why no configuration at all could have started the server, from facts of the host rather than from messages.

The server speaks the language of its `lc_messages`, so its words are the last thing to go by. Each fact here is enough
to stop any start: where one holds, the configuration was never tried.
"""

from __future__ import annotations

from otterflow.dbms.postgresql.target import PgCtl, PgCtlCluster
from otterflow.dbms.start_report import (
    DATA_IS_THERE,
    NOT_IN_A_CONTAINER,
    OWN_DATA,
    SEEN_FUNCTION,
    disk_is_full,
    may_sudo,
    port_taken,
    unit_facts,
)
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import quote

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
        parts.insert(0, NOT_IN_A_CONTAINER)
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
            return unit_facts(unit)
        case PgCtlCluster(version=version, cluster=cluster, sudo=sudo):
            return [may_sudo("pg_ctlcluster", version, cluster, "start")] if sudo else []
        case _:
            return []


def _port_taken(access: DatabaseAccess) -> str:
    if access.host.startswith("/"):
        socket = f"{access.host.rstrip('/')}/.s.PGSQL.{access.port}"
        words = quote(f"another process listens on {socket}")
        return f"if grep -qF -- {quote(' ' + socket)} /proc/net/unix; then seen {words}; fi"
    return port_taken(access)


_FUNCTIONS = f"""{SEEN_FUNCTION}
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

# The server takes a data directory that only its owner writes, and its group at most reads.
_DATA = f"""{DATA_IS_THERE}
if [ $((0$(stat -L -c %a -- "$data") & 027)) -ne 0 ]; then
  seen "data_dir $data has mode $(stat -L -c %a -- "$data"), and the server takes only 700 or 750"
fi
if [ -x "$data" ] && [ ! -e "$data/PG_VERSION" ]; then seen "data_dir $data is not a database cluster"; fi
{disk_is_full(FULL_KIB)}"""

_OWN_DATA = f"""{OWN_DATA}
if {{ read -r word < "$data/postmaster.pid"; }} 2> /dev/null && [ -O "/proc/$word" ] &&
  ! grep -q '^State:.Z' "/proc/$word/status" 2> /dev/null; then
  seen "$data/postmaster.pid names process $word, which lives and is no server of this data directory"
fi"""
