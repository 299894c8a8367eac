"""How BenchBase reaches a PostgreSQL server, and how its tables are tended after a load."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from otterflow.dbms.postgresql.database import VACUUM_OWN_SQL
from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import InvalidInput, Problem

PROGRAMS, DISTRIBUTION = ("psql",), "benchbase-postgres"
TYPE, JDBC_DRIVER = "POSTGRES", "org.postgresql.Driver"

AFTER_LOAD = f"""\
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
{VACUUM_OWN_SQL}SQL
"""
"""The benchmark's tables; of all, the system's shared ones would each leave a warning in the server's log."""

_JDBC_KNOWS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
"""libpq's parameters that pgjdbc has by the same name."""


def jdbc_url(access: DatabaseAccess) -> str:
    """Where the database is, without user and password. Source: https://jdbc.postgresql.org/documentation/use/."""
    if access.host.startswith("/"):
        advice = "give the target a driver_host with a name or an address"
        raise InvalidInput(Problem("driver_host", f"{access.host!r} is a socket, which Java does not reach", advice))
    host = f"[{access.host}]" if ":" in access.host else access.host
    database = quote(access.database, safe="")
    parameters = {"ApplicationName": "otterflow", "reWriteBatchedInserts": "true"}
    parameters |= {name: value for name, value in access.parameters.items() if name in _JDBC_KNOWS}
    return f"jdbc:postgresql://{host}:{access.port}/{database}?{urlencode(parameters, quote_via=quote)}"
