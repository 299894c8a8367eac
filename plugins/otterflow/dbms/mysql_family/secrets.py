"""Settings and statement texts that may hold secrets: they stay on the server.

What otterflow learns of a server is kept in its repository and shown in logs and reports, so the choice is made in the
SQL itself. Only a setting of text can hold a secret; numbers, switches and enums are told whatever they are called.
"""

from __future__ import annotations

import re

from otterflow.dbms.mysql_family.quoting import literal
from otterflow.errors import Problem

MAY_HOLD_SECRETS: dict[str, str] = {
    "init_connect": "a statement that every session runs, which may hold a password",
    "init_slave": "a statement, as init_connect",
    "init_replica": "a statement, as init_connect",
    "wsrep_provider_options": "it may have the keys' passwords",
    "wsrep_sst_auth": "it has the user and the password of a state transfer",
    "wsrep_notify_cmd": "a shell command, which may carry a key",
}
"""Settings of text of the server's own that hold secrets on some servers, and why."""

SUSPICIOUS = "passw|passphrase|secret|token|credential|apikey|api_key|private_key|filekey|salt|auth_string|sst_auth"
"""Parts of a name that speak of a secret, in a setting that is not known yet: a newer server's, a plugin's."""

WITHHELD = "(not shown)"
_HARMLESS = "|".join(
    (
        "strict_password_validation", "simple_password_check", "cracklib_password_check", "validate_password",
        "default_password_lifetime", "old_passwords", "disconnect_on_expired", "password_(reuse|history|require)",
        "sha256_password_(auto|proxy)", "mysql_native_password_proxy", "caching_sha2_password_(auto|digest)",
        "max_password_errors",
    )
)  # fmt: skip
"""Settings that speak of passwords and hold none."""


_A_QUERY = re.compile(r"[\s(]*(select|insert|update|delete|replace|with|values|table|call)\b", re.IGNORECASE)


def withheld_sql(name: str) -> str:
    """SQL that is true where the setting that the SQL expression `name` names may be a secret.

    A name with a dot is a component's or a plugin's own setting, under whatever name that chose.
    """
    listed = ", ".join(literal(known) for known in MAY_HOLD_SECRETS)
    return f"""((lower({name}) IN ({listed}) OR lower({name}) REGEXP {literal(SUSPICIOUS)} OR locate('.', {name}) > 0)
       AND NOT lower({name}) REGEXP {literal(_HARMLESS)})"""


def is_withheld(name: str) -> bool:
    """Whether the setting of this name may hold a secret, as far as a name tells."""
    known = name.lower().replace("-", "_").removeprefix("loose_")
    if re.search(_HARMLESS, known):
        return False
    return known in MAY_HOLD_SECRETS or "." in known or re.search(SUSPICIOUS, known) is not None


def file_problems(names: list[str], knobs_file: str) -> list[Problem]:
    """Lines of the knobs file, whose text is kept to be put back, that should be in another file."""
    return [
        Problem(
            "knobs_file",
            f"{knobs_file} sets {name}, which may hold a secret, and its text is kept in otterflow's repository",
            "move the line to another of the server's option files",
        )
        for name in names
        if is_withheld(name)
    ]


def is_normalised(digest_text: str) -> bool:
    """Whether a digest's text may be told: one of a query. The server has put `?` in the place of every constant.

    Others (`CREATE USER ... IDENTIFIED BY ?`) are held back all the same: they tell names, and no load.
    """
    return _A_QUERY.match(digest_text) is not None
