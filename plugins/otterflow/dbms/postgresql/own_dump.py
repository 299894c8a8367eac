"""A dump that a user has made, as the benchmark's data: bash for a look at it, and for its restore.

Owners and rights are left out, for the roles of another server need not be there: all is the SQL user's.
"""

from __future__ import annotations

from otterflow.dbms.postgresql.dump import client
from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.postgresql.upkeep import upkeep_functions
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.script import JobScript
from otterflow.remote.shell import quote


def look_at_dump_command(path: str, target: Target) -> str:
    """Print the dump's size in bytes. Fails for one that is not there, may not be read, or is plain SQL."""
    return f"""set -eu
{program(target, "pg_restore")} --list {quote(path)} > /dev/null
du -sbL -- {quote(path)} | cut -f 1
"""


def load_dump(target: Target, access: DatabaseAccess, path: str) -> JobScript:
    """Restore the dump into the database, and analyze it. One that cannot be restored whole fails."""
    restore = f"{program(target, 'pg_restore')} --exit-on-error --no-owner --no-privileges"
    script = f"""set -euo pipefail
umask 077
{client(target, access)}
{upkeep_functions(target)}
database={quote(target.database)} dump={quote(path)} jobs={target.snapshot.jobs}
if [ -f "$dump" ] && [ "$(head -c 5 -- "$dump")" != PGDMP ]; then jobs=1; fi
echo "restoring $dump"
as_client {restore} --jobs="$jobs" --dbname="$database" "$dump"
echo "vacuum and analyze"
vacuum_own "$database"
"""
    return JobScript(script, access.files())
