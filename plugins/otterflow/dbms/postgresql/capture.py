"""What a server's own log tells of its clients' statements: where it is, what it lacks, and what telling more costs.

Sources: https://www.postgresql.org/docs/current/runtime-config-logging.html. The prices are measured: pgbench's
TPC-B-like and select-only loads on csvlog, releases 15 and 17.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from otterflow.dbms.counting import per_second
from otterflow.dbms.postgresql.capture_window import BY_HAND as BY_HAND
from otterflow.dbms.postgresql.capture_window import capture_job as capture_job
from otterflow.dbms.postgresql.capture_window import left_on as left_on
from otterflow.dbms.postgresql.capture_window import put_back_job as put_back_job
from otterflow.dbms.postgresql.capture_window import read_capture as read_capture
from otterflow.dbms.postgresql.quoting import identifier
from otterflow.dbms.postgresql.server_log.files import CSVLOG, JSONLOG, STDERR
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix
from otterflow.dbms.target import Target
from otterflow.dbms.values import CapturePlan, CapturePrice, CaptureRate, Query
from otterflow.errors import InvalidInput, Problem

READER = "otterflow.dbms.postgresql.server_log.reading"
ROOMS = ("dbms/log_interval.py", "dbms/statements", "dbms/postgresql/server_log", "dbms/postgresql/statements")

PROGRAMS = ("psql", "pg_isready", "flock")
OWN_LOG = False
SAMPLES = True

PRICE = CapturePrice(cpu_us=(9.0, 21.0), log_bytes=(250.0, 630.0))
"""Processor time of server and log collector, and bytes of log, for one statement, least and most."""
OWN_PREFIX = "%m|%u|%d|%c|%v|%e|%Q|"
OWN_PREFIX_BEFORE_14 = OWN_PREFIX.replace("%Q|", "")
_DURATIONS = "log_min_duration_statement"
_WHOLE_VALUES = "log_parameter_max_length"
_ENGLISH = re.compile(r"C|POSIX|C\.UTF-?8|en_.*", re.IGNORECASE)

FACTS_SQL = """
SELECT (SELECT json_object_agg(name, setting) FROM pg_settings
         WHERE name IN ('logging_collector', 'log_destination', 'log_directory', 'log_filename', 'log_timezone',
                        'log_line_prefix', 'log_min_duration_statement', 'log_statement', 'log_parameter_max_length',
                        'log_parameter_max_length_on_error', 'log_transaction_sample_rate', 'compute_query_id',
                        'lc_messages', 'data_directory', 'server_version_num')) AS settings,
       current_user::text AS user,
       pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS reads_all,
       has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE') AS may_reload
