"""What a MariaDB tells of its clients' statements: how it is had tell them for a window, and what that costs and lacks.

The slow log as a file has whole seconds; as the table `mysql.slow_log` it has microseconds, so a window has it written
there, and its job brings the rows to a file of its own and empties the table. Nothing is read of what lies back.

Sources: https://mariadb.com/kb/en/slow-query-log-overview/ and https://mariadb.com/kb/en/mysqlslow_log-table/; what
these do not say was found by running 10.11 and 11.8 (docs/recordings.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.counting import per_second
from otterflow.dbms.mariadb.capture_window import BY_HAND as BY_HAND
from otterflow.dbms.mariadb.capture_window import LOG_FILE
from otterflow.dbms.mariadb.capture_window import capture_job as capture_job
from otterflow.dbms.mariadb.capture_window import left_on as left_on
from otterflow.dbms.mariadb.capture_window import put_back_job as put_back_job
from otterflow.dbms.mariadb.capture_window import read_capture as read_capture
from otterflow.dbms.mysql_family.privileges import GLOBAL_SQL, SCHEMA_SQL, USER_SQL, matches, of_table_sql
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.mysql_family.versions import number_of
from otterflow.dbms.target import Target
from otterflow.dbms.values import CapturePlan, CapturePrice, CaptureRate, Query
from otterflow.errors import Problem

READER = "otterflow.dbms.mysql_family.slow_log.reading"
ROOMS = ("dbms/log_interval.py", "dbms/statements", "dbms/mysql_family/slow_log", "dbms/mysql_family/statements")
PROGRAMS = ("mariadb", "gzip", "flock")
OWN_LOG = True
SAMPLES = False

PRICE = CapturePrice(cpu_us=(10.0, 19.0), log_bytes=(160.0, 400.0))
"""Processor time of the server, and bytes of the table, for one statement, least and most: 10.11, sysbench's point
selects and read_write on a machine with other work. A row has some 130 bytes beside its text."""

WANTED = {
    "log_output": "TABLE",
    "long_query_time": "0",
    "log_slow_rate_limit": "1",
    "log_slow_filter": "",
    "min_examined_row_limit": "0",
    "log_slow_disabled_statements": "slave,sp",
    "slow_query_log": "ON",
}
"""What has every statement of a client logged, once: what a procedure does is done again by its CALL.

