"""How a command that runs on a host reaches the database: host, port, user, database, and a password file's text.

The password travels in a file (libpq's `PGPASSFILE`, mode 600), never in a command, an environment or a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

_PASSWORD = re.compile(r"(?:(?:[^:\\]|\\.)*:){4}((?:[^:\\]|\\.)*)\n", re.S)
"""The fifth field of a password file's first line, still escaped."""


def pgpass_line(host: str, port: int, user: str, password: str, database: str = "*") -> str:
    r"""One line of a libpq password file, with `:` and `\` escaped.

    Source: https://www.postgresql.org/docs/current/libpq-pgpass.html. Raises ValueError for a password that holds a
    line break, which that format cannot carry.
    """
    if "\n" in password or "\r" in password:
        raise ValueError("password: holds a line break, which a libpq password file cannot carry; choose another")
    fields = (host, str(port), database, user, password)
    return ":".join(_escaped(value) for value in fields) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:")


@dataclass(frozen=True)
class DatabaseAccess:
    """Where the database is as seen from the host where the command runs.

    `host` may be a folder with the server's socket. `pgpass` is the text of a libpq password file (see
    `pgpass_line`), empty when the server asks for no password; it is kept out of `repr`.
    """

    host: str
    port: int
    user: str
    database: str
    pgpass: str = field(default="", repr=False)

    @classmethod
    def with_password(cls, host: str, port: int, user: str, database: str, password: str | None) -> DatabaseAccess:
        """Access with the password file written for any database of that server (maintenance ones as well)."""
        pgpass = pgpass_line(_pgpass_host(host), port, user, password) if password else ""
        return cls(host, port, user, database, pgpass)

    def to(self, database: str) -> DatabaseAccess:
        """The same access to another database of the server."""
        return replace(self, database=database)

    @property
    def password(self) -> str:
        """The password for a program that does not read password files; empty when the server asks for none."""
        found = _PASSWORD.match(self.pgpass)
        return re.sub(r"\\(.)", r"\1", found.group(1), flags=re.S) if found else ""

    def environment(self) -> dict[str, str]:
        """The variables of libpq but for `PGPASSFILE`, whose path only the job knows. Holds no secret."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
        }


def _pgpass_host(host: str) -> str:
    """What a password file's line names: libpq knows a socket by its folder, or as `localhost` for its own default."""
    return "*" if host.startswith("/") else host