"""
CALLS_SQL = "SELECT sum(calls)::float8 AS calls FROM {view}"
VIEW_SQL = """
SELECT quote_ident(n.nspname) || '.pg_stat_statements' AS view
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_stat_statements' AND EXISTS (SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max')
"""
TRANSACTIONS_SQL = "SELECT sum(xact_commit + xact_rollback)::float8 AS calls FROM pg_stat_database"


def facts(query: Query) -> dict[str, Any]:
    """What the server says of its log, and of who asks; JSON takes it."""
    return dict(query(FACTS_SQL)[0])


def access_problems(found: Mapping[str, Any], *, reloads: bool) -> list[Problem]:
    """What the SQL user lacks; with `reloads`, also for having the server read its files again."""
    user, problems = found["user"], []
    if not found["reads_all"]:
        advice = f"GRANT pg_monitor TO {identifier(user)}"
        problems.append(Problem("sql_conn_id", f"user {user!r} may not read the settings of the log", advice))
    if reloads and not found["may_reload"]:
        advice = f"GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {identifier(user)}"
        problems.append(Problem("sql_conn_id", f"user {user!r} may not reload the configuration", advice))
    return problems


def log_problems(found: Mapping[str, Any]) -> list[Problem]:
    """Why the log, as the server writes it now, holds no load that can be replayed."""
    settings, problems = found["settings"], []
    if settings[_DURATIONS] != "0":
        state = {"-1": "off"}.get(
            settings["log_min_duration_statement"], f"{settings['log_min_duration_statement']} ms"
        )
        problems.append(
            Problem(_DURATIONS, f"it is {state}: statements are not in the log with their durations",
                    "set it to 0 on the server, or use method window")
        )  # fmt: skip
    if settings.get(_WHOLE_VALUES, "-1") != "-1":
        state = f"it is {settings[_WHOLE_VALUES]} bytes: values of statements are cut off"
        problems.append(Problem(_WHOLE_VALUES, state, "set it to -1 on the server, or use method window"))
    if not _ENGLISH.fullmatch(settings["lc_messages"] or "C"):
        state = f"it is {settings['lc_messages']!r}, and the log is read in English"
        problems.append(Problem("lc_messages", state, "set it to 'C' on the server, or use method window"))
    return problems + _format_problems(settings)


def limits(found: Mapping[str, Any]) -> list[Problem]:
    """What a recording will lack, but can be made without; for the log."""
    settings, said = found["settings"], []
    if settings.get("log_parameter_max_length_on_error") not in {None, "-1"}:
        said.append(
            Problem("log_parameter_max_length_on_error", "statements that fail lack their values", "set it to -1")
        )
    if settings.get("compute_query_id") == "off":
        state = "classes are named by a fingerprint of their text, not by the server's query_id"
        said.append(Problem("compute_query_id", state, "set it to on"))
    return said


def window_problems(found: Mapping[str, Any], *, sampled: bool) -> list[Problem]:
    """What keeps the server from telling its load for a window, though a reload can change most of its log."""
    settings = found["settings"]
    if sampled and settings["log_statement"] != "none":
        state = f"it is {settings['log_statement']!r}, which tells statements of transactions that are not drawn, too"
        return [Problem("log_statement", state, "set it to none on the server, or use method window")]
    if sampled and "log_transaction_sample_rate" not in settings:
        return [Problem("method", "the server cannot draw transactions", "use method window; 12 and newer can")]
    if _kind(settings) is None and settings["logging_collector"] == "off":
        return _format_problems(settings)
    return []


def window_plan(found: Mapping[str, Any], target: Target, share: float | None) -> CapturePlan:
    """The settings for a window, of all transactions or of a drawn `share`, and the log that it then writes.

    All are set that the log is read by, also those that are right already: a file that was changed and not yet loaded
    would come into force with them.
    """
    now = found["settings"]
    wanted = {_DURATIONS: "0"}
    if share is not None:
        wanted = {_DURATIONS: "-1", "log_transaction_sample_rate": f"{share:g}"}
    for name in (_WHOLE_VALUES, "log_parameter_max_length_on_error"):
        wanted |= {name: "-1"} if name in now else {}
    if now.get("compute_query_id") == "off":
        wanted["compute_query_id"] = "on"
    if not _ENGLISH.fullmatch(now["lc_messages"] or "C"):
        wanted["lc_messages"] = "C"
    if _format_problems(now):
        if now["logging_collector"] == "on":
            wanted["log_destination"] = f"{now['log_destination']},{CSVLOG}".lstrip(",")
        else:
            has_ids = int(now["server_version_num"]) >= 140000
            wanted["log_line_prefix"] = OWN_PREFIX if has_ids else OWN_PREFIX_BEFORE_14
    wanted = {name: now[name] for name in ("log_destination", "log_line_prefix")} | wanted
    return CapturePlan(wanted, _log({**now, **wanted}, target))


def log_of(found: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """How the log is read, as the server writes it now: for `server_log.reading.open_reading`."""
    return _log(found["settings"], target)


def _log(settings: Mapping[str, str], target: Target) -> dict[str, Any]:
    kind = _kind(settings) or STDERR
    return {
        "kind": kind, "timezone": settings["log_timezone"], "prefix": settings["log_line_prefix"],
        "patterns": _patterns(kind, settings, target),
    }  # fmt: skip


def _patterns(kind: str, settings: Mapping[str, str], target: Target) -> list[str]:
    """Where the log's files are, the rotated and compressed ones too."""
    if settings["logging_collector"] == "on":
        folder = posixpath.join(settings["data_directory"], settings["log_directory"])
        stem = re.sub(r"%.", "*", settings["log_filename"])
        if kind == STDERR:
            return [posixpath.join(folder, f"{stem}*")]
        ending = {CSVLOG: "csv", JSONLOG: "json"}[kind]
        return [posixpath.join(folder, f"{stem.removesuffix('.log')}.{ending}*")]
    return [f"{target.log_file}*", f"{target.log_file}/*"]


def _kind(settings: Mapping[str, str]) -> str | None:
    """The format of the log that is the easiest to read; None where it has none that can be read."""
    written = {part.strip() for part in settings["log_destination"].split(",")}
    if settings["logging_collector"] == "on":
        for kind in (CSVLOG, JSONLOG):
            if kind in written:
                return kind
    # Without a collector csvlog and jsonlog go to stderr as the plain log does.
    return STDERR if written & {STDERR, CSVLOG, JSONLOG} else None


def _format_problems(settings: Mapping[str, str]) -> list[Problem]:
    kind = _kind(settings)
    if kind is None:
        state = f"it is {settings['log_destination']!r}, which is no file"
        return [Problem("log_destination", state, "add stderr, or csvlog with logging_collector = on (a restart)")]
    if kind == STDERR:
        try:
            LinePrefix(settings["log_line_prefix"])
        except InvalidInput as error:
            return error.problems
    return []


def rate(query: Query) -> CaptureRate:
    """The server's statements per second now, by its own counters, over a few seconds."""
    views = query(VIEW_SQL)
    sql = CALLS_SQL.format(view=views[0]["view"]) if views else TRANSACTIONS_SQL
    counted = "statements, by pg_stat_statements" if views else "transactions, by pg_stat_database: statements are more"
    return CaptureRate(per_second(lambda: query(sql)[0]["calls"] or 0.0), counted)
