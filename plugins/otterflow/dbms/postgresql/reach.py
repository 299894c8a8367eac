"""Whether commands on a host reach the server as otterflow will call them there: `pg_isready`, and a login.

SQL from Airflow goes another way (a tunnel, another network), so that it works says nothing of this.
"""

from __future__ import annotations

from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import Problem
from otterflow.remote.sections import SECTION, sections, texts_of
from otterflow.remote.shell import join, quote

TIMEOUT_S = 10


def reach_command(target: Target, access: DatabaseAccess, *, bin_dir: bool = True) -> str:
    """A bash command that tries to reach the server; the password file comes by standard input (`access.pgpass`).

    Programs are the target's `bin_dir`'s, or with `bin_dir` false those on the PATH. One that is missing is not tried.
    """
    named = target if bin_dir else target.model_copy(update={"bin_dir": None})
    exports = "\n".join(f"export {name}={quote(value)}" for name, value in access.environment().items())
    where = join(["-h", access.host, "-p", str(access.port)])
    return f"""umask 077
unset PGSERVICE PGSERVICEFILE PGPASSWORD PGOPTIONS PGHOSTADDR
export PGPASSFILE=$(mktemp) PGCONNECT_TIMEOUT={TIMEOUT_S}
trap 'rm -f -- "$PGPASSFILE"' EXIT
cat > "$PGPASSFILE"
{SECTION}
attempt() {{
  local name=$1 said; shift
  command -v -- "$1" > /dev/null || return
  if ! said=$("$@" 2>&1 < /dev/null); then section "$name"; printf '%s\\n' "${{said:-it failed without a word}}"; fi
}}
attempt pg_isready {program(named, "pg_isready")} {where} -t {TIMEOUT_S}
{exports}
attempt login {program(named, "psql")} -X -w -A -t -c 'SELECT 1'
exit 0
"""


def reach_problem(text: str, access: DatabaseAccess, field: str, host: str) -> Problem | None:
    """What `reach_command` printed, as a problem of the setting `field`; `host` names where it ran."""
    said = texts_of(sections(text))
    address = f"{access.host} port {access.port}"
    if "pg_isready" in said:
        found = f"{host} reaches no server at {address}: {' '.join(said['pg_isready'].split())}"
        return Problem(field, found, "give the address that the server listens on, as seen from there")
    if "login" in said:
        found = f"{host} cannot log in at {address} as {access.user!r}: {' '.join(said['login'].split())}"
        return Problem(
            field, found, "let it in by pg_hba.conf, and have what the connection's extra names there as well"
        )
    return None
