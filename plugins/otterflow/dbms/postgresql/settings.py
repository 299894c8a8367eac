"""What the server says of its settings, and whether what was written is what is in force."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from otterflow.dbms.postgresql.configuration_file import Include
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs import units
from otterflow.knobs.live import LiveSetting
from otterflow.knobs.space import Value

VERSION_SQL = "SELECT current_setting('server_version_num')::int AS number, version() AS text"

SETTINGS_SQL = """
SELECT name, setting, unit, vartype, min_val, max_val, enumvals, context, boot_val, reset_val, source, sourcefile,
       pending_restart, category, short_desc
  FROM pg_settings
 ORDER BY name"""
"""All settings, for `LiveSetting.from_row`. `sourcefile` is NULL for a user without pg_read_all_settings."""

FILE_SETTINGS_SQL = """
SELECT sourcefile, sourceline, seqno, name, setting, applied, error
  FROM pg_file_settings
 ORDER BY seqno"""
"""All lines of the configuration files as they are on disk now, read without a restart. For superusers, and those
granted to. A line whose value is refused has an `error`, and so has one that takes a restart."""

PENDING_RESTART_ERROR = "setting could not be applied"
"""What `pg_file_settings.error` says both of a refused value and of a change that takes a restart."""

ROLE_SETTINGS_SQL = """
SELECT d.datname AS database, r.rolname AS role, split_part(c.entry, '=', 1) AS name,
       substr(c.entry, strpos(c.entry, '=') + 1) AS setting
  FROM pg_db_role_setting s
  LEFT JOIN pg_database d ON d.oid = s.setdatabase
  LEFT JOIN pg_roles r ON r.oid = s.setrole
 CROSS JOIN LATERAL unnest(s.setconfig) AS c(entry)
 ORDER BY 1, 2, 3"""
"""Settings bound to a database or a role by ALTER DATABASE or ALTER ROLE; NULL means any."""

DIRECTORIES_SQL = """
SELECT current_setting('data_directory') AS data_directory, current_setting('config_file') AS config_file,
       current_setting('port')::int AS port"""

_FIXED_SOURCES = {
    "command line": "the server's command line",
    "environment variable": "the server's environment",
    "override": "the server itself, which forces this value",
}
_SESSION_SOURCES = {
    "database": "ALTER DATABASE ... SET",
    "user": "ALTER ROLE ... SET",
    "database user": "ALTER ROLE ... IN DATABASE ... SET",
    "client": "the client's own options",
    "session": "a SET of the session",
}


def read_back(wanted: Mapping[str, Value], live: Mapping[str, LiveSetting], knobs_file: str) -> list[Problem]:
    """Knobs whose value in force is not the wanted one: each with both values, and what overrode it.

    Values that the server rounds to the same setting count as equal. A knob that takes a restart which did not happen
    is a problem as well, even where it shows the wanted value.
    """
    problems = []
    for name, value in wanted.items():
        setting = live.get(name)
        if setting is None:
            problems.append(Problem(name, "is unknown to the server", "take it out of the knob set"))
        elif not _equal(value, setting):
            found = f"wanted {units.display(value, setting)}, in force is {units.display(setting.value, setting)}"
            problems.append(Problem(name, found, _why(setting, knobs_file)))
        elif setting.pending_restart:
            found = "has another value in a configuration file that waits for a restart"
            problems.append(Problem(name, found, "restart the server"))
    return problems


def overriding_settings(
    live: Mapping[str, LiveSetting],
    file_rows: Iterable[Mapping[str, Any]],
    role_rows: Iterable[Mapping[str, Any]],
    tuned: Collection[str],
    *,
    knobs_file: str,
    database: str,
    user: str,
) -> list[Problem]:
    """What would win over the knobs file for the tuned knobs, each with where it is and how to remove it.

    `file_rows` is `FILE_SETTINGS_SQL`'s answer, empty if the user may not ask; then only what is in force now is seen.
    Of `ROLE_SETTINGS_SQL`'s answer, `role_rows`, those count that reach `user` in `database`.
    """
    rows = list(file_rows)
    problems = [
        Problem(name, f"is set by {_FIXED_SOURCES[setting.source]}", f"remove {name} there, or exclude the knob")
        for name, setting in sorted(live.items())
        if name in tuned and setting.source in _FIXED_SOURCES and setting.context != "internal"
    ]
    problems += _overriding_lines(rows, tuned, knobs_file) if rows else _altered_system(live, tuned)
    problems += [
        _bound(row)
        for row in role_rows
        if row["name"] in tuned and row["database"] in (None, database) and row["role"] in (None, user)
    ]
    return problems


def include_problem(file_rows: Iterable[Mapping[str, Any]], knobs_file: str, config_file: str) -> Problem | None:
    """None if the server read the knobs file, by `FILE_SETTINGS_SQL`; for a knobs file that sets something.

    `config_file` is the server's main file, where the missing line belongs.
    """
    if any(row["sourcefile"] == knobs_file for row in file_rows):
        return None
    return _not_included(knobs_file, config_file)


def include_problem_by_text(found: Iterable[tuple[str, Include]], knobs_file: str, config_file: str) -> Problem | None:
    """None if a directive names the knobs file or its folder; for a user who may not ask `FILE_SETTINGS_SQL`.

    `found` holds, of each configuration file read, its path and each of its directives. Relative paths start at the
    folder of the file they stand in.
    """
    wanted = posixpath.normpath(knobs_file)
    for path, include in found:
        named = posixpath.normpath(posixpath.join(posixpath.dirname(path), include.path))
        in_folder = include.directive == "include_dir" and named == posixpath.dirname(wanted)
        if named == wanted or (in_folder and wanted.endswith(".conf")):
            return None
    return _not_included(knobs_file, config_file)


def file_errors(file_rows: Iterable[Mapping[str, Any]], live: Mapping[str, LiveSetting]) -> list[Problem]:
    """Lines of the configuration files that the server would refuse, seen before a restart.

    The server says the same of a value that only waits for a restart; such a line is passed over if the value is one
    the setting takes. An error of no line at all speaks of a setting that was taken out of the files and keeps its
    value until a restart.
    """
    problems = []
    for row in file_rows:
        if not row["error"] or (row["sourcefile"] is None and row["name"] is None):
            continue
        name = str(row["name"] or "")
        if row["error"] == PENDING_RESTART_ERROR and _acceptable(row["setting"], live.get(name.lower())):
            continue
        where = f"{row['sourcefile']} line {row['sourceline']}"
        shown = f"{name} = {row['setting']!r}" if name else "a line"
        problems.append(Problem(name or where, f"{shown} in {where}: {row['error']}", "correct or remove the line"))
    return problems


def _acceptable(text: str | None, setting: LiveSetting | None) -> bool:
    if text is None or setting is None or not setting.needs_restart:
        return False
    try:
        value = units.read(text, setting.name, setting.vartype, setting.unit, setting.enumvals)
    except InvalidInput:
        return False
    if isinstance(value, bool | str):
        return True
    low, high = setting.minimum, setting.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _equal(wanted: Value, setting: LiveSetting) -> bool:
    in_force = setting.value
    if isinstance(wanted, bool) or isinstance(in_force, bool | str):
        return wanted == in_force
    # The server keeps an integer setting in whole units, a real one in double precision shown with 6 digits or more.
    if setting.vartype == "integer":
        return round(float(wanted)) == in_force
    return abs(float(wanted) - in_force) <= 1e-6 * max(abs(float(wanted)), abs(in_force))


def _why(setting: LiveSetting, knobs_file: str) -> str:
    if setting.pending_restart:
        return "the server has not been restarted since the knobs file was written"
    if setting.source in _FIXED_SOURCES:
        return f"set by {_FIXED_SOURCES[setting.source]}; remove it there"
    if setting.source in _SESSION_SOURCES:
        return f"set by {_SESSION_SOURCES[setting.source]}; RESET it there"
    if setting.sourcefile == knobs_file:
        return f"{knobs_file} was read, and the server changed the value or the file was written by somebody else"
    if setting.sourcefile:
        return f"{setting.sourcefile} sets it after {knobs_file}; {_removal(setting.sourcefile, setting.name)}"
    return f"its source is {setting.source!r}: {knobs_file} was not read; check the include line"


def _removal(sourcefile: str, name: str) -> str:
    if sourcefile.endswith("/postgresql.auto.conf"):
        return f"run ALTER SYSTEM RESET {name}"
    return "remove it there, or move the include line to the end"


def _overriding_lines(rows: list[Mapping[str, Any]], tuned: Collection[str], knobs_file: str) -> list[Problem]:
    """Lines read after the knobs file; without it, only those of postgresql.auto.conf, which is always read last."""
    end_of_knobs = max((row["seqno"] for row in rows if row["sourcefile"] == knobs_file), default=None)
    problems = []
    for row in rows:
        sourcefile, name = str(row["sourcefile"]), str(row["name"] or "").lower()
        later = sourcefile.endswith("/postgresql.auto.conf") if end_of_knobs is None else row["seqno"] > end_of_knobs
        if later and name in tuned and sourcefile != knobs_file:
            found = f"is set to {row['setting']!r} in {sourcefile} line {row['sourceline']}, read after {knobs_file}"
            problems.append(Problem(name, found, _removal(sourcefile, name)))
    return problems


def _altered_system(live: Mapping[str, LiveSetting], tuned: Collection[str]) -> list[Problem]:
    problems = []
    for name in sorted(tuned):
        sourcefile = live[name].sourcefile if name in live else None
        if sourcefile and sourcefile.endswith("/postgresql.auto.conf"):
            problems.append(Problem(name, f"is set in {sourcefile}, which is read last", _removal(sourcefile, name)))
    return problems


def _bound(row: Mapping[str, Any]) -> Problem:
    scope = " ".join(
        f"{kind} {name}" for kind, name in (("role", row["role"]), ("database", row["database"])) if name is not None
    )
    if row["role"] is not None:
        where = f" IN DATABASE {row['database']}" if row["database"] is not None else ""
        reset = f"ALTER ROLE {row['role']}{where} RESET {row['name']}"
    else:
        reset = f"ALTER DATABASE {row['database']} RESET {row['name']}"
    return Problem(str(row["name"]), f"is set to {row['setting']!r} for {scope or 'all roles'}", f"run {reset}")


def _not_included(knobs_file: str, config_file: str) -> Problem:
    quoted = units.quote(knobs_file)
    advice = f"add this line at the end of {config_file}: include_if_exists = {quoted}"
    return Problem("knobs_file", f"{knobs_file} is not read by the server", advice)
