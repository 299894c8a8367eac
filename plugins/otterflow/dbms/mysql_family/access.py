"""How a command that runs on a host reaches the database: an option file for the client programs.

The password travels in that file (`--defaults-file`, mode 600), never in a command, an environment or a log.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

CLIENT_FILE = "client.cnf"
"""The option file's name in a job's folder. `--defaults-file=client.cnf` must be a program's first argument."""
OPTION_FILE = "MYSQL_OPTION_FILE"
"""The variable that has its whole path."""

PARAMETERS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_identity", "ssl_disabled")
"""What an SQL connection's extra may say of how to connect: paths on the machine where a program runs, and switches."""

_SWITCHES = {
    "ssl_verify_identity": ("loose-ssl-verify-server-cert", "loose-ssl-mode=VERIFY_IDENTITY"),
    "ssl_disabled": ("loose-skip-ssl", "loose-ssl-mode=DISABLED"),
}
"""The options of MariaDB's programs and of MySQL's; `loose-` has a program pass over one that it does not know."""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"}
_LONGEST_LINE = 4000
"""The programs read an option file in lines of 4,096 bytes."""


def tls_parameters(extra: Mapping[str, object]) -> dict[str, str]:
    """What of a connection's extra says how to connect: the parameters of `PARAMETERS` that it sets."""
    return {name: str(extra[name]) for name in PARAMETERS if extra.get(name) not in (None, "", False)}


def option(name: str, value: str) -> str:
    r"""A line of an option file, its value in quotes and escaped, so that `#`, spaces and quotes stay what they are.

    Source: https://dev.mysql.com/doc/refman/8.4/en/option-files.html. Raises ValueError for a value that the file
    cannot carry.
    """
    if "\0" in value:
        raise ValueError(f"{name}: holds a NUL byte, which an option file cannot carry; choose another")
    line = f'{name}="' + "".join(_ESCAPES.get(letter, letter) for letter in value) + '"\n'
    if len(line.encode()) > _LONGEST_LINE:
        raise ValueError(f"{name}: is longer than a line of an option file may be; choose a shorter one")
    return line


@dataclass(frozen=True)
class DatabaseAccess:
    """Where the database is as seen from the host where the command runs.

    `host` may be the path of the server's socket. `parameters` are as `tls_parameters` gives them, `program` is the
    client program's name.
    """

    host: str
    port: int
    user: str
    database: str
    password: str = field(default="", repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    program: str = "mysql"

    def __post_init__(self) -> None:
        """Raises ValueError for what no option file can carry: before anything is done on a host."""
        self.option_file()

    def to(self, database: str) -> DatabaseAccess:
        """The same access to another database of the server."""
        return replace(self, database=database)

    def option_file(self) -> str:
        """The text of `CLIENT_FILE`."""
        if self.host.startswith("/"):
            where = [option("socket", self.host)]
        else:  # `localhost` would lead to a socket
            where = [option("host", self.host), f"port={self.port}\n", "protocol=tcp\n"]
        lines = ["[client]\n", *where, option("user", self.user), "default-character-set=utf8mb4\n"]
        if self.password:
            lines.append(option("password", self.password))
        for name in ("ssl_ca", "ssl_cert", "ssl_key"):
            if name in self.parameters:
                lines.append(option(name.replace("_", "-"), self.parameters[name]))
        lines += [f"{line}\n" for name, words in _SWITCHES.items() if name in self.parameters for line in words]
        return "".join([*lines, "\n[mysql]\n", option("database", self.database)])

    def files(self) -> dict[str, str]:
        """The option file."""
        return {CLIENT_FILE: self.option_file()}

    def environment(self) -> dict[str, str]:
        """Where the server is, for a user's own command; the programs are told by the option file. Holds no secret.

        The first three are the names that the programs themselves know, the last two those of the products' images.
        No stored login is taken for the option file.
        """
        if self.host.startswith("/"):
            where = {"MYSQL_HOST": "localhost", "MYSQL_UNIX_PORT": self.host}
        else:
            where = {"MYSQL_HOST": self.host, "MYSQL_TCP_PORT": str(self.port)}
        own = {"MYSQL_USER": self.user, "MYSQL_DATABASE": self.database}
        return {**where, **own, "MYSQL_TEST_LOGIN_FILE": "/nonexistent"}

    def prologue(self, bin_dir: str | None) -> str:
        """The head of a job's script: strict bash, `sql_client`, which leads to the database, and PATH.

        Variables that the host's environment may hold for the client programs are taken out, so that a benchmark does
        the same wherever it runs.
        """
        lines = [
            "set -euo pipefail",
            "umask 077",
            "unset MYSQL_PWD MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_GROUP_SUFFIX MARIADB_GROUP_SUFFIX",
            "export LC_ALL=C TZ=UTC",
        ]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.environment().items()]
        if bin_dir:
            lines.append(f'export PATH={shlex.quote(bin_dir)}:"$PATH"')
        lines.append(f'export {OPTION_FILE}="$PWD/{CLIENT_FILE}"')
        lines.append(f'sql_client() {{ {shlex.quote(self.program)} --defaults-file="${OPTION_FILE}" "$@"; }}')
        return "\n".join(lines) + "\n"
