"""What the server says of its settings, and whether what was written is what is in force."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql import configuration_file, reading_order, secrets, spelling
from otterflow.dbms.postgresql.configuration_file import render as render
from otterflow.dbms.postgresql.database import CURRENT_USER_SQL
from otterflow.dbms.postgresql.overriding import COMMAND_LINE, file_errors, overriding_settings, removal
from otterflow.dbms.postgresql.privileges import MAY_READ_FILES_SQL
from otterflow.dbms.postgresql.quoting import literal
from otterflow.dbms.postgresql.rows import from_row as from_row
from otterflow.dbms.values import Query, Version
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.remote.session import Session

VERSION_SQL = "SELECT current_setting('server_version_num')::int AS number, version() AS text"

SETTINGS_SQL = f"""
SELECT name, setting, unit, vartype, min_val, max_val, enumvals, context, boot_val, reset_val, source, sourcefile,
       pending_restart, category, short_desc
  FROM pg_settings AS s
 WHERE NOT {secrets.withheld_sql("s.name")}
 ORDER BY name"""  # noqa: S608 constants
"""All settings that hold no secret, for `from_row`. `sourcefile` is NULL for a user without
pg_read_all_settings."""

FILE_SETTINGS_SQL = f"""
SELECT sourcefile, sourceline, seqno, name,
       CASE WHEN {secrets.withheld_sql("f.name")} THEN {literal(secrets.WITHHELD)} ELSE setting END AS setting,
       applied, error
  FROM pg_file_settings AS f
 ORDER BY seqno"""  # noqa: S608 constants
"""All lines of the configuration files as they are on disk now, read without a restart. For superusers, and those
granted to. A line whose value is refused has an `error`, and so has one that takes a restart. Values that may be secret
are not told."""

ROLE_SETTINGS_SQL = f"""
SELECT d.datname AS database, r.rolname AS role, split_part(c.entry, '=', 1) AS name,
       CASE WHEN {secrets.withheld_sql("split_part(c.entry, '=', 1)")} THEN {literal(secrets.WITHHELD)}
            ELSE substr(c.entry, strpos(c.entry, '=') + 1) END AS setting
  FROM pg_db_role_setting s
  LEFT JOIN pg_database d ON d.oid = s.setdatabase
  LEFT JOIN pg_roles r ON r.oid = s.setrole
 CROSS JOIN LATERAL unnest(s.setconfig) AS c(entry)
 ORDER BY 1, 2, 3"""  # noqa: S608 constants
"""Settings bound to a database or a role by ALTER DATABASE or ALTER ROLE; NULL means any."""

IDENTITY_SQL = """
SELECT system_identifier::text AS system, current_setting('data_directory') AS data_directory
  FROM pg_control_system()"""
"""Which cluster it is: the number that initdb gave it, which only a copy of its files shares, and where it lies."""

DIRECTORIES_SQL = """
SELECT current_setting('data_directory') AS data_directory, current_setting('config_file') AS config_file,
       current_setting('port')::int AS port"""

_COMPUTED_SOURCES = ("override", "environment variable")
"""Where the server found its own value because no configuration file gives one: what it computed at its start
(`wal_buffers` up to 14, and wherever a file says -1), and what it took from its environment or its limits
(`max_stack_depth` up to 14). Any file wins over both."""
_SESSION_SOURCES = {
    "database": "ALTER DATABASE ... SET",
    "user": "ALTER ROLE ... SET",
    "database user": "ALTER ROLE ... IN DATABASE ... SET",
    "client": "the client's own options",
    "session": "a SET of the session",
}


def version(query: Query) -> Version:
    """The server's version."""
    row = query(VERSION_SQL)[0]
    return Version(row["number"] // 10_000, row["number"], row["text"])


def identity(query: Query) -> tuple[str, str]:
    """Which cluster it is, and its data directory."""
    row = query(IDENTITY_SQL)[0]
    return row["system"], row["data_directory"]


def live_settings(query: Query) -> dict[str, LiveSetting]:
    """Every row of pg_settings that holds no secret, by name."""
    return {row["name"]: from_row(row) for row in query(SETTINGS_SQL)}


def major(live: Mapping[str, LiveSetting]) -> int:
    """The server's major version."""
    return int(live["server_version_num"].value) // 10_000


def connections(live: Mapping[str, LiveSetting]) -> int:
    """How many connections the server takes."""
    return int(live["max_connections"].value)


def directories(query: Query) -> dict[str, Any]:
    """`data_directory`, `config_file` and `port`."""
    return query(DIRECTORIES_SQL)[0]


def file_problems(query: Query, knobs_file: str) -> tuple[list[Problem], list[Problem]] | None:
    """What the server would refuse of the knobs file, and of its other files; None for a user who may not read them."""
    if not _may_read_files(query):
        return None
    rows, live = query(FILE_SETTINGS_SQL), live_settings(query)
    own = [row["sourcefile"] in (None, knobs_file) for row in rows]
    return file_errors(list(compress(rows, own)), live), file_errors(list(compress(rows, map(not_, own))), live)


def knobs_file_problems(text: str, knobs_file: str) -> list[Problem]:
    """Settings of the knobs file that may be secrets. Raises InvalidInput that names the lines that are no settings."""
    try:
        names = list(configuration_file.parse(text))
    except InvalidInput as error:
        found = [Problem(f"{knobs_file} {p.field}", p.found, p.advice) for p in error.problems]
        raise InvalidInput(found) from None
    return secrets.file_problems(names, knobs_file)


def overrides(
    query: Query,
    session: Session,
    target: Target,
    live: Mapping[str, LiveSetting],
    tuned: Collection[str],
    knobs_text: str,
    *,
    restarts: bool,
) -> list[Problem]:
    """Whether the knobs file is read, what would win over it, and what the server would refuse of its files.

    Nothing is lost where it `restarts`: it keeps what it has from files alone.
    """
    file_rows = query(FILE_SETTINGS_SQL) if _may_read_files(query) else []
    role_rows = query(ROLE_SETTINGS_SQL)
    user = query(CURRENT_USER_SQL)[0]["name"]
    config_file = str(directories(query)["config_file"])
    rows, problem = reading_order.lines(session, target.knobs_file, knobs_text, file_rows, config_file)
    problems = [] if problem is None else [problem]
    problems += overriding_settings(
        live, rows, role_rows, tuned, knobs_file=target.knobs_file, database=target.database, user=user
    )
    return problems + file_errors(file_rows, live)


def as_measured(text: str) -> str:
    """The text as it is: a server begins with empty buffers, or with those that pg_prewarm fills for every trial."""
    return text


def own_values(query: Query, tuned: Collection[str], database: str) -> list[tuple[str, str]]:
    """Other roles, and the tuned knob each has a value of its own for (ALTER ROLE ... SET), in `database`."""
    user = query(CURRENT_USER_SQL)[0]["name"]
    return [
        (row["role"], row["name"])
        for row in query(ROLE_SETTINGS_SQL)
        if row["name"] in tuned and row["database"] in (None, database) and row["role"] not in (None, user)
    ]


def _may_read_files(query: Query) -> bool:
    return bool(query(MAY_READ_FILES_SQL)[0]["may"])


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
            found = f"wanted {spelling.display(value, setting)}, in force is {spelling.display(setting.value, setting)}"
            problems.append(Problem(name, found, _why(setting, knobs_file)))
        elif setting.pending_restart:
            found = "has another value in a configuration file that waits for a restart"
            problems.append(Problem(name, found, "restart the server"))
    return problems


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
    if setting.source == COMMAND_LINE:
        return "set on the server's command line; remove it there"
    if setting.source in _COMPUTED_SOURCES:
        return f"the server computed it, since no file gave a value: {knobs_file} was not read; check the include line"
    if setting.source in _SESSION_SOURCES:
        return f"set by {_SESSION_SOURCES[setting.source]}; RESET it there"
    if setting.sourcefile == knobs_file:
        return f"{knobs_file} was read, and the server changed the value or the file was written by somebody else"
    if setting.sourcefile:
        return f"{setting.sourcefile} sets it after {knobs_file}; {removal(setting.sourcefile, setting, knobs_file)}"
    return f"its source is {setting.source!r}: {knobs_file} was not read; check the include line"
