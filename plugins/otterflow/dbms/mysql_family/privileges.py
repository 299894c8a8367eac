"""What the SQL user may do, and what it lacks for tuning its target.

A user's own privileges count, not those of its roles, of which a server shows few; whoever may read the servers' own
tables is shown those of all users. A privilege on all databases counts for each.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from otterflow.dbms.mysql_family.database import beside
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.quoting import identifier, literal
from otterflow.dbms.target import Target
from otterflow.dbms.values import Query
from otterflow.errors import Problem

_HOST_SQL = "SUBSTRING_INDEX(CURRENT_USER(), '@', -1)"
_NAME_SQL = f"LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH({_HOST_SQL}) - 1)"
_OWN_SQL = f"GRANTEE = CONCAT(QUOTE({_NAME_SQL}), '@', QUOTE({_HOST_SQL}))"
GLOBAL_SQL = f"SELECT PRIVILEGE_TYPE AS privilege FROM information_schema.USER_PRIVILEGES WHERE {_OWN_SQL}"  # noqa: S608
"""This user's own privileges on everything."""
SCHEMA_SQL = f"""
SELECT TABLE_SCHEMA AS pattern, PRIVILEGE_TYPE AS privilege FROM information_schema.SCHEMA_PRIVILEGES
 WHERE {_OWN_SQL}"""  # noqa: S608
USER_SQL = "SELECT CURRENT_USER() AS name"

TO_OBSERVE = ("PROCESS",)
"""To read the engine's counters."""
TO_TUNE = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "CREATE VIEW", "TRIGGER")
"""In the benchmark's database and the two beside it, under whose names it is made and the former one waits."""
TO_END_SESSIONS = ("CONNECTION ADMIN", "CONNECTION_ADMIN", "SUPER")
"""Each is enough, and each product has one of its own: to end other users' sessions in the benchmark's database."""


@dataclass(frozen=True)
class Rights:
    """Who connects, and what it may do: on all databases, and in each that matters besides."""

    user: str
    everywhere: frozenset[str]
    within: Mapping[str, frozenset[str]]

    def lacks(self, names: Collection[str], database: str) -> list[str]:
        """Those of the privileges that it has not got in a database."""
        has = self.everywhere | self.within.get(database, frozenset())
        return [name for name in names if name not in has]


def rights(query: Query, name: str) -> Rights:
    """The connected user's, for tuning with database `name`."""
    user = str(query(USER_SQL)[0]["name"])
    everywhere = frozenset(str(row["privilege"]).upper() for row in query(GLOBAL_SQL))
    granted = [(str(row["pattern"]), str(row["privilege"]).upper()) for row in query(SCHEMA_SQL)]
    within = {
        place: frozenset(privilege for pattern, privilege in granted if matches(pattern, place))
        for place in (name, *beside(name))
    }
    return Rights(user, everywhere, within)


def matches(pattern: str, name: str) -> bool:
    """Whether what a privilege was granted on, in which `_` and `%` without a backslash stand for others, is `name`."""
    wild = {"_": ".", "%": ".*"}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return re.fullmatch("".join(wild.get(part, re.escape(part[-1])) for part in parts), name, re.DOTALL) is not None


def missing_privileges(has: Rights, target: Target, *, live: bool) -> list[Problem]:
    """What must be granted before the target can be tuned.

    The data of a `live` server are never loaded or restored, so it needs no privilege for that.
    """
    problems = _ungranted(has, target, "read all counters", {"*.*": has.lacks(TO_OBSERVE, "")})
    if live:
        return problems
    what = f"make database {target.database!r} anew, and put it in the place of the former one"
    places = (target.database, *beside(target.database))
    lacking = {f"{identifier(escaped(place))}.*": has.lacks(TO_TUNE, place) for place in places}
    problems += _ungranted(has, target, what, lacking)
    if not has.everywhere & set(TO_END_SESSIONS):
        what = f"end other users' sessions in {target.database!r}, which would stop that"
        problems += _ungranted(has, target, what, {"*.*": [TO_END_SESSIONS[0]]})
    return problems


def of_table_sql(schema: str, table: str) -> str:
    """What tells the connected user's own privileges on a table, beside those on more than it."""
    return f"""
SELECT PRIVILEGE_TYPE AS privilege FROM information_schema.TABLE_PRIVILEGES
 WHERE {_OWN_SQL} AND TABLE_SCHEMA = {literal(schema)} AND TABLE_NAME = {literal(table)}"""  # noqa: S608 quoted


def cannot_set_global(has: Rights, target: Target, product: Product) -> list[Problem]:
    """That the connected user can change no knob while the server runs."""
    if has.everywhere.intersection(product.enough_to_set_global):
        return []
    return _ungranted(has, target, "change a knob while the server runs", {"*.*": product.to_set_global})


def escaped(name: str) -> str:
    """A database's name as GRANT takes it, which reads `_` and `%` as any character."""
    return re.sub(r"([_%\\])", r"\\\1", name)


def _ungranted(has: Rights, target: Target, what: str, lacking: Mapping[str, Sequence[str]]) -> list[Problem]:
    """One problem for the privileges that are lacking on each place, if any are."""
    names = sorted({name for each in lacking.values() for name in each})
    if not names:
        return []
    user, _, host = has.user.rpartition("@")
    whom = f"{identifier(user)}@{identifier(host)}"
    found = f"user {has.user!r} may not {what}: it lacks {', '.join(names)}"
    grants = [f"GRANT {', '.join(each)} ON {where} TO {whom}" for where, each in lacking.items() if each]
    return [Problem(f"sql_conn_id {target.sql_conn_id!r}", found, "; ".join(grants))]
