"""The server's error numbers, and what each means here.

Sources: https://mariadb.com/kb/en/mariadb-error-codes/ and
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html. Numbers to 1,900 are the same in both.
"""

from __future__ import annotations

from otterflow.dbms.values import NotThere, StatementRefused, TookTooLong

NO_SUCH_DATABASE, NO_SUCH_TABLE = 1049, 1146

KILLED = frozenset({1053, 1077, 1079, 1927, 2006, 2013, 2055, 3169, 4031})
"""The session is gone: the server shuts down, somebody killed it, it had been idle for too long, the network broke."""

_NO_SUCH_THING = frozenset({NO_SUCH_DATABASE, NO_SUCH_TABLE, 1109, 1305, 1630, 1577})
"""Database, table, table of the server's own schema, function, stored function."""
_TOOK_TOO_LONG = frozenset({1969, 3024})
"""MariaDB's max_statement_time, MySQL's max_execution_time."""
_OF_CREDENTIALS = frozenset(
    {
        1044,  # this database is not for this user
        1045, 1698,  # the password, the plugin
        NO_SUCH_DATABASE,
        1129, 1130,  # this client's host is blocked, has no account
        1251, 1275, 1524, 2059, 2061,  # the way to log in is one that this client, or this connection, cannot go
        1820, 1862,  # the password has expired
        3118, 4151,  # the account is locked
        3032,  # the server is in offline mode, and the user may not be there
    }
)  # fmt: skip


def refused(number: int, said: str) -> StatementRefused:
    """The statement's error, by the server's number."""
    if number in _NO_SUCH_THING:
        return NotThere(str(number), said)
    if number in _TOOK_TOO_LONG:
        return TookTooLong(str(number), said)
    return StatementRefused(str(number), said)


def tells_of_credentials(number: int) -> bool:
    """Whether that number, at a connection, says that these credentials, or this database, will not do.

    Not so one whose connections are all taken (1040, 1203), or which is shutting down (1053): another try helps.
    """
    return number in _OF_CREDENTIALS