The last one switches it on.
"""
_LOOKED_AT = (*WANTED, "general_log", "wsrep_on")
_LEFT = "where a recording's window has left it so, clear the task `put_back` of its run"
_TABLE = ("SELECT", "DROP")
_EVERYWHERE = ("SUPER", "PROCESS")
_SINCE_11 = ("BINLOG ADMIN",)
"""To keep the emptying of the table out of the binary log; before 11.0 SUPER is enough for it."""

SETTINGS_SQL = f"""
SELECT LOWER(VARIABLE_NAME) AS name, GLOBAL_VALUE AS value FROM information_schema.SYSTEM_VARIABLES
 WHERE LOWER(VARIABLE_NAME) IN ({", ".join(f"'{name}'" for name in _LOOKED_AT)})"""  # noqa: S608 constants
CHARSET_SQL = """
SELECT COALESCE(CHARACTER_SET_NAME, 'binary') AS charset FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'slow_log' AND COLUMN_NAME = 'sql_text'"""
VERSION_SQL = "SELECT VERSION() AS version"
ROWS_SQL = "SELECT 1 AS there FROM mysql.slow_log LIMIT 1"
QUESTIONS_SQL = """
SELECT CAST(VARIABLE_VALUE AS UNSIGNED) AS questions FROM information_schema.GLOBAL_STATUS
 WHERE VARIABLE_NAME = 'Questions'"""


def facts(query: Query) -> dict[str, Any]:
    """What the server says of its log, and of who asks."""
    everywhere = {str(row["privilege"]).upper() for row in query(GLOBAL_SQL)}
    on_table = {str(row["privilege"]).upper() for row in query(of_table_sql("mysql", "slow_log"))}
    on_table |= {str(row["privilege"]).upper() for row in query(SCHEMA_SQL) if matches(str(row["pattern"]), "mysql")}
    newer = number_of(str(query(VERSION_SQL)[0]["version"])) >= 110000
    found: dict[str, Any] = {
        "user": str(query(USER_SQL)[0]["name"]),
        "settings": {str(row["name"]): str(row["value"] or "") for row in query(SETTINGS_SQL)},
        "lacks": [name for name in _EVERYWHERE + newer * _SINCE_11 if name not in everywhere],
        "lacks_on_table": [name for name in _TABLE if name not in everywhere | on_table],
        "charset": None,
        "has_rows": False,
    }
    if "SELECT" not in found["lacks_on_table"]:
        charsets = query(CHARSET_SQL)
        found["charset"] = charsets[0]["charset"] if charsets else None
        found["has_rows"] = bool(charsets) and bool(query(ROWS_SQL))
    return found


def access_problems(found: Mapping[str, Any], *, reloads: bool) -> list[Problem]:
    """What the SQL user lacks to have the load told for a window."""
    if not reloads:
        return []
    user, _, host = str(found["user"]).rpartition("@")
    whom = f"{identifier(user)}@{identifier(host)}"
    problems = []
    for lacks, where, what in (
        (found["lacks"], "*.*", "switch the slow log on, and see what others do"),
        (found["lacks_on_table"], "mysql.slow_log", "read mysql.slow_log and empty it"),
    ):
        if lacks:
            state = f"user {found['user']!r} may not {what}: it lacks {', '.join(lacks)}"
            problems.append(Problem("sql_conn_id", state, f"GRANT {', '.join(lacks)} ON {where} TO {whom}"))
    return problems


def log_problems(found: Mapping[str, Any]) -> list[Problem]:
    """Why the log, as it is written now, holds no load that can be replayed: as a file it never does."""
    state = "MariaDB's slow log tells times in whole seconds where it is a file, which is too coarse for a replay"
    return [Problem("method", state, "use method window, for which it is a table with microseconds")]


def limits(found: Mapping[str, Any]) -> list[Problem]:
    """What a recording will lack, but can be made without; for the log."""
    said = [
        Problem(
            "sessions", "those that are there before the window are not logged: a session takes the settings of the "
            "slow log over as it begins", "have the application open its connections anew when the window begins",
        ),
        Problem(
            "errors", "the slow log does not say which statements failed", "what fails in a replay of the baseline "
            "may have failed before",
        ),
    ]  # fmt: skip
    if found["charset"] not in {"utf8mb4", "binary", None}:
        state = f"its texts are {found['charset']}: each character of four bytes comes as '?'"
        advice = "while it is off: ALTER TABLE mysql.slow_log MODIFY sql_text MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL"
        said.append(Problem("mysql.slow_log", state, f"where the load has such, {advice}"))
    return said


def window_problems(found: Mapping[str, Any], *, sampled: bool) -> list[Problem]:
    """What keeps the server from telling its load for a window."""
    settings, problems = found["settings"], []
    if sampled:
        state = "log_slow_rate_limit draws single statements, which tears transactions apart"
        problems.append(Problem("method", state, "use method window, with a share below 1 for some of the sessions"))
    if settings.get("slow_query_log") == "ON":
        state = (
            "it is ON: sessions that begin in the window log every statement until they end, so also into your own log "
            "when the window is over"
        )
        problems.append(
            Problem("slow_query_log", state, f"SET GLOBAL slow_query_log = OFF, also in the option file; {_LEFT}")
        )
    if settings.get("general_log") == "ON":
        state = "it is ON, and would go to the table mysql.general_log: log_output is for both logs"
        problems.append(Problem("general_log", state, "SET GLOBAL general_log = OFF before the window"))
    if settings.get("wsrep_on") == "ON":
        state = "it is ON: a window ends by emptying mysql.slow_log, which Galera would do on the other nodes, too"
        problems.append(Problem("wsrep_on", state, "record a server that is no node of a Galera cluster"))
    if found["has_rows"]:
        state = "it holds rows of yours, and is emptied at the end of a window"
        problems.append(
            Problem("mysql.slow_log", state, f"copy what is needed, then TRUNCATE TABLE mysql.slow_log; {_LEFT}")
        )
    if found["charset"] is None:
        problems.append(Problem("mysql.slow_log", "there is no such table", "run mariadb-upgrade, which makes it"))
    return problems


def window_plan(found: Mapping[str, Any], target: Target, share: float | None) -> CapturePlan:
    """What is set for a window: of what the server has, in the order in which it is set. It draws no `share`."""
    settings = {name: value for name, value in WANTED.items() if name in found["settings"]}
    return CapturePlan(settings, log_of(found, target))


def log_of(found: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """The file that a window's job leaves in its folder."""
    return {"patterns": [LOG_FILE]}


def rate(query: Query) -> CaptureRate:
    """The server's statements per second now, by its own counter, over a few seconds."""
    questions = per_second(lambda: int(query(QUESTIONS_SQL)[0]["questions"]), own=1)
    return CaptureRate(questions, "statements, by the counter Questions")
