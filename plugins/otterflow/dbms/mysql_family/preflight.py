"""What the server would refuse of its option files, asked of its program before a running server is stopped.

MariaDB's program has no such question; it is asked for its help, for which it reads all options. It ends with success
even where it refuses one of InnoDB's, so its words count: they are the same in every language. Neither product's
program finds what depends on the data or on the memory; the start does.
"""

from __future__ import annotations

from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.target import CommandService, Target
from otterflow.remote.shell import join, quote

NO_START = 82
"""Exit code of a restart that was not tried, for the server says that it would not start."""
LIMIT_S = 20


def preflight_functions(product: Product, target: Target) -> str:
    """Bash function `would_start`: false, with the server's words on stderr, where it says that it would not.

    A server that is driven by a user's own command may have its program elsewhere; it is not asked.
    """
    if isinstance(target.service, CommandService):
        return "would_start() { return 0; }"
    own = [f"--defaults-file={target.service.config_file}"] if isinstance(target.service, OwnServer) else []
    ask = f"timeout {LIMIT_S} {program(target, product.server)} {join([*own, *product.preflight])}"
    return f"knobs_file={quote(target.knobs_file)}\nask_server() {{ {ask}; }}\n{_FUNCTIONS}"


# The names in a refusal are written with hyphens or underscores, as the server likes. A line that otterflow has not
# written is none of its configuration's faults, which "otterflow sees" says to whoever reads it.
_FUNCTIONS = """would_start() {
  local said name names own=0
  said=$(ask_server 2>&1 > /dev/null | grep -F '[ERROR]')
  if [ -z "$said" ]; then return 0; fi
  printf '%s\\n' "$said" >&2
  names=$(sed -nE "s/.* (to|for|variable|option) '?-*([A-Za-z][A-Za-z0-9_-]*).*/\\\\2/p" <<< "$said")
  if [ -z "$names" ]; then return 1; fi
  for name in $names; do
    if grep -qiE "^[[:space:]]*(loose[-_])?${name//[-_]/[-_]}([[:space:]]|=|$)" -- "$knobs_file" 2> /dev/null; then
      own=1
    fi
  done
  if [ $own -eq 0 ]; then echo "otterflow sees: the server refuses a line of a file that is not $knobs_file" >&2; fi
  return 1
}"""
