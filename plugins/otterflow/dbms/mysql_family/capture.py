"""What a server of the family tells of its clients' statements, how it is had tell them for a window, what it lacks.

The slow log as the table `mysql.slow_log` can be read by SQL alone, and has microseconds. So a window has it written
there, and its job brings the rows to a file of its own and empties the table. Nothing is read of what lies back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from otterflow.dbms import capture_block
from otterflow.dbms.counting import per_second
from otterflow.dbms.mysql_family import capture_window
from otterflow.dbms.mysql_family.capture_window import BY_HAND, LOG_FILE, SlowLog
from otterflow.dbms.mysql_family.privileges import GLOBAL_SQL, SCHEMA_SQL, USER_SQL, matches, of_table_sql
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.mysql_family.versions import number_of
from otterflow.dbms.target import Target
from otterflow.dbms.values import Captured, CapturePlan, CapturePrice, CaptureRate, DatabaseAccess, Query
from otterflow.errors import Problem
from otterflow.remote.script import JobScript

LEFT = "where a recording's window has left it so, clear the task `put_back` of its run"
_TABLE = ("SELECT", "DROP")
_TEXTS_WHOLE = frozenset({"utf8mb4", "binary", None})

CHARSET_SQL = """
SELECT COALESCE(CHARACTER_SET_NAME, 'binary') AS charset FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'slow_log' AND COLUMN_NAME = 'sql_text'"""
VERSION_SQL = "SELECT VERSION() AS version"
ROWS_SQL = "SELECT 1 AS there FROM mysql.slow_log LIMIT 1"


class FamilyCapture:
    """The part `capture` for one product; see `otterflow.dbms.base.Capture`."""

    READER = "otterflow.dbms.mysql_family.slow_log.reading"
    ROOMS = ("dbms/log_interval.py", "dbms/statements", "dbms/mysql_family/slow_log", "dbms/mysql_family/statements")
    OWN_LOG = True
    SAMPLES = False
    BY_HAND = BY_HAND

    LOG: SlowLog
    PRICE: CapturePrice
    WANTED: Mapping[str, str]
    """What has every statement of a client logged, once, as far as the server has it.

    The last one switches it on. What a procedure does is done again by its CALL.
    """
    LOOKED_AT: tuple[str, ...] = ("general_log",)
    """Settings that may stand in the way."""
    UPGRADE: str
    """What makes the table where there is none."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """What a window's job needs on the server's host."""
        return (self.LOG.product.client, "gzip", "flock")

    def facts(self, query: Query) -> dict[str, Any]:
        """What the server says of its log, and of who asks."""
        everywhere = {str(row["privilege"]).upper() for row in query(GLOBAL_SQL)}
        on_table = {str(row["privilege"]).upper() for row in query(of_table_sql("mysql", "slow_log"))}
        of_schema = [row for row in query(SCHEMA_SQL) if matches(str(row["pattern"]), "mysql")]
        on_table |= {str(row["privilege"]).upper() for row in of_schema}
        names = {*self.WANTED, *self.LOOKED_AT}
        settings = {str(row["name"]): str(row["value"] or "") for row in query(self.LOG.settings_sql)}
        found: dict[str, Any] = {
            "user": str(query(USER_SQL)[0]["name"]),
            "settings": {name: value for name, value in settings.items() if name in names},
            "lacks_on_table": [name for name in _TABLE if name not in everywhere | on_table],
            "charset": None,
            "has_rows": False,
        }
        version = number_of(str(query(VERSION_SQL)[0]["version"]))
        found["lacks"] = self.lacks(everywhere, found["settings"], version)
        if "SELECT" not in found["lacks_on_table"]:
            charsets = query(CHARSET_SQL)
            found["charset"] = charsets[0]["charset"] if charsets else None
            found["has_rows"] = bool(charsets) and bool(query(ROWS_SQL))
        return found

    def lacks(self, everywhere: Collection[str], settings: Mapping[str, str], version: int) -> list[str]:
        """Of the privileges on everything, what a window takes and the user has not."""
        raise NotImplementedError

    def access_problems(self, found: Mapping[str, Any], *, reloads: bool) -> list[Problem]:
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

    def log_problems(self, found: Mapping[str, Any]) -> list[Problem]:
        """Why the log, as it is written now, is not read."""
        raise NotImplementedError

    def limits(self, found: Mapping[str, Any]) -> list[Problem]:
        """What a recording will lack, but can be made without; for the log."""
        said = [
            Problem(
                "sessions", "those that are there before the window are not in it: a session takes the settings of "
                "the slow log over as it begins", "have the application open its connections anew when the window "
                "begins",
            ),
            Problem(
                "errors", "the table does not say which statements failed", "what fails in a replay of the baseline "
                "may have failed before",
            ),
        ]  # fmt: skip
        if found["charset"] not in _TEXTS_WHOLE:
            state = f"its texts are {found['charset']}: each character of four bytes comes as '?'"
            change = "ALTER TABLE mysql.slow_log MODIFY sql_text MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL"
            said.append(Problem("mysql.slow_log", state, f"where the load has such, while it is off: {change}"))
        return said

    def window_problems(self, found: Mapping[str, Any], *, sampled: bool) -> list[Problem]:
        """What keeps the server from telling its load for a window."""
        settings, problems = found["settings"], []
        if sampled:
            advice = "use method window, with a share below 1 for some of the sessions"
            problems.append(Problem("method", "the slow log draws no whole transactions", advice))
        if settings.get("slow_query_log") == "ON":
            state = (
                "it is ON: sessions that begin in the window log every statement until they end, so also into your "
                "own log when the window is over"
            )
            advice = f"SET GLOBAL slow_query_log = OFF, also in the option file; {LEFT}"
            problems.append(Problem("slow_query_log", state, advice))
        if settings.get("general_log") == "ON":
            state = "it is ON, and would go to the table mysql.general_log: log_output is for both logs"
            problems.append(Problem("general_log", state, "SET GLOBAL general_log = OFF before the window"))
        problems += self.emptying_problems(settings)
        if found["has_rows"]:
            state = "it holds rows of yours, and is emptied at the end of a window"
            advice = f"copy what is needed, then TRUNCATE TABLE mysql.slow_log; {LEFT}"
            problems.append(Problem("mysql.slow_log", state, advice))
        if found["charset"] is None:
            problems.append(Problem("mysql.slow_log", "there is no such table", self.UPGRADE))
        return problems

    def emptying_problems(self, settings: Mapping[str, str]) -> list[Problem]:
        """Why the table could not be emptied, or would be elsewhere, too."""
        raise NotImplementedError

    def window_plan(self, found: Mapping[str, Any], target: Target, share: float | None) -> CapturePlan:
        """What is set for a window: of what the server has, in the order in which it is set. It draws no `share`."""
        settings = {name: value for name, value in self.WANTED.items() if name in found["settings"]}
        return CapturePlan(settings, self.log_of(found, target))

    def log_of(self, found: Mapping[str, Any], target: Target) -> dict[str, Any]:
        """The file that a window's job leaves in its folder, and whose table it is."""
        return {"patterns": [LOG_FILE], "table": self.LOG.product.name}

    def rate(self, query: Query) -> CaptureRate:
        """The server's statements per second now, by its own counter, over a few seconds."""
        sql = f"SELECT VARIABLE_VALUE AS questions FROM {self.LOG.status} WHERE VARIABLE_NAME = 'Questions'"  # noqa: S608
        return CaptureRate(
            per_second(lambda: int(query(sql)[0]["questions"]), own=1), "statements, by the counter Questions"
        )

    def capture_job(
        self, target: Target, access: DatabaseAccess, settings: Mapping[str, str], patterns: Sequence[str], *,
        recording: str, end: datetime, longest_s: float, max_log_bytes: int, keep_free_bytes: int,
    ) -> JobScript:  # fmt: skip
        """Have all statements logged until `end`; see `capture_window.capture_job`."""
        return capture_window.capture_job(
            self.LOG, target, access, settings, recording=recording, end=end, longest_s=longest_s,
            max_log_bytes=max_log_bytes, keep_free_bytes=keep_free_bytes,
        )  # fmt: skip

    def read_capture(self, results: Mapping[str, str]) -> Captured | None:
        """When logging was in force, by the host's clock, and why it ended; None where it never was."""
        return capture_block.read_captured(results, capture_window.WHY)

    def put_back_job(self, target: Target, access: DatabaseAccess, recording: str) -> JobScript:
        """Bring back what the recording's block says was, empty the table and take the block out."""
        return capture_window.put_back_job(self.LOG, target, access, recording)

    def left_on(self, knobs_text: str, knobs_file: str) -> Problem | None:
        """That a recording's block is in the knobs file, in which it stays only while it is made."""
        return capture_block.left_on(knobs_text, knobs_file, BY_HAND)
