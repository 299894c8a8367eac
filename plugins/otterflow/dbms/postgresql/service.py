"""Starting, stopping and restarting the server, and telling what became of it.

Each builder gives one bash command for the target's kind of service. A start that failed prints to stderr what the
server wrote to its log meanwhile, and what the host itself shows (`start_facts`), so that the reason stands beside the
exit code. `classify_start` then tells a server that refused its configuration, which teaches the tuner, from a command
that could not run, which does not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.postgresql.start_facts import facts_functions
from otterflow.dbms.postgresql.stoppage import control_state_command as control_state_command
from otterflow.dbms.postgresql.stoppage import is_on_its_way as is_on_its_way
from otterflow.dbms.postgresql.stoppage import is_shut_down as is_shut_down
from otterflow.dbms.postgresql.stoppage import started as started
from otterflow.dbms.postgresql.target import PgCtl, PgCtlCluster
from otterflow.dbms.start_report import (
    STILL_RUNNING,
    WAS_SEEN,
    command_functions,
    reported,
    start_log,
    systemd_functions,
)
from otterflow.dbms.start_report import log_tail_command as log_tail_command
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import Answer, DatabaseAccess, Query, StartOutcome
from otterflow.errors import MachineryFault
from otterflow.knobs.space import Value
from otterflow.remote.shell import has_glob, join, quote

RELOAD_SQL = "SELECT pg_reload_conf()"
"""Reload by SQL, where the user may: the same for every kind of service."""
LOADED_AT_SQL = "SELECT pg_conf_load_time()::text AS loaded_at"
"""When the configuration files were last read, as this session knows it."""

RELOAD_S = 30.0
"""How long the postmaster may take to read its files again; it is asked by a signal and does it at once."""
IMMEDIATE_STOP_S = 30
"""How long an immediate shutdown may take, after a fast one did not end in time."""
ORPHANS_S = 10
"""How long a start waits for what a killed postmaster left behind."""


def start_command(target: Target, access: DatabaseAccess | None = None) -> str:
    """Start the server and wait until it accepts connections. A running server is a success.

    With `access`, a start that failed also looks whether another process holds the server's port.
    """
    return _reported(target, "start_server", access)


def restart_command(target: Target, access: DatabaseAccess | None = None) -> str:
    """Stop, then start, whatever state a failed restart has left: up, down, or a dead postmaster's children.

    `access` as in `start_command`.
    """
    return _reported(target, f"{{ stop_server || exit {STILL_RUNNING}; start_server; }}", access)


def reload(query: Query, wanted: Mapping[str, Value]) -> None:
    """Have the running server read its files again, where the SQL user may, and wait until it has.

    What it reads is the knobs file, whatever is `wanted`. Raises MachineryFault when it has not read it in time.
    """
    begun = time.monotonic()
    former = query(LOADED_AT_SQL)
    query(RELOAD_SQL)
    # A session reads the files again between two statements, once the postmaster has.
    while query(LOADED_AT_SQL) == former:
        if time.monotonic() - begun > RELOAD_S:
            raise MachineryFault(f"the server has not read its files again within {RELOAD_S:g} s of a reload")
        time.sleep(0.05)


def answer(exit_code: int) -> Answer:
    """The answer behind the exit code of `is_up_command`."""
    return {0: Answer.accepts, 1: Answer.rejects}.get(exit_code, Answer.none)


def is_up_command(target: Target, access: DatabaseAccess, timeout_s: int = 3) -> str:
    """`pg_isready` as the target sees its server: exit code 0 accepts, 1 refuses (starting up), 2 no answer."""
    words = ["-h", access.host, "-p", str(access.port), "-U", access.user, "-d", access.database, "-t", str(timeout_s)]
    return f"{program(target, 'pg_isready')} {join(words)}"


def restart_limit_s(target: Target) -> float:
    """The longest that `restart_command` may take on the target, in seconds: the limit to run it under."""
    return float(target.stop_timeout_s + IMMEDIATE_STOP_S + target.start_timeout_s + 30)


def classify_start(exit_code: int, stderr: str) -> StartOutcome:
    """What became of `start_command` or `restart_command`: by exit code, by facts of the host, by what was said.

    A full disk, a taken port, a missing program or a forbidden sudo is the machinery's fault; whatever else stops the
    server is the configuration's. The server's log may be in any language, so its words come last.
    """
    if exit_code == 0:
        return StartOutcome.up
    if WAS_SEEN.search(stderr):
        return StartOutcome.not_run
    if _UNREADABLE_CONFIGURATION.search(stderr):
        return StartOutcome.refused
    if exit_code in (STILL_RUNNING, 126, 127) or _NOT_THE_CONFIGURATION.search(stderr):
        return StartOutcome.not_run
    return StartOutcome.refused


# pg_ctlcluster reads the configuration itself, and where it cannot, it does not even stop the old server.
_UNREADABLE_CONFIGURATION = re.compile(r"^Error: invalid line \d+ in ", re.MULTILINE)

_NOT_THE_CONFIGURATION = re.compile(
    r"""
      ^sudo:\ .* | is\ not\ in\ the\ sudoers | command\ not\ found
    | Unit\ \S+\ (not\ found|could\ not\ be\ found) | Failed\ to\ connect\ to\ (bus|system) | Access\ denied
    | Interactive\ authentication\ required | not\ been\ booted\ with\ systemd
    | cannot\ be\ run\ as\ root | is\ not\ a\ database\ cluster\ directory | could\ not\ access\ directory
    | directory\ "[^"]*"\ does\ not\ exist\n? | specified\ cluster\ .*\ does\ not\ exist
    | program\ "postgres"\ is\ needed | could\ not\ open\ PID\ file
    | cannot\ create\ \S.*:\ (Permission|Directory|No\ such)
    | You\ must\ run\ this\ program\ as\ the\ cluster\ owner
    | No\ space\ left\ on\ device | Disk\ quota\ exceeded
    | Address\ already\ in\ use | lock\ file\ ".*"\ already\ exists | pre-existing\ shared\ memory\ block
    | has\ (wrong\ ownership|invalid\ permissions) | database\ files\ are\ incompatible
    """,
    re.VERBOSE | re.MULTILINE,
)


_POSTMASTER_SAYS = (
    "server process (PID", "terminating any other", "all server processes", "database system ",
    "redo starts at", "redo done at", "redo is not required", "checkpoint starting:", "checkpoint complete:",
    "received fast shutdown", "received smart shutdown", "received immediate shutdown", "received SIGHUP",
    "shutting down", "startup process", "background worker \"", "starting PostgreSQL", "listening on",
    "aborting startup",
    "unrecognized configuration parameter", "invalid value for parameter", 'parameter "', "could not bind",
    "could not create", "could not open", "could not load", "could not map", "could not fork", "could not access",
    "could not write", "could not fsync", "could not resize",
)  # fmt: skip
_FIRST_LABEL = r"^(?!\t)(?:(?!:  ).)*?\b"
"""The label is the line's first: whatever follows another one, or a tab, is a client's."""
_COMPLAINT = re.compile(_FIRST_LABEL + r"(?:FATAL|PANIC):  ")
_SAYS = re.compile(_FIRST_LABEL + "LOG:  (?:" + "|".join(map(re.escape, _POSTMASTER_SAYS)) + ")")


def is_of_the_server(line: str) -> bool:
    """What the postmaster and its helpers say in English: a backend's LOG may be a user's own RAISE LOG."""
    return is_complaint(line) or _SAYS.match(line) is not None


def is_complaint(line: str) -> bool:
    """What ends the server, or a session with it."""
    return _COMPLAINT.match(line) is not None


def _reported(target: Target, command: str, access: DatabaseAccess | None) -> str:
    return reported(target, command, service_functions(target), facts_functions(target, access))


def service_functions(target: Target) -> str:
    """Bash functions `start_server` and `stop_server` for the target's kind of service."""
    match target.service:
        case PgCtl():
            return _pg_ctl_functions(target)
        case SystemdService(unit=unit):
            return systemd_functions(unit)
        case PgCtlCluster() as cluster:
            return _pg_ctlcluster_functions(_pg_ctlcluster(cluster), f"{cluster.version}/{cluster.cluster}")
        case CommandService(start=start, stop=stop):
            return command_functions(start, stop)
        case service:
            raise TypeError(f"no PostgreSQL server is driven by a service of kind {service.kind!r}")


