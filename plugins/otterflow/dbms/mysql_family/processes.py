"""Finding the server's process on its host, and whether it is at work, in bash.

A server works in its data directory, which only its own user and root can see; the command line in /proc is open to
all. A server that gives no answer is at work, recovering from a crash say, where it uses its processors or waits for
its disk; one that does neither hangs, and waiting for it helps nobody.
"""

from __future__ import annotations

from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.target import Target
from otterflow.remote.shell import quote

SYSTEM_PROGRAMS = 'PATH="$PATH:/usr/local/sbin:/usr/sbin"'
"""Where packages put the server's own program, which is not on an ordinary user's PATH."""

WORKS_WITHIN_S = 1
"""How long a server is watched for a sign of work."""


def process_functions(product: Product, target: Target) -> str:
    """Bash functions `find_server`, which puts the server's process id into `server`, and `is_at_work`.

    Both return an exit code: whether there is one, and whether it is at work. A server that the SSH user owns is never
    another user's.
    """
    names = " | ".join(quote(name) for name in product.processes)
    another = ":" if isinstance(target.service, OwnServer) else _ANOTHERS
    functions = _FUNCTIONS.replace("NAMES", names).replace("ANOTHERS", another)
    functions = functions.replace("LOOKS", str(WORKS_WITHIN_S * 10))
    return f"{SYSTEM_PROGRAMS}\ndata={quote(target.data_dir.rstrip('/'))}\n{functions}"


# A program that runs by another system's loader has that in front.
_FUNCTIONS = """find_server() {
  local folder words word elsewhere others=()
  server=
  for folder in /proc/[0-9]*; do
    words=()
    { mapfile -d '' -t words < "$folder/cmdline"; } 2> /dev/null
    word=${words[0]:-}
    case ${word##*/} in
      NAMES) ;;
      ld-linux*) case " ${words[*]:0:6} " in *mysqld\\ * | *mariadbd\\ *) ;; *) continue ;; esac ;;
      *) continue ;;
    esac
    if [ "$folder/cwd" -ef "$data" ]; then server=${folder#/proc/}; return 0; fi
ANOTHERS
  done
  if [ ${#others[@]} -eq 1 ]; then server=${others[0]}; fi
  [ -n "$server" ]
}
ticks() {
  local stat
  { read -r stat < "/proc/$server/stat"; } 2> /dev/null || return 1
  set -- ${stat##*) }
  echo $((${12} + ${13}))
}
waits_for_disk() { grep -q '^State:.D' "/proc/$server/task/"*/status 2> /dev/null; }
is_at_work() {
  local round=0 before
  before=$(ticks) || return 1
  while [ $round -lt LOOKS ]; do
    if waits_for_disk || [ "$(ticks)" != "$before" ]; then return 0; fi
    round=$((round + 1))
    sleep 0.1
  done
  return 1
}
is_gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null; }"""

# Where one server alone runs under another user, and says nothing of its data directory, it is taken for the target's.
_ANOTHERS = """    if readlink "$folder/cwd" > /dev/null 2>&1; then continue; fi
    elsewhere=0
    for word in "${words[@]:1}"; do
      case $word in
        --datadir=*)
          word=${word#--datadir=}
          if [ "${word%/}" = "$data" ]; then server=${folder#/proc/}; return 0; fi
          elsewhere=1
          ;;
      esac
    done
    if [ $elsewhere -eq 0 ]; then others+=("${folder#/proc/}"); fi"""
