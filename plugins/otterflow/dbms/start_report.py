"""What a start that failed is told by, whatever DBMS it is: new lines of the server's log, and facts of the host.

Each fact is enough to stop any start: where one holds, the configuration was never tried.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from otterflow.dbms.data_swap import put_back_command
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import ServerCrashed
from otterflow.remote.shell import has_glob, join, quote, quote_glob

STILL_RUNNING = 80
"""Exit code of a restart whose stop did not stop the server: nothing was started."""
LOG_TAIL_BYTES = 16 * 2**10
COMPLAINT_LENGTH = 400

_LOG_BEGINS, _LOG_ENDS = "the server's log since then:", "(end of the server's log)"
_SEEN = "otterflow sees: "

WAS_SEEN = re.compile(rf"^{_SEEN}", re.MULTILINE)
"""Matches what `seen` prints, if it prints anything."""

SEEN_FUNCTION = f"seen() {{ printf '%s%s\\n' {quote(_SEEN)} \"$*\"; }}"
"""Bash that tells a fact."""

NOT_IN_A_CONTAINER = 'if [ ! -d "$data" ]; then return; fi'
"""A user's own command may start a container, whose data directory and port are not this host's."""

DATA_IS_THERE = """local at=$data free
if [ ! -d "$data" ]; then
  while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname -- "$at"); done
  if [ ! -d "$at" ] || [ -x "$at" ]; then seen "data_dir $data does not exist"; fi
  return
fi"""
"""A folder that cannot be entered says nothing."""

OWN_DATA = """if [ "$EUID" -eq 0 ]; then seen "the SSH user is root, as whom the server does not run"; fi
if [ ! -O "$data" ]; then seen "data_dir $data belongs to $(stat -L -c %U -- "$data"), not to $(id -un)"; fi"""
"""Of a server that the SSH user starts as its own."""


def disk_is_full(least_kib: int) -> str:
    """With less room than this in the data directory no start can end well."""
    return f"""free=$(df -P -k -- "$data" 2> /dev/null | awk 'NR == 2 {{ print $4 }}')
if [ -n "$free" ] && [ "$free" -lt {least_kib} ]; then seen "the file system of data_dir $data is full"; fi"""


def unit_facts(unit: str) -> list[str]:
    """Whether systemd knows the unit, and the SSH user may start it."""
    found = f'[ "$(systemctl show -p LoadState --value {quote(unit)} 2> /dev/null)" != not-found ]'
    return [may_sudo("systemctl", "start", unit), f"{found} || seen {quote(f'there is no unit {unit}')}"]


def may_sudo(*words: str) -> str:
    """Whether the SSH user may run the command by sudo."""
    said = quote(f"sudo does not allow `{' '.join(words)}` without a password")
    return f"sudo -n -l -- {join(words)} > /dev/null 2>&1 || seen {said}"


def port_taken(access: DatabaseAccess) -> str:
    """Whether another process listens on the server's port, at an address."""
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


def systemd_functions(unit: str) -> str:
    """Bash functions `start_server` and `stop_server` for a unit."""
    systemctl = join(["sudo", "-n", "systemctl"])
    # A unit that failed several times in a row refuses to start until it is reset.
    return (
        f"start_server() {{ {systemctl} reset-failed {quote(unit)} 2> /dev/null; "
        f"{systemctl} start {quote(unit)}; }}\n"
        f"stop_server() {{ {systemctl} stop {quote(unit)}; }}"
    )


def command_functions(start: str, stop: str) -> str:
    """Bash functions `start_server` and `stop_server` for a user's own commands."""
    return f"start_server() {{ bash -c {quote(start)}; }}\nstop_server() {{ bash -c {quote(stop)}; }}"


def start_log(target: Target) -> str:
    """Where what the server says before its own log is open is kept, if otterflow starts its program."""
    return f"{target.work_dir.rstrip('/')}/{target.name}.start.log"


def logs(target: Target) -> str:
    """Bash that puts every log file of the server into `logs`."""
    pattern = quote_glob(target.log_file) if has_glob(target.log_file) else quote(target.log_file)
    return f"""shopt -s nullglob
logs=({pattern})
if [ ${{#logs[@]}} -eq 1 ] && [ -d "${{logs[0]}}" ]; then logs=("${{logs[0]}}"/*); fi
logs+=({quote(start_log(target))})"""


LOG_FUNCTIONS = f"""declare -A log_size
note_logs() {{
  local log
  for log in "${{logs[@]}}"; do [ -f "$log" ] && log_size[$log]=$(stat -L -c %s -- "$log"); done
}}
print_new_log() {{
  local log from
  for log in "${{logs[@]}}"; do
    from=${{log_size[$log]:-0}}
    if [ -r "$log" ] && [ -f "$log" ] && [ "$(stat -L -c %s -- "$log")" -gt "$from" ]; then
      tail -c +$((from + 1)) -- "$log" | tail -c {LOG_TAIL_BYTES}
    fi
  done
}}"""
"""Bash that notes how long each of `logs` is, and prints what has come since."""


def log_tail_command(target: Target, max_bytes: int = LOG_TAIL_BYTES) -> str:
    """The end of the server's newest log: of the file, of the newest that matches the glob, or of one in the folder.

    Exit code 1 with the reason where none can be read.
    """
    return f"""{logs(target)}
newest=
for log in "${{logs[@]}}"; do
  if [ -f "$log" ] && {{ [ -z "$newest" ] || [ "$log" -nt "$newest" ]; }}; then newest=$log; fi
done
if [ -z "$newest" ]; then echo "log_file: no file matches "{quote(target.log_file)} >&2; exit 1; fi
tail -c {max_bytes} -- "$newest"
"""


def reported(target: Target, command: str, *functions: str) -> str:
    """The command, with the functions that it needs and a `print_facts`; its exit code stays.

    When it fails, the server's new log lines and the host's facts go to stderr. Data that a restore has left aside when
    it was cut off are put back first.
    """
    # The subshell keeps an `exit` inside the command from ending the report.
    return (
        "\n".join([LOG_FUNCTIONS, logs(target), *functions])
        + f"""
{put_back_command(target)}
note_logs
( {command} )
code=$?
if [ $code -ne 0 ]; then
  {{ echo {quote(_LOG_BEGINS)}; print_new_log; echo {quote(_LOG_ENDS)}; print_facts; }} >&2
fi
exit $code
"""
    )


def crashed(message: str, log: str, is_complaint: Callable[[str], bool]) -> ServerCrashed:
    """The fault of a server whose log ends so, with its last complaint."""
    complaints = [line.strip() for line in log.splitlines() if is_complaint(line)]
    return ServerCrashed(message, log, complaints[-1][:COMPLAINT_LENGTH] if complaints else "")


def told_without(report: str, is_told: Callable[[str], bool]) -> str:
    """What a start that failed has printed; of the server's log in it only the lines that may be told."""
    head, begins, rest = report.partition(f"{_LOG_BEGINS}\n")
    log, ends, facts = rest.partition(f"{_LOG_ENDS}\n")
    return head + begins + "".join(f"{line}\n" for line in lines_told(log, is_told)) + ends + facts


def lines_told(log: str, is_told: Callable[[str], bool]) -> list[str]:
    """The lines that may be told, and how many others there are."""
    lines = log.splitlines()
    told = [line for line in lines if is_told(line)]
    if len(told) < len(lines):
        told.append(f"({len(lines) - len(told)} lines that may hold users' statements are in the log on the host)")
    return told
