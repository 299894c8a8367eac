"""A dump that a user has made, as the benchmark's data: bash for a look at it, and for its load.

It is SQL as the dump program writes it, plain or compressed by gzip, zstd or xz. One that says itself into which
database it goes would go there, and not into the benchmark's: it is refused.
"""

from __future__ import annotations

from otterflow.dbms.mysql_family import dump_sql
from otterflow.dbms.mysql_family.dump import load_function
from otterflow.dbms.mysql_family.job_client import client_functions
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.script import JobScript
from otterflow.remote.shell import quote

_READ = """text() {
  case "$1" in
    *.gz) gzip -dc -- "$1" ;;
    *.zst) zstd -dc -- "$1" ;;
    *.xz) xz -dc -- "$1" ;;
    *) cat -- "$1" ;;
  esac
}"""


def look_at_dump_command(path: str, target: Target) -> str:
    """Print the dump's size in bytes. Fails for one that is not there, may not be read, or names its database."""
    return f"""set -eu
{_READ}
dump={quote(path)}
if [ -d "$dump" ]; then echo "$dump is a folder; give one file of SQL, as the dump program writes it" >&2; exit 1; fi
if [ ! -r "$dump" ]; then echo "$dump is not there, or may not be read by $(id -un)" >&2; exit 1; fi
set -o pipefail
head=$(text "$dump" | head -c 65536 | tr -d '\\0' || true)
if [ -z "$head" ]; then echo "$dump is empty, or cannot be read as what its name says" >&2; exit 1; fi
if text "$dump" | LC_ALL=C grep -aqE '^(USE `|CREATE DATABASE )'; then
  echo "$dump says itself into which database it goes; make it again without --databases" >&2
  exit 1
fi
du -sbL -- "$dump" | cut -f 1
"""


def load_dump(product: Product, target: Target, access: DatabaseAccess, path: str) -> JobScript:
    """Load the dump into the database, and analyze it. One that cannot be loaded whole fails."""
    script = f"""set -euo pipefail
umask 077
{client_functions(product, target)}
{load_function(product, target)}
{_READ}
dump={quote(path)}
echo "loading $dump"
text "$dump" | load_sql {quote(target.database)}
echo analyze
ask <<< {quote(dump_sql.analyze(target.database))} | ask > /dev/null
"""
    return JobScript(script, access.files())
