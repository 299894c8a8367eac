"""What a MariaDB tells of its clients' statements in a window.

Sources: https://mariadb.com/kb/en/slow-query-log-overview/ and https://mariadb.com/kb/en/mysqlslow_log-table/; what
these do not say was found by running 10.11 and 11.8 (docs/recordings.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.capture import FamilyCapture
from otterflow.dbms.mysql_family.capture_window import SlowLog
from otterflow.dbms.mysql_family.quoting import literal
from otterflow.dbms.mysql_family.slow_log.rows import NO_CLIENT
from otterflow.dbms.values import CapturePrice
from otterflow.errors import Problem

_EVERYWHERE = ("SUPER", "PROCESS")
_SINCE_11 = ("BINLOG ADMIN",)
"""To keep the emptying of the table out of the binary log; before 11.0 SUPER is enough for it."""
_IS_OF_EVENT = """SUBSTRING_INDEX(SUBSTRING_INDEX(user_host, '@ ', -1), ' [', 1)
  = TRIM(TRAILING ']' FROM SUBSTRING_INDEX(user_host, ' [', -1))"""
"""An event's session has no address: in its place is the host of the account that the event belongs to, again."""


class MariadbCapture(FamilyCapture):
    """The family's, with what MariaDB has besides."""

    LOG = SlowLog(
        MARIADB,
        status="information_schema.GLOBAL_STATUS",
        session_status="information_schema.SESSION_STATUS",
        settings_sql="SELECT LOWER(VARIABLE_NAME) AS name, GLOBAL_VALUE AS value FROM"
        " information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE IS NOT NULL",
        began_s="UNIX_TIMESTAMP(start_time)",
        seconds="TIME_TO_SEC(query_time)",
        rows_changed="rows_affected",
        session=f"CONCAT(IF({_IS_OF_EVENT}, {literal(NO_CLIENT)}, ''), thread_id)",
        kept="long_query_time = 0, log_slow_filter = ''",
        unlogged=("Com_change_db",),
    )
    PRICE = CapturePrice(cpu_us=(10.0, 19.0), log_bytes=(160.0, 400.0))
    """Processor time of the server, and bytes of the table, for one statement, least and most: 10.11, sysbench's point
    selects and read_write on a machine with other work. A row has some 130 bytes beside its text."""
    WANTED: Mapping[str, str] = {
        "log_output": "TABLE",
        "long_query_time": "0",
        "log_slow_rate_limit": "1",
        "log_slow_filter": "",
        "min_examined_row_limit": "0",
        "log_slow_disabled_statements": "slave,sp",
        "slow_query_log": "ON",
    }
    LOOKED_AT = ("general_log", "wsrep_on")
    UPGRADE = "run mariadb-upgrade, which makes it"

    def lacks(self, everywhere: Collection[str], settings: Mapping[str, str], version: int) -> list[str]:
        """What is missing of SUPER and its like."""
        return [name for name in _EVERYWHERE + (version >= 110000) * _SINCE_11 if name not in everywhere]

    def log_problems(self, found: Mapping[str, Any]) -> list[Problem]:
        """As a file the slow log never holds a load that can be replayed."""
        state = "MariaDB's slow log tells times in whole seconds where it is a file, which is too coarse for a replay"
        return [Problem("method", state, "use method window, for which it is a table with microseconds")]

    def emptying_problems(self, settings: Mapping[str, str]) -> list[Problem]:
        """Galera empties the table on all nodes."""
        if settings.get("wsrep_on") != "ON":
            return []
        state = "it is ON: a window ends by emptying mysql.slow_log, which Galera would do on the other nodes, too"
        return [Problem("wsrep_on", state, "record a server that is no node of a Galera cluster")]


CAPTURE = MariadbCapture()
"""The part `capture`."""