def _pg_ctlcluster(cluster: PgCtlCluster) -> str:
    sudo = ["sudo", "-n"] if cluster.sudo else []
    return join([*sudo, "pg_ctlcluster", cluster.version, cluster.cluster])


def _pg_ctlcluster_functions(command: str, cluster_name: str) -> str:
    # Exit code 2 says that the server is in that state already. What a killed postmaster held is free once its children
    # have ended and its parent took notice; Debian's clusters put their name into their processes' titles.
    return f"""orphaned() {{
  local file title
  for file in /proc/[0-9]*/cmdline; do
    title=
    {{ IFS= read -r -d '' title < "$file"; }} 2> /dev/null
    case $title in {quote(f"postgres: {cluster_name}: ")}*) return 0 ;; esac
  done
  return 1
}}
start_server() {{
  local round said code
  said=$(mktemp)
  for round in $(seq {ORPHANS_S}); do
    {command} start > "$said" 2>&1
    code=$?
    if [ $code -eq 0 ] || [ $code -eq 2 ]; then rm -f -- "$said"; return 0; fi
    orphaned || grep -qE 'lock file .* already exists|pre-existing shared memory block' "$said" || break
    sleep 1
  done
  cat -- "$said" >&2
  rm -f -- "$said"
  return $code
}}
stop_server() {{ {command} stop || [ $? -eq 2 ] || {command} --force stop || [ $? -eq 2 ]; }}"""


