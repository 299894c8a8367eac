"""What a MySQL tells of its clients' statements in a window.

Sources: https://dev.mysql.com/doc/refman/8.4/en/slow-query-log.html and log-destinations.html; what these do not say
was found by running 9.7 (docs/recordings.md). A row has the time at which its statement ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.capture import FamilyCapture
from otterflow.dbms.mysql_family.capture_window import SlowLog
from otterflow.dbms.mysql_family.quoting import literal
from otterflow.dbms.mysql_family.slow_log.rows import NO_CLIENT
from otterflow.dbms.values import CapturePrice
from otterflow.errors import Problem

_WHERE_READ_ONLY = ("CONNECTION_ADMIN", "SUPER")
"""Each is enough to empty the table of a server that is read_only."""
_IS_OF_APPLIER = "user_host LIKE '%[]' AND user_host NOT LIKE '%@ localhost []'"
"""A client has an address, or comes over the server's socket; a replica's applier has none (9.7)."""
_SECONDS = "(TIME_TO_SEC(query_time) + MICROSECOND(query_time) / 1000000)"


class MysqlCapture(FamilyCapture):
    """The family's, with what MySQL has besides."""

    LOG = SlowLog(
        MYSQL,
        status="performance_schema.global_status",
        session_status="performance_schema.session_status",
        settings_sql="SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value FROM"
        " performance_schema.global_variables",
        began_s=f"UNIX_TIMESTAMP(start_time) - {_SECONDS}",
        seconds=_SECONDS,
        rows_changed="NULL",
        session=f"CONCAT(IF({_IS_OF_APPLIER}, {literal(NO_CLIENT)}, ''), thread_id)",
        kept="long_query_time = 0",
    )
    PRICE = CapturePrice(cpu_us=(10.0, 19.0), log_bytes=(160.0, 400.0))
    """MariaDB's: not measured apart."""
    WANTED: Mapping[str, str] = {
        "slow_query_log_use_global_control": "",
        "log_output": "TABLE",
        "long_query_time": "0",
        "min_examined_row_limit": "0",
        "log_slow_admin_statements": "ON",
        "log_queries_not_using_indexes": "OFF",
        "log_slow_rate_limit": "1",
        "log_slow_filter": "",
        "log_slow_sp_statements": "OFF",
        "slow_query_log": "ON",
    }
    """With log_queries_not_using_indexes its throttle would keep statements out that are logged anyway.

    The first one, and from log_slow_rate_limit to log_slow_sp_statements, they are Percona Server's
    (https://docs.percona.com/percona-server/8.0/slow-extended.html): what a procedure does is logged there unless the
    latter is off, and sessions that are there obey what is set of those that the first one names.
    """
    LOOKED_AT = ("general_log", "read_only", "super_read_only")
    UPGRADE = "start the server with --upgrade=FORCE, which makes it"

    def lacks(self, everywhere: Collection[str], settings: Mapping[str, str], version: int) -> list[str]:
        """What is missing of the rights to set what is global, and to see what others do.

        The former are enough to keep the emptying of the table out of the binary log as well.
        """
        missing = [] if {*MYSQL.enough_to_set_global} & {*everywhere} else [*MYSQL.to_set_global]
        if settings.get("read_only") == "ON" and not {*_WHERE_READ_ONLY} & {*everywhere}:
            missing.append(_WHERE_READ_ONLY[0])
        return missing + [name for name in ("PROCESS",) if name not in everywhere]

    def log_problems(self, found: Mapping[str, Any]) -> list[Problem]:
        """Its file lies where the server's user alone may read, and is not read."""
        state = "MySQL's slow log is not read where it is a file"
        return [Problem("method", state, "use method window, for which it is a table that SQL reads")]

    def emptying_problems(self, settings: Mapping[str, str]) -> list[Problem]:
        """With super_read_only nobody may empty the table."""
        if settings.get("super_read_only") != "ON":
            return []
        state = "it is ON: a window ends by emptying mysql.slow_log, which nobody may then"
        return [Problem("super_read_only", state, "record the source of the replication, or switch it off")]


CAPTURE = MysqlCapture()
"""The part `capture`."""
