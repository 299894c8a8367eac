"""What MariaDB says of its settings: all of it in one table, for every user."""

from __future__ import annotations

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.origins import Origins
from otterflow.dbms.mysql_family.privileges import GLOBAL_SQL
from otterflow.dbms.mysql_family.secrets import withheld_sql
from otterflow.dbms.mysql_family.settings import Asking, FamilySettings

NEEDED_SQL = """
CASE WHEN VARIABLE_NAME LIKE 'thread\\_pool\\_%' OR VARIABLE_NAME LIKE '%max\\_connect%' THEN 'CONNECTION ADMIN'
     WHEN VARIABLE_NAME LIKE '%binlog%' THEN 'BINLOG ADMIN'
     WHEN VARIABLE_NAME LIKE '%slave%' OR VARIABLE_NAME LIKE '%gtid%' THEN 'REPLICATION SLAVE ADMIN'
     ELSE 'SUPER' END"""
"""What changing a global variable takes; until 11.0 SUPER alone is enough. https://mariadb.com/kb/en/grant/"""
MAY_SET_SQL = f"{NEEDED_SQL} IN ({GLOBAL_SQL})"
SETTINGS_SQL = f"""
SELECT LOWER(VARIABLE_NAME) AS name, GLOBAL_VALUE AS value, GLOBAL_VALUE_ORIGIN AS origin, GLOBAL_VALUE_PATH AS path,
       DEFAULT_VALUE AS default_value, VARIABLE_TYPE AS type, NUMERIC_MIN_VALUE AS minimum,
       NUMERIC_MAX_VALUE AS maximum, NUMERIC_BLOCK_SIZE AS block, ENUM_VALUE_LIST AS members,
       READ_ONLY = 'YES' AS read_only, VARIABLE_COMMENT AS description,
       VARIABLE_SCOPE = 'GLOBAL' AND READ_ONLY = 'NO' AND {MAY_SET_SQL} AS settable
  FROM information_schema.SYSTEM_VARIABLES
 WHERE VARIABLE_SCOPE IN ('GLOBAL', 'SESSION')
   AND NOT (VARIABLE_TYPE = 'VARCHAR' AND {withheld_sql("VARIABLE_NAME")})
 ORDER BY VARIABLE_NAME"""  # noqa: S608 constants

IDENTITY_SQL = """
SELECT HEX(FROM_BASE64(GLOBAL_VALUE)) AS `system` FROM information_schema.SYSTEM_VARIABLES
 WHERE VARIABLE_NAME = 'SERVER_UID'"""
"""What a server makes of its machine's address and its port; older ones do not tell it."""

ORIGINS = Origins(
    files=frozenset({"CONFIG"}),
    command_line=frozenset({"COMMAND-LINE"}),
    by_hand=frozenset({"SQL"}),
    persisted=frozenset(),
    computed=frozenset({"AUTO"}),
)

SETTINGS = FamilySettings(
    MARIADB, Asking(settings=lambda number: SETTINGS_SQL, identity=IDENTITY_SQL, persisted=None), ORIGINS
)
"""The part `settings`."""
