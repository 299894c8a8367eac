"""Whether commands on a host reach the server as otterflow will call them there: by a login with its option file.

SQL from Airflow goes another way (a tunnel, another network), so that it works says nothing of this.
"""

from __future__ import annotations

from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import Problem
from otterflow.remote.shell import quote

TIMEOUT_S = 10


def reach_command(product: Product, target: Target, *, bin_dir: bool = True) -> str:
    """A bash command that tries to log in, and prints what the program said where it could not.

    The option file (`access.files()`) comes by standard input. Programs are the target's `bin_dir`'s, or with
    `bin_dir` false those on the PATH. One that is missing is not tried.
    """
    named = target if bin_dir else target.model_copy(update={"bin_dir": None})
    client = program(named, product.client)
    return f"""umask 077
unset MYSQL_PWD MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_GROUP_SUFFIX MARIADB_GROUP_SUFFIX
export MYSQL_TEST_LOGIN_FILE=/nonexistent
file=$(mktemp)
trap 'rm -f -- "$file"' EXIT
cat > "$file"
command -v -- {client} > /dev/null || exit 0
if ! said=$({client} --defaults-file="$file" --connect-timeout={TIMEOUT_S} -N -e {quote("SELECT 1")} 2>&1 < /dev/null)
then printf '%s\\n' "${{said:-it failed without a word}}"; fi
exit 0
"""


def reach_problem(text: str, access: DatabaseAccess, field: str, host: str) -> Problem | None:
    """What `reach_command` printed, as a problem of the setting `field`; `host` names where it ran."""
    said = " ".join(text.split())
    if not said:
        return None
    found = f"{host} cannot log in at {access.host} port {access.port} as {access.user!r}: {said}"
    advice = "give the address that the server listens on, and let the user in from there (CREATE USER ... @'host')"
    return Problem(field, found, advice)
