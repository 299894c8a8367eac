"""What sysbench is told of a PostgreSQL server, and how its tables are tended after a load.

sysbench passes an empty `--pgsql-password` on to libpq, which then reads the password file: no password is on the
command line or in the environment.
"""

from __future__ import annotations

from collections.abc import Sequence

from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import join

PROGRAMS = ("psql",)


def options(access: DatabaseAccess) -> list[str]:
    """The way to the database."""
    return [
        "--db-driver=pgsql",
        f"--pgsql-host={access.host}",
        f"--pgsql-port={access.port}",
        f"--pgsql-user={access.user}",
        f"--pgsql-db={access.database}",
    ]


def files(access: DatabaseAccess) -> dict[str, str]:
    """None of its own: the password file is the access's."""
    return {}


def after_load(tables: Sequence[str]) -> str:
    """Vacuum the tables, so that no run begins with that work."""
    psql = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    return join([*psql, f"--command=VACUUM (ANALYZE) {', '.join(tables)}"])
