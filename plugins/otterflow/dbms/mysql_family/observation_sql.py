"""The SQL that observes a server: its counters at both ends of a window, and its load in between; one session for all.

Sources: https://mariadb.com/kb/en/server-status-variables/#questions,
https://dev.mysql.com/doc/refman/8.4/en/performance-schema-statement-summary-tables.html. The digests' table has the
statements of each database by their shape; MariaDB (10.11) leaves out those that are prepared by the protocol, which
only the summary by the name of the event counts, of all databases together.
"""

from __future__ import annotations

from dataclasses import dataclass

from otterflow.dbms.live_window import looks
from otterflow.dbms.mysql_family.client import SQL_MODE, time_limit_sql
from otterflow.dbms.mysql_family.quoting import literal

BEFORE_FILE, AFTER_FILE = "before.json", "after.json"
BEFORE, AFTER, LIVE = "before", "after", "live"
"""How a line of the session's output begins: a snapshot at an end of the window, or a look at the load."""
STATEMENT_TIMEOUT_S = 60
"""No look at the statistics takes longer; a server that is too busy for it is not to be bothered."""

COUNTED_SQL = """
SELECT COUNT(*) FROM performance_schema.setup_consumers AS c
 WHERE c.NAME = 'statements_digest' AND c.ENABLED = 'YES' AND @@performance_schema
   AND (SELECT COUNT(*) FROM performance_schema.events_statements_summary_by_digest) >= 0;"""
"""1 where the server times statements and this user may read it; else 0, or an error."""

_SUMMARY = "performance_schema.events_statements_summary"
_CLIENTS = "(EVENT_NAME LIKE 'statement/sql/%' OR EVENT_NAME = 'statement/com/Execute')"
"""What `Questions` counts too: clients' statements, prepared ones among them, and no pings."""
_OWN_THREAD = "THREAD_ID = (SELECT THREAD_ID FROM performance_schema.threads WHERE PROCESSLIST_ID = CONNECTION_ID())"


@dataclass(frozen=True)
class Counters:
    """What a product has: its status variables as rows, of the server and of the session; what its digests hold."""

    server: str
    session: str
    digests_are_whole: bool
    """Whether prepared statements are among them (MySQL), so that they tell what one database does."""


def begin_sql(tables: Counters, database: str) -> str:
    """How the session begins, and what it remembers: which database is looked at, and the load for `load_sql`."""
    return f"""\
{time_limit_sql(STATEMENT_TIMEOUT_S)}, SESSION sql_mode = '{SQL_MODE}', SESSION time_zone = '+00:00';
SET SESSION TRANSACTION READ ONLY;
SET @database = {literal(database)}, @begun = UNIX_TIMESTAMP(SYSDATE(6)), @was_at = 0,
  @was = ({_status(tables.server, "Questions")});
"""


def snapshot_sql(tables: Counters, scope: str, edge: str, *, timed: bool) -> str:
    """What prints the counters as a line: `edge`, a space, and a JSON object; see `observation_output.Snapshot`."""
    of_one = scope == "database" and tables.digests_are_whole
    counted = "" if not timed else _digests() if of_one else _events()
    server, session = tables.server, tables.session
    return f"""\
SELECT CONCAT('{edge} ', JSON_OBJECT(
    'epoch_s', UNIX_TIMESTAMP(SYSDATE(6)),
    'uptime_s', ({_status(server, "Uptime")}),
    'since_flush_s', ({_status(server, "Uptime_since_flush_status")}),
    'questions', ({_status(server, "Questions")}),
    'own_questions', ({_status(session, "Questions")}),
    'rollbacks', ({_status(server, "Handler_rollback")}){counted}));
"""


def load_sql(tables: Counters) -> str:
    """What prints a line of progress: `live 30.0 s, 412.5 statements/s, 7 active`, since the last one."""
    return f"""\
SET @at = UNIX_TIMESTAMP(SYSDATE(6)) - @begun, @now = ({_status(tables.server, "Questions")});
SELECT CONCAT('{LIVE} ', ROUND(@at, 1), ' s, ', ROUND((@now - @was) / GREATEST(@at - @was_at, 0.1), 1),
  ' statements/s, ', ({_status(tables.server, "Threads_running")}) - 1, ' active');
SET @was_at = @at, @was = @now;
"""


def observe_files(tables: Counters, scope: str, database: str) -> dict[str, str]:
    """The files that `observe_script` has read: with the statements' times, and without."""
    files = {"begin.sql": begin_sql(tables, database), "load.sql": load_sql(tables)}
    for name, timed in (("timed", True), ("status", False)):
        for edge in (BEFORE, AFTER):
            files[f"{edge}_{name}.sql"] = snapshot_sql(tables, scope, edge, timed=timed)
    return files | {"counted.sql": COUNTED_SQL + "\n"}


def observe_script(duration_s: float) -> str:
    """Bash, after an access's prologue: it feeds the session, and parts its lines into the two files and the log."""
    steps, step_s = looks(duration_s)
    return f"""ask() {{ sql_client --database=information_schema --batch --raw --skip-column-names --unbuffered; }}
counted=$(ask < counted.sql 2> /dev/null) || counted=0
if [ "$counted" = 1 ]; then from=timed; else from=status; fi
feed() {{
  local step
  cat begin.sql "{BEFORE}_$from.sql"
  for step in {{1..{steps}}}; do sleep {step_s:.3f}; cat load.sql; done
  cat "{AFTER}_$from.sql"
}}
feed | ask | while IFS= read -r line; do
  case $line in
    "{BEFORE} "*) printf '%s\\n' "${{line#* }}" > {BEFORE_FILE} ;;
    "{AFTER} "*) printf '%s\\n' "${{line#* }}" > {AFTER_FILE} ;;
    *) printf '%s\\n' "$line" ;;
  esac
done
"""


def _status(table: str, name: str) -> str:
    return f"SELECT VARIABLE_VALUE FROM {table} WHERE VARIABLE_NAME = '{name}'"  # noqa: S608 constants


_SUMS = (
    ("calls", "COALESCE(SUM(COUNT_STAR), 0)"),
    ("total_ns", "COALESCE(SUM(SUM_TIMER_WAIT), 0) DIV 1000"),
    ("errors", "COALESCE(SUM(SUM_ERRORS), 0)"),
)


def _digests() -> str:
    """Members of the snapshot: one database's statements; `lost` are those that found no room among the digests."""
    table = f"{_SUMMARY}_by_digest"
    members = [f"'{name}', (SELECT {what} FROM {table} WHERE SCHEMA_NAME = @database)" for name, what in _SUMS]  # noqa: S608 constants
    members += [
        f"'first_seen', (SELECT CAST(MIN(FIRST_SEEN) AS CHAR) FROM {table})",  # noqa: S608 constants
        f"'lost', (SELECT COALESCE(SUM(COUNT_STAR), 0) FROM {table} WHERE DIGEST IS NULL)",  # noqa: S608 constants
    ]
    return "".join(f",\n    {member}" for member in members)


def _events() -> str:
    """Members of the snapshot: all clients' statements but this session's own."""
    members = [
        f"'{name}', (SELECT {what} FROM {_SUMMARY}_global_by_event_name WHERE {_CLIENTS})"  # noqa: S608 constants
        f" - (SELECT {what} FROM {_SUMMARY}_by_thread_by_event_name WHERE {_CLIENTS} AND {_OWN_THREAD})"
        for name, what in _SUMS
    ]
    return "".join(f",\n    {member}" for member in members)