def _pg_ctl_functions(target: Target) -> str:
    pg_ctl = program(target, "pg_ctl")
    return f"""data={quote(target.data_dir)}
start_log={quote(start_log(target))}
log={quote(target.log_file)}
if [ -d "$log" ] || ! touch -- "$log" 2> /dev/null || {str(has_glob(target.log_file)).lower()}; then
  mkdir -p -m 700 -- "$(dirname -- "$start_log")"
  log=$start_log
fi
{_PROCESSES}
start_server() {{
  if postmaster_lives; then return 0; fi
  end_orphans
  forget_zombie
  {pg_ctl} -D "$data" -w -t {target.start_timeout_s} -l "$log" start
}}
stop_server() {{
  if postmaster_lives && ! {pg_ctl} -D "$data" -w -t {target.stop_timeout_s} -m fast stop; then
    echo "fast shutdown did not end within {target.stop_timeout_s} s, now immediate" >&2
    {pg_ctl} -D "$data" -w -t {IMMEDIATE_STOP_S} -m immediate stop || return 1
  fi
  end_orphans
}}"""


# A server works in its data directory. When its postmaster was killed, the children live on until they look up, and
# hold the shared memory, so that no new server can start: SIGQUIT, their immediate shutdown, then KILL. A dead
# postmaster counts as alive for the next one until its parent took notice, which in a container without init it may
# never do: wait, then take its lock files away.
_PROCESSES = """postmaster_lives() {
  local pid
  { read -r pid < "$data/postmaster.pid"; } 2> /dev/null && [ "/proc/$pid/cwd" -ef "$data" ]
}
orphans() {
  local folder
  found=()
  for folder in /proc/[0-9]*; do
    [ "$folder/cwd" -ef "$data" ] || continue
    case $(readlink "$folder/exe") in */postgres | */postgres\\ \\(deleted\\)) found+=("${folder#/proc/}") ;; esac
  done
  [ ${#found[@]} -gt 0 ]
}
end_orphans() {
  local round=0
  while [ $round -lt 100 ] && orphans; do
    if [ $round -eq 0 ]; then kill -QUIT "${found[@]}" 2> /dev/null; fi
    if [ $round -eq 50 ]; then kill -KILL "${found[@]}" 2> /dev/null; fi
    round=$((round + 1))
    sleep 0.1
  done
}
forget_zombie() {
  local round=0 lines
  while { mapfile -t lines < "$data/postmaster.pid"; } 2> /dev/null &&
    grep -q '^State:.Z' "/proc/${lines[0]}/status" 2> /dev/null
  do
    if [ $round -eq 30 ]; then rm -f -- "$data/postmaster.pid" "${lines[4]}/.s.PGSQL.${lines[3]}.lock"; fi
    round=$((round + 1))
    sleep 0.1
  done
}"""
