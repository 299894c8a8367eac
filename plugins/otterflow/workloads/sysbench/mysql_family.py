"""What sysbench is told of a MariaDB or MySQL server, and how its tables are tended after a load.

sysbench links the client library but reads none of its option files, so the password is in a configuration file of its
own (`--config-file`, mode 600): on no command line, and not in the environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import InvalidInput, Problem
from otterflow.remote.shell import join

CONFIG_FILE = "sysbench.cnf"


@dataclass(frozen=True)
class Way:
    """One product of the family, by the name of its client program."""

    client: str

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """The client, which tends the tables."""
        return (self.client,)

    def options(self, access: DatabaseAccess) -> list[str]:
        """The way to the database."""
        if access.host.startswith("/"):
            where = [f"--mysql-socket={access.host}"]
        else:
            where = [f"--mysql-host={access.host}", f"--mysql-port={access.port}"]
        login = [f"--mysql-user={access.user}", f"--mysql-db={access.database}"]
        password = [f"--config-file={CONFIG_FILE}"] if access.password else []
        return [*password, "--db-driver=mysql", *where, *login]

    def files(self, access: DatabaseAccess) -> dict[str, str]:
        """Sysbench's configuration with the password, if there is one."""
        return {CONFIG_FILE: f"mysql-password={_quoted(access.password)}\n"} if access.password else {}

    def after_load(self, tables: Sequence[str]) -> str:
        """Take the tables' statistics, so that no run begins with that work; `sql_client` is of the job's prologue."""
        return join(["sql_client", f"--execute=ANALYZE TABLE {', '.join(tables)}"])


def _quoted(password: str) -> str:
    """The password as sysbench reads it back: one pair of quotes goes, and nothing in it is escaped."""
    if not any(letter in password for letter in "\n\r\0"):
        for quote in ('"', "'"):
            if quote not in password:
                return f"{quote}{password}{quote}"
    advice = "give the SQL user another, or use another driver"
    raise InvalidInput(Problem("the password", "it holds both kinds of quotes, or a line break, which sysbench's "
                               "configuration file cannot carry", advice))  # fmt: skip
