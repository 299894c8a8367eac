"""How a command that runs on a host reaches the database: host, port, user, database, and a password file's text.

The password travels in a file (libpq's `PGPASSFILE`, mode 600), never in a command, an environment or a log.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_PASSWORD = re.compile(r"(?:(?:[^:\\]|\\.)*:){4}((?:[^:\\]|\\.)*)\n", re.S)
"""The fifth field of a password file's first line, still escaped."""


VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "channel_binding": "PGCHANNELBINDING",
    "require_auth": "PGREQUIREAUTH",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""What an SQL connection's extra may say of how to connect, by libpq's name, and the variable that says it to programs.

Source: https://www.postgresql.org/docs/current/libpq-envars.html. Files are those of the machine where a program runs.
"""


def libpq_parameters(extra: Mapping[str, object]) -> dict[str, str]:
    """What of a connection's extra is libpq's: the parameters of `VARIABLES` that it sets."""
    return {name: str(extra[name]) for name in VARIABLES if extra.get(name) not in (None, "")}


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
    `pgpass_line`), empty when the server asks for no password; it is kept out of `repr`. `parameters` are libpq's, as
    `libpq_parameters` gives them.
    """

    host: str
    port: int
    user: str
    database: str
    pgpass: str = field(default="", repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def with_password(
        cls,
        host: str,
        port: int,
        user: str,
        database: str,
        password: str | None,
        parameters: Mapping[str, str] | None = None,
    ) -> DatabaseAccess:
        """Access with the password file written for any database of that server (maintenance ones as well)."""
        pgpass = pgpass_line(_pgpass_host(host), port, user, password) if password else ""
        return cls(host, port, user, database, pgpass, parameters or {})

    def to(self, database: str) -> DatabaseAccess:
        """The same access to another database of the server."""
        return replace(self, database=database)

    @property
    def password(self) -> str:
        """The password for a program that does not read password files; empty when the server asks for none."""
        found = _PASSWORD.match(self.pgpass)
        return re.sub(r"\\(.)", r"\1", found.group(1), flags=re.S) if found else ""

    def prologue(self, bin_dir: str | None) -> str:
        """The head of a job's script: strict bash, the way to the database, and PATH, each value quoted.

        Variables of libpq that the host's environment may hold (a service, a password, options) are taken out, so that
        a benchmark does the same wherever it runs.
        """
        lines = [
            "set -euo pipefail",
            "umask 077",
            "unset PGSERVICE PGSERVICEFILE PGPASSWORD PGPASSFILE PGOPTIONS PGHOSTADDR PGSSLPASSWORD",
            "export LC_ALL=C PGTZ=UTC PGCLIENTENCODING=UTF8 PGCONNECT_TIMEOUT=10 PGAPPNAME=otterflow",
        ]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.environment().items()]
        if self.pgpass:
            lines.append('export PGPASSFILE="$PWD/pgpass"')
        if bin_dir:
            lines.append(f'export PATH={shlex.quote(bin_dir)}:"$PATH"')
        return "\n".join(lines) + "\n"

    def files(self) -> dict[str, str]:
        """The password file, if the server asks for a password."""
        return {"pgpass": self.pgpass} if self.pgpass else {}

    def environment(self) -> dict[str, str]:
        """The variables of libpq but for `PGPASSFILE`, whose path only the job knows. Holds no secret."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            **{VARIABLES[name]: value for name, value in self.parameters.items()},
        }


def _pgpass_host(host: str) -> str:
    """What a password file's line names: libpq knows a socket by its folder, or as `localhost` for its own default."""
    return "*" if host.startswith("/") else host
