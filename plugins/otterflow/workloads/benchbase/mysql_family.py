"""How BenchBase reaches a MariaDB or MySQL server, and how its tables are tended after a load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, urlencode

from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import InvalidInput, Problem


@dataclass(frozen=True)
class Way:
    """One product of the family: its client program, which is its name in addresses too, and BenchBase's words."""

    client: str
    TYPE: str
    JDBC_DRIVER: str

    AFTER_LOAD: ClassVar[str] = """\
sql_client --batch --skip-column-names <<'SQL' | sql_client
SELECT concat('ANALYZE TABLE `', replace(table_name, '`', '``'), '`;') FROM information_schema.tables
WHERE table_schema = database() AND table_type = 'BASE TABLE';
SQL
"""
    """Take the statistics of all tables; `sql_client` is of the job's prologue."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """The client."""
        return (self.client,)

    @property
    def DISTRIBUTION(self) -> str:
        """BenchBase's build for the product."""
        return f"benchbase-{self.client}"

    def jdbc_url(self, access: DatabaseAccess) -> str:
        """Where the database is, without user and password. Source: each product's JDBC driver's guide."""
        if access.host.startswith("/"):
            advice = "give the target a driver_host with a name or an address"
            raise InvalidInput(
                Problem("driver_host", f"{access.host!r} is a socket, which Java does not reach", advice)
            )
        host = f"[{access.host}]" if ":" in access.host else access.host
        parameters = urlencode({"rewriteBatchedStatements": "true", "allowPublicKeyRetrieval": "true"})
        return f"jdbc:{self.client}://{host}:{access.port}/{quote(access.database, safe='')}?{parameters}"
