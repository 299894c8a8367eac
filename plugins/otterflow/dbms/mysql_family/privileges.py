"""What the SQL user may do, and what it lacks for tuning its target.

A user sees its own privileges only, and those of the roles that are on; a privilege on all databases counts for each.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.target import Target
from otterflow.dbms.values import Query
from otterflow.errors import Problem

GLOBAL_SQL = "SELECT PRIVILEGE_TYPE AS privilege, GRANTEE AS grantee FROM information_schema.USER_PRIVILEGES"
SCHEMA_SQL = "SELECT PRIVILEGE_TYPE AS privilege FROM information_schema.SCHEMA_PRIVILEGES WHERE TABLE_SCHEMA = %s"
USER_SQL = "SELECT CURRENT_USER() AS name"

TO_OBSERVE = ("PROCESS",)
"""To read the engine's counters."""
TO_TUNE = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "CREATE VIEW", "TRIGGER")
"""On all databases: the benchmark's is made beside the former one, under another name, and takes its place."""
TO_END_SESSIONS = ("CONNECTION ADMIN", "CONNECTION_ADMIN", "SUPER")
"""Each is enough, and each product has one of its own: to end other users' sessions in the benchmark's database."""


@dataclass(frozen=True)
class Rights:
    """Who connects, and what it may do: on all databases, and on the benchmark's besides."""

    user: str
    everywhere: frozenset[str]
    in_database: frozenset[str]


def rights(query: Query, database: str) -> Rights:
    """The connected user's."""
    name = str(query(USER_SQL)[0]["name"])
    everywhere = frozenset(str(row["privilege"]).upper() for row in query(GLOBAL_SQL))
    there = frozenset(str(row["privilege"]).upper() for row in query(SCHEMA_SQL, (database,)))
    return Rights(name, everywhere, there)


def missing_privileges(has: Rights, target: Target, *, live: bool) -> list[Problem]:
    """What must be granted before the target can be tuned.

    The data of a `live` server are never loaded or restored, so it needs no privilege for that.
    """
    problems = _ungranted(has, target, [name for name in TO_OBSERVE if name not in has.everywhere], "read all counters")
    if live:
        return problems
    what = f"make database {target.database!r} anew, and put it in the place of the former one"
    problems += _ungranted(has, target, [name for name in TO_TUNE if name not in has.everywhere], what)
    if not has.everywhere & set(TO_END_SESSIONS):
        what = f"end other users' sessions in {target.database!r}, which would stop that"
        problems += _ungranted(has, target, [TO_END_SESSIONS[0]], what)
    return problems


def _ungranted(has: Rights, target: Target, names: Collection[str], what: str) -> list[Problem]:
    if not names:
        return []
    user, _, host = has.user.rpartition("@")
    found = f"user {has.user!r} may not {what}: it lacks {', '.join(names)}"
    advice = f"GRANT {', '.join(names)} ON *.* TO {identifier(user)}@{identifier(host)}"
    return [Problem(f"sql_conn_id {target.sql_conn_id!r}", found, advice)]
