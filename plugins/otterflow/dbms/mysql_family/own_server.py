"""A server that the SSH user owns: its program is started and stopped by otterflow itself, in bash.

The program never returns while the server runs, so it is put into a session of its own with no open end to the SSH
channel. It is up once it listens; it does so after a crash recovery, not before. How it ended the last time is told
without its log: a server that ends in order takes its pid file away, and one that is killed leaves it.
"""

from __future__ import annotations

from otterflow.dbms.mysql_family.processes import process_functions
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.start_report import start_log
from otterflow.dbms.target import Target
from otterflow.remote.shell import quote

KILL_S = 10
"""How long a killed process may take to go."""
STILL_STARTING = 81
"""Exit code of a start whose server lives and does not listen yet."""

SHUT_DOWN, KILLED, AT_WORK, RUNNING = "shut down", "killed", "at work", "running"
"""What `state_command` prints."""


def functions(product: Product, target: Target) -> str:
    """Bash functions `start_server` and `stop_server`; they need those of `process_functions`."""
    if not isinstance(target.service, OwnServer):
        raise TypeError(f"a service of kind {target.service.kind!r} has functions of its own")
    return f"""server_program={program(target, product.server)}
config_file={quote(target.service.config_file)}
start_log={quote(start_log(target))}
{_FUNCTIONS.replace("START_S", str(target.start_timeout_s)).replace("STOP_S", str(target.stop_timeout_s))}"""


def state_command(product: Product, target: Target) -> str:
    """Print what is to be seen of a server that gives no answer; an exit code where its pid file cannot be found."""
    if not isinstance(target.service, OwnServer):
        return "exit 1"
    server, file = program(target, product.server), quote(target.service.config_file)
    return f"""{process_functions(product, target)}
if find_server; then if is_at_work; then echo "{AT_WORK}"; else echo "{RUNNING}"; fi; exit 0; fi
pid_file=$({server} --defaults-file={file} --print-defaults 2> /dev/null | tr ' ' '\\n' |
  sed -nE 's/^--pid[-_]file=//p' | tail -n 1)
if [ -z "$pid_file" ]; then exit 1; fi
case $pid_file in /*) ;; *) pid_file=$data/$pid_file ;; esac
if [ -e "$pid_file" ]; then echo "{KILLED}"; else echo "{SHUT_DOWN}"; fi
"""


_FUNCTIONS = f"""listens() {{
  local inode inodes
  inodes=$(find "/proc/$1/fd" -lname 'socket:*' -printf '%l\\n' 2> /dev/null | tr -dc '0-9\\n')
  [ -n "$inodes" ] || return 1
  {{ awk '$4 == "0A" {{ print $10 }}' /proc/net/tcp /proc/net/tcp6; awk '$4 == "00010000" {{ print $7 }}' /proc/net/unix
  }} 2> /dev/null | grep -qxF -- "$inodes"
}}
start_server() {{
  local round=0 child
  if find_server; then child=$server
  else
    mkdir -p -m 700 -- "$(dirname -- "$start_log")"
    setsid nohup "$server_program" --defaults-file="$config_file" > "$start_log" 2>&1 < /dev/null &
    child=$!
  fi
  while ! listens "$child"; do
    if is_gone "$child" && ! find_server; then return 1; fi
    if [ -n "$server" ]; then child=$server; fi
    if [ $round -ge $((START_S * 20)) ]; then
      echo "the server lives and does not listen after START_S s" >&2
      return {STILL_STARTING}
    fi
    round=$((round + 1))
    sleep 0.05
  done
}}
stop_server() {{
  local round=0
  find_server || return 0
  kill -TERM "$server" 2> /dev/null
  while ! is_gone "$server"; do
    if [ $round -eq $((STOP_S * 20)) ]; then
      echo "the server did not stop within STOP_S s, it is killed" >&2
      kill -KILL "$server" 2> /dev/null
    fi
    if [ $round -ge $(((STOP_S + {KILL_S}) * 20)) ]; then return 1; fi
    round=$((round + 1))
    sleep 0.05
  done
}}"""
