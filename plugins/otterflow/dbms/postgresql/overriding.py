"""What would win over the knobs file, what the server would refuse of its files, and how each is mended."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from otterflow.dbms.postgresql import secrets, spelling
from otterflow.dbms.postgresql.quoting import identifier
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting

PENDING_RESTART_ERROR = "setting could not be applied"
"""What `pg_file_settings.error` says both of a refused value and of a change that takes a restart."""

COMMAND_LINE = "command line"
"""The one source that wins over every configuration file and is neither a database's nor a role's."""


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

    `file_rows` is `FILE_SETTINGS_SQL`'s answer, or what `rows_by_text` told where that does not show the knobs file. Of
    `ROLE_SETTINGS_SQL`'s answer, `role_rows`, those count that reach `user` in `database`.
    """
    rows = list(file_rows)
    problems = [
        Problem(name, "is set on the server's command line", f"remove {name} there, or exclude the knob")
        for name, setting in sorted(live.items())
        if name in tuned and setting.source == COMMAND_LINE
    ]
    lines = _overriding_lines(rows, live, tuned, knobs_file)
    told = {problem.field for problem in lines}
    problems += lines + [problem for problem in _altered_system(live, tuned, knobs_file) if problem.field not in told]
    problems += [
        _bound(row)
        for row in role_rows
        if row["name"] in tuned and row["database"] in (None, database) and row["role"] in (None, user)
    ]
    return problems


def include_problem(rows: Iterable[Mapping[str, Any]], knobs_file: str, config_file: str) -> Problem | None:
    """None if the rows, of `FILE_SETTINGS_SQL` or of `rows_by_text`, show that the server reads the knobs file.

    `config_file` is the server's main file, where the missing line belongs.
    """
    if is_read(rows, knobs_file):
        return None
    quoted = spelling.quote(knobs_file)
    advice = f"add this line at the end of {config_file}: include_if_exists = {quoted}"
    return Problem("knobs_file", f"{knobs_file} is not read by the server", advice)


def is_read(rows: Iterable[Mapping[str, Any]], knobs_file: str) -> bool:
    """Whether the knobs file is among the rows."""
    return any(row["sourcefile"] == knobs_file for row in rows)


def closed_problem(knobs_file: str) -> Problem:
    """The server finds the line that includes the knobs file, and does not read what the file sets."""
    found = f"{knobs_file} is included, and the server read nothing of it: its user may not enter the folder or read it"
    advice = f"let others enter the folder and read the file: chmod o+x {posixpath.dirname(knobs_file)}; chmod o+r "
    return Problem("knobs_file", found, f"{advice}{knobs_file}")


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
        if row["error"] == PENDING_RESTART_ERROR and row["setting"] == secrets.WITHHELD:
            continue  # whether it only waits for a restart cannot be told from here
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
        value = spelling.read(text, setting.name, setting.vartype, setting.unit, setting.enumvals)
    except InvalidInput:
        return False
    if isinstance(value, bool | str):
        return True
    low, high = setting.minimum, setting.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def removal(sourcefile: str, setting: LiveSetting, knobs_file: str, text: str | None = None) -> str:
    """How to take a value out of another file without losing it; `text` is the value there, if not the one in force."""
    name = setting.name
    if not sourcefile.endswith("/postgresql.auto.conf"):
        return f"move the line above the one that includes {knobs_file}, or exclude the knob"
    own = f"{name} = {spelling.render(setting.value, setting) if text is None else spelling.quote(text)}"
    force = "restart the server" if setting.needs_restart else "SELECT pg_reload_conf()"
    return (
        f"to keep the value where otterflow finds it, write {own} into postgresql.conf above the line that includes "
        f"{knobs_file}, then run ALTER SYSTEM RESET {name} and {force}; or exclude the knob"
    )


def _overriding_lines(
    rows: list[Mapping[str, Any]], live: Mapping[str, LiveSetting], tuned: Collection[str], knobs_file: str
) -> list[Problem]:
    """Lines read after the knobs file; without it, only those of postgresql.auto.conf, which is always read last."""
    end_of_knobs = max((row["seqno"] for row in rows if row["sourcefile"] == knobs_file), default=None)
    problems = []
    for row in rows:
        sourcefile, name = str(row["sourcefile"]), str(row["name"] or "").lower()
        auto = sourcefile.endswith("/postgresql.auto.conf")
        later = auto or (end_of_knobs is not None and row["seqno"] > end_of_knobs)
        if later and name in tuned and name in live and sourcefile != knobs_file:
            found = f"is set to {row['setting']!r} in {sourcefile} line {row['sourceline']}, read after {knobs_file}"
            problems.append(Problem(name, found, removal(sourcefile, live[name], knobs_file, row["setting"])))
    return problems


def _altered_system(live: Mapping[str, LiveSetting], tuned: Collection[str], knobs_file: str) -> list[Problem]:
    problems = []
    for name in sorted(tuned):
        sourcefile = live[name].sourcefile if name in live else None
        if sourcefile and sourcefile.endswith("/postgresql.auto.conf"):
            advice = removal(sourcefile, live[name], knobs_file)
            problems.append(Problem(name, f"is set in {sourcefile}, which is read last", advice))
    return problems


def _bound(row: Mapping[str, Any]) -> Problem:
    scope = " ".join(
        f"{kind} {name}" for kind, name in (("role", row["role"]), ("database", row["database"])) if name is not None
    )
    if row["role"] is not None:
        where = f" IN DATABASE {identifier(row['database'])}" if row["database"] is not None else ""
        reset = f"ALTER ROLE {identifier(row['role'])}{where} RESET {row['name']}"
    elif row["database"] is not None:
        reset = f"ALTER DATABASE {identifier(row['database'])} RESET {row['name']}"
    else:
        reset = f"ALTER ROLE ALL RESET {row['name']}"
    found = f"is set to {row['setting']!r} for {scope or 'all roles'}"
    return Problem(str(row["name"]), found, f"note the value, and run {reset}; or exclude the knob")
