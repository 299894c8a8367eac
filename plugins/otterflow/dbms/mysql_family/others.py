"""What a server holds beside the benchmark's database, and what of it a copy of the data directory would put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otterflow.dbms.mysql_family.database import beside
from otterflow.dbms.mysql_family.quoting import literal
from otterflow.dbms.mysql_family.target import OWN_DATABASES

_ACCOUNTS = (
    ("USER_PRIVILEGES", ()),
    ("SCHEMA_PRIVILEGES", ("TABLE_SCHEMA",)),
    ("TABLE_PRIVILEGES", ("TABLE_SCHEMA", "TABLE_NAME")),
    ("COLUMN_PRIVILEGES", ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME")),
)
"""The views of who may do what, and the columns that say to what."""


def others_sql(database: str) -> str:
    """What is somebody else's, one a row (`what`): nothing of it may be there."""
    own = ", ".join(map(literal, (*OWN_DATABASES, database, *beside(database))))
    return f"""SELECT CONCAT('database ', SCHEMA_NAME) AS what
  FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({own})
UNION ALL
SELECT CONCAT('a replica that is connected: ', USER, ' from ', HOST)
  FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"""  # noqa: S608 quoted


def outside_sql() -> str:
    """Folders beside the data directory that hold data, one a row (`what`): a copy would not be all of the data."""
    return "\nUNION ALL\n".join(
        f"""SELECT CONCAT('{name} ', @@{name}) AS what FROM (SELECT 1) AS one
 WHERE TRIM(TRAILING '/' FROM COALESCE(@@{name}, '')) NOT IN ('', '.', TRIM(TRAILING '/' FROM @@datadir))"""  # noqa: S608
        for name in ("innodb_log_group_home_dir", "innodb_data_home_dir", "innodb_undo_directory")
    )


def facts_sql() -> str:
    """What a copy puts back beside the databases' data, one a row (`fact`): a name, a tab, what is said of it now."""
    rights = "\nUNION ALL\n".join(
        f"SELECT CONCAT_WS('\\t', CONCAT('privileges of ', GRANTEE), "  # noqa: S608
        f"CONCAT_WS(' ', {', '.join((*place, 'PRIVILEGE_TYPE', 'IS_GRANTABLE'))})) AS fact"
        f" FROM information_schema.{view}"
        for view, place in _ACCOUNTS
    )
    return f"""{rights}
UNION ALL
SELECT CONCAT_WS('\\t', CONCAT('database ', SCHEMA_NAME), DEFAULT_COLLATION_NAME)
  FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ('mysql', 'sys')
UNION ALL
SELECT CONCAT_WS('\\t', CONCAT('table mysql.', TABLE_NAME), ENGINE)
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql'
UNION ALL
SELECT CONCAT_WS('\\t', CONCAT('routine ', ROUTINE_SCHEMA, '.', ROUTINE_NAME), LAST_ALTERED)
  FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ('mysql', 'sys')"""  # noqa: S608 constants


PASSWORDS_SQL = (
    "SELECT CONCAT_WS('\\t', CONCAT('account ', QUOTE(User), '@', QUOTE(Host)),"
    " MD5(CONCAT_WS(' ', plugin, authentication_string, ssl_type, max_connections))) AS fact FROM mysql.user"
)
"""More rows like those of `facts_sql`, for who may read them."""


def changed(before: str, now: Iterable[Mapping[str, str]]) -> list[str]:
    """The names of what was made, changed or removed. `before` is the snapshot's file, `now` the answers' rows."""
    differing = set(before.splitlines()) ^ {row["fact"] for row in now}
    return sorted({fact.partition("\t")[0] for fact in differing})
