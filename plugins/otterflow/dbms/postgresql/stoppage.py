"""Whether a server that went away had been asked to, told from what it left behind and not from its log.

A log speaks the server's own language. A shutdown that was asked for leaves `shut down` in the control file, and the
statistics are kept over it; a crash leaves neither: the next start discards them and counts anew (`pgstat_reset_all`
and `pgstat_discard_stats` in xlog.c's `StartupXLOG`, PostgreSQL 12 to 18). An immediate shutdown is a crash by these
signs, and is taken for one.
"""

from __future__ import annotations

from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.target import Target
from otterflow.dbms.values import Query, Started
from otterflow.remote.shell import quote

STARTED_SQL = """
SELECT extract(epoch FROM pg_postmaster_start_time())::float8 AS started_s,
       (SELECT extract(epoch FROM stats_reset)::float8 FROM pg_stat_bgwriter) AS counting_since_s,
       (SELECT extract(epoch FROM backend_start)::float8 FROM pg_stat_activity
         WHERE backend_type = 'checkpointer') AS helpers_since_s
"""
"""When the running server was started, and since when it counts; one row. Where one of its processes was killed, as the
kernel does for want of memory, the postmaster stays and begins all others anew, the checkpointer among them."""


def started(query: Query) -> Started:
    """When the running server was started, and since when it counts."""
    return Started.from_row(query(STARTED_SQL)[0])


def control_state_command(target: Target) -> str:
    """Print the state in the control file, as in `in production`; an exit code where it cannot be read."""
    control = f"LC_ALL=C {program(target, 'pg_controldata')} -D {quote(target.data_dir)}"
    return f"set -o pipefail; {control} | sed -n 's/^Database cluster state: *//p'"


def is_shut_down(state: str) -> bool:
    """Whether the control file says that the server was shut down in order."""
    return state in ("shut down", "shut down in recovery")


def is_on_its_way(state: str) -> bool:
    """Whether the control file says that a shutdown is under way."""
    return state == "shutting down"
