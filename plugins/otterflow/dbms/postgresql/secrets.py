"""Settings and statement texts that may hold secrets: they stay on the server.

What otterflow learns of a server is kept in its repository and shown in logs and reports, so the choice is made in the
SQL itself. Only a setting of text can hold a secret; numbers, switches and enums are told whatever they are called.
"""

from __future__ import annotations

import re

from otterflow.dbms.postgresql.quoting import literal
from otterflow.errors import Problem

MAY_HOLD_SECRETS: dict[str, str] = {
    "archive_cleanup_command": "shell commands carry access keys of archives",
    "archive_command": "shell commands carry access keys of archives",
    "primary_conninfo": "it has the replication role's password",
    "recovery_end_command": "shell commands carry access keys of archives",
    "restore_command": "shell commands carry access keys of archives",
    "ssl_passphrase_command": "it prints the passphrase of the server's private key",
}
"""Settings of the server's own that hold secrets on some servers, and why."""

SUSPICIOUS = "passw|passphrase|secret|token|credential|conninfo|apikey|api_key|private_key|salt"
"""Parts of a name that speak of a secret, in a setting that is not known yet: a newer server's, a fork's."""

WITHHELD = "(not shown)"
_AN_ENUM = "password_encryption"


def withheld_sql(name: str) -> str:
    """SQL that is true where the setting that the SQL expression `name`, with its table's name, names may be a secret.

    Those are the ones listed, those with a suspicious name, and every text with a dot in its name: extensions and
    applications keep keys and tokens in such settings, under names of their own.
    """
    listed = ", ".join(literal(known) for known in MAY_HOLD_SECRETS)
    return f"""(
       (lower({name}) IN ({listed}) OR {name} ~* {literal(SUSPICIOUS)} OR strpos({name}, '.') > 0)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_settings AS known
                        WHERE known.name = lower({name}) AND known.vartype <> 'string'))"""


def is_withheld(name: str) -> bool:
    """Whether the setting of this name may hold a secret, as far as a name tells."""
    known = name.lower()
    return known in MAY_HOLD_SECRETS or (known != _AN_ENUM and re.search(SUSPICIOUS, known) is not None)


def file_problems(names: list[str], knobs_file: str) -> list[Problem]:
    """Lines of the knobs file, whose text is kept to be put back, that should be in another file."""
    return [
        Problem(
            "knobs_file",
            f"{knobs_file} sets {name}, which may hold a secret, and its text is kept in otterflow's repository",
            "move the line to another of the server's configuration files",
        )
        for name in names
        if is_withheld(name)
    ]


def normalised_sql(query: str) -> str:
    r"""SQL that is true where the statement text that the expression `query` gives holds no constant.

    pg_stat_statements puts $1 in the place of a constant, but keeps utility statements as they are (CREATE ROLE ...
    PASSWORD '...'), and any text whose entry was thrown out while it ran. So a text counts as normalised if it begins
    with a word of a query and has neither a quoted constant nor a number in it.
    """
    return f"""({query} ~* '^\\s*(select|insert|update|delete|merge|with|values|table)\\M'
       AND strpos({query}, '''') = 0 AND {query} !~ '\\$[[:alpha:]_]*\\$'
       AND {query} !~ '(^|[^[:alnum:]_$.])[0-9]')"""
