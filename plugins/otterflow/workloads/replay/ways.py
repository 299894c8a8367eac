"""The DBMSs that a recorded load runs on, as this side sees them: what the replayer is told of the way to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import InvalidInput, Problem

_LIBPQ = {"sslmode": "tls", "sslrootcert": "tls_root"}
_MODES = {"allow": "prefer"}
_NOT_NEEDED = frozenset({"target_session_attrs", "sslnegotiation", "gssencmode"})
"""Parameters that lead a client to the same server all the same."""
_OF_THE_FAMILY = frozenset({"ssl_ca", "ssl_verify_identity", "ssl_disabled"})

Tls = Callable[[DatabaseAccess], dict[str, object]]
"""What the replayer's settings say of TLS. Raises InvalidInput for what the replayer cannot be told."""


def of_postgresql(access: DatabaseAccess) -> dict[str, object]:
    """By libpq's parameters."""
    _refuse(access.parameters.keys() - _LIBPQ.keys() - _NOT_NEEDED, "with sslmode at most")
    given = {setting: access.parameters[name] for name, setting in _LIBPQ.items() if name in access.parameters}
    return {setting: _MODES.get(value, value) for setting, value in given.items()}


def of_the_mysql_family(access: DatabaseAccess) -> dict[str, object]:
    """A certificate is checked where somebody is named who signs it, and TLS is taken where the server has it."""
    given = access.parameters
    _refuse(given.keys() - _OF_THE_FAMILY, "with ssl_ca, ssl_verify_identity or ssl_disabled at most")
    root: dict[str, object] = {"tls_root": given["ssl_ca"]} if "ssl_ca" in given else {}
    if "ssl_disabled" in given:
        return {"tls": "disable"}
    if "ssl_verify_identity" in given:
        return {"tls": "verify-full", **root}
    return {"tls": "verify-ca", **root} if root else {}


def _refuse(unknown: set[str], advice: str) -> None:
    if unknown:
        found = f"its extra has {', '.join(sorted(unknown))}, which the replayer does not know"
        raise InvalidInput(Problem("sql_conn_id", found, f"let replays connect by a password, {advice}"))


WAYS: Mapping[str, Tls] = {
    "postgresql": of_postgresql,
    "mariadb": of_the_mysql_family,
    "mysql": of_the_mysql_family,
}
"""By the DBMS's name."""
